#include "protocol/handshake.hpp"

#include <rapidjson/document.h>

#include <cmath>
#include <cstring>

#include "protocol/response.hpp"

namespace reqld::protocol {
namespace {

constexpr std::uint32_t kV0_1 = 0x3f61ba36;
constexpr std::uint32_t kV0_2 = 0x723081e1;
constexpr std::uint32_t kV0_3 = 0x5f75e83e;
constexpr std::uint32_t kV0_4 = 0x400c2d20;
constexpr std::uint32_t kV1_0 = 0x34c2bdc3;
constexpr std::uint32_t kProtobuf = 0x271ffc41;
constexpr std::uint32_t kJson = 0x7e6970c7;

constexpr std::string_view kLegacyUser = "admin";
constexpr std::string_view kNoProtobuf = "The PROTOBUF client protocol is no longer supported";

enum HandshakeError : std::uint8_t {
  kProtocolVersionType = 1,
  kProtocolVersionValue = 2,
  kMethodType = 3,
  kMethodValue = 4,
  kAuthenticationType = 5,
  kMessageTooLong = 7,
  kInvalidJson = 8,
};

std::uint32_t read_u32(std::string_view bytes) {
  std::uint32_t value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

// Messages are at most 2 KB, so nesting cannot exhaust the stack; iterative all the same.
using Json = rapidjson::Document;
void parse(Json& json, std::string_view text) {
  json.Parse<rapidjson::kParseIterativeFlag>(text.data(), text.size());
}

const Json::ValueType* field(const Json& json, const char* name) {
  const auto it = json.FindMember(name);
  return it == json.MemberEnd() ? nullptr : &it->value;
}

std::string_view text_of(const Json::ValueType& value) {
  return {value.GetString(), value.GetStringLength()};
}

void append_success(std::string& output, std::string_view authentication) {
  output += "{\"authentication\":";
  append_json_string(output, authentication);
  output += ",\"success\":true}";
  output += '\0';
}

}  // namespace

std::size_t Handshake::feed(std::string_view input, std::string& output) {
  std::size_t taken = 0;
  while (state_ == State::kWaiting) {
    const std::string_view rest = input.substr(taken);
    const Stage before = stage_;
    std::size_t step = 0;
    switch (stage_) {
      case Stage::kMagic:
        step = feed_magic(rest, output);
        break;
      case Stage::kLegacyKey:
        step = feed_legacy(rest, output);
        break;
      case Stage::kFirst:
      case Stage::kFinal:
        step = feed_message(rest, output);
        break;
    }
    taken += step;
    if (step == 0 && stage_ == before) break;
  }
  return taken;
}

std::size_t Handshake::feed_magic(std::string_view input, std::string& output) {
  if (input.size() < sizeof(std::uint32_t)) return 0;
  switch (read_u32(input)) {
    case kV1_0:
      stage_ = Stage::kFirst;
      output += "{\"max_protocol_version\":0,\"min_protocol_version\":0,\"server_version\":";
      append_json_string(output, options_.server_version);
      output += ",\"success\":true}";
      output += '\0';
      break;
    case kV0_3:
      sequential_ = true;
      stage_ = Stage::kLegacyKey;
      break;
    case kV0_4:
      stage_ = Stage::kLegacyKey;
      break;
    case kV0_1:
    case kV0_2:
      refuse_text(kNoProtobuf, output);
      break;
    default:
      refuse_text(
          "Received an unsupported protocol version. This port is for RethinkDB queries. Does your client "
          "driver version "
          "not match the server?",
          output);
  }
  return sizeof(std::uint32_t);
}

std::size_t Handshake::feed_legacy(std::string_view input, std::string& output) {
  if (input.size() < sizeof(std::uint32_t)) return 0;
  const std::uint32_t key_bytes = read_u32(input);
  if (key_bytes > kMaxMessageBytes) {
    refuse_text("Client provided an authorization key that is too long.", output);
    return 0;
  }
  const std::size_t size = 2 * sizeof(std::uint32_t) + key_bytes;
  if (input.size() < size) return 0;
  const std::uint32_t protocol = read_u32(input.substr(size - sizeof(std::uint32_t)));
  if (protocol == kProtobuf) {
    refuse_text(kNoProtobuf, output);
  } else if (protocol != kJson) {
    refuse_text("Unrecognized protocol specified: '" + std::to_string(protocol) + "'", output);
  } else {
    key_ = input.substr(sizeof(std::uint32_t), key_bytes);
    user_ = kLegacyUser;
    key_credentials_ = lookup_(user_);
    state_ = State::kVerifyingKey;
  }
  return size;
}

void Handshake::key_verified(bool correct, std::string& output) {
  if (!correct) return refuse_text("Incorrect authorization key.", output);
  output += "SUCCESS";
  output += '\0';
  state_ = State::kReady;
}

std::size_t Handshake::feed_message(std::string_view input, std::string& output) {
  const std::size_t end = input.substr(0, kMaxMessageBytes).find('\0');
  if (end == std::string_view::npos) {
    if (input.size() >= kMaxMessageBytes) refuse(kMessageTooLong, "Limited read buffer size.", output);
    return 0;
  }
  const std::string_view message = input.substr(0, end);
  if (stage_ == Stage::kFirst) {
    first_message(message, output);
  } else {
    final_message(message, output);
  }
  return end + 1;
}

void Handshake::first_message(std::string_view message, std::string& output) {
  Json json;
  parse(json, message);
  if (json.HasParseError()) return refuse(kInvalidJson, "Invalid JSON object.", output);
  if (!json.IsObject()) {
    state_ = State::kClosed;
    return;
  }
  const auto* version = field(json, "protocol_version");
  if (version == nullptr || !version->IsNumber()) {
    return refuse(kProtocolVersionType, "Expected a number for `protocol_version`.", output);
  }
  if (version->GetDouble() != 0.0)
    return refuse(kProtocolVersionValue, "Unsupported `protocol_version`.", output);
  const auto* method = field(json, "authentication_method");
  if (method == nullptr || !method->IsString()) {
    return refuse(kMethodType, "Expected a string for `authentication_method`.", output);
  }
  if (text_of(*method) != "SCRAM-SHA-256")
    return refuse(kMethodValue, "Unsupported `authentication_method`.", output);
  const auto* authentication = field(json, "authentication");
  if (authentication == nullptr || !authentication->IsString()) {
    return refuse(kAuthenticationType, "Expected a string for `authentication`.", output);
  }
  if (const auto error = scram_.read_first(text_of(*authentication)))
    return refuse(error->code, error->message, output);
  append_success(output, scram_.challenge(lookup_(scram_.user())));
  stage_ = Stage::kFinal;
}

void Handshake::final_message(std::string_view message, std::string& output) {
  Json json;
  parse(json, message);
  if (json.HasParseError()) return refuse(kInvalidJson, "Invalid JSON object.", output);
  if (!json.IsObject()) {
    state_ = State::kClosed;
    return;
  }
  const auto* authentication = field(json, "authentication");
  if (authentication == nullptr || !authentication->IsString()) {
    return refuse(kAuthenticationType, "Expected a string for `authentication`.", output);
  }
  if (const auto error = scram_.check_final(text_of(*authentication)))
    return refuse(error->code, error->message, output);
  append_success(output, scram_.server_final());
  user_ = scram_.user();
  state_ = State::kReady;
}

void Handshake::refuse(int code, std::string_view message, std::string& output) {
  output += "{\"error\":";
  append_json_string(output, message);
  output += ",\"error_code\":" + std::to_string(code) + ",\"success\":false}";
  output += '\0';
  state_ = State::kClosed;
}

void Handshake::refuse_text(std::string_view message, std::string& output) {
  output.append("ERROR: ").append(message).append("\n");
  output += '\0';
  state_ = State::kClosed;
}

}  // namespace reqld::protocol
