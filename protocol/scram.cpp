#include "protocol/scram.hpp"

#include <utility>

namespace reqld::protocol {
namespace {

constexpr AuthError kInvalidEncoding{10, "Invalid encoding"};
constexpr AuthError kExtensionsNotSupported{11, "Extensions not supported"};
constexpr AuthError kWrongPassword{12, "Wrong password"};
constexpr AuthError kBindingsDontMatch{13, "Channel bindings don't match"};
constexpr AuthError kBindingNotSupported{15, "Channel binding is not supported"};
constexpr AuthError kUnknownUser{17, "Unknown user"};
constexpr AuthError kInvalidUsername{18, "Invalid username encoding"};
constexpr AuthError kEmptyUsername{18, "Empty username"};
constexpr AuthError kOtherError{20, "Other error"};

constexpr std::size_t kSaltBytes = 16;
constexpr std::uint32_t kDefaultIterations = 4096;

/// Cuts `text` at the first comma; the part before it. `text` becomes the part after it.
std::string_view cut_attribute(std::string_view& text) {
  const std::size_t comma = text.find(',');
  const std::string_view attribute = text.substr(0, comma);
  text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
  return attribute;
}

bool has_name(std::string_view attribute, char name) {
  return attribute.size() >= 2 && attribute[0] == name && attribute[1] == '=';
}

/// `=2C` and `=3D` stand for a comma and an equals sign; nothing else may follow an equals sign.
std::optional<std::string> decode_name(std::string_view text) {
  std::string name;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '=') {
      name += text[i];
    } else if (text.substr(i, 3) == "=2C") {
      name += ',';
      i += 2;
    } else if (text.substr(i, 3) == "=3D") {
      name += '=';
      i += 2;
    } else {
      return std::nullopt;
    }
  }
  return name;
}

/// The same for a name whenever it is asked, yet not to be guessed: so it looks like a stored one.
Credentials made_up_credentials(std::string_view user) {
  static const std::string secret = random_bytes(kDigestBytes);
  Credentials credentials;
  credentials.salt = as_text(hmac_sha256(secret, user)).substr(0, kSaltBytes);
  credentials.iterations = kDefaultIterations;
  return credentials;
}

}  // namespace

Credentials make_credentials(std::string_view password, std::uint32_t iterations) {
  Credentials credentials{
      .known = true, .salt = random_bytes(kSaltBytes), .iterations = iterations, .salted_password = {}};
  credentials.salted_password = as_text(pbkdf2_sha256(password, credentials.salt, iterations));
  return credentials;
}

bool verify_password(const Credentials& credentials, std::string_view password) {
  if (!credentials.known) return false;
  const Digest salted = pbkdf2_sha256(password, credentials.salt, credentials.iterations);
  return equal_in_constant_time(as_text(salted), credentials.salted_password);
}

ScramServer::ScramServer(std::string nonce)
    : nonce_(nonce.empty() ? base64_encode(random_bytes(18)) : std::move(nonce)) {}

std::optional<AuthError> ScramServer::read_first(std::string_view message) {
  std::string_view rest = message;
  if (cut_attribute(rest) != "n") return kBindingNotSupported;
  const std::string_view authzid = cut_attribute(rest);
  if (!authzid.empty() && !has_name(authzid, 'a')) return kInvalidEncoding;
  gs2_header_ = message.substr(0, message.size() - rest.size());
  client_first_bare_ = rest;

  const std::string_view name = cut_attribute(rest);
  if (has_name(name, 'm')) return kExtensionsNotSupported;
  if (!has_name(name, 'n')) return kInvalidEncoding;
  const std::string_view nonce = cut_attribute(rest);
  if (has_name(nonce, 'm')) return kExtensionsNotSupported;
  if (!has_name(nonce, 'r') || nonce.size() == 2) return kInvalidEncoding;
  auto user = decode_name(name.substr(2));
  if (!user) return kInvalidUsername;
  if (user->empty()) return kEmptyUsername;
  user_ = std::move(*user);
  nonce_.insert(0, nonce.substr(2));
  return std::nullopt;
}

std::string ScramServer::challenge(Credentials credentials) {
  credentials_ = std::move(credentials);
  if (!credentials_.known && (credentials_.salt.empty() || credentials_.iterations == 0)) {
    credentials_ = made_up_credentials(user_);
  }
  server_first_ = "r=" + nonce_ + ",s=" + base64_encode(credentials_.salt) +
                  ",i=" + std::to_string(credentials_.iterations);
  return server_first_;
}

std::optional<AuthError> ScramServer::check_final(std::string_view message) {
  std::string_view rest = message;
  const std::string_view binding = cut_attribute(rest);
  const std::string_view nonce = cut_attribute(rest);
  const std::size_t proof_at = message.rfind(",p=");
  if (!has_name(binding, 'c') || !has_name(nonce, 'r') || proof_at == std::string_view::npos)
    return kInvalidEncoding;
  if (!credentials_.known) return kUnknownUser;

  const std::string auth_message =
      client_first_bare_ + "," + server_first_ + "," + std::string(message.substr(0, proof_at));
  const Digest client_key = hmac_sha256(credentials_.salted_password, "Client Key");
  const Digest signature = hmac_sha256(as_text(sha256(as_text(client_key))), auth_message);
  Digest expected;
  for (std::size_t i = 0; i < kDigestBytes; ++i) expected[i] = client_key[i] ^ signature[i];
  const auto proof = base64_decode(message.substr(proof_at + 3));
  if (!proof || !equal_in_constant_time(*proof, as_text(expected))) return kWrongPassword;
  if (nonce.substr(2) != nonce_) return kOtherError;
  if (base64_decode(binding.substr(2)) != gs2_header_) return kBindingsDontMatch;

  const Digest server_key = hmac_sha256(credentials_.salted_password, "Server Key");
  server_final_ = "v=" + base64_encode(as_text(hmac_sha256(as_text(server_key), auth_message)));
  return std::nullopt;
}

}  // namespace reqld::protocol
