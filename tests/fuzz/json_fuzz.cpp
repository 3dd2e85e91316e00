// Any text as JSON: it is refused or comes out as a value that survives every form it can take.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "datum/json.hpp"
#include "datum/key_codec.hpp"

using namespace reqld;

namespace {

void require(bool ok) {
  if (!ok) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Datum d;
  try {
    d = parse_json(text);
  } catch (const DatumError&) {
    return 0;
  }
  require(validate_encoding(d.encoded()));
  const std::string json = to_json(d);
  const Datum back = parse_json(json);
  require(back.encoded() == d.encoded());
  require(hash_value(back) == hash_value(d));
  require(to_json(back) == json);
  require(parse_json(to_pretty_json(d)) == d);
  (void)to_shown_json(d);
  std::string_view key_rest;
  const std::string key = to_key(d);
  key_rest = key;
  const auto from_key = decode_key(key_rest);
  require(from_key && key_rest.empty() && *from_key == d);
  return 0;
}
