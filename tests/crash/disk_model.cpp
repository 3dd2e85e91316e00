#include "tests/crash/disk_model.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "storage/engine/file.hpp"

namespace reqld::crash {

const char* name_of(Loss loss) {
  constexpr const char* kNames[] = {"everything", "nothing",     "any-pages", "any-torn-pages", "most-pages",
                                    "few-pages",  "whole-files", "meta-only", "all-but-meta"};
  return kNames[static_cast<int>(loss)];
}

void store(const Disk& disk, const std::string& directory) {
  std::filesystem::remove_all(directory);
  std::filesystem::create_directories(directory);
  for (const auto& [name, content] : disk) {
    auto file = storage::File::open(directory + "/" + name, O_RDWR | O_CREAT | O_TRUNC);
    if (!file) throw std::runtime_error(file.error().message);
    if (::ftruncate(file->fd(), static_cast<off_t>(content.size)) != 0) throw std::runtime_error("ftruncate");
    for (const auto& [number, page] : content.pages) {
      const std::uint64_t at = number * kPageBytes;
      if (page == nullptr || at >= content.size) continue;
      const auto wrote =
          file->write_at(at, page->data(), std::min<std::uint64_t>(kPageBytes, content.size - at));
      if (!wrote) throw std::runtime_error(wrote.error().message);
    }
  }
}

Disk load(const std::string& directory) {
  Disk disk;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    const std::string name = entry.path().filename();
    if (name == "lock" || name == "lock.mdb") continue;
    DiskFile& file = disk[name];
    file.size = entry.file_size();
    std::ifstream in(entry.path(), std::ios::binary);
    for (std::uint64_t at = 0; at < file.size; at += kPageBytes) {
      auto page = std::make_shared<Page>();
      page->fill(0);
      in.read(page->data(), kPageBytes);
      file.pages[at / kPageBytes] = page;
    }
  }
  return disk;
}

DiskModel::DiskModel(const Disk& disk) {
  for (const auto& [name, content] : disk) {
    names_[name] = static_cast<int>(files_.size());
    FileState& file = files_.emplace_back();
    file.durable = content.pages;
    file.size = file.durable_size = content.size;
  }
  durable_names_ = names_;
}

PagePtr DiskModel::newest(const FileState& file, std::uint64_t page) const {
  if (const auto it = file.pending.find(page); it != file.pending.end()) return it->second.back().page;
  const auto it = file.durable.find(page);
  return it != file.durable.end() ? it->second : nullptr;
}

void DiskModel::change(Names& names, const Op& op) {
  switch (op.kind) {
    case OpKind::kCreate:
      names[op.name] = op.file;
      break;
    case OpKind::kUnlink:
      names.erase(op.name);
      break;
    case OpKind::kRename:
      // The entry that is renamed, wherever earlier changes have left it: never one file under two names.
      std::erase_if(names, [&](const auto& entry) { return entry.second == op.file; });
      names[op.new_name] = op.file;
      break;
    default:
      break;
  }
}

void DiskModel::apply(const Op& op) {
  ++time_;
  if (op.file >= static_cast<int>(files_.size())) files_.resize(static_cast<std::size_t>(op.file) + 1);
  switch (op.kind) {
    case OpKind::kWrite: {
      FileState& file = files_[static_cast<std::size_t>(op.file)];
      std::uint64_t at = op.offset;
      for (std::size_t done = 0; done < op.bytes.size();) {
        const std::uint64_t number = at / kPageBytes;
        const std::size_t in_page = at % kPageBytes;
        const std::size_t n = std::min(kPageBytes - in_page, op.bytes.size() - done);
        auto page = std::make_shared<Page>();
        if (const PagePtr old = newest(file, number)) {
          *page = *old;
        } else {
          page->fill(0);
        }
        std::memcpy(page->data() + in_page, op.bytes.data() + done, n);
        file.pending[number].push_back({time_, std::move(page)});
        at += n;
        done += n;
      }
      if (at > file.size) {
        file.size = at;
        file.pending_sizes.emplace_back(time_, at);
      }
      break;
    }
    case OpKind::kTruncate: {
      FileState& file = files_[static_cast<std::size_t>(op.file)];
      for (std::uint64_t page = 0; page * kPageBytes < file.size; ++page)
        file.pending[page].push_back({time_, nullptr});
      file.size = 0;
      file.pending_sizes.emplace_back(time_, 0);
      break;
    }
    case OpKind::kCreate:
    case OpKind::kRename:
    case OpKind::kUnlink:
      change(names_, op);
      pending_names_.push_back({time_, op});
      break;
    case OpKind::kSyncBegin:
    case OpKind::kDirectorySyncBegin:
      sync_begun_[op.sync] = time_;
      break;
    case OpKind::kSyncEnd: {
      const std::uint64_t begun = sync_begun_.at(op.sync);
      FileState& file = files_[static_cast<std::size_t>(op.file)];
      for (auto it = file.pending.begin(); it != file.pending.end();) {
        auto& versions = it->second;
        std::size_t n = 0;
        while (n < versions.size() && versions[n].time <= begun) ++n;
        if (n > 0) file.durable[it->first] = versions[n - 1].page;
        versions.erase(versions.begin(), versions.begin() + static_cast<std::ptrdiff_t>(n));
        it = versions.empty() ? file.pending.erase(it) : std::next(it);
      }
      auto& sizes = file.pending_sizes;
      while (!sizes.empty() && sizes.front().first <= begun) {
        file.durable_size = sizes.front().second;
        sizes.erase(sizes.begin());
      }
      break;
    }
    case OpKind::kDirectorySyncEnd: {
      const std::uint64_t begun = sync_begun_.at(op.sync);
      std::size_t n = 0;
      for (; n < pending_names_.size() && pending_names_[n].time <= begun; ++n) {
        change(durable_names_, pending_names_[n].op);
      }
      pending_names_.erase(pending_names_.begin(), pending_names_.begin() + static_cast<std::ptrdiff_t>(n));
      break;
    }
    case OpKind::kAck:
      break;
  }
}

