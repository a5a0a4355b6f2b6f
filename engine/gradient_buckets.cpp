#include "engine/gradient_buckets.h"

#include <algorithm>

#include "engine/error.h"

namespace py4cast {
namespace {

constexpr const char* owner = "gradient buckets";

}  // namespace

std::vector<GradientBucket> cut_gradients(const ParameterSlab& slab, std::span<const int64_t> times,
                                          int64_t bytes) {
  if (times.size() != slab.parameters().size())
    throw Error(ErrorKind::internal, times.size(), " times for ", slab.parameters().size(),
                " parameters");
  const Tensor& gradients = slab.gradients();
  const auto size = static_cast<int64_t>(size_of(gradients.type()));
  std::vector<std::pair<int64_t, GradientBucket>> timed;
  int64_t time = -1, begin = gradients.numel(), end = begin;  // of the bucket at hand
  GradientBucket bucket;
  const auto close = [&] {
    if (bucket.parameters.empty()) return;
    bucket.gradients = gradients.viewed({end - begin}, {1}, begin);
    timed.emplace_back(time, std::move(bucket));
    bucket = {};
    time = -1;
    end = begin;
  };
  for (size_t index = times.size(); index-- > 0;) {
    const Parameter& parameter = slab.parameters()[index];
    if (!parameter.trainable()) continue;
    const int64_t first = static_cast<int64_t>(parameter.gradient().offset_bytes()) / size;
    if ((end - first) * size > bytes) close();
    begin = first;
    time = std::max(time, times[index]);
    bucket.parameters.push_back(&parameter);
  }
  close();
  std::stable_sort(timed.begin(), timed.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<GradientBucket> buckets;
  for (auto& [when, each] : timed) buckets.push_back(std::move(each));
  return buckets;
}

GradientBuckets::GradientBuckets(const Context& context, Communicator& communicator,
                                 std::vector<GradientBucket> buckets)
    : communicator_(communicator),
      main_(context.without_tape()),
      beside_(main_),
      buckets_(std::move(buckets)),
      missing_(buckets_.size()),
      records_(context.device),
      done_(context.device) {
  beside_.stream = communicator.stream();
  for (size_t i = 0; i < buckets_.size(); ++i) {
    final_.push_back(std::make_unique<CudaEvent>(context.device));
    for (const Parameter* parameter : buckets_[i].parameters) bucket_of_[parameter] = i;
  }
  main_.ledger->count(Resource::event, owner, static_cast<int64_t>(final_.size()) + 2);
}

GradientBuckets::~GradientBuckets() {
  main_.ledger->count(Resource::event, owner, -static_cast<int64_t>(final_.size()) - 2);
}

void GradientBuckets::begin(std::span<const Parameter* const> order, bool captured) {
  captured_ = captured;
  std::fill(missing_.begin(), missing_.end(), 0);
  for (const Parameter* parameter : order) ++missing_[bucket_of_.at(parameter)];
  empty_.clear();
  for (size_t i = 0; i < missing_.size(); ++i)
    if (missing_[i] == 0) empty_.push_back(i);
}

void GradientBuckets::pass_empty() {
  for (const size_t bucket : empty_) finish(bucket);
}

void GradientBuckets::passed(const Parameter& parameter) {
  const size_t bucket = bucket_of_.at(&parameter);
  if (--missing_[bucket] == 0) finish(bucket);
}

void GradientBuckets::finish(size_t bucket) {
  if (captured_)
    final_[bucket]->record_external(main_.stream);
  else
    final_[bucket]->record(main_.stream);
}

void GradientBuckets::exchange(const Tensor& own, const Tensor& all) {
  for (size_t i = 0; i < buckets_.size(); ++i) {
    final_[i]->wait(beside_.stream);
    communicator_.sum_in_rank_order(beside_, buckets_[i].gradients);
  }
  records_.record(main_.stream);
  records_.wait(beside_.stream);
  communicator_.all_gather(beside_, own, all);
  done_.record(beside_.stream);
  done_.wait(main_.stream);
}

}  // namespace py4cast
