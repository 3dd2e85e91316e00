#include "storage/tools/check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "datum/json.hpp"
#include "datum/key_codec.hpp"
#include "storage/tables/blobs.hpp"
#include "storage/tables/change_log.hpp"
#include "storage/tables/index_keys.hpp"
#include "storage/tables/records.hpp"
#include "storage/tools/backup.hpp"

namespace reqld::storage {

namespace {

constexpr std::uint64_t kRowsPerProgress = 10'000;

std::string printable(std::string_view bytes) {
  std::string out;
  for (const char c : bytes.substr(0, 80)) {
    if (c >= 0x20 && c < 0x7f)
      out.push_back(c);
    else
      out += fmt::format("\\x{:02x}", static_cast<std::uint8_t>(c));
  }
  if (bytes.size() > 80) out += "…";
  return out;
}

std::string show_key(std::string_view primary_key) {
  std::string_view rest = primary_key;
  const auto value = decode_key(rest);
  return value && rest.empty() ? to_json(*value) : "key " + printable(primary_key);
}

class Checker {
 public:
  Checker(Engine& engine, const CheckOptions& options)
      : options_(options), blobs_(std::make_shared<BlobStore>(engine)), parts_(options.index_functions) {
    blobs_->epochs().enter(engine.last_sequence(), slot_);
    snapshot_ = engine.snapshot();
    source_ = blobs_->source(snapshot_->sequence());
  }
  ~Checker() { blobs_->close(); }
  Checker(const Checker&) = delete;
  Checker& operator=(const Checker&) = delete;

  CheckReport run() {
    guarded([this] { snapshot_->verify([this](const std::string& problem) { found("{}", problem); }); });
    check_meta();
    check_catalog();
    check_order_and_owners();
    check_system();
    check_tasks();
    for (const auto& [id, table] : tables_) check_table(*table);
    for (const std::uint32_t space : dropped_rows_) count_dropped_rows(space);
    check_change_logs();
    check_blobs();
    return std::move(report_);
  }

 private:
  template <typename... A>
  void found(fmt::format_string<A...> text, A&&... args) {
    ++report_.problems;
    if (report_.findings.size() < options_.max_findings)
      report_.findings.push_back(fmt::format(text, std::forward<A>(args)...));
  }
  View view() { return View(*snapshot_); }

  void progress(const std::string& what) {
    if (options_.progress) options_.progress(what, report_.rows, total_rows_);
  }

  /// Runs `read`; damaged records become findings.
  template <typename F>
  bool guarded(F read) {
    try {
      read();
      return true;
    } catch (const std::exception& e) {
      found("{}", e.what());
      return false;
    }
  }

  void check_meta() {
    const auto format = view().get(space_key(kMetaSpace, kMetaFormat));
    if (!format) return found("The record of the format is missing.");
    if (format->size() != 4 || load_u32(*format) != kFormat) found("The record of the format is damaged.");
    const auto id = view().get(space_key(kMetaSpace, kMetaDatabaseId));
    if (!id || id->size() != kUuidBytes) found("The database has no id.");
    const auto space = view().get(space_key(kMetaSpace, kMetaNextSpace));
    if (space && space->size() != 4)
      found("The record of the next space is damaged.");
    else
      next_space_ = space ? load_u32(*space) : static_cast<std::uint32_t>(kFirstFreeSpace);
    const auto blob = view().get(space_key(kMetaSpace, kMetaNextBlob));
    if (blob && blob->size() != 8)
      found("The record of the next binary is damaged.");
    else
      next_blob_ = blob ? load_u64(*blob) : 1;
  }

