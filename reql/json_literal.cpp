#include "reql/json_literal.hpp"

#include <algorithm>

#include "datum/base64.hpp"
#include "datum/encoding.hpp"
#include "datum/json.hpp"
#include "datum/utf8.hpp"
#include "reql/term_type.hpp"

namespace reqld::reql {

namespace {

using Json = rapidjson::Value;

// A longer binary is decoded into a buffer of its own: its bytes are moved no oftener than they need be.
constexpr std::size_t kLargeBinaryText = 4096;

}  // namespace

std::optional<Datum> binary_literal(const Json& object) {
  if (object.MemberCount() != 2) return std::nullopt;
  const auto type = object.FindMember(encoding::kReqlType.data());
  const auto data = object.FindMember("data");
  if (type == object.MemberEnd() || data == object.MemberEnd()) return std::nullopt;
  if (!type->value.IsString() || view(type->value) != "BINARY" || !data->value.IsString())
    return std::nullopt;
  try {
    return binary_from_base64(view(data->value));
  } catch (const DatumError&) {
    return std::nullopt;  // a runtime error, for the evaluation to find
  }
}

std::optional<JsonLiteralReader::Literal> JsonLiteralReader::read(const Json& json, int depth) {
  if (!refused_.empty() && refused_.back() == &json) {
    refused_.pop_back();
    return std::nullopt;
  }
  longest_array_ = 0;
  path_.clear();
  try {
    if (write_container(json, depth)) return Literal{writer_.finish(), longest_array_};
  } catch (const DatumError&) {
    // Found again by whoever builds it piece by piece, who knows where it is.
  }
  writer_.clear();
  refused_.insert(refused_.end(), path_.rbegin(), path_.rend() - 1);
  return std::nullopt;
}

bool JsonLiteralReader::write(const Json& json, int depth) {
  switch (json.GetType()) {
    case rapidjson::kNullType:
      writer_.null();
      return true;
    case rapidjson::kFalseType:
      writer_.boolean(false);
      return true;
    case rapidjson::kTrueType:
      writer_.boolean(true);
      return true;
    case rapidjson::kNumberType:
      writer_.number(json.GetDouble());
      return true;
    case rapidjson::kStringType:
      utf8::check(view(json));
      writer_.string(view(json));
      return true;
    case rapidjson::kArrayType:
      if (json.Size() != 2 || !json[0].IsInt() || json[0].GetInt() != static_cast<int>(TermType::kMakeArray))
        return false;
      return json[1].IsArray() && write_container(json, depth);
    case rapidjson::kObjectType: {
      const auto data = json.FindMember("data");
      if (data != json.MemberEnd() && data->value.IsString() &&
          data->value.GetStringLength() > kLargeBinaryText)
        return false;
      return write_container(json, depth);
    }
  }
  return false;
}

bool JsonLiteralReader::write_container(const Json& json, int depth) {
  path_.push_back(&json);
  if (depth > kMaxQueryDepth) return false;
  if (json.IsArray()) {
    const std::size_t size = json[1].Size();
    if (size > kMaxFoldedArray) return false;
    longest_array_ = std::max(longest_array_, static_cast<std::uint32_t>(size));
    writer_.begin_array();
    for (const Json& element : json[1].GetArray()) {
      if (!write(element, depth + 1)) return false;
    }
    writer_.end_array();
  } else {
    writer_.begin_object();
    for (const auto& member : json.GetObject()) {
      utf8::check(view(member.name));
      writer_.name(view(member.name));
      if (!write(member.value, depth + 1)) return false;
    }
    const DatumWriter::ObjectEnd end = writer_.end_object();
    if (end.duplicate) return false;
    if (end.reql_type) replace_pseudo_object(writer_);
  }
  path_.pop_back();
  return true;
}

}  // namespace reqld::reql
