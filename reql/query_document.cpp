#include "reql/query_document.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>
#include <new>
#include <utility>

#include "datum/encoding.hpp"
#include "datum/json.hpp"
#include "datum/utf8.hpp"
#include "datum/writer.hpp"
#include "reql/error.hpp"
#include "reql/query.hpp"
#include "reql/term_type.hpp"

namespace reqld::reql {

namespace {

constexpr unsigned kParseFlags =
    rapidjson::kParseInsituFlag | rapidjson::kParseNumbersAsStringsFlag | rapidjson::kParseIterativeFlag;

/// In the document a literal is a number that no number of a query is: those are ints and doubles.
constexpr std::uint64_t kLiteral = std::uint64_t{1} << 63;

/// A longer text of a binary stays where it is, to be decoded from there: its bytes are moved no oftener than they need be.
constexpr std::size_t kLargeBinaryText = 4096;

/// More than this is not set aside for a literal before it is known how long it is.
constexpr std::size_t kMostExpected = 16 * 1024;

std::uint32_t longest_array(const Datum& value) {
  std::size_t longest = 0;
  encoding::Stack<Datum> open;
  const auto visit = [&](Datum d) {
    if (d.is(Type::kArray)) longest = std::max(longest, d.array_size());
    if (d.is(Type::kArray) || d.is(Type::kObject)) open.push(d);
  };
  visit(value);
  while (!open.empty()) {
    const Datum d = open.top();
    open.pop();
    const bool array = d.is(Type::kArray);
    const std::size_t size = array ? d.array_size() : d.object_size();
    for (std::size_t i = 0; i < size; ++i) visit(array ? d.at(i) : d.value_at(i));
  }
  return static_cast<std::uint32_t>(longest);
}

/// Types without a name elsewhere: RapidJSON's reader, made for them, can be inlined.
class ReaderStack final : public QueryDocument::SmallStack {};
using Reader = rapidjson::GenericReader<rapidjson::UTF8<>, rapidjson::UTF8<>, ReaderStack>;

using JsonDocument = QueryDocument::JsonDocument;
using Literal = QueryDocument::Literal;

/// Takes RapidJSON's events. A container that may be a literal goes into a DatumWriter; where it turns out to be none, its
/// complete parts become literals of their own and the rest JSON, as everything outside of literals.
class Builder final : private DatumWriter::Pieces {
 public:
  /// `scratch` is for what is needed until the reader is done.
  Builder(JsonDocument& json, std::pmr::vector<Literal>& literals, QueryDocument::Form form, std::string_view text,
          std::pmr::memory_resource* scratch)
      : json_(json),
        literals_(literals),
        form_(form),
        at_(text.data()),
        end_(text.data() + text.size()),
        all_valid_(!utf8::find_fault(text)),
        writer_(scratch) {}

  bool Null() {
    if (!value_of_literal()) return json_.Null();
    writer_.null();
    return true;
  }
  bool Bool(bool b) {
    if (!value_of_literal()) return json_.Bool(b);
    writer_.boolean(b);
    return true;
  }
  bool RawNumber(const char* text, rapidjson::SizeType size, bool) {
    at_ = text;
    const std::optional<int> small = small_number({text, size});
    const std::optional<double> number = small ? *small : parse_json_number({text, size});
    if (!number) return false;
    if (array_ == Array::kBegun) return first_number({text, size}, *number, small);
    if (!value_of_literal()) return json_.Double(*number);
    writer_.number(*number);
    return true;
  }
  bool String(const char* text, rapidjson::SizeType size, bool) {
    at_ = text;
    const bool large_binary = size > kLargeBinaryText && !writer_.in_array() && name_ == "data";
    if (!value_of_literal() || large_binary || !valid({text, size})) {
      end_literal();
      return json_.String(text, size, false);
    }
    writer_.string({text, size});
    return true;
  }
  bool Key(const char* text, rapidjson::SizeType size, bool) {
    at_ = text;
    name_ = {text, size};
    if (!writing() || !valid(name_)) {
      end_literal();
      return json_.Key(text, size, false);
    }
    writer_.name(name_);
    return true;
  }
  bool StartObject() {
    if (value_of_literal() ? fits() : begins_literal()) {
      begin_literal();
      writer_.begin_object();
      return true;
    }
    end_literal();
    switch (innermost()) {
      case Open::kNothing:
      case Open::kPlain:
        open(Open::kPlain);
        break;
      case Open::kTerm:
        open(Open::kOptargs);
        break;
      default:
        open(Open::kObject);
    }
    return json_.StartObject();
  }
  bool EndObject(rapidjson::SizeType fields) {
    if (!writing()) return close(), json_.EndObject(fields);
    const DatumWriter::ObjectEnd end = writer_.end_object();
    if (end.duplicate || (end.reql_type && !replace_pseudo_object())) {
      const Datum object = writer_.copy_last_value();
      writer_.drop_last_value();
      end_literal();
      return object_of_pieces(object, fields);
    }
    value_written();
    return true;
  }
  bool StartArray() {
    if (array_ == Array::kMakeArray && fits()) {
      begin_literal();
      writer_.begin_array();
      array_ = Array::kNone;
      return true;
    }
    if (array_ == Array::kNone && (writing() || begins_term())) {
      array_ = Array::kBegun;
      return true;
    }
    end_literal();
    switch (innermost()) {
      case Open::kNothing:
        open(Open::kQuery);
        break;
      case Open::kTerm:
        open(Open::kArgs);
        break;
      default:
        open(Open::kPlain);
    }
    return json_.StartArray();
  }
  bool EndArray(rapidjson::SizeType elements) {
    if (array_ == Array::kEnded) {
      array_ = Array::kNone;
      writer_.end_array();
      longest_array_ = std::max(longest_array_, elements_);
      value_written();
      return true;
    }
    if (array_ == Array::kNone && writing() && elements <= kMaxFoldedArray) {
      array_ = Array::kEnded;
      elements_ = elements;
      return true;
    }
    end_literal();
    close();
    return json_.EndArray(elements);
  }

