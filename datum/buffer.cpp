#include "datum/buffer.hpp"

#include <cstdlib>
#include <cstring>
#include <new>

#include "datum/memory_account.hpp"

namespace reqld {

Ref<Buffer> Buffer::make(std::size_t size) {
  MemoryAccount* const account = MemoryAccount::of_thread();
  if (account) account->add(sizeof(Buffer) + size);
  void* memory = std::malloc(sizeof(Buffer) + size);
  if (!memory) {
    if (account) account->subtract(static_cast<std::int64_t>(sizeof(Buffer) + size));
    throw std::bad_alloc();
  }
  return Ref<Buffer>(new (memory) Buffer(size, account));
}

Ref<Buffer> Buffer::copy(const void* bytes, std::size_t size) {
  Ref<Buffer> buffer = make(size);
  if (size > 0) std::memcpy(buffer->data(), bytes, size);
  return buffer;
}

Ref<Buffer> Buffer::resize(Ref<Buffer> buffer, std::size_t size) {
  if (!buffer) return make(size);
  if (buffer->source_) {
    Ref<Buffer> moved = make(size);
    std::memcpy(moved->data(), buffer->data(), size < buffer->size_ ? size : buffer->size_);
    moved->source_ = std::move(buffer->source_);
    return moved;
  }
  MemoryAccount* const account = buffer->account_;
  const auto growth = static_cast<std::int64_t>(size) - static_cast<std::int64_t>(buffer->size_);
  if (account && growth > 0) account->add(static_cast<std::size_t>(growth));
  // A Buffer without a source is plain memory, so realloc may move it.
  void* memory = std::realloc(static_cast<void*>(buffer.get()), sizeof(Buffer) + size);
  if (!memory) {
    if (account && growth > 0) account->subtract(growth);
    throw std::bad_alloc();
  }
  if (account && growth < 0) account->subtract(-growth);
  (void)buffer.detach();
  auto* moved = static_cast<Buffer*>(memory);
  moved->size_ = size;
  return Ref<Buffer>::adopt(moved);
}

void Buffer::add_blob_source(BlobSource* source) {
  if (!source || source == source_.get()) return;
  if (!source_ || source->age() < source_->age()) source_ = Ref<BlobSource>(source);
}

void Buffer::destroy() {
  MemoryAccount* const account = account_;
  const auto bytes = static_cast<std::int64_t>(sizeof(Buffer) + size_);
  this->~Buffer();
  std::free(this);
  if (account) account->subtract(bytes);
}

}  // namespace reqld
