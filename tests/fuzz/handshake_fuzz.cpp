// fuzz libs: reqld_protocol
// Any bytes as what a client opens with. Nobody without the password gets in, and however the bytes are
// divided over reads, the outcome is the same.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "protocol/handshake.hpp"

using namespace reqld::protocol;

namespace {

void require(bool ok) {
  if (!ok) std::abort();
}

const HandshakeOptions kOptions;
// A password that no input contains.
const Credentials kAdmin = make_credentials(random_bytes(32), 1);
const CredentialsLookup kLookup = [](const std::string& user) {
  return user == "admin" ? kAdmin : Credentials{};
};

struct Outcome {
  Handshake::State state;
  std::size_t output_bytes;
  std::size_t taken;
  bool operator==(const Outcome&) const = default;
};

Outcome talk(std::string_view bytes, std::size_t step) {
  Handshake handshake(kOptions, kLookup);
  std::string pending;
  std::string output;
  std::size_t taken = 0;
  while (!bytes.empty()) {
    pending.append(bytes.substr(0, step));
    bytes.remove_prefix(std::min(step, bytes.size()));
    const std::size_t now = handshake.feed(pending, output);
    require(now <= pending.size());
    pending.erase(0, now);
    taken += now;
    if (handshake.state() == Handshake::State::kVerifyingKey) {
      require(handshake.key().size() <= Handshake::kMaxMessageBytes);
      handshake.key_verified(verify_password(handshake.key_credentials(), handshake.key()), output);
    }
    require(handshake.state() != Handshake::State::kReady);
    if (handshake.state() == Handshake::State::kWaiting)
      require(pending.size() <= Handshake::kMaxPendingBytes);
    if (handshake.state() == Handshake::State::kClosed) break;
  }
  return {handshake.state(), output.size(), taken};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Outcome whole = talk(bytes, size + 1);
  require(whole == talk(bytes, 1));
  require(whole == talk(bytes, 7));

  ScramServer scram;
  if (!scram.read_first(bytes)) {
    require(!scram.user().empty());
    scram.challenge(kAdmin);
    require(scram.check_final(bytes).has_value());
  }
  base64_decode(bytes);
  return 0;
}
