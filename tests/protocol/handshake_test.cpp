#include "protocol/handshake.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace reqld::protocol;

namespace {

using State = Handshake::State;
using namespace std::string_literals;

const HandshakeOptions kOptions{.server_version = "9.9.9"};
const std::string kHello =
    R"({"max_protocol_version":0,"min_protocol_version":0,"server_version":"9.9.9","success":true})"s + '\0';
const std::string kV1_0 = "\xc3\xbd\xc2\x34";
const std::string kV0_3 = "\x3e\xe8\x75\x5f";
const std::string kV0_4 = "\x20\x2d\x0c\x40";
const std::string kJsonProtocol = "\xc7\x70\x69\x7e";
const std::string kNoKey(4, '\0');

const Credentials& admin() {
  static const Credentials credentials = make_credentials("secret", 16);
  return credentials;
}
const CredentialsLookup kLookup = [](const std::string& user) {
  return user == "admin" ? admin() : Credentials{};
};

struct Outcome {
  State state = State::kWaiting;
  std::string output;
  std::size_t taken = 0;
};

/// Feeds `input` in two pieces, cut at `cut`; keys are verified as they come.
Outcome talk(const std::string& input, std::size_t cut) {
  Handshake handshake(kOptions, kLookup);
  Outcome outcome;
  std::string pending;
  for (const auto& piece : {input.substr(0, cut), input.substr(cut)}) {
    pending += piece;
    const std::size_t taken = handshake.feed(pending, outcome.output);
    pending.erase(0, taken);
    outcome.taken += taken;
    if (handshake.state() == State::kVerifyingKey) {
      handshake.key_verified(verify_password(handshake.key_credentials(), handshake.key()), outcome.output);
    }
  }
  outcome.state = handshake.state();
  return outcome;
}

void expect(const std::string& input, State state, const std::string& output) {
  for (std::size_t cut = 0; cut <= input.size(); ++cut) {
    const Outcome outcome = talk(input, cut);
    CHECK(outcome.state == state);
    CHECK(outcome.output == output);
  }
}

std::string error_json(const std::string& text, int code) {
  return R"({"error":")" + text + R"(","error_code":)" + std::to_string(code) + R"(,"success":false})" + '\0';
}

std::string key_message(const std::string& key) {
  const auto size = static_cast<std::uint32_t>(key.size());
  return std::string(reinterpret_cast<const char*>(&size), sizeof size) + key;
}

/// The client's side, up to the final message.
struct Client {
  std::string first_bare = "n=admin,r=clientnonce";
  std::string password = "secret";

  std::string first() const {
    return R"({"protocol_version":0,"authentication_method":"SCRAM-SHA-256","authentication":"n,,)" +
           first_bare + "\"}" + '\0';
  }
  std::string final(const std::string& challenge, const std::string& suffix = "") const {
    const auto field = [&](const std::string& name) {
      const std::size_t at = challenge.find(name) + name.size();
      return challenge.substr(at, challenge.find_first_of(",\"", at) - at);
    };
    const std::string server_first =
        challenge.substr(challenge.find("r="), challenge.rfind("\",") - challenge.find("r="));
    const std::string without_proof = "c=biws,r=" + field("r=") + suffix;
    const Digest salted = pbkdf2_sha256(password, *base64_decode(field(",s=")),
                                        static_cast<std::uint32_t>(std::stoul(field(",i="))));
    const Digest client_key = hmac_sha256(as_text(salted), "Client Key");
    const Digest signature = hmac_sha256(as_text(sha256(as_text(client_key))),
                                         first_bare + "," + server_first + "," + without_proof);
    std::string proof;
    for (std::size_t i = 0; i < kDigestBytes; ++i) proof += static_cast<char>(client_key[i] ^ signature[i]);
    return R"({"authentication":")" + without_proof + ",p=" + base64_encode(proof) + "\"}" + '\0';
  }
};

}  // namespace

TEST_CASE("V1_0 greets as soon as it has the magic number") {
  expect(kV1_0, State::kWaiting, kHello);
  expect(kV1_0.substr(0, 3), State::kWaiting, "");
}

