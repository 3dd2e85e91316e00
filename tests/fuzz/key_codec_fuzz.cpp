// Any bytes as keys: what decodes is exactly what encodes to them, and keys sort as their values.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "datum/key_codec.hpp"

using namespace reqld;

namespace {

void require(bool ok) {
  if (!ok) std::abort();
}

int sign(int n) {
  return n < 0 ? -1 : n > 0 ? 1 : 0;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  std::string_view rest = all;
  std::optional<Datum> last;
  std::string_view last_key;
  while (!rest.empty()) {
    const std::string_view before = rest;
    const std::optional<Datum> d = decode_key(rest);
    if (!d) {
      require(rest == before);
      break;
    }
    const std::string_view key = before.substr(0, before.size() - rest.size());
    require(to_key(*d) == key);
    if (last) {
      require(sign(compare(*last, *d)) == sign(last_key.compare(key)));
      if (last_key != key) require(!key.starts_with(last_key) && !last_key.starts_with(key));
    }
    try {
      (void)to_primary_key(*d);
      check_secondary_key(*d);
    } catch (const DatumError&) {
    }
    last = d;
    last_key = key;
  }
  return 0;
}
