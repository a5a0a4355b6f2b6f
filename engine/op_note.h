// What an op tells of itself, and who listens: exporters, descriptions of networks, counts of work.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>
#include <variant>

#include "engine/shape.h"
#include "engine/tensor.h"

namespace py4cast {

struct Context;

// One property of an op's call that its tensors do not show: {"dilation", Shape{2, 2}}.
struct Attribute {
  std::string_view name;
  std::variant<bool, int64_t, double, std::string_view, Shape> value;
};

// One call of an op. It lives for the call of `record` alone, so write it there.
struct OpNote {
  std::string_view name;  // "convolution"; the same for every call of the op
  double flops = 0;       // arithmetic of this call; a multiply-add is two, a function (exp) is one
  std::initializer_list<Attribute> attributes = {};
};

// Hears of the ops of a forward pass in the order of their execution; usually of a dry one, in
// which tensors have shapes and types but no data.
class OpObserver {
 public:
  virtual ~OpObserver() = default;
  // context.path is the module at work. An absent optional input is an undefined tensor.
  virtual void op(const Context& context, const OpNote& note, std::span<const Tensor> inputs,
                  std::span<const Tensor> outputs) = 0;
  // The module at context.path has its result.
  virtual void module(const Context&, const Tensor&) {}
};

// Tells the context's observer of an op, if there is one. `record` (engine/tape.h) does it; ops
// without derivative, and kernels that a rule calls by itself, do it here.
void announce(const Context& context, const OpNote& note, std::initializer_list<Tensor> inputs,
              std::initializer_list<Tensor> outputs);
void announce(const Context& context, const OpNote& note, std::span<const Tensor> inputs,
              std::span<const Tensor> outputs);

}  // namespace py4cast
