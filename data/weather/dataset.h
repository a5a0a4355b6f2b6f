// The samples of one period.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "data/samples/samples.h"
#include "data/weather/field_store.h"
#include "data/weather/item.h"

namespace py4cast {

// Where one sample is written; f32, standardised. Those of validity may be null.
struct SampleSlot {
  float* inputs = nullptr;         // [num_input_steps, rows, columns, input_dim], oldest first
  float* outputs = nullptr;        // [num_pred_steps, rows, columns, weather_dim]
  float* forcing = nullptr;        // [num_pred_steps, rows, columns, forcing_dim]
  float* input_valid = nullptr;    // [num_input_steps, rows, columns, 1]: 0 where any is missing
  float* output_valid = nullptr;   // as outputs: 0 where missing, else 1
  float* forcing_valid = nullptr;  // [num_pred_steps, rows, columns, 1]: as input_valid
};

// Where one sample is written as it is stored: the planes of its inputs [num_input_steps,
// input_dim], outputs [num_pred_steps, weather_dim] and forcings [num_pred_steps, forcing_dim],
// and their numbers, Dataset::stored_bytes() bytes, from the start of which places count.
struct StoredSlot {
  FieldPlane *inputs, *outputs, *forcing;
  std::byte* numbers;
};

// A sample is a window of num_input_steps + num_pred_steps times, one step of the data apart. t0 is
// the time of the last input state; entry i of the outputs and of the forcing is valid at
// t0 + (i + 1) steps. A window lies wholly inside the period. On observation-like axes each t0 is a
// multiple of the sample step after the start of the period (FieldStore::anchor), as in the original, which
// takes also those whose window reaches out of the period; on reforecast axes the windows lie inside a
// run of the period, with first steps a sample step apart from the first lead time. With
// Windows::disjoint each window begins where the last one ends, from the start of the period or the first
// lead time on. Samples are sorted by t0, run and member.
class Dataset : public Samples {
 public:
  // Error(data): no window in the period; a gap, if settings.gaps: names the time.
  Dataset(std::shared_ptr<const FieldStore> store, Split split, int64_t num_input_steps,
          int64_t num_pred_steps);
  // One window whose t0 is given, for forecasts, anywhere in the data. The outputs need not exist:
  // steps that the data lack are those of the boundary data or NaN (FieldStore::missing_state). Of several
  // runs it is the latest one that has all that is needed. Error(data):
  // an input state, a physical forcing or a field of the boundary data is missing, or an input state has no value;
  // names the time and the nearest one that the data have.
  static Dataset forecast(std::shared_ptr<const FieldStore> store, Time t0, int64_t member,
                          int64_t num_input_steps, int64_t num_pred_steps);

  // The latest time from which `forecast` can begin with a value of each variable, else without. Error(data): there
  // is none.
  static Time last_start(const std::shared_ptr<const FieldStore>& store, int64_t member,
                         int64_t num_input_steps, int64_t num_pred_steps);

  int64_t size() const override { return static_cast<int64_t>(samples_.size()); }
  // "inputs", "outputs", "forcing" and, if missing values are masked, "input_valid", "output_valid" and, if
  // there are forcings, "forcing_valid": the parts of a SampleSlot.
  std::vector<BufferSpec> buffers() const override;
  void load(int64_t index, std::span<std::byte* const> buffers) const override;
  void expect_threads(int64_t threads) const override { store_->expect_threads(threads); }
  std::string describe(int64_t index) const override;  // its t0: "2020-02-28T03:00:00"

  // Windows of the period that are no samples for want of boundary data.
  int64_t without_boundary() const { return without_boundary_; }
  int64_t num_input_steps() const { return num_input_steps_; }
  int64_t num_pred_steps() const { return num_pred_steps_; }
  const FieldStore& store() const { return *store_; }
  const std::shared_ptr<const FieldStore>& shared_store() const { return store_; }
  const DatasetInfo& info() const { return store_->info(); }

  Time sample_time(int64_t index) const;             // t0
  const Moment& sample_moment(int64_t index) const;  // of t0
  // The first variable without any value in an input state of a sample from t0, and when. Reads them all.
  std::optional<std::pair<std::string, Time>> empty_variable(const Moment& t0) const;
  // Of the outputs: t0 + step, t0 + 2 steps, ...
  std::vector<Time> validity_times(int64_t index) const;
  // Safe to call from several threads, as load above. Errors as in FieldStore::state.
  void load(int64_t index, const SampleSlot& slot) const;
  void gather(int64_t index, const StoredSlot& slot) const;
  int64_t stored_bytes() const;  // at most, of the numbers of one sample
  Item item(int64_t index) const;

 private:
  Dataset(std::shared_ptr<const FieldStore> store, int64_t num_input_steps, int64_t num_pred_steps);
  void add_windows(Split split);
  // The first step, counted from t0, of which a forecast from there lacks the state or the forcings.
  std::optional<int64_t> lacking_step(const Moment& t0) const;
  // When the first input state of a forecast from there is valid of which no variable has a value; as a rule one
  // field of each state is read.
  std::optional<Time> empty_input(const Moment& t0) const;
  bool has_value(int64_t feature, const Moment& moment) const;  // of the state, somewhere
  bool boundary_exists(const Moment& t0) const;                 // for all predictions
  // Calls f(kind, step, frame) for every frame of a sample.
  enum class Kind { inputs, outputs, forcing };
  template <typename F>
  void for_each_frame(int64_t index, F&& f) const;

  std::shared_ptr<const FieldStore> store_;
  int64_t num_input_steps_, num_pred_steps_;
  std::vector<Moment> samples_;  // t0 of each
  int64_t without_boundary_ = 0;
  bool outputs_may_lack_ = false;
};

}  // namespace py4cast
