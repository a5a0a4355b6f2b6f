// The edges of a graph as constants of a network.
#pragma once

#include "kernels/ops/gather.h"
#include "layers/module.h"

namespace py4cast {

// Which node each edge comes from and which it goes to, prepared for gather and segment_sum; the
// tables go to the device with the parameters.
class Edges {
 public:
  // index i32 or i64 [2, edges]: senders, then receivers, each counted from 0 in a set of so many
  // nodes. Error(shape), Error(data): as of SegmentIndex.
  Edges(const Builder& builder, const Tensor& index, int64_t senders, int64_t receivers);

  SegmentIndex senders() const { return senders_.index(); }
  SegmentIndex receivers() const { return receivers_.index(); }

 private:
  class End {
   public:
    End(const Builder& builder, const Tensor& nodes_of_edges, int64_t nodes);
    SegmentIndex index() const {
      return {index_->value(), offsets_->value(), order_ ? order_->value() : Tensor()};
    }

   private:
    const Constant *index_, *offsets_;
    const Constant* order_ = nullptr;  // null: sorted
  };
  End senders_, receivers_;
};

}  // namespace py4cast