  void check_catalog() {
    std::map<Uuid, DbInfo> dbs;
    std::map<std::string, Uuid> names;  // whole key -> id
    for (auto c = view().cursor(whole_space(kCatalogSpace)); c->valid(); c->next()) {
      const std::string_view key = c->key().substr(kSpaceBytes);
      const char kind = key.empty() ? '\0' : key[0];
      const Uuid id(key.substr(std::min<std::size_t>(1, key.size())));
      switch (kind) {
        case 'd':
          guarded([&] { dbs.emplace(id, decode_db(id, c->value())); });
          break;
        case 't':
        case 'i':
          break;
        case 'D':
        case 'T':
          names.emplace(c->key(), Uuid(c->value()));
          break;
        default:
          found("The catalog has an unknown record {}.", printable(key));
      }
    }
    std::vector<Uuid> table_ids;
    const std::string prefix = table_record_prefix();
    for (auto c = view().prefix(prefix); c->valid(); c->next())
      table_ids.emplace_back(c->key().substr(prefix.size()));
    for (const Uuid& id : table_ids) guarded([&] { tables_.emplace(id, load_table(view(), id, parts_)); });
    report_.dbs = dbs.size();
    report_.tables = tables_.size();

    for (const auto& [id, db] : dbs) take_name(names, db_name_key(db.name), id, "database `" + db.name + "`");
    for (const auto& [id, table] : tables_) {
      const auto db = dbs.find(table->db_id);
      if (db == dbs.end())
        found("Table `{}` ({}) belongs to a database that does not exist.", table->name, id);
      else
        labels_[id] = db->second.name + "." + table->name;
      take_name(names, table_name_key(table->db_id, table->name), id, "table `" + label(*table) + "`");
      own(table->space, "table `" + label(*table) + "`");
      for (const auto& [name, index] : table->indexes) {
        own(index->space, "index `" + name + "` of table `" + label(*table) + "`");
        ++report_.indexes;
      }
    }
    for (const auto& [key, id] : names)
      found("The catalog has a name {} for {}, which does not exist.", printable(key.substr(kSpaceBytes)),
            printable(id));

    const std::string indexes = index_record_prefix("");
    for (auto c = view().prefix(indexes); c->valid(); c->next()) {
      const Uuid table(c->key().substr(indexes.size(), kUuidBytes));
      if (!tables_.contains(table))
        found("The catalog has an index of table {}, which does not exist.", printable(table));
    }
    std::set<std::uint32_t> heads;
    for (auto c = view().cursor(whole_space(kHeadSpace)); c->valid(); c->next()) {
      if (c->key().size() != kSpaceBytes + 4)
        found("A head record has a damaged key.");
      else
        heads.insert(load_u32(c->key().substr(kSpaceBytes)));
    }
    for (const auto& [id, table] : tables_) {
      if (heads.erase(table->space) == 0)
        found("Table `{}` has no head record.", label(*table));
      else
        guarded(
            [this, space = table->space] { total_rows_ += decode_head(*view().get(head_key(space))).rows; });
    }
    for (const std::uint32_t space : heads)
      found("There is a head record for space {}, which is no table's.", space);
  }

  void take_name(std::map<std::string, Uuid>& names, const std::string& key, const Uuid& id,
                 const std::string& what) {
    const auto it = names.find(key);
    if (it == names.end()) return found("The catalog has no name record for {}.", what);
    if (it->second != id) found("The name of {} points to {}.", what, printable(it->second));
    names.erase(it);
  }

  void own(std::uint32_t space, const std::string& owner) {
    if (space < kFirstFreeSpace || space >= next_space_)
      found("Space {} of {} was never given out.", space, owner);
    const auto [it, fresh] = owners_.emplace(space, owner);
    if (!fresh) found("Space {} belongs to {} and to {}.", space, it->second, owner);
  }

  std::string label(const TableInfo& table) const {
    const auto it = labels_.find(table.id);
    return it == labels_.end() ? table.name : it->second;
  }

  void check_tasks() {
    std::set<std::uint32_t> builds;
    for (auto c = view().cursor(whole_space(kTaskSpace)); c->valid(); c->next()) {
      const std::string_view key = c->key().substr(kSpaceBytes);
      if (key.size() != 5) {
        found("A background task has a damaged key {}.", printable(key));
        continue;
      }
      if (key[0] == kTaskBuild) {
        builds.insert(load_u32(key.substr(1)));
        guarded([&] { (void)decode_build_task(c->value()); });
      } else if (key[0] == kTaskDropLog) {
        guarded([&] { (void)decode_position(c->value()); });
      } else if (key[0] != kTaskDropRows && key[0] != kTaskDropIndex) {
        found("There is an unknown background task {}.", printable(key));
      }
    }
    for (const auto& [id, table] : tables_)
      for (const auto& [name, index] : table->indexes)
        if (builds.erase(index->space) != (index->ready ? 0u : 1u))
          found("Index `{}` of table `{}` is {} but there is {} build of it.", name, label(*table),
                index->ready ? "ready" : "not ready", index->ready ? "a" : "no");
    for (const std::uint32_t space : builds)
      found("There is a build for space {}, which is no index.", space);
  }

