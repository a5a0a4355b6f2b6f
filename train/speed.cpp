#include "train/speed.h"

#include <nlohmann/json.hpp>

namespace py4cast {

void Speed::begin_epoch() {
  start_ = last_ = Clock::now();
  steps_ = batches_ = 0;
  work_ = {};
}

void Speed::add(const StepReport& report) {
  last_ = Clock::now();
  ++steps_;
  batches_ += static_cast<int64_t>(report.losses.size());
  work_ += report.work;
}

std::optional<double> Speed::floor() const {
  if (!ceilings_) return {};
  return ceilings_->floor(work_, precision_);
}

nlohmann::ordered_json Speed::report(int64_t epoch) const {
  const double seconds = std::chrono::duration<double>(last_ - start_).count();
  nlohmann::ordered_json line = {{"epoch", epoch}, {"steps", steps_}, {"seconds", seconds}};
  if (steps_ == 0) return line;
  const auto steps = static_cast<double>(steps_);
  line["steps_per_second"] = steps / seconds;
  line["batches_per_second"] = static_cast<double>(batches_) / seconds;
  line["flops_per_step"] = work_.flops / steps;
  line["bytes_per_step"] = work_.bytes / steps;
  if (!ceilings_) return line;
  line["ceiling_flops"] = ceilings_->flops.at(precision_);
  line["ceiling_bytes"] = ceilings_->bytes;
  line["share_of_ceiling"] = *floor() / seconds;
  return line;
}

}  // namespace py4cast
