// Changes of system tables: read again whenever they may have changed.

#include <map>

#include "datum/key_codec.hpp"
#include "reql/feeds/feed_part.hpp"

namespace reqld::reql {

namespace {

class SystemPart : public FeedPart {
 public:
  SystemPart(Context& cx, ChangeSource source, const FeedOptions& options)
      : source_(std::move(source)),
        options_(options),
        change_(source_.system_table->changed_by()),
        handle_(cx.engine().feeds().subscribe_system(change_, options.queue_size)) {}

  bool initial(Context& cx, bool show, FeedOutput& out) override {
    known_ = read(cx);
    look_again_later();
    if (!show) return true;
    if (!source_.key.is_null() && known_.empty()) out.push(initial_element(options_, Datum()));
    for (const auto& [key, value] : known_) out.push(initial_element(options_, value));
    return true;
  }

  void drain(Context& cx, FeedOutput& out) override {
    take_changes(*handle_, options_, out, [](const FeedChange&) { return false; });
    std::map<std::string, Datum> now = read(cx);
    // A line of the log is told once: later ones only push it out, and a server's new name shows in those already told.
    if (change_ != SystemChange::kLog) {
      for (const auto& [key, value] : known_) {
        const auto at = now.find(key);
        if (at == now.end()) {
          out.push(change_element(options_, value, Datum()));
        } else if (!(at->second == value)) {
          out.push(change_element(options_, value, at->second));
        }
      }
    }
    for (const auto& [key, value] : now) {
      if (!known_.contains(key)) out.push(change_element(options_, Datum(), value));
    }
    known_ = std::move(now);
    look_again_later();
  }

  bool ready(const std::function<void()>& wake) override { return handle_->queue().ready(wake); }

 private:
  static constexpr std::chrono::seconds kInterval{1};

  void look_again_later() {
    if (change_ == SystemChange::kTime) handle_->wake_at(Subscription::Clock::now() + kInterval);
  }

  std::map<std::string, Datum> read(Context& cx) {
    std::map<std::string, Datum> out;
    const auto add = [&](const Datum& row) {
      const Datum value = run_steps(cx, source_.steps, row);
      if (!value.is_null()) out.emplace(to_key(*row.get("id")), value);
    };
    if (!source_.key.is_null()) {
      if (const Datum row = source_.system_table->get(cx, source_.key); !row.is_null()) add(row);
    } else {
      for_each_row(cx, *source_.system_table->scan(cx, source_.bounds, Order::kNone), [&](Datum& row) {
        add(row);
        return true;
      });
    }
    return out;
  }

  const ChangeSource source_;
  const FeedOptions options_;
  const SystemChange change_;
  std::map<std::string, Datum> known_;
  std::unique_ptr<FeedHub::Handle> handle_;
};

}  // namespace

std::unique_ptr<FeedPart> make_system_part(Context& cx, ChangeSource source, const FeedOptions& options) {
  return std::make_unique<SystemPart>(cx, std::move(source), options);
}

}  // namespace reqld::reql
