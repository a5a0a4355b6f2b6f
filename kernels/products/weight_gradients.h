// Gradients of weights that wait, so that one launch makes many.
#pragma once

#include <utility>
#include <vector>

#include "engine/context.h"
#include "engine/parameters.h"

namespace py4cast {

// to (a vector, or a matrix) = the sum over parts of the rows from first_row on of partial [parts, rows, 64], f32.
struct PartSum {
  Tensor partial;
  int64_t first_row;
  Tensor to;
};
// On a GPU, together. adds: to what they hold.
void sum_parts(const Context& context, const std::vector<PartSum>& sums, bool adds);

// In a backward pass on a GPU: of the parameters of a slab, gradients that are added to those in `sums`, of the
// layout of slab.gradients(), by the kernels that make them, in place of a tensor for each and a sum for each
// tensor.
class WeightGradients {
 public:
  WeightGradients(const Context& context, const ParameterSlab& slab, Tensor sums)
      : context_(context.without_tape()), slab_(slab), to_(std::move(sums)) {}
  WeightGradients(const WeightGradients&) = delete;

  // Where the gradient of a weight is added up; undefined if it does not lie in the slab.
  Tensor of(const Tensor& weight) const {
    return weight.defined() ? slab_.beside(weight, to_) : Tensor();
  }
  // gradient of weight += transpose of x [.., in] times dy [.., out], at finish() at the latest; x and dy
  // live as long. False: not of this slab, too many rows or features, or of another type.
  bool take(const Tensor& weight, const Tensor& x, const Tensor& dy);
  // Sums that are added, of one `partial`; `to` is of().
  void take(const std::vector<PartSum>& sums);
  void finish();

 private:
  struct Job {
    Tensor x, dy, to;
  };
  bool waits(const Tensor& to) const;
  void multiply();
  void add_up();

  Context context_;
  const ParameterSlab& slab_;
  Tensor to_;
  std::vector<Job> jobs_;
  std::vector<PartSum> sums_;
  size_t bytes_ = 0, part_bytes_ = 0;
};

}  // namespace py4cast