TEST_CASE("V1_0 logs in, however the bytes come") {
  const Client client;
  const std::string opening = kV1_0 + client.first();
  for (std::size_t cut = 0; cut <= opening.size(); ++cut) {
    Handshake handshake(kOptions, kLookup);
    std::string output;
    std::string pending = opening.substr(0, cut);
    pending.erase(0, handshake.feed(pending, output));
    pending += opening.substr(cut);
    pending.erase(0, handshake.feed(pending, output));
    CHECK(pending.empty());
    REQUIRE(output.starts_with(kHello));
    const std::string challenge = output.substr(kHello.size());
    CHECK(challenge.starts_with(R"({"authentication":"r=clientnonce)"));
    output.clear();

    const std::string last = client.final(challenge);
    const std::size_t at = cut % last.size();
    pending = last.substr(0, at);
    pending.erase(0, handshake.feed(pending, output));
    CHECK(handshake.state() == State::kWaiting);
    pending += last.substr(at) + "query";
    pending.erase(0, handshake.feed(pending, output));
    CHECK(handshake.state() == State::kReady);
    CHECK(handshake.user() == "admin");
    CHECK_FALSE(handshake.sequential());
    CHECK(output.starts_with(R"({"authentication":"v=)"));
    CHECK(pending == "query");
  }
}

TEST_CASE("V1_0 refuses wrong proofs with the recorded errors") {
  const auto answer = [](const Client& client, auto&& make_final) {
    Handshake handshake(kOptions, kLookup);
    std::string output;
    handshake.feed(kV1_0 + client.first(), output);
    const std::string challenge = output.substr(kHello.size());
    output.clear();
    handshake.feed(make_final(challenge), output);
    CHECK(handshake.state() == State::kClosed);
    return output;
  };
  Client wrong;
  wrong.password = "guess";
  CHECK(answer(wrong, [&](const std::string& c) { return wrong.final(c); }) ==
        error_json("Wrong password", 12));
  Client nobody;
  nobody.first_bare = "n=nobody,r=clientnonce";
  CHECK(answer(nobody, [&](const std::string& c) { return nobody.final(c); }) ==
        error_json("Unknown user", 17));
  const Client right;
  CHECK(answer(right, [&](const std::string& c) { return right.final(c, "x"); }) ==
        error_json("Other error", 20));
  const auto fixed = [&](const std::string& text) {
    return answer(right, [&](const std::string&) { return text + '\0'; });
  };
  CHECK(fixed(R"({"authentication":"c=biws,r=wrong,p=AAAA"})") == error_json("Wrong password", 12));
  CHECK(fixed(R"({"authentication":"c=biws,r=wrong,p="})") == error_json("Wrong password", 12));
  CHECK(fixed(R"({"authentication":"c=biws,r=wrong,p=not base64!"})") == error_json("Wrong password", 12));
  CHECK(fixed(R"({"authentication":"junk"})") == error_json("Invalid encoding", 10));
  CHECK(fixed(R"({"authentication":"c=biws"})") == error_json("Invalid encoding", 10));
  CHECK(fixed("{") == error_json("Invalid JSON object.", 8));
  CHECK(fixed("{}") == error_json("Expected a string for `authentication`.", 5));
  CHECK(fixed(R"({"authentication":1})") == error_json("Expected a string for `authentication`.", 5));
  CHECK(fixed("[1]") == "");
}

TEST_CASE("V1_0 refuses first messages with the recorded errors") {
  const auto refuse = [](const std::string& message, const std::string& error) {
    expect(kV1_0 + message + '\0', State::kClosed, kHello + error);
  };
  const std::string tail = R"("authentication":"n,,n=admin,r=abc"})";
  const std::string method = R"("authentication_method":"SCRAM-SHA-256",)";
  refuse(R"({"protocol_version":1,)" + method + tail, error_json("Unsupported `protocol_version`.", 2));
  refuse(R"({"protocol_version":0.5,)" + method + tail, error_json("Unsupported `protocol_version`.", 2));
  refuse(R"({"protocol_version":"0",)" + method + tail,
         error_json("Expected a number for `protocol_version`.", 1));
  refuse("{}", error_json("Expected a number for `protocol_version`.", 1));
  refuse(R"({"protocol_version":0,"authentication_method":"PLAIN",)" + tail,
         error_json("Unsupported `authentication_method`.", 4));
  refuse(R"({"protocol_version":0,"authentication_method":5,)" + tail,
         error_json("Expected a string for `authentication_method`.", 3));
  refuse(R"({"protocol_version":0})", error_json("Expected a string for `authentication_method`.", 3));
  refuse(R"({"protocol_version":0,"authentication_method":"SCRAM-SHA-256"})",
         error_json("Expected a string for `authentication`.", 5));
  refuse(R"({"protocol_version":0,)" + method + R"("authentication":"y,,n=admin,r=abc"})",
         error_json("Channel binding is not supported", 15));
  refuse("{", error_json("Invalid JSON object.", 8));
  refuse("", error_json("Invalid JSON object.", 8));
  for (const char* text : {"[]", "null", "5", "\"x\""}) refuse(text, "");
}

TEST_CASE("a message without an end is given up on") {
  const Outcome outcome = talk(kV1_0 + std::string(3000, ' '), 4);
  CHECK(outcome.state == State::kClosed);
  CHECK(outcome.output ==
        kHello + R"({"error":"Limited read buffer size.","error_code":7,"success":false})" + '\0');
}

TEST_CASE("legacy versions compare the key to the password of admin") {
  const std::string success = "SUCCESS"s + '\0';
  const std::string wrong = "ERROR: Incorrect authorization key.\n"s + '\0';
  for (const auto& version : {kV0_3, kV0_4}) {
    expect(version + key_message("secret") + kJsonProtocol, State::kReady, success);
    expect(version + key_message("key") + kJsonProtocol, State::kClosed, wrong);
    expect(version + kNoKey + kJsonProtocol, State::kClosed, wrong);
  }
  Handshake handshake(kOptions, kLookup);
  std::string output;
  handshake.feed(kV0_3, output);
  CHECK(handshake.sequential());
}

TEST_CASE("everything else gets the recorded text") {
  const auto text = [](const std::string& message) { return "ERROR: " + message + "\n" + '\0'; };
  const std::string protobuf = text("The PROTOBUF client protocol is no longer supported");
  expect("\x36\xba\x61\x3f", State::kClosed, protobuf);
  expect("\xe1\x81\x30\x72", State::kClosed, protobuf);
  expect(kV0_4 + kNoKey + "\x41\xfc\x1f\x27", State::kClosed, protobuf);
  expect(kV0_4 + kNoKey + "\x01\x02\x03\x04", State::kClosed,
         text("Unrecognized protocol specified: '67305985'"));
  expect(kV0_4 + "\xff\xff"s + std::string(2, '\0'), State::kClosed,
         text("Client provided an authorization key that is too long."));
  const std::string unsupported = text(
      "Received an unsupported protocol version. This port is for RethinkDB queries. Does your client driver "
      "version not match "
      "the server?");
  expect(std::string(4, '\0'), State::kClosed, unsupported);
  expect("GET / HTTP/1.1\r\nHost: x\r\n\r\n", State::kClosed, unsupported);
}
