// What a loader loads: numbered samples, all made of the same arrays.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/data_type.h"
#include "engine/shape.h"

namespace py4cast {

// One array of every sample.
struct BufferSpec {
  std::string name;
  Shape shape;  // of one sample
  DataType type = DataType::f32;
};

class Samples {
 public:
  virtual ~Samples() = default;

  virtual int64_t size() const = 0;
  // Always the same. A batch is copied to a device up to the end of its last sample in the last
  // buffer: if most of a sample lies in one buffer, it should be that one.
  virtual std::vector<BufferSpec> buffers() const = 0;
  // Writes a whole sample, buffer i (row-major) from buffers[i] on. Safe to call from several
  // threads. Its errors reach the consumer with the batch that the sample belongs to.
  virtual void load(int64_t index, std::span<std::byte* const> buffers) const = 0;
  // Called by each loader before it loads, and at its end with the negative number: so many threads more
  // may load at once. What each of them needs is allocated now, so that memory does not depend on their
  // timing.
  virtual void expect_threads(int64_t /*threads*/) const {}
  // For messages.
  virtual std::string describe(int64_t index) const { return "sample " + std::to_string(index); }
};

}  // namespace py4cast