Disk DiskModel::crash(Loss loss, std::mt19937_64& random) const {
  const auto chance = [&](double p) { return std::uniform_real_distribution<>(0, 1)(random) < p; };
  const auto pick = [&](std::size_t n) {
    return std::uniform_int_distribution<std::size_t>(0, n - 1)(random);
  };

  // Changes of names are journalled one by one: any of them may be missing.
  Names names = durable_names_;
  for (const NameChange& c : pending_names_) {
    bool kept = chance(0.5);
    if (loss == Loss::kEverything || loss == Loss::kMetaOnly) kept = false;
    if (loss == Loss::kNothing || loss == Loss::kAllButMeta) kept = true;
    if (kept) change(names, c.op);
  }

  Disk disk;
  for (const auto& [name, number] : names) {
    const FileState& file = files_[static_cast<std::size_t>(number)];
    DiskFile& out = disk[name];
    out.pages = file.durable;
    const bool is_data = name == "data.mdb";
    double share = 0.5;  // of the pages that get through
    if (loss == Loss::kEverything || loss == Loss::kMetaOnly) share = 0;
    if (loss == Loss::kNothing || loss == Loss::kAllButMeta) share = 1;
    if (loss == Loss::kMostPages) share = 0.05;
    if (loss == Loss::kFewPages) share = 0.95;
    if (loss == Loss::kWholeFiles) share = chance(0.5) ? 1 : 0;
    const bool newest_only = share == 1 || loss == Loss::kWholeFiles;

    // The size is metadata: it may be ahead of the pages or behind them.
    std::size_t size_at = file.pending_sizes.size();
    if (share == 0) size_at = 0;
    if (!newest_only && share > 0) size_at = pick(file.pending_sizes.size() + 1);
    out.size = size_at == 0 ? file.durable_size : file.pending_sizes[size_at - 1].second;

    for (const auto& [page, versions] : file.pending) {
      const bool meta = is_data && page < 2;
      double p = share;
      if (meta && loss == Loss::kMetaOnly) p = 1;
      if (meta && loss == Loss::kAllButMeta) p = 0;
      if (!chance(p)) continue;
      PagePtr got = versions[newest_only ? versions.size() - 1 : pick(versions.size())].page;
      if (loss == Loss::kAnyTornPages && chance(0.3)) {
        auto torn = std::make_shared<Page>();
        const auto durable = file.durable.find(page);
        const std::size_t other = pick(versions.size() + 1);
        const PagePtr old = other < versions.size()         ? versions[other].page
                            : durable != file.durable.end() ? durable->second
                                                            : nullptr;
        for (std::size_t at = 0; at < kPageBytes; at += kSectorBytes) {
          const PagePtr& from = chance(0.5) ? got : old;
          if (from != nullptr) {
            std::memcpy(torn->data() + at, from->data() + at, kSectorBytes);
          } else {
            std::memset(torn->data() + at, 0, kSectorBytes);
          }
        }
        got = torn;
      }
      out.pages[page] = got;
    }
  }
  return disk;
}

}  // namespace reqld::crash
