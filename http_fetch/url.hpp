// Text that goes into URLs and form bodies.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace reqld::http_fetch {

/// One URL parameter or form field, not yet encoded.
struct Param {
  std::string name;
  std::string value;
};

/// A number as r.http writes it into parameters and forms: 20 significant digits (0.1 ->
/// 0.10000000000000000555).
std::string number_text(double number);

/// Everything but ASCII letters, digits and `-._~` as %XX (upper case).
std::string percent_encode(std::string_view bytes);

/// `name=value&name=value`, percent-encoded, in the order given; "" for no fields.
std::string encode_form(std::span<const Param> fields);

/// The URL with the parameters appended. They follow a `?`, or a `&` when the part after the last `/` has a
/// `?` already. A fragment is not looked for: parameters land behind it and are not sent (so did RethinkDB).
std::string append_params(std::string_view url, std::span<const Param> params);

/// `host:port` of a URL in lower case, without user and password: what connections are shared and counted by.
/// Never fails: text that is no URL gives some text.
std::string authority(std::string_view url);

}  // namespace reqld::http_fetch
