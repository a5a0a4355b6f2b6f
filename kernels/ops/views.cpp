#include "kernels/ops/views.h"

#include <array>
#include <numeric>

#include "kernels/common/dispatch.h"
#include "kernels/ops/views_kernels.h"

namespace py4cast {
namespace {

View<std::byte> bytes(const Tensor& x) {
  return {x.raw(), static_cast<int64_t>(x.bytes())};
}

// Calls f(device) for kernels that move elements of any type.
template <typename F>
void on_any_type(const Context& context, const char* op, DataType type, F&& f) {
  on_device<float, double, bfloat16, int32_t, int64_t>(context, op, type,
                                                       [&](auto device, auto) { f(device); });
}

// Bytes from one index of an axis to the next.
int64_t pitch_of(const Tensor& x, int axis) {
  return x.shape().product(axis + 1, x.rank()) * static_cast<int64_t>(size_of(x.type()));
}

// y (made) = the parts joined along an axis.
void join(const Context& context, const char* op, const std::vector<RowPart>& parts, int axis,
          const Tensor& y) {
  on_any_type(context, op, y.type(), [&](auto device) {
    JoinRows{parts.data(), static_cast<int64_t>(parts.size()), y.shape().product(0, axis), bytes(y)}
        .run(device);
  });
}

void check_joinable(const Context& context, const std::vector<Tensor>& tensors, int axis) {
  if (tensors.empty()) throw shape_error(context, "concat: there is no tensor to join");
  const Tensor& first = tensors[0];
  for (size_t i = 1; i < tensors.size(); ++i) {
    const Tensor& x = tensors[i];
    if (x.type() != first.type() || x.rank() != first.rank() ||
        x.shape().with(axis, 0) != first.shape().with(axis, 0))
      throw shape_error(context, "concat: tensor ", i, " is ", name_of(x.type()), " ", x.shape(),
                        " but tensor 0 is ", name_of(first.type()), " ", first.shape(),
                        " and they may differ in axis ", axis, " only");
  }
}

void check_permutation(const Context& context, const Tensor& x, const std::vector<int>& axes) {
  std::array<bool, Shape::max_rank> seen{};
  bool valid = static_cast<int>(axes.size()) == x.rank();
  for (size_t i = 0; valid && i < axes.size(); ++i) {
    const int axis = axes[i];
    valid = axis >= 0 && axis < x.rank() && !seen[static_cast<size_t>(axis)];
    if (valid) seen[static_cast<size_t>(axis)] = true;
  }
  if (valid) return;
  std::string text;
  for (int axis : axes) text += (text.empty() ? "" : ", ") + std::to_string(axis);
  throw shape_error(context, "transpose: (", text, ") does not order the axes of x, which is ",
                    x.shape());
}

}  // namespace

Tensor reshape(Context& context, const Tensor& x, const Shape& shape) {
  if (shape.numel() != x.numel())
    throw shape_error(context, "reshape: ", x.shape(), " has not the size of ", shape);
  return record(context, {"reshape"}, {x}, x.viewed(shape),
                [before = x.shape()](Context& inner, Gradients dy, const Needed&) -> Gradients {
                  return {reshape(inner, dy[0], before)};
                });
}

Tensor concat(Context& context, const std::vector<Tensor>& tensors, int axis) {
  if (!tensors.empty()) axis = tensors[0].shape().index(axis);
  check_joinable(context, tensors, axis);
  if (tensors.size() == 1) return tensors[0];
  Shape shape = tensors[0].shape();
  shape[axis] = 0;
  std::vector<int64_t> lengths;
  for (const Tensor& x : tensors) {
    lengths.push_back(x.size(axis));
    shape[axis] += x.size(axis);
  }
  Tensor y = context.empty(shape, tensors[0].type());
  std::vector<RowPart> parts;
  for (const Tensor& x : tensors) {
    const int64_t width = pitch_of(x, axis) * x.size(axis);
    if (width > 0) parts.push_back({x.raw(), width, width});
  }
  join(context, "concat", parts, axis, y);
  record(context, {"concat", 0, {{"axis", axis}}}, tensors, {&y, 1},
         [axis, lengths](Context& inner, Gradients dy, const Needed& needed) -> Gradients {
           Gradients result(lengths.size());
           int64_t start = 0;
           for (size_t i = 0; i < lengths.size(); start += lengths[i++])
             if (needed[i]) result[i] = narrow(inner, dy[0], axis, start, lengths[i]);
           return result;
         });
  return y;
}

Tensor stack(Context& context, const std::vector<Tensor>& tensors, int axis) {
  std::vector<Tensor> parts;
  for (const Tensor& x : tensors) {
    if (axis < 0) axis += x.rank() + 1;
    parts.push_back(reshape(context, x, x.shape().inserted(axis, 1)));
  }
  return concat(context, parts, axis);
}

Tensor narrow(Context& context, const Tensor& x, int axis, int64_t start, int64_t length) {
  axis = x.shape().index(axis);
  const int64_t size = x.size(axis);
  if (start < 0 || length < 0 || start + length > size)
    throw shape_error(context, "narrow: indices ", start, " to ", start + length - 1,
                      " leave axis ", axis, " of x, which is ", x.shape());
  const Shape shape = x.shape().with(axis, length);
  const int64_t inner = x.shape().product(axis + 1, x.rank());
  Tensor y;
  if (x.shape().product(0, axis) == 1) {
    y = x.viewed(shape, row_major_strides(shape), start * inner);
  } else {
    y = context.empty(shape, x.type());
    const int64_t pitch = pitch_of(x, axis);
    if (!context.dry() && y.numel() > 0)
      join(context, "narrow", {{x.raw() + start * pitch, size * pitch, length * pitch}}, axis, y);
  }
  return record(context, {"narrow", 0, {{"axis", axis}, {"start", start}}}, {x}, std::move(y),
                [axis, start, after = size - start - length](Context& inside, Gradients dy,
                                                             const Needed&) -> Gradients {
                  return {pad(inside, dy[0], axis, start, after)};
                });
}

std::vector<Tensor> slices(Context& context, const Tensor& x, int axis,
                           const std::vector<int64_t>& lengths) {
  axis = x.shape().index(axis);
  const int64_t sum = std::accumulate(lengths.begin(), lengths.end(), int64_t{0});
  if (sum != x.size(axis))
    throw shape_error(context, "slices: parts of ", sum, " indices of axis ", axis,
                      " of x, which is ", x.shape());
  Context silent = context.without_tape();
  silent.observer = nullptr;
  std::vector<Tensor> parts;
  int64_t start = 0;
  for (const int64_t length : lengths) {
    parts.push_back(narrow(silent, x, axis, start, length));
    start += length;
  }
  record(context, {"slices", 0, {{"axis", axis}}}, std::span(&x, 1), parts,
         [axis](Context& inner, const Gradients& dy, const Needed&) -> Gradients {
           return {concat(inner, dy, axis)};
         });
  return parts;
}

Tensor pad(Context& context, const Tensor& x, int axis, int64_t before, int64_t after) {
  axis = x.shape().index(axis);
  if (before < 0 || after < 0)
    throw shape_error(context, "pad: ", before, " zeros before and ", after,
                      " after; neither may be negative");
  const int64_t pitch = pitch_of(x, axis), length = x.size(axis);
  if (before == 0 && after == 0) return x;
  Tensor y = context.empty(x.shape().with(axis, before + length + after), x.type());
  join(context, "pad",
       {{nullptr, 0, before * pitch},
        {x.raw(), length * pitch, length * pitch},
        {nullptr, 0, after * pitch}},
       axis, y);
  return record(context, {"pad", 0, {{"axis", axis}, {"before", before}, {"after", after}}}, {x},
                std::move(y), [=](Context& inner, Gradients dy, const Needed&) -> Gradients {
                  return {narrow(inner, dy[0], axis, before, length)};
                });
}

Tensor transpose(Context& context, const Tensor& x, const std::vector<int>& axes) {
  check_permutation(context, x, axes);
  Shape shape = x.shape(), order = shape;
  const Shape from = row_major_strides(x.shape());
  std::array<int64_t, Shape::max_rank + 2> sizes{1, 1}, strides{};  // at least two axes
  std::vector<int> inverse(axes.size());
  for (int i = 0; i < x.rank(); ++i) {
    const int axis = axes[static_cast<size_t>(i)];
    inverse[static_cast<size_t>(axis)] = i;
    order[i] = axis;
    shape[i] = sizes[static_cast<size_t>(i) + 2] = x.size(axis);
    strides[static_cast<size_t>(i) + 2] = from[axis];
  }
  Tensor y = context.empty(shape, x.type());
  on_any_type(context, "transpose", x.type(), [&](auto device) {
    Permute{{x.raw(), static_cast<int64_t>(x.bytes())}, sizes.data(), strides.data(), x.rank() + 2,
            static_cast<int64_t>(size_of(x.type())),    bytes(y)}
        .run(device);
  });
  return record(context, {"transpose", 0, {{"axes", order}}}, {x}, std::move(y),
                [inverse](Context& inner, Gradients dy, const Needed&) -> Gradients {
                  return {transpose(inner, dy[0], inverse)};
                });
}

void cast_into(Context& context, const Tensor& x, const Tensor& y) {
  on_device<float, double, bfloat16>(context, "cast", x.type(), [&](auto device, auto from_type) {
    using From = typename decltype(from_type)::type;
    on_device<float, double, bfloat16>(context, "cast", y.type(), [&](auto, auto to_type) {
      using To = typename decltype(to_type)::type;
      if constexpr (!std::is_same_v<From, To>)
        CastMap<From, To>{view<const From>(x), view<To>(y)}.run(device);
    });
  });
}

Tensor cast(Context& context, const Tensor& x, DataType type) {
  if (x.type() == type) return x;
  Tensor y = context.empty(x.shape(), type);
  cast_into(context, x, y);
  return record(context, {"cast"}, {x}, std::move(y),
                [before = x.type()](Context& inner, Gradients dy, const Needed&) -> Gradients {
                  return {cast(inner, dy[0], before)};
                });
}

}  // namespace py4cast
