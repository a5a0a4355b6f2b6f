// How the samples of a batch lie in one block of memory, which goes to a device in one copy.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "data/samples/samples.h"
#include "engine/tensor_map.h"

namespace py4cast {

// The block of up to `samples` samples: buffer after buffer, each at a multiple of 64 bytes, with
// the samples one after the other. A block is i64 [words(samples)], in any memory; a smaller batch
// takes its first words(count).
class BatchLayout {
 public:
  // Error(internal): two buffers of one name.
  BatchLayout(std::vector<BufferSpec> buffers, int64_t samples);

  int64_t words(int64_t count) const;  // of 8 bytes: up to the end of the last sample's last buffer
  // [count, shape...] by buffer.
  TensorMap tensors(const Tensor& block, int64_t count) const;
  // Where the buffers of one sample are, in host memory.
  std::vector<std::byte*> places(const Tensor& block, int64_t sample) const;

 private:
  struct Part {
    BufferSpec spec;
    int64_t bytes;  // of one sample
    int64_t begin;  // in the block [bytes]
  };
  std::vector<Part> parts_;
};

// The first `count` elements of the first axis; undefined of an undefined tensor.
Tensor first_of(const Tensor& tensor, int64_t count);

}  // namespace py4cast
