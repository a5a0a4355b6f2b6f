#include "engine/tensor.h"

#include <cstdlib>
#include <cstring>

#include "engine/error.h"

namespace py4cast {
namespace {

class HostBlock : public Storage {
 public:
  explicit HostBlock(size_t bytes) : Storage(nullptr, bytes, Device{}) {
    data_ = static_cast<std::byte*>(std::aligned_alloc(64, (bytes + 64) / 64 * 64));
    if (!data_) throw Error(ErrorKind::memory, "no ", bytes, " bytes of host memory");
    std::memset(data_, 0, bytes);
  }
  ~HostBlock() override { std::free(data_); }
};

}  // namespace

Tensor::Tensor(std::shared_ptr<Storage> storage, DataType type, const Shape& shape)
    : Tensor(std::move(storage), type, shape, row_major_strides(shape), 0) {}

Tensor::Tensor(std::shared_ptr<Storage> storage, DataType type, const Shape& shape,
               const Shape& strides, int64_t offset)
    : storage_(std::move(storage)), shape_(shape), strides_(strides), offset_(offset), type_(type) {
  int64_t last = offset;
  for (int axis = 0; axis < shape.rank(); ++axis) last += (shape[axis] - 1) * strides[axis];
  if (shape.numel() > 0 &&
      (offset < 0 || static_cast<size_t>(last + 1) * size_of(type) > storage_->bytes()))
    throw Error(ErrorKind::shape, "a view of shape ", shape, " leaves its block of ",
                storage_->bytes(), " bytes");
}

bool Tensor::contiguous() const {
  int64_t expected = 1;
  for (int axis = rank() - 1; axis >= 0; --axis) {
    if (shape_[axis] != 1 && strides_[axis] != expected) return false;
    expected *= shape_[axis];
  }
  return true;
}

std::byte* Tensor::raw() const {
  std::byte* first = storage_->data();
  return first ? first + offset_ * static_cast<int64_t>(size_of(type_)) : nullptr;
}

Tensor Tensor::viewed(const Shape& shape) const {
  if (shape.numel() != numel() || !contiguous())
    throw Error(ErrorKind::shape, "a tensor of shape ", shape_, contiguous() ? "" : " (strided)",
                " cannot be viewed as ", shape);
  return viewed(shape, row_major_strides(shape), 0);
}

Tensor Tensor::viewed(const Shape& shape, const Shape& strides, int64_t offset) const {
  return Tensor(storage_, type_, shape, strides, offset_ + offset);
}

Tensor Tensor::detached() const {
  Tensor result = *this;
  result.variable_ = {};
  return result;
}

void Tensor::check_type(DataType type) const {
  if (!defined()) throw Error(ErrorKind::internal, "an undefined tensor was read");
  if (type != type_)
    throw Error(ErrorKind::internal, "a tensor of ", name_of(type_), " was read as ",
                name_of(type));
}

void Tensor::check_host() const {
  if (!defined() || device().kind != DeviceKind::cpu || !contiguous())
    throw Error(ErrorKind::internal, "a contiguous host tensor was expected");
}

Tensor host_tensor(const Shape& shape, DataType type) {
  return Tensor(std::make_shared<HostBlock>(static_cast<size_t>(shape.numel()) * size_of(type)),
                type, shape);
}

}  // namespace py4cast
