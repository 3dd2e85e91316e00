// Any bytes as an encoded value: what validate_encoding lets through is canonical and safe to use.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "datum/json.hpp"
#include "datum/key_codec.hpp"
#include "datum/writer.hpp"

using namespace reqld;

namespace {

void require(bool ok) {
  if (!ok) std::abort();
}

/// Event by event into a writer: must come out as the same bytes.
void replay(const Datum& d, DatumWriter& writer) {
  if (d.is(Type::kArray)) {
    writer.begin_array();
    for (std::size_t i = 0; i < d.array_size(); ++i) replay(d.at(i), writer);
    writer.end_array();
  } else if (d.is(Type::kObject)) {
    writer.begin_object();
    for (std::size_t i = d.object_size(); i-- > 0;) {
      writer.name(d.name_at(i));
      replay(d.value_at(i), writer);
    }
    require(!writer.end_object().duplicate);
  } else {
    writer.value(d);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (!validate_encoding(bytes, 100)) return 0;
  const Datum d = Datum::from_encoded(bytes);
  require(d.encoded() == bytes);
  require(d.encoded_size() == size);
  require(!d.has_extreme());
  require(compare(d, d) == 0);
  DatumWriter writer;
  replay(d, writer);
  require(writer.finish().encoded() == bytes);
  if (d.is(Type::kObject)) {
    require(ObjectBuilder(d).finish().encoded() == bytes);
    for (std::size_t i = 0; i < d.object_size(); ++i)
      require(d.get(d.name_at(i))->encoded() == d.value_at(i).encoded());
  }
  if (d.has_blob()) return 0;
  (void)hash_value(d);
  (void)to_json(d);
  const std::string key = to_key(d);
  std::string_view rest = key;
  const std::optional<Datum> back = decode_key(rest);
  require(back && rest.empty() && *back == d);
  return 0;
}
