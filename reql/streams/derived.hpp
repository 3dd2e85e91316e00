// What most lazy streams are: something over one other stream.
#pragma once

#include <functional>
#include <utility>

#include "reql/stream.hpp"

namespace reqld::reql {

/// A stream that reads one other and is of the same kind as that: array, feed, endless.
class DerivedStream : public Stream {
 public:
  bool is_array() const override { return source_->is_array(); }
  bool is_infinite() const override { return source_->is_infinite(); }
  FeedKind feed_kind() const override { return source_->feed_kind(); }
  bool includes_states() const override { return source_->includes_states(); }
  bool ready(const std::function<void()>& wake) final { return at_hand() || source_->ready(wake); }
  bool is_ordered() const override { return source_->is_ordered(); }
  bool may_revisit() const override { return source_->may_revisit(); }

 protected:
  explicit DerivedStream(Ref<Stream> source) : source_(std::move(source)) {}
  /// Whether next() has something to say without reading the source. For those that keep rows from one call to the next: a
  /// feed would not be asked for them before it has another change.
  virtual bool at_hand() const { return false; }
  Stream& source() const { return *source_; }

 private:
  const Ref<Stream> source_;
};

}  // namespace reqld::reql