  // Numbers come as text only.
  bool Int(int) { return false; }
  bool Uint(unsigned) { return false; }
  bool Int64(std::int64_t) { return false; }
  bool Uint64(std::uint64_t) { return false; }
  bool Double(double) { return false; }

 private:
  /// Where the reader is in the JSON part of the document.
  enum class Open : std::uint8_t {
    kNothing,
    kQuery,
    kTerm,     ///< [number, arguments, optional arguments]
    kArgs,     ///< the arguments of a term
    kOptargs,  ///< its optional arguments
    kObject,   ///< which has a term in it
    kPlain,    ///< in a DATUM term, whose arrays are no terms
  };
  /// How much of an array was seen that is in neither the document nor the writer yet.
  enum class Array : std::uint8_t {
    kNone,
    kBegun,      ///< [
    kMakeArray,  ///< [2
    kEnded,      ///< [2,[...]: its elements are in the writer
  };

  bool writing() const { return writer_.depth() > 0; }
  bool valid(std::string_view text) const { return all_valid_ || !utf8::find_fault(text); }

  Open innermost() const { return open_.empty() ? Open::kNothing : open_.top(); }
  /// Whether what comes next, in JSON, stands where a term does.
  bool begins_term() const {
    switch (innermost()) {
      case Open::kNothing:
        return form_ == QueryDocument::Form::kTerm;
      case Open::kTerm:
      case Open::kPlain:
        return false;
      default:
        return true;
    }
  }
  /// Whether an object that comes next, in JSON, may be a literal.
  bool begins_literal() const { return innermost() != Open::kQuery && begins_term() && fits(); }
  /// Whether one more level is still not too deep.
  bool fits() const { return depth_ + static_cast<int>(writer_.depth()) <= kMaxQueryDepth; }

  void open(Open what) {
    open_.push(what);
    depth_ += is_level(what);
  }
  void close() {
    depth_ -= is_level(open_.top());
    open_.pop();
  }
  static bool is_level(Open what) { return what == Open::kTerm || what == Open::kObject; }

  /// Whether the value that comes next is part of a literal. If not, it goes into the document, where the literal ends.
  bool value_of_literal() {
    if (array_ == Array::kNone) return writing();
    end_literal();
    return false;
  }

  void begin_literal() {
    if (writing()) return;
    longest_array_ = 0;
    // Encoded it is about as long as it is as text.
    writer_.expect(std::min(static_cast<std::size_t>(end_ - at_), kMostExpected));
  }

  void value_written() {
    if (!writing()) add({writer_.finish(), longest_array_});
  }

  /// False, and the object is as it was, when it is a malformed one or stands for no value.
  bool replace_pseudo_object() {
    Datum value;
    try {
      value = from_pseudo_object(writer_.copy_last_value());
    } catch (const DatumError&) {
      return false;
    }
    writer_.replace_last_value(value);
    return true;
  }

  /// Most numbers are: those of terms all are.
  static std::optional<int> small_number(std::string_view text) {
    if (text.size() > std::numeric_limits<int>::digits10) return std::nullopt;
    int number = 0;
    for (const char c : text) {
      if (c < '0' || c > '9') return std::nullopt;
      number = number * 10 + (c - '0');
    }
    return number;
  }

  /// The number of a term, or of what is said to be one.
  bool first_number(std::string_view text, double number, std::optional<int> small) {
    if (small == static_cast<int>(TermType::kMakeArray)) {
      array_ = Array::kMakeArray;
      return true;
    }
    array_ = Array::kNone;
    end_literal();
    begin(small == static_cast<int>(TermType::kDatum) ? Open::kPlain : Open::kTerm);
    if (small) return json_.Int(*small);
    int whole = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), whole);
    const bool is_int = error == std::errc() && end == text.data() + text.size() && whole > std::numeric_limits<int>::min();
    return is_int ? json_.Int(whole) : json_.Double(number);
  }

