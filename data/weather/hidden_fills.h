// Numbers that stand for missing values although no attribute says so.
#pragma once

#include <cstdint>
#include <limits>
#include <span>

namespace py4cast {

// One of those that programs write for a missing value (-9999, 1e20, ...), as far as float32 tells.
bool is_usual_fill(double value);

// Whether a number that values have lies far from all others of them.
class FillSearch {
 public:
  explicit FillSearch(double fill) : fill_(fill) {}
  void add(std::span<const float> values);
  bool found() const { return found_; }  // in what was added last
  // Both kinds were added, and enough of the others to know their range.
  bool done() const { return seen_ && others_ >= 100000; }
  // By more than a twentieth of the range of the others.
  bool apart() const;
  float low() const { return low_; }
  float high() const { return high_; }

 private:
  double fill_;
  bool found_ = false, seen_ = false;
  int64_t others_ = 0;
  float low_ = std::numeric_limits<float>::infinity(), high_ = -low_;
};

}  // namespace py4cast
