// Arrays made from others without looking at their elements.
#pragma once

#include <cstddef>
#include <span>

#include "datum/datum.hpp"

namespace reqld {

/// `array` with `inserted` in the place of the `removed` elements from `at` on; requires at + removed <=
/// array_size(). The bytes of what stays are copied as a whole: appending to a long array costs a copy, not a
/// visit to each element. Throws DatumError(kResource) when the result is too large.
Datum splice(const Datum& array, std::size_t at, std::size_t removed, std::span<const Datum> inserted);

}  // namespace reqld
