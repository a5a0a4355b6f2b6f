// Reverse-mode derivatives: an explicit tape of ops.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/context.h"
#include "engine/op_note.h"
#include "engine/tensor.h"

namespace py4cast {

class Parameter;
class ParameterSlab;

using Gradients = std::vector<Tensor>;

// Which inputs of an op need a gradient; a rule may leave the others undefined.
class Needed {
 public:
  explicit Needed(size_t inputs) : inputs_(inputs) {}
  bool operator[](size_t input) const { return input < inputs_.size() && inputs_[input]; }
  void set(size_t input) { inputs_[input] = true; }

 private:
  std::vector<bool> inputs_;
};

// Maps the gradients of an op's outputs to those of its inputs. It is itself written with ops:
// under `create_graph` its context has a tape and the rule is recorded in turn (a fused op then
// goes through its composite). All output gradients are defined (zeros where nothing flowed); they
// may be taken over with std::move, and so may what the rule saved where Context::last_use is set.
using Rule = std::function<Gradients(Context&, Gradients output_gradients, const Needed&)>;

// Receives the gradient of a parameter once it is final (after the last of its uses was passed). With
// Context::weight_gradients it may be undefined: all of it was added there.
using GradientSink = std::function<void(Context&, const Parameter&, Tensor gradient)>;

// A training step owns a tape. Ops record in execution order; `backward` is the reverse loop and
// drops each record as it is passed, which frees what the record saved.
class Tape {
 public:
  using Add = Tensor (*)(Context&, Tensor, Tensor);
  // `add` is the op that accumulates gradients (kernels/ops/arithmetic.h). A tape that only observes
  // records no op; it learns which parameters are used.
  explicit Tape(Add add, bool observe_only = false) : add_(add), observe_only_(observe_only) {}
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  // From now on only parameters of this slab (null: of all) are leaves; others are constants, so that
  // no gradient of theirs is computed: a step of one of several networks.
  void restrict_to(const ParameterSlab* slab) { only_ = slab; }
  const ParameterSlab* restriction() const { return only_; }

  // The same value as a leaf whose gradient can be asked for.
  Tensor watch(const Tensor& value);
  // The parameter's value as a leaf; the same leaf at each use. A constant, if it is not trainable or
  // of another slab than restrict_to named.
  Tensor leaf(const Parameter& parameter);

  // Called by py4cast::record. Gives the outputs variables if any input has one on this tape.
  void record(const Context& context, std::string_view name, std::span<const Tensor> inputs,
              std::span<Tensor> outputs, Rule rule);
  bool tracks(const Tensor& tensor) const {
    return tensor.defined() && tensor.variable().tape == this;
  }

  // d (sum over outputs of output . output_gradient) / d inputs; undefined where an input has no
  // influence. The records are kept. With create_graph the result is itself differentiable. Only
  // records from number `from` on are visited.
  Gradients gradient(Context& context, std::span<const Tensor> outputs, Gradients output_gradients,
                     std::span<const Tensor> inputs, bool create_graph = false, size_t from = 0);

  // Backward pass of a whole step; the tape is empty afterwards. `inputs` (watched tensors) get
  // their gradients returned.
  Gradients backward(Context& context, std::span<const Tensor> outputs, Gradients output_gradients,
                     const GradientSink& sink, std::span<const Tensor> inputs = {});

  size_t size() const { return records_.size(); }
  // Whether a parameter is read by several records.
  bool reuses() const;
  // What backward passes did so far.
  struct Count {
    int64_t rules = 0;      // rules that ran
    int64_t gradients = 0;  // gradients that they gave
    int64_t unasked = 0;    // of these, for inputs that need none
  };
  const Count& count() const { return count_; }
  Add accumulator() const { return add_; }
  const std::vector<const Parameter*>& parameters() const {
    return parameters_;
  }  // in order of first use

 private:
  static constexpr uint32_t none = ~uint32_t{0};
  struct Result {
    uint32_t variable;
    Shape shape;
    DataType type;
  };
  struct Record {
    std::string_view name;
    std::string path;
    std::vector<uint32_t> inputs;
    std::vector<Result> outputs;
    Rule rule;
  };
  // One reverse loop over records [from, size()).
  struct Pass {
    std::vector<Tensor> gradients;  // by variable
    std::vector<bool> keep;         // by variable: asked for by the caller, not to be taken over
    // null: records are kept; else they are dropped, and parameters delivered.
    const GradientSink* sink;
    bool create_graph;
  };
  uint32_t new_variable(const Parameter* parameter);
  Pass begin(Context& context, std::span<const Tensor> outputs, Gradients output_gradients,
             std::span<const Tensor> inputs, const GradientSink* sink, bool create_graph);
  void reverse(Context& context, size_t from, Pass& pass);
  void apply(Context& context, Record& record, Pass& pass);
  void accumulate(Context& context, Pass& pass, uint32_t variable, Tensor gradient);
  Gradients collect(Pass& pass, std::span<const Tensor> inputs);

  Add add_;
  bool observe_only_;
  const ParameterSlab* only_ = nullptr;  // null: all
  Count count_;
  std::vector<Record> records_;
  std::vector<const Parameter*> parameter_of_;  // by variable; null for others
  std::vector<uint32_t> uses_;                  // by variable: records that read it
  std::map<const Parameter*, Variable> leaves_;
  std::vector<const Parameter*> parameters_;
};

// The value to compute with: a leaf of the context's tape, or the bare value without one.
Tensor use(Context& context, const Parameter& parameter);

// Runs f without keeping what its ops saved, and runs it again in the backward pass (with
// context.recompute set): memory against time. f is called with the tensors `inputs` and must be a
// pure function of them, of parameters and of the context's random key. Error(internal): f returns
// other shapes the second time.
std::vector<Tensor> checkpoint(
    Context& context, std::function<std::vector<Tensor>(Context&, std::span<const Tensor>)> f,
    std::vector<Tensor> inputs);

// The end of every op: tells the context's observer of it, and records it on the context's tape.
//   return record(context, {"relu", flops}, {x}, std::move(y), rule);
Tensor record(Context& context, const OpNote& note, std::initializer_list<Tensor> inputs,
              Tensor output, Rule rule);
// With any number of outputs.
void record(Context& context, const OpNote& note, std::span<const Tensor> inputs,
            std::span<Tensor> outputs, Rule rule);

}  // namespace py4cast
