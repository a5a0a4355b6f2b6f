#include "kernels/ops/arithmetic.h"

#include <numbers>

#include "kernels/common/dispatch.h"
#include "kernels/ops/arithmetic_kernels.h"

namespace py4cast {
namespace {

const char* name_of(Binary op) {
  static constexpr const char* names[] = {"add", "subtract", "multiply", "divide"};
  return names[static_cast<int>(op)];
}

// y = a op b without a record.
Tensor binary(Context& context, Binary op, Tensor& a, Tensor& b) {
  check_same_shape(context, name_of(op), "a", a, "b", b);
  Tensor y = a.unique() ? reuse_or_empty(context, a) : reuse_or_empty(context, b);
  run_kernel<BinaryMap>(context, name_of(op), a.type(), op, a, b, y);
  return y;
}

Tensor unary(Context& context, const char* name, Unary op, Tensor& x, double p = 0, double q = 0) {
  Tensor y = reuse_or_empty(context, x);
  run_kernel<UnaryMap>(context, name, x.type(), op, x, p, q, y);
  return y;
}

// A rule that saves its operands is a second holder of their memory, so it is made before the op
// looks whether it may reuse them, and only if the op will be recorded.
bool recorded(const Context& context, const Tensor& a, const Tensor& b = {}) {
  return context.tape && (context.tape->tracks(a) || context.tape->tracks(b));
}

}  // namespace

Tensor add(Context& context, Tensor a, Tensor b) {
  Tensor y = binary(context, Binary::add, a, b);
  return record(context, {"add", per_element(a)}, {a, b}, std::move(y),
                [](Context&, Gradients dy, const Needed&) -> Gradients {
                  return {dy[0], dy[0]};
                });
}

Tensor subtract(Context& context, Tensor a, Tensor b) {
  Tensor y = binary(context, Binary::subtract, a, b);
  return record(context, {"subtract", per_element(a)}, {a, b}, std::move(y),
                [](Context& inner, Gradients dy, const Needed& needed) -> Gradients {
                  return {dy[0], needed[1] ? scale(inner, dy[0], -1) : Tensor()};
                });
}

Tensor multiply(Context& context, Tensor a, Tensor b) {
  Rule rule;
  if (recorded(context, a, b))
    rule = [a, b](Context& inner, Gradients dy, const Needed& needed) -> Gradients {
      return {needed[0] ? multiply(inner, dy[0], b) : Tensor(),
              needed[1] ? multiply(inner, dy[0], a) : Tensor()};
    };
  Tensor y = binary(context, Binary::multiply, a, b);
  return record(context, {"multiply", per_element(a)}, {a, b}, std::move(y), std::move(rule));
}

Tensor divide(Context& context, Tensor a, Tensor b) {
  Rule rule;
  if (recorded(context, a, b))
    rule = [a, b](Context& inner, Gradients dy, const Needed& needed) -> Gradients {
      Tensor da = divide(inner, dy[0], b);
      Tensor db = needed[1] ? scale(inner, multiply(inner, da, divide(inner, a, b)), -1) : Tensor();
      return {std::move(da), std::move(db)};
    };
  Tensor y = binary(context, Binary::divide, a, b);
  return record(context, {"divide", per_element(a)}, {a, b}, std::move(y), std::move(rule));
}

Tensor affine(Context& context, Tensor x, double factor, double shift) {
  Tensor y = unary(context, "affine", Unary::affine, x, factor, shift);
  return record(context, {"affine", per_element(x, 2), {{"scale", factor}, {"shift", shift}}}, {x},
                std::move(y), [factor](Context& inner, Gradients dy, const Needed&) -> Gradients {
                  return {scale(inner, std::move(dy[0]), factor)};
                });
}

Tensor power(Context& context, Tensor x, double exponent) {
  Rule rule;
  if (recorded(context, x))
    rule = [x, exponent](Context& inner, Gradients dy, const Needed&) -> Gradients {
      return {multiply(inner, dy[0], scale(inner, power(inner, x, exponent - 1), exponent))};
    };
  Tensor y = unary(context, "power", Unary::power, x, exponent);
  return record(context, {"power", per_element(x), {{"exponent", exponent}}}, {x}, std::move(y),
                std::move(rule));
}

Tensor exponential(Context& context, Tensor x) {
  Rule rule;
  if (recorded(context, x))
    rule = [x](Context& inner, Gradients dy, const Needed&) -> Gradients {
      return {multiply(inner, dy[0], exponential(inner, x))};
    };
  Tensor y = unary(context, "exponential", Unary::exponential, x);
  return record(context, {"exponential", per_element(x)}, {x}, std::move(y), std::move(rule));
}

Tensor logarithm(Context& context, Tensor x) {
  Rule rule;
  if (recorded(context, x))
    rule = [x](Context& inner, Gradients dy, const Needed&) -> Gradients {
      return {divide(inner, dy[0], x)};
    };
  Tensor y = unary(context, "logarithm", Unary::logarithm, x);
  return record(context, {"logarithm", per_element(x)}, {x}, std::move(y), std::move(rule));
}

Tensor absolute(Context& context, Tensor x) {
  Rule rule;
  if (recorded(context, x))
    rule = [x](Context& inner, Gradients dy, const Needed&) -> Gradients {
      Tensor constant = x.detached();
      return {multiply(inner, dy[0], unary(inner, "sign", Unary::sign, constant))};
    };
  Tensor y = unary(context, "absolute", Unary::absolute, x);
  return record(context, {"absolute", per_element(x)}, {x}, std::move(y), std::move(rule));
}

// d tanh = 1 - tanh^2
Tensor hyperbolic_tangent(Context& context, Tensor x) {
  Rule rule;
  if (recorded(context, x))
    rule = [x](Context& inner, Gradients dy, const Needed&) -> Gradients {
      Tensor y = hyperbolic_tangent(inner, x);
      return {multiply(inner, dy[0], affine(inner, multiply(inner, y, y), -1, 1))};
    };
  Tensor y = unary(context, "hyperbolic_tangent", Unary::tanh, x);
  return record(context, {"hyperbolic_tangent", per_element(x)}, {x}, std::move(y),
                std::move(rule));
}

// d erf = 2/sqrt(pi) exp(-x^2)
Tensor error_function(Context& context, Tensor x) {
  Rule rule;
  if (recorded(context, x))
    rule = [x](Context& inner, Gradients dy, const Needed&) -> Gradients {
      Tensor bell = exponential(inner, scale(inner, multiply(inner, x, x), -1));
      return {multiply(inner, dy[0], scale(inner, std::move(bell), 2 * std::numbers::inv_sqrtpi))};
    };
  Tensor y = unary(context, "error_function", Unary::erf, x);
  return record(context, {"error_function", per_element(x)}, {x}, std::move(y), std::move(rule));
}

Tensor greater(Context& context, const Tensor& x, double bound) {
  Tensor constant = x.detached();
  Tensor y = unary(context, "greater", Unary::greater, constant, bound);
  return record(context, {"greater", per_element(x), {{"bound", bound}}}, {constant}, std::move(y),
                {});
}

Tensor is_number(Context& context, const Tensor& x) {
  Tensor constant = x.detached();
  Tensor y = unary(context, "is_number", Unary::is_number, constant);
  return record(context, {"is_number", per_element(x)}, {constant}, std::move(y), {});
}

Tensor without_nan(Context& context, Tensor x) {
  Rule rule;
  if (recorded(context, x))
    rule = [x](Context& inner, Gradients dy, const Needed&) -> Gradients {
      return {multiply(inner, dy[0], is_number(inner, x))};
    };
  Tensor y = unary(context, "without_nan", Unary::without_nan, x);
  return record(context, {"without_nan", per_element(x)}, {x}, std::move(y), std::move(rule));
}

void add_into(Context& context, const Tensor& sum, const Tensor& x) {
  check_same_shape(context, "add_into", "sum", sum, "x", x);
  run_kernel<BinaryMap>(context, "add_into", sum.type(), Binary::add, sum, x, sum);
}

void add_into(Context& context, std::span<const SumOfMany> pairs) {
  for (const auto& [sum, x] : pairs) check_same_shape(context, "add_into", "sum", sum, "x", x);
  const bool on_gpu = on_cuda(context, [&](auto device) {
    if (context.dry() || pairs.empty()) return;
    with_type<float, double>(context, "add_into", pairs[0].first.type(), device,
                             [&]<typename T>(auto cuda, Type<T>) {
                               std::vector<std::pair<View<T>, View<const T>>> views;
                               for (const auto& [sum, x] : pairs)
                                 views.emplace_back(view<T>(sum), view<const T>(x));
                               for (std::span rest(std::as_const(views)); !rest.empty();) {
                                 const size_t count = std::min<size_t>(rest.size(), most_pairs);
                                 AddMany<T>{rest.first(count)}.run(cuda);
                                 rest = rest.subspan(count);
                               }
                             });
  });
  if (on_gpu) return;
  for (const auto& [sum, x] : pairs) add_into(context, sum, x);
}

Tensor full(Context& context, const Shape& shape, DataType type, double value) {
  Tensor y = context.empty(shape, type);
  y = unary(context, "full", Unary::fill, y, value);
  return record(context, {"full", 0, {{"value", value}}}, {}, std::move(y), {});
}

}  // namespace py4cast
