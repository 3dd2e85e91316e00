#include "datum/splice.hpp"

#include <doctest/doctest.h>

#include <vector>

#include "tests/datum/random_datum.hpp"

using namespace reqld;
using namespace reqld::testing;

TEST_CASE("a spliced array is the one that is built element by element") {
  Ref<MemoryBlobs> blobs = make_ref<MemoryBlobs>();
  RandomDatum random(7, {.extremes = true, .geometry = true, .blobs = blobs.get()});
  for (int round = 0; round < 3000; ++round) {
    CAPTURE(round);
    // Large and small ones, so that offsets become wider and narrower.
    const std::size_t size = random.chance(0.1) ? random.below(400) : random.below(8);
    std::vector<Datum> elements, inserted;
    for (std::size_t i = 0; i < size; ++i) elements.push_back(random.value(2));
    for (std::size_t i = random.below(4); i > 0; --i) inserted.push_back(random.value(2));
    const std::size_t at = random.below(size + 1);
    const std::size_t removed = random.below(size - at + 1);
    const Datum result = splice(Datum::array(elements), at, removed, inserted);

    const auto from = elements.begin() + static_cast<std::ptrdiff_t>(at);
    elements.erase(from, from + static_cast<std::ptrdiff_t>(removed));
    elements.insert(elements.begin() + static_cast<std::ptrdiff_t>(at), inserted.begin(), inserted.end());
    const Datum expected = Datum::array(elements);
    REQUIRE(result.encoded() == expected.encoded());
    REQUIRE((result.blob_source() != nullptr) == (expected.blob_source() != nullptr));
  }
}
