// Sizes of the axes of a tensor.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <span>

namespace py4cast {

// Up to eight axes, no allocation. Prints as [2, 64, 64, 128].
class Shape {
 public:
  static constexpr int max_rank = 8;

  Shape() = default;
  Shape(std::initializer_list<int64_t> sizes)
      : Shape(std::span<const int64_t>(sizes.begin(), sizes.size())) {}
  explicit Shape(
      std::span<const int64_t> sizes);  // Error(shape): more than max_rank axes, or a negative size

  int rank() const { return rank_; }
  int64_t numel() const;  // product of the sizes; 1 for rank 0. Error(shape): over 2^60
  int64_t product(int begin, int end) const;  // of the sizes of axes [begin, end)
  // Negative axes count from the end. Error(shape): axis out of range.
  int64_t operator[](int axis) const { return sizes_[index(axis)]; }
  int64_t& operator[](int axis) { return sizes_[index(axis)]; }
  int64_t back() const { return (*this)[-1]; }
  const int64_t* begin() const { return sizes_.data(); }
  const int64_t* end() const { return sizes_.data() + rank_; }

  Shape with(int axis, int64_t size) const;  // the same with one axis changed
  Shape without(int axis) const;             // the same with one axis removed
  Shape inserted(int axis, int64_t size) const;
  int index(int axis) const;  // a non-negative axis number

  bool operator==(const Shape& other) const;

 private:
  std::array<int64_t, max_rank> sizes_{};
  int rank_ = 0;
};

Shape row_major_strides(const Shape& shape);  // in elements
std::ostream& operator<<(std::ostream& stream, const Shape& shape);

}  // namespace py4cast
