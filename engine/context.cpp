#include "engine/context.h"

#include "engine/cuda.h"
#include "engine/op_note.h"

#if PY4CAST_NVTX
#include <nvtx3/nvToolsExt.h>
#endif

namespace py4cast {

Tensor Context::empty(const Shape& shape, DataType type) {
  const size_t bytes = static_cast<size_t>(shape.numel()) * size_of(type);
  return Tensor(arena ? arena->allocate(bytes, path)
                      : allocate(bytes, device, ledger, Owner::activations, path),
                type, shape);
}

Tensor Context::zeros(const Shape& shape, DataType type) {
  Tensor result = empty(shape, type);
  if (!dry()) fill_bytes(result, 0, stream);
  return result;
}

Tensor Context::scratch(int64_t bytes) {
  return empty({(bytes + 3) / 4}, DataType::i32);
}

void announce(const Context& context, const OpNote& note, std::initializer_list<Tensor> inputs,
              std::initializer_list<Tensor> outputs) {
  announce(context, note, std::span(inputs.begin(), inputs.size()),
           std::span(outputs.begin(), outputs.size()));
}
void announce(const Context& context, const OpNote& note, std::span<const Tensor> inputs,
              std::span<const Tensor> outputs) {
  if (context.observer) context.observer->op(context, note, inputs, outputs);
}

Scope::Scope(Context& context, std::string_view name)
    : context_(context), length_(context.path.size()) {
  if (length_) context.path += '.';
  context.path += name;
#if PY4CAST_NVTX
  nvtxRangePushA(context.path.c_str());
#endif
}

Tensor Scope::result(Tensor y) {
  if (context_.observer) context_.observer->module(context_, y);
  return y;
}

Scope::~Scope() {
#if PY4CAST_NVTX
  nvtxRangePop();
#endif
  context_.path.resize(length_);
}

}  // namespace py4cast
