#include "kernels/ops/upsample.h"

#include "kernels/common/dispatch.h"
#include "kernels/ops/arithmetic.h"
#include "kernels/ops/upsample_kernels.h"
#include "kernels/ops/views.h"

namespace py4cast {
namespace {

ResampledAxis axis(int64_t in, int64_t out, const Upsampling& upsampling) {
  const double n = static_cast<double>(in), m = static_cast<double>(out);
  // Nearest: the middle between two whole products decides, so that rounding cannot.
  if (upsampling.interpolation == Interpolation::nearest) return {in, out, n / m, 0.5 / m, true};
  if (upsampling.align_corners) return {in, out, out > 1 ? (n - 1) / (m - 1) : 0, 0, false};
  return {in, out, n / m, 0.5 * n / m - 0.5, false};
}

// Points that each place lies between: those of a plane, or of a line if the rows stay as they are.
double neighbours(const ResampledAxis& rows, const ResampledAxis& columns) {
  return (rows.in == rows.out ? 1 : 2) * (columns.in == columns.out ? 1 : 2);
}

Tensor record_resampled(Context& context, const char* op, double flops,
                        const Upsampling& upsampling, std::initializer_list<Tensor> inputs,
                        Tensor result, Rule rule) {
  const bool nearest = upsampling.interpolation == Interpolation::nearest;
  return record(context,
                {op,
                 flops,
                 {{"interpolation", nearest ? "nearest" : "linear"},
                  {"align_corners", upsampling.align_corners}}},
                inputs, std::move(result), std::move(rule));
}

void check_size(const Context& context, const Tensor& x, const Shape& size) {
  bool fits = x.rank() >= 3 && x.rank() <= 5 && size.rank() == x.rank() - 2;
  for (int i = 0; i < size.rank(); ++i) fits &= size[i] > 0;
  if (!fits)
    throw shape_error(context, "upsample: ", size, " is no size for the spatial axes of ",
                      x.shape());
}

// x [batch, height, width, channels] to [batch, rows, columns, channels].
Tensor upsample_plane(Context& context, const Tensor& x, int64_t rows, int64_t columns,
                      const Upsampling& upsampling, Tensor base);

Tensor gradient_plane(Context& context, const Tensor& dy, int64_t rows, int64_t columns,
                      const Upsampling& upsampling) {
  Tensor dx = context.empty({dy.size(0), rows, columns, dy.size(3)}, dy.type());
  const DataType wide = compute_type(dy.type());
  const bool on_cpu = context.device.kind == DeviceKind::cpu;
  const Shape sums = on_cpu ? dx.shape() : Shape{0};
  const Tensor below = context.empty(sums, wide);
  const Tensor upper = on_cpu && wide == dy.type() ? dx : context.empty(sums, wide);
  const ResampledAxis down = axis(rows, dy.size(1), upsampling),
                      across = axis(columns, dy.size(2), upsampling);
  run_kernel<UpsampleGradient>(context, "upsample", dy.type(), down, across, dy.size(3), dy, upper,
                               below, dx);
  const double each = down.nearest ? 1 : 2 * neighbours(down, across);  // multiply-adds
  return record_resampled(
      context, "upsample_gradient", per_element(dy, each), upsampling, {dy}, std::move(dx),
      [=, out_rows = dy.size(1), out_columns = dy.size(2)](Context& inner, Gradients g,
                                                           const Needed&) -> Gradients {
        return {upsample_plane(inner, g[0], out_rows, out_columns, upsampling, {})};
      });
}

Tensor upsample_plane(Context& context, const Tensor& x, int64_t rows, int64_t columns,
                      const Upsampling& upsampling, Tensor base) {
  Tensor y = base.defined() ? reuse_or_empty(context, base)
                            : context.empty({x.size(0), rows, columns, x.size(3)}, x.type());
  const ResampledAxis down = axis(x.size(1), rows, upsampling),
                      across = axis(x.size(2), columns, upsampling);
  run_kernel<Upsample>(context, "upsample", x.type(), down, across, x.size(3), x, base, y);
  // Between two points lie three operations; one adds the base.
  const double each =
      (down.nearest ? 0 : 3 * (neighbours(down, across) - 1)) + (base.defined() ? 1 : 0);
  const double flops = per_element(y, each);
  return record_resampled(
      context, "upsample", flops, upsampling, {x, base}, std::move(y),
      [=, in_rows = x.size(1), in_columns = x.size(2)](Context& inner, Gradients dy,
                                                       const Needed& needed) -> Gradients {
        return {
            needed[0] ? gradient_plane(inner, dy[0], in_rows, in_columns, upsampling) : Tensor(),
            dy[0]};
      });
}

// The tensor as [batch, height, width, channels] of the two innermost axes, and of the outer one of
// three with the others as its channels.
Shape plane(const Shape& x) {
  return x.rank() == 3 ? Shape{x[0], 1, x[1], x[2]}
                       : Shape{x.numel() / (x[-3] * x[-2] * x[-1]), x[-3], x[-2], x[-1]};
}
Shape depth(const Shape& x) {
  return {x[0], x[1], 1, x[2] * x[3] * x[4]};
}

}  // namespace

Tensor upsample(Context& context, const Tensor& x, const Shape& size, const Upsampling& upsampling,
                Tensor base) {
  check_size(context, x, size);
  Shape result = x.shape();
  for (int i = 0; i < size.rank(); ++i) result[i + 1] = size[i];
  if (base.defined() && (!(base.shape() == result) || base.type() != x.type()))
    throw shape_error(context, "upsample: base is ", name_of(base.type()), " ", base.shape(),
                      " but the result is ", name_of(x.type()), " ", result);
  const int64_t rows = size.rank() == 1 ? 1 : size[-2];
  if (size.rank() == 2)
    return upsample_plane(context, x, rows, size[-1], upsampling, std::move(base));
  Tensor y = reshape(context,
                     upsample_plane(context, reshape(context, x, plane(x.shape())), rows, size[-1],
                                    upsampling, {}),
                     size.rank() == 1 ? result : result.with(1, x.size(1)));
  if (size.rank() == 3)
    y = reshape(
        context,
        upsample_plane(context, reshape(context, y, depth(y.shape())), size[0], 1, upsampling, {}),
        result);
  return base.defined() ? add(context, std::move(y), std::move(base)) : y;
}

Tensor upsample_gradient(Context& context, const Tensor& dy, const Shape& size,
                         const Upsampling& upsampling) {
  check_size(context, dy, size);
  if (size.rank() == 2) return gradient_plane(context, dy, size[0], size[1], upsampling);
  Shape result = dy.shape();
  for (int i = 0; i < size.rank(); ++i) result[i + 1] = size[i];
  Tensor dx = dy;
  if (size.rank() == 3)
    dx = reshape(
        context,
        gradient_plane(context, reshape(context, dy, depth(dy.shape())), size[0], 1, upsampling),
        dy.shape().with(1, size[0]));
  return reshape(context,
                 gradient_plane(context, reshape(context, dx, plane(dx.shape())),
                                size.rank() == 1 ? 1 : size[-2], size[-1], upsampling),
                 result);
}

}  // namespace py4cast
