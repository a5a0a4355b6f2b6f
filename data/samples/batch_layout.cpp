#include "data/samples/batch_layout.h"

#include "engine/error.h"

namespace py4cast {
namespace {

constexpr int64_t alignment = 64;

int64_t rounded_up(int64_t value, int64_t unit) {
  return (value + unit - 1) / unit * unit;
}

}  // namespace

BatchLayout::BatchLayout(std::vector<BufferSpec> buffers, int64_t samples) {
  int64_t begin = 0;
  for (BufferSpec& spec : buffers) {
    for (const Part& other : parts_)
      if (other.spec.name == spec.name)
        throw Error(ErrorKind::internal, "samples have two buffers of the name '", spec.name, "'");
    const int64_t bytes = spec.shape.numel() * static_cast<int64_t>(size_of(spec.type));
    parts_.push_back({std::move(spec), bytes, begin});
    begin += rounded_up(samples * bytes, alignment);
  }
}

int64_t BatchLayout::words(int64_t count) const {
  if (parts_.empty()) return 0;
  return rounded_up(parts_.back().begin + count * parts_.back().bytes, 8) / 8;
}

TensorMap BatchLayout::tensors(const Tensor& block, int64_t count) const {
  TensorMap result;
  for (const Part& part : parts_) {
    const auto offset = static_cast<int64_t>(block.offset_bytes()) + part.begin;
    const Shape shape = part.spec.shape.inserted(0, count);
    result[part.spec.name] =
        Tensor(block.storage(), part.spec.type, shape, row_major_strides(shape),
               offset / static_cast<int64_t>(size_of(part.spec.type)));
  }
  return result;
}

std::vector<std::byte*> BatchLayout::places(const Tensor& block, int64_t sample) const {
  std::vector<std::byte*> result;
  result.reserve(parts_.size());
  for (const Part& part : parts_) result.push_back(block.raw() + part.begin + sample * part.bytes);
  return result;
}

Tensor first_of(const Tensor& tensor, int64_t count) {
  return tensor.defined() ? tensor.viewed(tensor.shape().with(0, count), tensor.strides(), 0)
                          : Tensor();
}

}  // namespace py4cast
