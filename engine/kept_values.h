// What the calls of a network in one forecast have in common.
#pragma once

#include <map>
#include <utility>

#include "engine/context.h"
#include "engine/tensor.h"

namespace py4cast {

// Values of parameters and constants alone, each computed at the first call that needs it. They live as long as
// this object, which whoever calls a network several times with the same parameters puts into the context
// (Context::kept), with one tape or with none.
class KeptValues {
 public:
  // The context has these, or none, as long as this object lives.
  class Keeping {
   public:
    Keeping(Context& context, KeptValues* kept)
        : context_(context), before_(std::exchange(context.kept, kept)) {}
    ~Keeping() { context_.kept = before_; }
    Keeping(const Keeping&) = delete;
    Keeping& operator=(const Keeping&) = delete;

   private:
    Context& context_;
    KeptValues* before_;
  };
  struct Key {
    const void* owner;
    int64_t batch;
    DataType type;
    const Tape* tape;  // values of different tapes are different leaves
    auto operator<=>(const Key&) const = default;
  };
  // What f() gave at the first call with this key. What f keeps itself is not kept beside it.
  template <typename F>
  Tensor value(Context& context, const Key& key, F&& f) {
    const auto found = values_.find(key);
    if (found != values_.end()) return found->second;
    const Keeping nothing(context, nullptr);
    return values_.emplace(key, f()).first->second;
  }

 private:
  std::map<Key, Tensor> values_;
};

// f(), once for all calls of a network by the context's KeptValues, if it has some.
template <typename F>
Tensor once(Context& context, const void* owner, int64_t batch, DataType type, F&& f) {
  if (!context.kept) return f();
  return context.kept->value(context, {owner, batch, type, context.tape}, f);
}

}  // namespace py4cast
