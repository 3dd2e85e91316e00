#include "datum/buffer.hpp"

#include <cstdlib>
#include <cstring>
#include <new>

namespace reqld {

Ref<Buffer> Buffer::make(std::size_t size) {
  void* memory = std::malloc(sizeof(Buffer) + size);
  if (!memory) throw std::bad_alloc();
  return Ref<Buffer>(new (memory) Buffer(size));
}

Ref<Buffer> Buffer::copy(const void* bytes, std::size_t size) {
  Ref<Buffer> buffer = make(size);
  if (size > 0) std::memcpy(buffer->data(), bytes, size);
  return buffer;
}

void Buffer::add_blob_source(BlobSource* source) {
  if (!source || source == source_.get()) return;
  if (!source_ || source->age() < source_->age()) source_ = Ref<BlobSource>(source);
}

void Buffer::destroy() {
  this->~Buffer();
  std::free(this);
}

}  // namespace reqld