  // Every key once: in order, and in a space that belongs to something.
  void check_order_and_owners() {
    for (auto c = view().cursor(whole_space(kTaskSpace)); c->valid(); c->next()) {
      const std::string_view key = c->key().substr(kSpaceBytes);
      if (key.size() != 5 || (key[0] != kTaskDropRows && key[0] != kTaskDropIndex)) continue;
      own(load_u32(key.substr(1)), "what is being dropped");
      if (key[0] == kTaskDropRows) dropped_rows_.push_back(load_u32(key.substr(1)));
    }
    std::string last;
    std::uint64_t keys = 0;
    std::uint32_t space = 0;
    bool first = true;
    for (auto c = view().cursor({}); c->valid(); c->next(), ++keys) {
      const std::string_view key = c->key();
      if (key <= last && keys > 0)
        found("Key {} does not come after key {}.", printable(key), printable(last));
      last.assign(key);
      if (key.size() < kSpaceBytes) {
        found("There is a key {} that belongs to no space.", printable(key));
        continue;
      }
      if (!first && load_u32(key) == space) continue;
      first = false;
      space = load_u32(key);
      if (space > kLogHeadSpace && !owners_.contains(space))
        found("Space {} holds keys but belongs to nothing.", space);
    }
  }

  void check_system() {
    for (auto c = view().cursor(whole_space(kSystemSpace)); c->valid(); c->next()) {
      const std::string_view key = c->key().substr(kSpaceBytes);
      if (key.find('\0') == std::string_view::npos || !validate_encoding(c->value()))
        found("System record {} is damaged.", printable(key));
    }
  }

  void check_table(const TableInfo& table) {
    const std::string name = label(table);
    std::uint64_t rows = 0;
    struct Expected {
      const IndexInfo* index;
      std::uint64_t entries = 0;  // of the rows
      std::uint64_t present = 0;  // of them
      bool checkable = true;
    };
    std::vector<Expected> expected;
    for (const auto& [index_name, index] : table.indexes) {
      expected.push_back({index.get()});
      if (!index->function) {
        expected.back().checkable = false;
        if (options_.index_functions)
          found("The function of index `{}` of table `{}` cannot be made.", index_name, name);
      }
    }
    std::vector<IndexEntry> entries;
    for (auto c = view().cursor(whole_space(table.space)); c->valid(); c->next()) {
      if (rows++ % kRowsPerProgress == 0) progress(name);
      ++report_.rows;
      const std::string_view key = c->key().substr(kSpaceBytes);
      const std::optional<Datum> row = check_row(name, table.primary_key, key, c->value());
      if (!row) continue;
      for (Expected& e : expected) {
        if (!e.checkable) continue;
        entries.clear();
        if (!guarded([&] { append_entries(*e.index, *row, key, entries); })) continue;
        for (const IndexEntry& entry : entries) {
          ++e.entries;
          const auto stored = view().get(entry.key);
          if (stored && *stored == entry.value_bytes())
            ++e.present;
          else if (stored)
            found("Table `{}`, row {}: its entry in index `{}` is damaged.", name, show_key(key),
                  e.index->name);
          else if (e.index->ready)
            found("Table `{}`, row {}: its entry in index `{}` is missing.", name, show_key(key),
                  e.index->name);
        }
      }
    }
    if (const auto head = view().get(head_key(table.space)))
      guarded([&] {
        const std::uint64_t counted = decode_head(*head).rows;
        if (counted != rows) found("Table `{}` has {} rows but counts {}.", name, rows, counted);
      });
    for (const Expected& e : expected) {
      std::uint64_t entries_there = 0;
      for (auto c = view().cursor(whole_space(e.index->space)); c->valid(); c->next()) ++entries_there;
      report_.entries += entries_there;
      if (e.checkable && entries_there != e.present) find_extra_entries(table, *e.index);
    }
  }

  std::optional<Datum> check_row(const std::string& table, const std::string& primary_key,
                                 std::string_view key, std::string_view value) {
    if (!validate_encoding(value)) {
      found("Table `{}`, row {}: the document is damaged.", table, show_key(key));
      return std::nullopt;
    }
    Ref<Buffer> buffer = Buffer::copy(value.data(), value.size());
    buffer->add_blob_source(source_.get());
    Datum row = Datum::from_encoded(buffer->data(), *buffer);
    if (row.type() != Type::kObject) {
      found("Table `{}`, row {}: the document is no object.", table, show_key(key));
      return std::nullopt;
    }
    if (row_has_blob(value)) count_blobs(row, "Table `" + table + "`, row " + show_key(key));
    guarded([&] {
      const auto id = row.get(primary_key);
      if (!id)
        found("Table `{}`, row {}: the document has no primary key `{}`.", table, show_key(key), primary_key);
      else if (to_key(*id) != key)
        found("Table `{}`, row {}: the document's primary key is {}.", table, show_key(key),
              show_key(to_key(*id)));
    });
    return row;
  }

