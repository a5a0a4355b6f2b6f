#include "engine/shape.h"

#include <algorithm>
#include <numeric>
#include <ostream>
#include <vector>

#include "engine/error.h"

namespace py4cast {

Shape::Shape(std::span<const int64_t> sizes) {
  if (sizes.size() > max_rank)
    throw Error(ErrorKind::shape, "a tensor has at most ", int{max_rank}, " axes, not ",
                sizes.size());
  rank_ = static_cast<int>(sizes.size());
  std::copy(sizes.begin(), sizes.end(), sizes_.begin());
  if (std::any_of(begin(), end(), [](int64_t size) { return size < 0; }))
    throw Error(ErrorKind::shape, "negative size in shape ", *this);
}

int64_t Shape::numel() const {
  constexpr int64_t most = int64_t{1} << 60;  // the bytes can be counted, too
  if (std::find(begin(), end(), 0) != end()) return 0;
  int64_t result = 1;
  for (const int64_t size : *this)
    if (__builtin_mul_overflow(result, size, &result) || result > most)
      throw Error(ErrorKind::shape, "shape ", *this, " has more elements than any memory");
  return result;
}

int64_t Shape::product(int begin, int end) const {
  int64_t result = 1;
  for (int axis = begin; axis < end; ++axis) result *= (*this)[axis];
  return result;
}

int Shape::index(int axis) const {
  const int positive = axis < 0 ? axis + rank_ : axis;
  if (positive < 0 || positive >= rank_)
    throw Error(ErrorKind::shape, "axis ", axis, " does not exist in shape ", *this);
  return positive;
}

Shape Shape::with(int axis, int64_t size) const {
  Shape result = *this;
  result[axis] = size;
  return result;
}

Shape Shape::without(int axis) const {
  std::vector<int64_t> sizes(begin(), end());
  sizes.erase(sizes.begin() + index(axis));
  return Shape(sizes);
}

Shape Shape::inserted(int axis, int64_t size) const {
  std::vector<int64_t> sizes(begin(), end());
  sizes.insert(sizes.begin() + (axis < 0 ? axis + rank_ + 1 : axis), size);
  return Shape(sizes);
}

bool Shape::operator==(const Shape& other) const {
  return std::equal(begin(), end(), other.begin(), other.end());
}

Shape row_major_strides(const Shape& shape) {
  Shape strides = shape;
  int64_t stride = 1;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    strides[axis] = stride;
    stride *= shape[axis];
  }
  return strides;
}

std::ostream& operator<<(std::ostream& stream, const Shape& shape) {
  stream << '[';
  for (int axis = 0; axis < shape.rank(); ++axis) stream << (axis ? ", " : "") << shape[axis];
  return stream << ']';
}

}  // namespace py4cast
