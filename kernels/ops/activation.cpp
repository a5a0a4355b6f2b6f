#include "kernels/ops/activation.h"

#include <memory>
#include <numbers>
#include <vector>

#include "kernels/common/dispatch.h"
#include "kernels/ops/activation_kernels.h"
#include "kernels/ops/arithmetic.h"

namespace py4cast {
namespace {

struct Entry {
  std::string_view name;
  int operations;
  enum { input, output } saved;
};
#define PY4CAST_ENTRY(kind, name, saved, operations, f, slope) {name, operations, Entry::saved},
constexpr Entry entries[] = {PY4CAST_ACTIVATIONS(PY4CAST_ENTRY)};
#undef PY4CAST_ENTRY

constexpr const Entry& entry_of(Activation kind) {
  return entries[static_cast<size_t>(kind)];
}

Tensor sigmoid(Context& context, const Tensor& x) {
  return affine(context, hyperbolic_tangent(context, scale(context, x, 0.5)), 0.5, 0.5);
}

// on where the constant `mask` is 1, off where it is 0.
Tensor choose(Context& context, const Tensor& mask, const Tensor& on, const Tensor& off) {
  return add(context, multiply(context, mask, on),
             multiply(context, affine(context, mask, -1, 1), off));
}

Tensor less(Context& context, const Tensor& x, double bound) {
  return greater(context, scale(context, x.detached(), -1), -bound);
}

// (1 + erf(x / sqrt 2)) / 2
Tensor normal_distribution(Context& context, const Tensor& x) {
  return affine(context, error_function(context, scale(context, x, std::numbers::sqrt2 / 2)), 0.5,
                0.5);
}

Tensor clamped(Context& context, const Tensor& x, double low, double high) {
  const Tensor above_low = greater(context, x, low), below_high = less(context, x, high);
  const Tensor inside = multiply(context, above_low, below_high);
  return add(context, multiply(context, x, inside),
             add(context, affine(context, above_low, -low, low),
                 affine(context, below_high, -high, high)));
}

// x where it is positive, else alpha (e^x - 1).
Tensor exponential_unit(Context& context, const Tensor& x, double alpha) {
  const Tensor positive = greater(context, x, 0);
  const Tensor negative_part = multiply(context, x, affine(context, positive, -1, 1));
  return choose(context, positive, x,
                affine(context, exponential(context, negative_part), alpha, -alpha));
}

Tensor constant(Context& context, const Tensor& like, double value) {
  return full(context, like.shape(), like.type(), value);
}

// From ops: f(x), and the slope from what is saved, differentiable in it.
struct Composite {
  using Function = Tensor (*)(Context& c, const Tensor& x);
  Function f, slope;
};
Composite composite_of(Activation kind) {
  using C = Context;
  using X = const Tensor;
  switch (kind) {
    case Activation::identity:
      return {[](C&, X& x) { return x; }, [](C& c, X& y) { return constant(c, y, 1); }};
    case Activation::relu:
      return {[](C& c, X& x) { return multiply(c, x, greater(c, x, 0)); },
              [](C& c, X& y) { return greater(c, y, 0); }};
    case Activation::leaky_relu:
      return {
          [](C& c, X& x) { return multiply(c, x, affine(c, greater(c, x, 0), 1 - leak, leak)); },
          [](C& c, X& y) { return affine(c, greater(c, y, 0), 1 - leak, leak); }};
    case Activation::elu:
      return {[](C& c, X& x) { return exponential_unit(c, x, 1); },
              [](C& c, X& y) {
                return choose(c, greater(c, y, 0), constant(c, y, 1), affine(c, y, 1, 1));
              }};
    case Activation::selu:
      return {[](C& c, X& x) { return scale(c, exponential_unit(c, x, selu_alpha), selu_scale); },
              [](C& c, X& y) {
                return choose(c, greater(c, y, 0), constant(c, y, selu_scale),
                              affine(c, y, 1, selu_scale * selu_alpha));
              }};
    case Activation::gelu:
      return {[](C& c, X& x) { return multiply(c, x, normal_distribution(c, x)); },
              [](C& c, X& x) {
                const Tensor bell = scale(c, exponential(c, scale(c, multiply(c, x, x), -0.5)),
                                          std::numbers::inv_sqrtpi / std::numbers::sqrt2);
                return add(c, normal_distribution(c, x), multiply(c, x, bell));
              }};
    case Activation::silu:
      return {[](C& c, X& x) { return multiply(c, x, sigmoid(c, x)); },
              [](C& c, X& x) {
                const Tensor s = sigmoid(c, x);
                return multiply(c, s, affine(c, multiply(c, x, affine(c, s, -1, 1)), 1, 1));
              }};
    case Activation::sigmoid:
      return {[](C& c, X& x) { return sigmoid(c, x); },
              [](C& c, X& y) { return multiply(c, y, affine(c, y, -1, 1)); }};
    case Activation::tanh:
      return {[](C& c, X& x) { return hyperbolic_tangent(c, x); },
              [](C& c, X& y) { return affine(c, multiply(c, y, y), -1, 1); }};
    case Activation::softplus:
      return {[](C& c, X& x) {
                const Tensor linear = greater(c, x, 20);
                const Tensor rest = multiply(c, x, affine(c, linear, -1, 1));
                return choose(c, linear, x, logarithm(c, affine(c, exponential(c, rest), 1, 1)));
              },
              [](C& c, X& x) {
                return choose(c, greater(c, x, 20), constant(c, x, 1), sigmoid(c, x));
              }};
    case Activation::hardtanh:
      return {[](C& c, X& x) { return clamped(c, x, -1, 1); },
              [](C& c, X& y) { return multiply(c, greater(c, y, -1), less(c, y, 1)); }};
    case Activation::relu6:
      return {[](C& c, X& x) { return clamped(c, x, 0, 6); },
              [](C& c, X& y) { return multiply(c, greater(c, y, 0), less(c, y, 6)); }};
  }
  return {};
}

}  // namespace

Tensor activation(Context& context, Tensor x, Activation kind) {
  if (kind == Activation::identity) return x;
  const bool from_output = entry_of(kind).saved == Entry::output;
  // What the rule keeps is decided before x's memory may be taken over.
  const bool tracked = context.tape && context.tape->tracks(x);
  const auto saved = std::make_shared<Tensor>();
  if (tracked && !from_output) *saved = x;
  Tensor y = reuse_or_empty(context, x);
  run_kernel<Activate>(context, "activation", x.type(), kind, x, y);
  Rule rule;
  if (tracked)
    rule = [saved, kind](Context& inner, Gradients dy, const Needed&) -> Gradients {
      if (inner.tape) return {multiply(inner, dy[0], composite_of(kind).slope(inner, *saved))};
      Tensor dx = reuse_or_empty(inner, dy[0]);
      run_kernel<ActivateBackward>(inner, "activation", dx.type(), kind, *saved, dy[0], dx);
      return {dx};
    };
  y = record(context,
             {"activation", per_element(x, entry_of(kind).operations), {{"kind", name_of(kind)}}},
             {x}, std::move(y), std::move(rule));
  if (from_output) *saved = y;  // with its variable, for second derivatives
  return y;
}

Tensor activation_composite(Context& context, const Tensor& x, Activation kind) {
  return composite_of(kind).f(context, x);
}

std::string_view name_of(Activation kind) {
  return entry_of(kind).name;
}

Activation activation_from_name(const std::string& name) {
  std::vector<std::string> names;
  for (const Entry& entry : entries) {
    if (entry.name == name) return static_cast<Activation>(&entry - entries);
    names.emplace_back(entry.name);
  }
  throw Error(ErrorKind::configuration, "there is no activation '", name, "'; the nearest is '",
              nearest_name(name, names), "'");
}

}  // namespace py4cast