  void begin(Open array) {
    open(array);
    json_.StartArray();
  }

  void add(Literal literal) {
    json_.Uint64(kLiteral | literals_.size());
    literals_.push_back(std::move(literal));
  }

  /// What was held back goes into the document, in parts.
  void end_literal() {
    if (array_ != Array::kNone || writing()) let_go();
  }

  // Not inlined: mostly there is nothing.
  [[gnu::noinline]] void let_go() {
    if (writing()) writer_.take_apart(*this);
    switch (std::exchange(array_, Array::kNone)) {
      case Array::kNone:
        break;
      case Array::kBegun:
        begin(Open::kTerm);
        break;
      case Array::kMakeArray:
        begin(Open::kTerm);
        json_.Int(static_cast<int>(TermType::kMakeArray));
        break;
      case Array::kEnded:
        close();
        json_.EndArray(elements_);
        break;
    }
  }

  // DatumWriter::Pieces
  void begin_array() override {
    begin(Open::kTerm);
    json_.Int(static_cast<int>(TermType::kMakeArray));
    begin(Open::kArgs);
  }
  void begin_object() override {
    open(Open::kObject);
    json_.StartObject();
  }
  void name(std::string_view name) override {
    json_.Key(name.data(), static_cast<rapidjson::SizeType>(name.size()), true);
  }
  void value(Datum value) override {
    const std::uint32_t longest = longest_array_ == 0 ? 0 : longest_array(value);
    add({std::move(value), longest});
  }

  bool object_of_pieces(const Datum& object, rapidjson::SizeType fields) {
    json_.StartObject();
    for (std::size_t i = 0; i < object.object_size(); ++i) {
      name(object.name_at(i));
      value(object.value_at(i));
    }
    return json_.EndObject(fields);
  }

  JsonDocument& json_;
  std::pmr::vector<Literal>& literals_;
  const QueryDocument::Form form_;
  const char* at_;  ///< where the last name, string or number was
  const char* const end_;
  const bool all_valid_;  ///< the text is UTF-8, and so is every string in it
  std::string_view name_;  ///< the last one
  DatumWriter writer_;
  Array array_ = Array::kNone;
  rapidjson::SizeType elements_ = 0;  ///< of the array that is kEnded
  std::uint32_t longest_array_ = 0;   ///< of those that the writer has ended
  encoding::Stack<Open, 64> open_;    ///< in the document
  int depth_ = 0;                     ///< how many of them are levels of the query
};

}  // namespace

void* QueryDocument::SmallStack::Realloc(void* block, std::size_t old_bytes, std::size_t bytes) {
  if (large_ == nullptr && bytes <= kSmallBytes) return bytes == 0 ? nullptr : small_;
  void* const larger = std::realloc(large_, bytes);
  if (larger == nullptr) throw std::bad_alloc();
  if (block == small_) std::memcpy(larger, small_, std::min(old_bytes, bytes));
  return large_ = larger;
}

QueryDocument::QueryDocument(std::string& text, Form form) {
  const std::size_t size = text.size();
  // The parser looks at 16 bytes at a time, up to and past the end of the text.
  text.append(kQueryPaddingBytes, '\0');
  Builder builder(json_, literals_, form, {text.data(), size}, &scratch_);
  bool parsed = false;
  const auto read = [&](JsonDocument&) {
    rapidjson::InsituStringStream stream(text.data());
    ReaderStack states;
    Reader reader(&states, SmallStack::kSmallBytes);
    // For RapidJSON a zero byte ends the text; no valid query holds one.
    parsed = !reader.Parse<kParseFlags>(stream, builder).IsError() && stream.Tell() == size;
    return parsed;
  };
  json_.Populate(read);
  if (!parsed) throw QueryError(ReplyType::kClientError, "Client is buggy (failed to deserialize query).");
}

const QueryDocument::Literal* QueryDocument::literal(const Json& node) const {
  return node.IsUint64() && !node.IsInt64() ? &literals_[node.GetUint64() & ~kLiteral] : nullptr;
}

std::optional<std::string_view> QueryDocument::text(const Json& node) const {
  if (node.IsString()) return view(node);
  if (const Literal* l = literal(node); l != nullptr && l->value.is(Type::kString)) return l->value.as_string();
  return std::nullopt;
}

std::string_view QueryDocument::type_name(const Json& node) const {
  if (const Literal* l = literal(node)) {
    // Pseudo-types are objects in JSON.
    return l->value.is(Type::kArray) ? "ARRAY" : "OBJECT";
  }
  switch (node.GetType()) {
    case rapidjson::kNullType:
      return "NULL";
    case rapidjson::kFalseType:
    case rapidjson::kTrueType:
      return "BOOL";
    case rapidjson::kObjectType:
      return "OBJECT";
    case rapidjson::kArrayType:
      return "ARRAY";
    case rapidjson::kStringType:
      return "STRING";
    case rapidjson::kNumberType:
      return "NUMBER";
  }
  return "NULL";
}

}  // namespace reqld::reql
