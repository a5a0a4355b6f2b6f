#include "kernels/common/dispatch.h"

#include <span>

namespace py4cast {

void check_same_shape(const Context& context, const char* op, const char* a_name, const Tensor& a,
                      const char* b_name, const Tensor& b) {
  if (a.shape() != b.shape() || a.type() != b.type())
    throw shape_error(context, op, ": ", a_name, " is ", name_of(a.type()), " ", a.shape(), " but ",
                      b_name, " is ", name_of(b.type()), " ", b.shape());
}

void check_per_channel(const Context& context, const char* op, const char* v_name, const Tensor& v,
                       const Tensor& x) {
  if (x.rank() < 1 || v.rank() != 1 || v.numel() != x.shape().back())
    throw shape_error(context, op, ": ", v_name, " has ", v.numel(),
                      " elements but the last axis of x has ", x.rank() ? x.shape().back() : 0,
                      " (x is ", x.shape(), ")");
}

Shape leading_axes(const Context& context, const char* op, const char* mask_name,
                   const Tensor& mask, const char* x_name, const Tensor& x) {
  const int leading = x.rank() - mask.rank();
  if (leading < 0 || mask.rank() < 2 || mask.type() != x.type() || mask.shape().back() != 1 ||
      !std::equal(mask.shape().begin(), mask.shape().end() - 1, x.shape().begin() + leading))
    throw shape_error(context, op, ": ", mask_name, " is ", name_of(mask.type()), " ", mask.shape(),
                      " but ", x_name, " is ", name_of(x.type()), " ", x.shape(), "; ", mask_name,
                      " has its point axes and 1");
  return Shape(std::span(x.shape().begin(), static_cast<size_t>(leading)));
}

Tensor reuse_or_empty(Context& context, Tensor& x) {
  if (!x.unique() || !x.contiguous()) return context.empty(x.shape(), x.type());
  Tensor result = x.detached();
  return result;
}

}  // namespace py4cast
