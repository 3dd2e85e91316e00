// Changes of the rows within bounds of an index, and of single rows.

#include "reql/feeds/feed_part.hpp"
#include "reql/feeds/initial_rows.hpp"

namespace reqld::reql {

namespace {

WatchedRows shared_rows(const ChangeSource& source, const FeedOptions& options) {
  WatchedRows rows = watched_rows(source);
  rows.alike = options.alike;
  return rows;
}

class RowsPart : public FeedPart {
 public:
  RowsPart(Context& cx, ChangeSource source, const FeedOptions& options)
      : source_(std::move(source)),
        options_(options),
        initial_(source_),
        handle_(cx.engine().feeds().subscribe(shared_rows(source_, options), options.queue_size,
                                              options.squash_delay)) {}

  bool initial(Context& cx, bool show, FeedOutput& out) override {
    if (!settled_) settle_subscription(cx);
    settled_ = true;
    if (!show) {
      initial_.skip(cx);
      return true;
    }
    if (initial_.read(cx, options_, out)) return true;
    // Changes of what was read already belong behind it; the rest will be read with them.
    drain(cx, out);
    return false;
  }

  void drain(Context& cx, FeedOutput& out) override {
    for (FeedChangeRef& change :
         take_changes(*handle_, options_, out, [&](const FeedChange& c) { return initial_.hold(c); })) {
      const FeedElement& element =
          change->element([&] { return change_element(cx, source_, options_, *change); });
      if (!element.datum().is_null()) out.push(std::move(change), element);
    }
  }

  bool ready(const std::function<void()>& wake) override { return handle_->queue().ready(wake); }

 private:
  const ChangeSource source_;
  const FeedOptions options_;
  InitialRows initial_;
  bool settled_ = false;
  std::unique_ptr<FeedHub::Handle> handle_;
};

}  // namespace

std::unique_ptr<FeedPart> make_rows_part(Context& cx, ChangeSource source, const FeedOptions& options) {
  return std::make_unique<RowsPart>(cx, std::move(source), options);
}

}  // namespace reqld::reql
