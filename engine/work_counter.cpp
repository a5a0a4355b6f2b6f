#include "engine/work_counter.h"

#include <algorithm>

#include "engine/context.h"

namespace py4cast {
namespace {

double bytes_of_all(std::span<const Tensor> tensors) {
  double sum = 0;
  for (const Tensor& tensor : tensors)
    if (tensor.defined()) sum += static_cast<double>(tensor.bytes());
  return sum;
}

bool share_memory(std::span<const Tensor> inputs, std::span<const Tensor> outputs) {
  return std::ranges::any_of(outputs, [&](const Tensor& output) {
    return std::ranges::any_of(
        inputs, [&](const Tensor& input) { return input.storage() == output.storage(); });
  });
}

}  // namespace

Work& Work::operator+=(const Work& other) {
  calls += other.calls;
  flops += other.flops;
  bytes += other.bytes;
  return *this;
}

void WorkCounter::op(const Context& context, const OpNote& note, std::span<const Tensor> inputs,
                     std::span<const Tensor> outputs) {
  const bool view = note.flops == 0 && share_memory(inputs, outputs);
  const Work work{1, note.flops, view ? 0 : bytes_of_all(inputs) + bytes_of_all(outputs)};
  total_ += work;
  by_op_[std::string(note.name)] += work;
  by_path_[context.path] += work;
}

Work WorkCounter::inside(std::string_view path) const {
  if (path.empty()) return total_;
  Work sum;
  for (const auto& [other, work] : by_path_)
    if (other.starts_with(path) && (other.size() == path.size() || other[path.size()] == '.'))
      sum += work;
  return sum;
}

}  // namespace py4cast
