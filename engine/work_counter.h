// How much the ops of a pass compute and move.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "engine/op_note.h"

namespace py4cast {

struct Work {
  int64_t calls = 0;
  double flops = 0;  // as the ops tell them (OpNote)
  double bytes = 0;  // of their inputs and outputs, each once for each call
  Work& operator+=(const Work& other);
};

// Adds up the work of the ops it hears of, for each op and for each module. Let it listen to a dry
// pass (StepArena::plan): that takes no memory and launches nothing. What a rule computes is heard
// if the context of the backward pass has the observer, too, under the module of the forward op.
//   WorkCounter counter;
//   context.observer = &counter;
//   arena.plan("forward", [&] { model(context, context.empty(shape, type)); });
class WorkCounter : public OpObserver {
 public:
  // An op without arithmetic whose output lies in the memory of an input (reshape) moves nothing.
  void op(const Context& context, const OpNote& note, std::span<const Tensor> inputs,
          std::span<const Tensor> outputs) override;

  const Work& total() const { return total_; }
  const std::map<std::string, Work, std::less<>>& by_op() const { return by_op_; }
  // Of the module at `path` and of those inside it; "" is the whole.
  Work inside(std::string_view path) const;

 private:
  Work total_;
  std::map<std::string, Work, std::less<>> by_op_, by_path_;
};

}  // namespace py4cast