  void find_extra_entries(const TableInfo& table, const IndexInfo& index) {
    std::vector<IndexEntry> entries;
    for (auto c = view().cursor(whole_space(index.space)); c->valid(); c->next()) {
      guarded([&] {
        const ParsedEntry entry = parse_entry(index, c->key(), c->value());
        const auto value = view().get(space_key(table.space, entry.primary_key));
        if (!value)
          return found("Index `{}` of table `{}` has an entry for row {}, which does not exist.", index.name,
                       label(table), show_key(entry.primary_key));
        if (!validate_encoding(*value)) return;
        Ref<Buffer> buffer = Buffer::copy(value->data(), value->size());
        buffer->add_blob_source(source_.get());
        entries.clear();
        append_entries(index, Datum::from_encoded(buffer->data(), *buffer), entry.primary_key, entries);
        if (std::none_of(entries.begin(), entries.end(),
                         [&](const IndexEntry& e) { return e.key == c->key(); }))
          found("Index `{}` of table `{}` has an entry that row {} does not have.", index.name, label(table),
                show_key(entry.primary_key));
      });
    }
  }

  void count_blobs(const Datum& row, const std::string& where) {
    std::vector<BlobRef> refs;
    collect_blobs(row, refs);
    std::sort(refs.begin(), refs.end(), [](const BlobRef& a, const BlobRef& b) { return a.id < b.id; });
    for (std::size_t i = 0; i < refs.size(); ++i) {
      std::string key = space_key(kBlobSpace);
      append_u64(refs[i].id, key);
      const auto record = view().get(key);
      if (!record)
        found("{}: binary {} is missing.", where, refs[i].id);
      else
        guarded([&] {
          if (decode_blob_head(*record).length != refs[i].length)
            found("{}: binary {} has another length than the document says.", where, refs[i].id);
        });
      if (i == 0 || refs[i].id != refs[i - 1].id) ++holders_[refs[i].id];
    }
  }

  void count_dropped_rows(std::uint32_t space) {
    for (auto c = view().cursor(whole_space(space)); c->valid(); c->next()) {
      if (!validate_encoding(c->value()))
        found("A row of a dropped table is damaged.");
      else if (row_has_blob(c->value()))
        count_blobs(Datum::from_encoded(c->value()), "A row of a dropped table");
    }
  }

  // Logged changes hold blobs as rows do; those that a log has let go of already until they are deleted.
  void check_change_logs() {
    std::map<std::uint32_t, ChangeLogHead> counted, heads;
    for (auto c = view().cursor(whole_space(kLogHeadSpace)); c->valid(); c->next()) {
      guarded([&] { heads.emplace(load_u32(c->key().substr(kSpaceBytes)), decode_log_head(c->value())); });
    }
    for (auto c = view().cursor(whole_space(kChangeLogSpace)); c->valid(); c->next()) {
      guarded([&] {
        const ChangePosition at = log_position(c->key());
        const std::uint32_t space = load_u32(c->key().substr(kSpaceBytes));
        const LoggedChange change = parse_logged_change(c->value());
        Datum rows[2];
        for (int i = 0; i < 2; ++i) {
          const std::string_view row = i == 0 ? change.old_row : change.new_row;
          if (row.empty()) continue;
          if (!validate_encoding(row)) return found("A row in a change log is damaged.");
          if (!row_has_blob(row)) continue;
          rows[i] = Datum::from_encoded(row);
          count_blobs(rows[i], "A change log");
        }
        const auto head = heads.find(space);
        if (at.sequence > snapshot_->sequence())
          found("A change log has a change of commit {}, which has not been made.", at.sequence);
        if (head == heads.end() || at <= head->second.trimmed) return;
        ++counted[space].changes;
        counted[space].bytes += logged_bytes(c->value().size(), rows[0], rows[1]);
      });
    }
    for (const auto& [space, head] : heads) {
      if (head.changes != counted[space].changes || head.bytes != counted[space].bytes)
        found("The change log of space {} is counted as {} changes of {} bytes, but has {} of {}.", space,
              head.changes, head.bytes, counted[space].changes, counted[space].bytes);
    }
  }

