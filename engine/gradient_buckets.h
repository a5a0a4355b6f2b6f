// The gradient slab in parts, which are summed over ranks while the backward pass makes the others.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <vector>

#include "engine/communicator.h"
#include "engine/cuda.h"
#include "engine/parameters.h"

namespace py4cast {

// A contiguous slice of the gradient slab: whole parameters with their padding.
struct GradientBucket {
  Tensor gradients;                          // [elements]
  std::vector<const Parameter*> parameters;  // last of the slab first
};

// Cuts the slab from its end on, since a network's last parameters are final first, before the
// parameter that would make a bucket larger than `bytes` (a larger parameter is a bucket of its
// own), and puts the buckets in the order in which they become final. times [parameters]: when each
// parameter's gradient becomes final in a backward pass, for parameters without one -1. Every rank
// must give the same times: ranks sum bucket by bucket.
std::vector<GradientBucket> cut_gradients(const ParameterSlab& slab, std::span<const int64_t> times,
                                          int64_t bytes);

// Sums of the buckets beside the backward pass on a GPU. In a step:
//
//   begin         the main stream (the context's) will make the last additions to the gradients
//   pass_empty    buckets that get none of them are final
//   passed ...    a parameter is final: when it is the last of its bucket the main stream records
//                 the bucket's event, inside of a captured graph as an external one
//   exchange      the communicator's stream waits for one event after the other and sums that
//                 bucket, and gathers the records at last; the main stream waits for the end of it
//
// Why this holds for a replayed graph: the host puts the waits on the communication stream after
// the launch, each launch records the events anew (cudaGraphAddEventRecordNode: "each launch of the
// graph will record event"), and a wait means the latest record at the time of the call
// (cudaStreamWaitEvent). Whatever keeps that record, no event is recorded again before its waits
// are over: the main stream goes on after the communication stream only. All that the ranks
// exchange in a step goes through one stream in the order of the buckets, so all ranks make the
// same calls in the same order, also one that has no micro-batch and puts nothing between `begin`
// and `exchange`.
class GradientBuckets {
 public:
  // The communicator is asynchronous.
  GradientBuckets(const Context& context, Communicator& communicator,
                  std::vector<GradientBucket> buckets);
  ~GradientBuckets();
  GradientBuckets(const GradientBuckets&) = delete;
  GradientBuckets& operator=(const GradientBuckets&) = delete;

  // `order`: the parameters of which `passed` will tell. captured: the main stream is being
  // captured.
  void begin(std::span<const Parameter* const> order, bool captured);
  // Buckets with no parameter of the order are final: nothing will be added to the slab as a whole.
  void pass_empty();
  void passed(const Parameter& parameter);
  // After the launch where the main stream was captured. own, all: as of Communicator::all_gather.
  void exchange(const Tensor& own, const Tensor& all);

  const std::vector<GradientBucket>& buckets() const { return buckets_; }

 private:
  void finish(size_t bucket);

  Communicator& communicator_;
  Context main_, beside_;  // with the two streams
  std::vector<GradientBucket> buckets_;
  std::map<const Parameter*, size_t> bucket_of_;
  std::vector<int64_t> missing_;  // by bucket: parameters that will still be passed
  std::vector<size_t> empty_;     // buckets with none from the start
  bool captured_ = false;
  std::vector<std::unique_ptr<CudaEvent>> final_;  // by bucket
  CudaEvent records_, done_;
};

}  // namespace py4cast
