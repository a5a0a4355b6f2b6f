#include "engine/tape.h"

#include <algorithm>

#include "engine/error.h"
#include "engine/parameters.h"

namespace py4cast {

uint32_t Tape::new_variable(const Parameter* parameter) {
  parameter_of_.push_back(parameter);
  uses_.push_back(0);
  return static_cast<uint32_t>(uses_.size() - 1);
}

Tensor Tape::watch(const Tensor& value) {
  Tensor result = value;
  result.set_variable({this, new_variable(nullptr)});
  return result;
}

Tensor Tape::leaf(const Parameter& parameter) {
  if (!parameter.trainable() || (only_ && only_ != &parameter.slab())) return parameter.value();
  auto [entry, fresh] = leaves_.try_emplace(&parameter);
  if (fresh) {
    entry->second = {this, new_variable(&parameter)};
    parameters_.push_back(&parameter);
  }
  Tensor result = parameter.value();
  result.set_variable(entry->second);
  return result;
}

void Tape::record(const Context& context, std::string_view name, std::span<const Tensor> inputs,
                  std::span<Tensor> outputs, Rule rule) {
  if (observe_only_) return;
  Record record{name, context.path, {}, {}, std::move(rule)};
  bool any = false;
  for (const Tensor& input : inputs) {
    any |= tracks(input);
    record.inputs.push_back(tracks(input) ? input.variable().index : none);
  }
  if (!any) return;
  for (uint32_t variable : record.inputs)
    if (variable != none) ++uses_[variable];
  for (Tensor& output : outputs) {
    output.set_variable({this, new_variable(nullptr)});
    record.outputs.push_back({output.variable().index, output.shape(), output.type()});
  }
  records_.push_back(std::move(record));
}

bool Tape::reuses() const {
  for (size_t variable = 0; variable < uses_.size(); ++variable)
    if (parameter_of_[variable] && uses_[variable] > 1) return true;
  return false;
}

Tape::Pass Tape::begin(Context& context, std::span<const Tensor> outputs,
                       Gradients output_gradients, std::span<const Tensor> inputs,
                       const GradientSink* sink, bool create_graph) {
  Pass pass{std::vector<Tensor>(uses_.size()), std::vector<bool>(uses_.size()), sink, create_graph};
  for (const Tensor& input : inputs)
    if (tracks(input)) pass.keep[input.variable().index] = true;
  for (size_t i = 0; i < outputs.size(); ++i)
    if (tracks(outputs[i]))
      accumulate(context, pass, outputs[i].variable().index, std::move(output_gradients[i]));
  return pass;
}

void Tape::accumulate(Context& context, Pass& pass, uint32_t variable, Tensor gradient) {
  Tensor& sum = pass.gradients[variable];
  sum = sum.defined() ? add_(context, std::move(sum), std::move(gradient)) : std::move(gradient);
}

void Tape::apply(Context& context, Record& record, Pass& pass) {
  bool reached = false;
  for (const Result& output : record.outputs) reached |= pass.gradients[output.variable].defined();
  if (!reached) return;
  Context inner = context;
  inner.path = record.path;
  inner.last_use = pass.sink != nullptr;
  Gradients output_gradients;
  for (const Result& output : record.outputs) {
    Tensor& gradient = pass.gradients[output.variable];
    output_gradients.push_back(gradient.defined() ? gradient
                                                  : inner.zeros(output.shape, output.type));
    if (!pass.keep[output.variable]) gradient = {};
  }
  Needed needed(record.inputs.size());
  for (size_t i = 0; i < record.inputs.size(); ++i)
    if (record.inputs[i] != none) needed.set(i);
  std::vector<Tensor*> sums(record.inputs.size());
  for (size_t i = 0; i < record.inputs.size() && pass.sink; ++i) {
    const uint32_t variable = record.inputs[i];
    if (needed[i] && !pass.keep[variable] &&
        std::count(record.inputs.begin(), record.inputs.end(), variable) == 1 &&
        pass.gradients[variable].defined())
      sums[i] = &pass.gradients[variable];
  }
  inner.sums = &sums;
  Gradients input_gradients = record.rule(inner, std::move(output_gradients), needed);
  if (input_gradients.size() != record.inputs.size())
    throw Error(ErrorKind::internal, record.name, ": its rule gives ", input_gradients.size(),
                " gradients for ", record.inputs.size(), " inputs");
  ++count_.rules;
  for (size_t i = 0; i < record.inputs.size(); ++i) {
    count_.gradients += input_gradients[i].defined();
    count_.unasked += input_gradients[i].defined() && !needed[i];
  }
  inner.sums = nullptr;
  if (pass.sink) record.rule = nullptr;  // what it saved dies before the sums are made
  for (size_t i = 0; i < record.inputs.size(); ++i)
    if (needed[i] && input_gradients[i].defined())
      accumulate(inner, pass, record.inputs[i], std::move(input_gradients[i]));
}

void Tape::reverse(Context& context, size_t from, Pass& pass) {
  for (size_t index = records_.size(); index-- > from;) {
    // Under create_graph the rules append records, which moves the vector: hold a copy.
    Record record = pass.sink ? std::move(records_[index]) : records_[index];
    if (pass.sink) records_.pop_back();
    apply(context, record, pass);
    if (!pass.sink) continue;
    for (uint32_t variable : record.inputs) {
      if (variable == none || --uses_[variable] > 0 || !parameter_of_[variable]) continue;
      Tensor gradient = std::move(pass.gradients[variable]);
      pass.gradients[variable] = {};
      if (gradient.defined() || context.weight_gradients)
        (*pass.sink)(context, *parameter_of_[variable], std::move(gradient));
    }
  }
}

Gradients Tape::collect(Pass& pass, std::span<const Tensor> inputs) {
  Gradients result;
  for (const Tensor& input : inputs)
    result.push_back(tracks(input) ? pass.gradients[input.variable().index] : Tensor());
  return result;
}

Gradients Tape::gradient(Context& context, std::span<const Tensor> outputs,
                         Gradients output_gradients, std::span<const Tensor> inputs,
                         bool create_graph, size_t from) {
  Context inner = context;
  inner.tape = create_graph ? this : nullptr;
  Pass pass = begin(inner, outputs, std::move(output_gradients), inputs, nullptr, create_graph);
  reverse(inner, from, pass);
  return collect(pass, inputs);
}

Gradients Tape::backward(Context& context, std::span<const Tensor> outputs,
                         Gradients output_gradients, const GradientSink& sink,
                         std::span<const Tensor> inputs) {
  Context inner = context.without_tape();
  Pass pass = begin(inner, outputs, std::move(output_gradients), inputs, &sink, false);
  reverse(inner, 0, pass);
  return collect(pass, inputs);
}

Tensor use(Context& context, const Parameter& parameter) {
  return context.tape ? context.tape->leaf(parameter) : parameter.value();
}

void record(Context& context, const OpNote& note, std::span<const Tensor> inputs,
            std::span<Tensor> outputs, Rule rule) {
  if (context.observer) context.observer->op(context, note, inputs, outputs);
  if (context.tape) context.tape->record(context, note.name, inputs, outputs, std::move(rule));
}

Tensor record(Context& context, const OpNote& note, std::initializer_list<Tensor> inputs,
              Tensor output, Rule rule) {
  record(context, note, std::span(inputs.begin(), inputs.size()), {&output, 1}, std::move(rule));
  return output;
}

std::vector<Tensor> checkpoint(
    Context& context, std::function<std::vector<Tensor>(Context&, std::span<const Tensor>)> f,
    std::vector<Tensor> inputs) {
  if (!context.tape) return f(context, inputs);
  Tape observer(context.tape->accumulator(), true);
  observer.restrict_to(context.tape->restriction());
  Context inner = context;
  inner.tape = &observer;
  inner.kept = nullptr;  // it outlives this tape
  std::vector<Tensor> outputs = f(inner, inputs);

  const std::vector<const Parameter*> parameters = observer.parameters();
  std::vector<Tensor> all = inputs;
  for (const Parameter* parameter : parameters) all.push_back(context.tape->leaf(*parameter));
  Rule rule = [f = std::move(f), all, parameters, count = inputs.size(),
               add = context.tape->accumulator(), only = context.tape->restriction(),
               random = context.random](Context& backward, Gradients output_gradients,
                                        const Needed& needed) {
    Context again = backward;
    again.recompute = true;
    again.random = random;
    const std::span<const Tensor> given(all.data(), count);
    if (backward.tape) {
      const size_t from = backward.tape->size();
      const std::vector<Tensor> results = f(again, given);
      return backward.tape->gradient(again, results, std::move(output_gradients), all, true, from);
    }
    Tape tape(add);
    tape.restrict_to(only);
    again.tape = &tape;
    std::vector<Tensor> watched(given.begin(), given.end());
    for (size_t i = 0; i < count; ++i)
      if (needed[i]) watched[i] = tape.watch(watched[i]);
    const std::vector<Tensor> results = f(again, watched);
    Gradients gradients(all.size());
    const GradientSink sink = [&](Context&, const Parameter& parameter, Tensor gradient) {
      for (size_t i = 0; i < parameters.size(); ++i)
        if (parameters[i] == &parameter) {
          gradients[count + i] = std::move(gradient);
          return;
        }
    };
    Gradients of_inputs = tape.backward(again, results, std::move(output_gradients), sink, watched);
    for (size_t i = 0; i < count; ++i)
      if (needed[i]) gradients[i] = std::move(of_inputs[i]);
    return gradients;
  };
  context.tape->record(context, "checkpoint", all, outputs, std::move(rule));
  return outputs;
}

}  // namespace py4cast