  void check_blobs() {
    std::map<std::uint64_t, Sequence> graves;
    for (auto c = view().cursor(whole_space(kGraveyardSpace)); c->valid(); c->next()) {
      const std::string_view key = c->key().substr(kSpaceBytes);
      if (key.size() != 16) {
        found("A record of the graveyard is damaged.");
        continue;
      }
      if (!graves.emplace(load_u64(key.substr(8)), load_u64(key)).second)
        found("Binary {} is in the graveyard twice.", load_u64(key.substr(8)));
      if (load_u64(key) > snapshot_->sequence())
        found("Binary {} was buried by a commit that has not been made.", load_u64(key.substr(8)));
    }
    const auto chunks = view().cursor(whole_space(kChunkSpace));
    const auto chunk_id = [&] { return load_u64(chunks->key().substr(kSpaceBytes)); };
    const auto stray = [&] {
      found("There is a piece of binary {}, which does not exist.", chunk_id());
      chunks->next();
    };
    std::uint64_t done = 0;
    for (auto c = view().cursor(whole_space(kBlobSpace)); c->valid(); c->next()) {
      if (done++ % 1000 == 0) progress("binaries");
      BlobHead head;
      if (c->key().size() != kSpaceBytes + 8 || !guarded([&] { head = decode_blob_head(c->value()); }))
        continue;
      const std::uint64_t id = load_u64(c->key().substr(kSpaceBytes));
      ++report_.blobs;
      report_.blob_bytes += head.length;
      if (id >= next_blob_) found("The number of binary {} was never given out.", id);
      const auto held = holders_.find(id);
      const std::uint64_t rows = held == holders_.end() ? 0 : held->second;
      if (rows != head.rows) found("Binary {} is held by {} rows but counts {}.", id, rows, head.rows);
      const auto grave = graves.find(id);
      if ((grave != graves.end()) != (head.rows == 0))
        found("Binary {} is held by {} rows and is {} the graveyard.", id, head.rows,
              head.rows == 0 ? "not in" : "in");
      else if (grave != graves.end() && grave->second != head.buried)
        found("The grave of binary {} has another date.", id);
      if (grave != graves.end()) graves.erase(grave);
      if (head.chunk_bytes == 0) {
        found("The head record of binary {} is damaged.", id);
        continue;
      }
      while (chunks->valid() && chunk_id() < id) stray();
      // A buried binary may have lost pieces already.
      std::uint64_t next = 0;
      for (; chunks->valid() && chunk_id() == id; chunks->next()) {
        const std::uint64_t number = load_u32(chunks->key().substr(kSpaceBytes + 8));
        const std::uint64_t size = std::min<std::uint64_t>(
            head.chunk_bytes, head.length - std::min(head.length, number * head.chunk_bytes));
        if (number != next && head.rows > 0)
          found("Pieces {} to {} of binary {} are missing.", next, number - 1, id);
        if (chunks->value().size() != size)
          found("Piece {} of binary {} has {} bytes instead of {}.", number, id, chunks->value().size(),
                size);
        next = number + 1;
      }
      if (head.rows > 0 && next < head.chunks())
        found("Pieces {} to {} of binary {} are missing.", next, head.chunks() - 1, id);
    }
    while (chunks->valid()) stray();
    for (const auto& [id, sequence] : graves) found("The graveyard has binary {}, which does not exist.", id);
  }

  const CheckOptions& options_;
  std::shared_ptr<BlobStore> blobs_;
  SharedParts parts_;
  Epochs::Slot slot_;
  std::unique_ptr<Snapshot> snapshot_;
  Ref<BlobSource> source_;
  CheckReport report_;

  std::uint32_t next_space_ = kFirstFreeSpace;
  std::uint64_t next_blob_ = 1;
  std::uint64_t total_rows_ = 0;
  std::map<Uuid, std::shared_ptr<const TableInfo>> tables_;
  std::map<Uuid, std::string> labels_;
  std::map<std::uint32_t, std::string> owners_;
  std::vector<std::uint32_t> dropped_rows_;
  std::unordered_map<std::uint64_t, std::uint64_t> holders_;
};

}  // namespace

CheckReport check_database(Engine& engine, const CheckOptions& options) {
  return Checker(engine, options).run();
}

Result<CheckReport> check_directory(const std::string& directory, const CheckOptions& options) {
  const Result<std::unique_ptr<Engine>> engine = open_offline(directory);
  if (!engine) return engine.error();
  return check_database(**engine, options);
}

}  // namespace reqld::storage
