// How LMDB's commits hand their pages to the kernel.
#pragma once

namespace reqld::storage {

/// While one lives, `writev` on this thread hands over eight pieces at a time. LMDB writes up to 64 pages that lie
/// in a row with one call, for which a kernel whose page cache has large folios takes one; and on ext4 every later
/// write of a single page into that folio walks over what is known of all the others. Not to be nested.
class ShortPageWrites {
 public:
  ShortPageWrites();
  ~ShortPageWrites();
  ShortPageWrites(const ShortPageWrites&) = delete;
  ShortPageWrites& operator=(const ShortPageWrites&) = delete;
};

}  // namespace reqld::storage
