// Builds a whole value of any shape in one pass into one buffer: what parsers feed.
#pragma once

#include <cstdint>
#include <memory_resource>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "datum/datum.hpp"

namespace reqld {

/// Takes the events of a parser in order and makes the encoding as it goes: no allocation per value. Fields
/// may come in any order. Nesting costs no call stack. After a throw only `clear` may be called.
class DatumWriter {
 public:
  DatumWriter() : DatumWriter(std::pmr::new_delete_resource()) {}
  /// What it notes down while it writes comes from `scratch`; the values themselves do not.
  explicit DatumWriter(std::pmr::memory_resource* scratch)
      : open_(scratch), offsets_(scratch), fields_(scratch), order_(scratch), unsorted_(scratch) {}

  void null();
  void boolean(bool b);
  /// Requires a finite number.
  void number(double d);
  void string(std::string_view s);
  void value(const Datum& d);

  void begin_array();
  void end_array();

  void begin_object();
  /// The name of the field whose value comes next.
  void name(std::string_view name);
  /// What was wrong with the object or is special about it.
  struct ObjectEnd {
    std::optional<std::string> duplicate;  ///< a name that was there twice; the object must not be used
    bool reql_type;  ///< it has a field `$reql_type$`: see `replace_pseudo_object` in datum/json.hpp
  };
  [[nodiscard]] ObjectEnd end_object();

  /// How many arrays and objects are open.
  std::size_t depth() const { return open_.size(); }
  /// Whether the next value is an array's.
  bool in_array() const { return !open_.empty() && !open_.back().object; }

  /// Makes room for so many bytes, if nothing was written yet.
  void expect(std::size_t bytes);

  /// The last value that was completed, not yet followed by another: valid until the next call.
  const std::uint8_t* last_value() const { return bytes() + last_; }
  Datum copy_last_value() const;
  /// Puts `d` in the place of the last value.
  void replace_last_value(const Datum& d);
  /// Takes the last value back.
  void drop_last_value();
  /// Cuts the last value down to its first `size` bytes, which the caller has rewritten; `last_value` is
  /// writable for that.
  std::uint8_t* rewrite_last_value() { return data() + last_; }
  void resize_last_value(std::size_t size) { used_ = last_ + size; }

  /// The one value that was written; the writer is empty afterwards. Requires depth() == 0.
  Datum finish();
  void clear();

  /// Takes what is in containers that were not finished.
  class Pieces {
   public:
    virtual void begin_array() = 0;
    virtual void begin_object() = 0;
    virtual void name(std::string_view name) = 0;  ///< valid during the call
    virtual void value(Datum value) = 0;

   protected:
    ~Pieces() = default;
  };
  /// Hands over all that is open, from the outermost on, with the values that are complete; the writer is empty afterwards.
  void take_apart(Pieces& pieces);

 private:
  struct Open {
    std::size_t start;       // where its data begins
    std::size_t first_item;  // in offsets_
    std::uint64_t last_prefix;  // of the last field's name
    std::uint8_t flags;
    bool object;
    bool sorted;
    bool reql_type;
  };
  struct Field {
    std::uint64_t prefix;  // of its name, as a big-endian number: most names differ here
    std::string_view name;
    std::uint32_t offset, size;
  };

  std::uint8_t* data() { return buffer_->data(); }
  const std::uint8_t* bytes() const { return buffer_->data(); }
  std::uint8_t* reserve(std::size_t n);
  void grow(std::size_t bytes);
  /// Registers an item of the innermost array.
  void begin_value();
  void begin_container(bool object);
  void add_flags(std::uint8_t flags);
  void close(Tag tag);
  std::string_view name_at(const Open& open, std::uint32_t offset) const;
  /// Puts the fields into fields_ and their order into order_, or answers a name that is there twice.
  std::optional<std::string> sort_fields(const Open& open);
  void move_fields(const Open& open, std::uint8_t* to);

  Ref<Buffer> buffer_;
  std::size_t room_ = 0;  // in buffer_
  std::size_t used_ = 0;
  std::size_t last_ = 0;
  std::pmr::vector<Open> open_;
  std::pmr::vector<std::uint32_t> offsets_;
  Ref<BlobSource> source_;
  // Scratch for objects whose fields came in another order.
  std::pmr::vector<Field> fields_;
  std::pmr::vector<std::uint32_t> order_;  // of fields_, by name: that of the last such object
  std::pmr::string unsorted_;
};

}  // namespace reqld
