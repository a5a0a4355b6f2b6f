#include "data/weather/dataset.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>

#include "data/weather/calendar.h"
#include "engine/error.h"

namespace py4cast {

Dataset::Dataset(std::shared_ptr<const FieldStore> store, int64_t num_input_steps,
                 int64_t num_pred_steps)
    : store_(std::move(store)), num_input_steps_(num_input_steps), num_pred_steps_(num_pred_steps) {
  if (num_input_steps_ < 1 || num_pred_steps_ < 1)
    throw Error(ErrorKind::configuration, "training: a sample of ", num_input_steps_,
                " input steps and ", num_pred_steps_, " prediction steps is impossible");
}

Dataset::Dataset(std::shared_ptr<const FieldStore> store, Split split, int64_t num_input_steps,
                 int64_t num_pred_steps)
    : Dataset(std::move(store), num_input_steps, num_pred_steps) {
  add_windows(split);
  std::ranges::sort(samples_, [this](const Moment& a, const Moment& b) {
    return std::pair(store_->time(a), a) < std::pair(store_->time(b), b);
  });
}

void Dataset::add_windows(Split split) {
  const std::vector<Moment>& moments = store_->moments(split);
  const std::set<Moment> inside(moments.begin(), moments.end());
  const Calendar calendar = info().calendar;
  const bool reforecast = store_->times().reforecast();
  const int64_t step = info().step_seconds, length = num_input_steps_ + num_pred_steps_;
  const bool disjoint = store_->settings().windows == Windows::disjoint;
  const int64_t stride = disjoint ? length * step : store_->sample_step_seconds(split);
  // Windows begin a whole number of strides from here.
  const auto anchor = [&](const Moment& moment) {
    return reforecast
               ? store_->first_lead()
               : store_->anchor(split, moment) - (disjoint ? 0 : num_input_steps_ - 1) * step;
  };
  const auto place = [&](const Moment& moment) {
    return reforecast ? store_->times().leads[static_cast<size_t>(moment.lead)]
                      : store_->time(moment);
  };
  const Time last = reforecast ? store_->times().leads.back() : store_->time(moments.back());
  for (const Moment& first : moments) {
    if ((place(first) - anchor(first)) % stride != 0) continue;
    if (place(first) + (length - 1) * step > last) continue;
    int64_t k = 0;
    for (; k < length; ++k) {
      const auto moment = store_->shifted(first, k);
      if (!moment || !inside.contains(*moment)) break;
      if (info().diagnostics > 0 && k >= num_input_steps_ && !store_->state_exists(*moment)) break;
    }
    if (k == length) {
      const Moment t0 = *store_->shifted(first, num_input_steps_ - 1);
      if (boundary_exists(t0)) {
        samples_.push_back(t0);
        continue;
      }
      ++without_boundary_;
      if (store_->settings().gaps == Gaps::error)
        throw Error(ErrorKind::data, "the boundary data do not cover the forecast from ",
                    format_time(calendar, store_->time(t0)), ": they have ",
                    store_->boundary()->describe(),
                    "; dataset.gaps = \"skip\" would leave out such samples");
    } else if (store_->settings().gaps == Gaps::error) {
      throw Error(ErrorKind::data,
                  "the data have a gap: ", format_time(calendar, store_->time(first) + k * step),
                  " is missing in the ", name_of(split), " period, ", k * step / 3600.0,
                  " h after ", format_time(calendar, store_->time(first)),
                  "; dataset.gaps = \"skip\" would leave out the samples that need it");
    }
  }
  if (!samples_.empty()) return;
  std::string diagnostics =
      info().diagnostics > 0 ? ", the predicted ones with all diagnostics" : "";
  for (const std::string& name : store_->absent_diagnostics(split))
    diagnostics += " ('" + name + "' is at none of them)";
  throw Error(
      ErrorKind::data, "dataset.periods.", name_of(split), " has ", moments.size(),
      " fields but no sample: ", num_input_steps_, " input and ", num_pred_steps_,
      " prediction steps need ", length, " times that are ", step / 3600.0,
      " h apart, all inside the period", diagnostics,
      store_->boundary() ? ", and boundary data, which have " + store_->boundary()->describe() : "",
      "; --num_pred_steps_train and --num_pred_steps_val_test say how many are predicted");
}

bool Dataset::boundary_exists(const Moment& t0) const {
  for (int64_t k = 1; k <= num_pred_steps_; ++k)
    if (!store_->boundary_exists(t0, k)) return false;
  return true;
}

std::optional<int64_t> Dataset::lacking_step(const Moment& t0) const {
  for (int64_t k = 1 - num_input_steps_; k <= num_pred_steps_; ++k) {
    if (k > 0 && !store_->boundary_exists(t0, k)) return k;
    if (k > 0 && info().physical_forcing.empty()) continue;
    const auto moment = store_->shifted(t0, k);
    if (!moment || !(k <= 0 ? store_->input_exists(*moment) : store_->forcing_exists(*moment)))
      return k;
  }
  return {};
}

bool Dataset::has_value(int64_t feature, const Moment& moment) const {
  std::vector<float> field(static_cast<size_t>(info().rows * info().columns));
  try {
    store_->read_state(feature, moment, field.data());
  } catch (const Error& error) {  // dataset.missing = "error"
    if (error.kind() != ErrorKind::data) throw;
    return false;
  }
  return !std::ranges::all_of(field, [](float x) { return std::isnan(x); });
}

std::optional<Time> Dataset::empty_input(const Moment& t0) const {
  for (int64_t k = 1 - num_input_steps_; k <= 0; ++k) {
    const Moment moment = store_->shifted(t0, k).value();
    int64_t f = 0;
    while (f < info().input_dim() && !has_value(f, moment)) ++f;
    if (f == info().input_dim()) return store_->time(moment);
  }
  return {};
}

std::optional<std::pair<std::string, Time>> Dataset::empty_variable(const Moment& t0) const {
  for (int64_t k = 1 - num_input_steps_; k <= 0; ++k) {
    const Moment moment = store_->shifted(t0, k).value();
    for (int64_t f = 0; f < info().input_dim(); ++f)
      if (!has_value(f, moment))
        return std::pair(info().state[static_cast<size_t>(f)].variable, store_->time(moment));
  }
  return {};
}

Dataset Dataset::forecast(std::shared_ptr<const FieldStore> store, Time t0, int64_t member,
                          int64_t num_input_steps, int64_t num_pred_steps) {
  Dataset dataset(std::move(store), num_input_steps, num_pred_steps);
  dataset.outputs_may_lack_ = true;
  const FieldStore& fields = *dataset.store_;
  const Calendar calendar = dataset.info().calendar;
  const std::vector<Moment> moments = fields.find(t0, member);
  if (moments.empty()) {
    const TimeAxis& axis = fields.times();
    throw Error(ErrorKind::data, "the data have no field at ", format_time(calendar, t0),
                "; they have ", axis.runs.size(), axis.reforecast() ? " runs" : " times", " from ",
                format_time(calendar, axis.runs.front()), " to ",
                format_time(calendar, axis.runs.back()));
  }
  // An older run may have what the latest one lacks.
  const auto whole = std::ranges::find_if(moments, [&](const Moment& moment) {
    return !dataset.lacking_step(moment) && !dataset.empty_input(moment);
  });
  if (whole == moments.end()) {
    const Moment& latest = moments.front();
    if (!dataset.lacking_step(latest))
      throw Error(ErrorKind::data, "a forecast from ", format_time(calendar, t0),
                  " needs the state at ", format_time(calendar, *dataset.empty_input(latest)),
                  ", which has no value");
    const int64_t k = *dataset.lacking_step(latest);
    const bool boundary = k > 0 && !fields.boundary_exists(latest, k);
    throw Error(ErrorKind::data, "a forecast from ", format_time(calendar, t0), " needs the ",
                k <= 0     ? "state"
                : boundary ? "boundary data"
                           : "forcings",
                " at ", format_time(calendar, t0 + k * dataset.info().step_seconds),
                ", which the data lack",
                boundary ? "; those have " + fields.boundary()->describe() : "");
  }
  dataset.samples_ = {*whole};
  return dataset;
}

Time Dataset::last_start(const std::shared_ptr<const FieldStore>& store, int64_t member,
                         int64_t num_input_steps, int64_t num_pred_steps) {
  const Dataset dataset(store, num_input_steps, num_pred_steps);
  std::set<Time> times;
  for (const Time run : store->times().runs)
    for (const Time lead : store->times().leads) times.insert(run + lead);
  for (const bool all_variables : {true, false})
    for (auto time = times.rbegin(); time != times.rend(); ++time)
      for (const Moment& moment : store->find(*time, member))
        if (!dataset.lacking_step(moment) &&
            !(all_variables ? dataset.empty_variable(moment).has_value()
                            : dataset.empty_input(moment).has_value()))
          return *time;
  throw Error(
      ErrorKind::data, "no forecast of ", num_pred_steps,
      " steps can begin in these data: ", num_input_steps, " states in a row are needed",
      store->info().physical_forcing.empty() ? "" : ", and the forcings of all steps",
      store->boundary() ? ", and boundary data, which have " + store->boundary()->describe() : "");
}

const Moment& Dataset::sample_moment(int64_t index) const {
  return samples_.at(static_cast<size_t>(index));
}

Time Dataset::sample_time(int64_t index) const {
  return store_->time(sample_moment(index));
}

std::vector<Time> Dataset::validity_times(int64_t index) const {
  std::vector<Time> result;
  for (int64_t k = 1; k <= num_pred_steps_; ++k)
    result.push_back(sample_time(index) + k * info().step_seconds);
  return result;
}

template <typename F>
void Dataset::for_each_frame(int64_t index, F&& f) const {
  const Moment& t0 = sample_moment(index);
  for (int64_t k = 0; k < num_input_steps_; ++k)
    f(Kind::inputs, k, store_->input(store_->shifted(t0, k - num_input_steps_ + 1).value()));
  for (int64_t k = 0; k < num_pred_steps_; ++k) {
    const auto moment = store_->shifted(t0, k + 1);
    const bool lacks = outputs_may_lack_ && (!moment || !store_->input_exists(*moment));
    const Time time = sample_time(index) + (k + 1) * info().step_seconds;
    f(Kind::outputs, k, lacks ? store_->missing_state(time, t0) : store_->state(moment.value()));
    if (info().forcing_dim()) f(Kind::forcing, k, store_->forcing(time, moment, t0));
  }
}

std::vector<BufferSpec> Dataset::buffers() const {
  const DatasetInfo& i = info();
  const Shape outputs = {num_pred_steps_, i.rows, i.columns, i.weather_dim()};
  std::vector<BufferSpec> result = {
      {"inputs", {num_input_steps_, i.rows, i.columns, i.input_dim()}},
      {"outputs", outputs},
      {"forcing", {num_pred_steps_, i.rows, i.columns, i.forcing_dim()}}};
  if (store_->settings().missing == Missing::mask) {
    result.push_back({"input_valid", {num_input_steps_, i.rows, i.columns, 1}});
    result.push_back({"output_valid", outputs});
    if (i.forcing_dim() > 0)
      result.push_back({"forcing_valid", {num_pred_steps_, i.rows, i.columns, 1}});
  }
  return result;
}

void Dataset::load(int64_t index, std::span<std::byte* const> buffers) const {
  const auto part = [&](size_t i) {
    return i < buffers.size() ? reinterpret_cast<float*>(buffers[i]) : nullptr;
  };
  load(index, SampleSlot{part(0), part(1), part(2), part(3), part(4), part(5)});
}

std::string Dataset::describe(int64_t index) const {
  return format_time(info().calendar, sample_time(index));
}

void Dataset::load(int64_t index, const SampleSlot& slot) const {
  const int64_t points = info().rows * info().columns;
  const int64_t inputs = points * info().input_dim(), states = points * info().weather_dim(),
                forcings = points * info().forcing_dim();
  const auto at = [](float* all, int64_t place) { return all ? all + place : nullptr; };
  for_each_frame(index, [&](Kind kind, int64_t k, const StoredFrame& frame) {
    if (kind == Kind::inputs)
      store_->decode(frame, slot.inputs + k * inputs, nullptr, at(slot.input_valid, k * points));
    else if (kind == Kind::outputs)
      store_->decode(frame, slot.outputs + k * states, at(slot.output_valid, k * states));
    else
      store_->decode(frame, slot.forcing + k * forcings, nullptr,
                     at(slot.forcing_valid, k * points));
  });
}

int64_t Dataset::stored_bytes() const {
  return (num_input_steps_ + num_pred_steps_) * store_->state_bytes() +
         num_pred_steps_ * store_->forcing_bytes();
}

void Dataset::gather(int64_t index, const StoredSlot& slot) const {
  const int64_t points = info().rows * info().columns;
  int64_t place = 0;
  for_each_frame(index, [&](Kind kind, int64_t k, const StoredFrame& frame) {
    FieldPlane* const planes = kind == Kind::inputs    ? slot.inputs
                               : kind == Kind::outputs ? slot.outputs
                                                       : slot.forcing;
    const size_t channels = frame.planes.size();
    for (size_t c = 0; c < channels; ++c) {
      FieldPlane& plane = planes[static_cast<size_t>(k) * channels + c];
      plane = frame.planes[c];
      if (!frame.numbers[c]) continue;
      const int64_t bytes = points * size_of(plane.packing.type);
      std::memcpy(slot.numbers + place, frame.numbers[c], static_cast<size_t>(bytes));
      plane.place = place;
      place += aligned(bytes);
    }
  });
}

Item Dataset::item(int64_t index) const {
  const DatasetInfo& i = info();
  const std::vector<std::string> names = {"timestep", "lat", "lon", "features"};
  const auto tensor = [&](int64_t steps, int64_t channels) {
    return host_tensor({steps, i.rows, i.columns, channels}, DataType::f32);
  };
  const NamedTensor inputs(tensor(num_input_steps_, i.input_dim()), names, i.input_names());
  const NamedTensor outputs(tensor(num_pred_steps_, i.weather_dim()), names, i.state_names());
  NamedTensor forcing;
  if (i.forcing_dim())
    forcing = NamedTensor(tensor(num_pred_steps_, i.forcing_dim()), names, i.forcing_names);
  load(index, {.inputs = inputs.tensor().data<float>(),
               .outputs = outputs.tensor().data<float>(),
               .forcing = forcing.defined() ? forcing.tensor().data<float>() : nullptr});
  return Item(inputs, outputs, forcing, validity_times(index));
}

}  // namespace py4cast
