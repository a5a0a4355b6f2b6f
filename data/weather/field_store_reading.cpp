// Times and fields of a FieldStore.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "data/weather/calendar.h"
#include "data/weather/features.h"
#include "data/weather/field_store.h"
#include "data/weather/missing_points.h"
#include "engine/error.h"
#include "engine/signs_of_life.h"
#include "kernels/fields/decode_fields.h"

namespace py4cast {
namespace {

Time bound(Calendar calendar, Split split, const char* key, const std::string& text, Time absent) {
  if (text.empty()) return absent;
  try {
    const ParsedTime parsed = parse_time(calendar, text);
    return std::string_view(key) == "end" ? parsed.last() : parsed.time;
  } catch (const Error& error) {
    throw Error(ErrorKind::configuration, "dataset.periods.", name_of(split), ".", key, ": ",
                error.what());
  }
}

}  // namespace

// The features that are read together, and where they stand among the planes of a moment.
struct FieldStore::Channels {
  std::span<const Feature> features;
  const Statistics& statistics;
  int64_t first_plane, bytes;
};

const TimeAxis& FieldStore::times() const {
  return source_->times();
}

Time FieldStore::time(const Moment& moment) const {
  return times().runs[static_cast<size_t>(moment.run)] +
         times().leads[static_cast<size_t>(moment.lead)];
}

std::optional<Moment> FieldStore::shifted(const Moment& moment, int64_t steps) const {
  const bool along_leads = times().reforecast();
  const auto& axis = along_leads ? times().leads : times().runs;
  const int64_t index = along_leads ? moment.lead : moment.run;
  const auto found = index_of(axis, axis[static_cast<size_t>(index)] + steps * info_.step_seconds);
  if (!found) return {};
  Moment result = moment;
  (along_leads ? result.lead : result.run) = *found;
  return result;
}

std::vector<Moment> FieldStore::find(Time validity_time, int64_t member) const {
  const auto& [calendar, runs, leads, members, numbers] = times();
  std::vector<Moment> result;
  for (auto run = static_cast<int64_t>(runs.size()) - 1; run >= 0; --run) {
    const Time lead = validity_time - runs[static_cast<size_t>(run)];
    if (lead > leads.back()) break;
    if (const auto found = index_of(leads, lead)) result.push_back({run, *found, member});
  }
  return result;
}

FieldRequest FieldStore::request(const Feature& feature, const Moment& moment) const {
  return {.variable = feature.variable,
          .level = feature.level_index,
          .run = moment.run,
          .lead = moment.lead,
          .member = moment.member};
}

std::span<const Feature> FieldStore::inputs() const {
  return std::span(info_.state).first(static_cast<size_t>(info_.input_dim()));
}

bool FieldStore::exists(std::span<const Feature> features, const Moment& moment) const {
  return std::ranges::all_of(
      features, [&](const Feature& feature) { return source_->exists(request(feature, moment)); });
}
bool FieldStore::input_exists(const Moment& moment) const {
  return exists(inputs(), moment);
}
bool FieldStore::state_exists(const Moment& moment) const {
  return exists(info_.state, moment);
}
bool FieldStore::forcing_exists(const Moment& moment) const {
  return exists(info_.physical_forcing, moment);
}
std::vector<std::string> FieldStore::absent_diagnostics(Split split) const {
  std::vector<std::string> names;
  for (const Feature& feature : std::span(info_.state).subspan(inputs().size()))
    if (std::ranges::none_of(moments(split), [&](const Moment& moment) {
          return exists({&feature, 1}, moment);
        }))
      names.push_back(feature.name);
  return names;
}
bool FieldStore::boundary_exists(const Moment& t0, int64_t steps) const {
  return !boundary_ ||
         boundary_->exists(time(t0), time(t0) + steps * info_.step_seconds, t0.member);
}
bool FieldStore::exists(const Moment& moment) const {
  return input_exists(moment) && forcing_exists(moment);
}

int64_t FieldStore::sample_step_seconds(Split split) const {
  return sample_steps_[static_cast<size_t>(split)];
}

Time FieldStore::anchor(Split split, const Moment& moment) const {
  return anchors_[static_cast<size_t>(split)].at(static_cast<size_t>(moment.run));
}

std::vector<Time> FieldStore::anchors(Split split) const {
  const auto& runs = times().runs;
  const Time start =
      bound(info_.calendar, split, "start", settings_.period(split).start, runs.front());
  std::vector<Time> result(runs.size(), start), used;
  std::vector<size_t> places;  // of the used ones in runs
  for (size_t run = 0; run < runs.size(); ++run)
    if (runs[run] >= start && exists({static_cast<int64_t>(run), 0, members_.front()})) {
      used.push_back(runs[run]);
      places.push_back(run);
    }
  if (times().reforecast() || used.empty()) return result;
  const int64_t step = std::gcd(usual_step(used), info_.step_seconds);
  const Time first = start + (used.front() - start) % step;
  Time anchor = first;
  // A time between those of a lattice that goes on is a stray one, or one of a finer stretch.
  const auto goes_on = [&](Time time) {
    const Time next = time + step - (time - anchor) % step;
    for (Time k = 0; k < 4; ++k)
      if (std::ranges::binary_search(used, next + k * step)) return true;
    return false;
  };
  for (size_t i = 0; i < used.size(); ++i) {
    if ((used[i] - first) % step == 0)
      anchor = first;
    else if ((used[i] - anchor) % step != 0 && !goes_on(used[i]))
      anchor = used[i];
    result[places[i]] = anchor;
  }
  return result;
}

std::vector<Moment> FieldStore::find_moments(Split split) const {
  const DatasetPeriod& period = settings_.period(split);
  if (period.start.empty() && period.end.empty()) return {};
  const auto& runs = times().runs;
  const auto& leads = times().leads;
  const Time start = bound(info_.calendar, split, "start", period.start, runs.front());
  const Time end = bound(info_.calendar, split, "end", period.end, runs.back());
  const int64_t lattice = std::gcd(info_.step_seconds, sample_step_seconds(split));
  const bool reforecast = times().reforecast();
  const int64_t run_step = std::max<int64_t>(1, run_steps_[static_cast<size_t>(split)]);
  std::vector<Moment> result;
  for (auto run = std::ranges::lower_bound(runs, start); run != runs.end() && *run <= end; ++run) {
    const Time origin =
        reforecast ? start
                   : anchors_[static_cast<size_t>(split)][static_cast<size_t>(run - runs.begin())];
    if ((*run - origin) % (reforecast ? run_step : lattice) != 0) continue;
    for (size_t lead = 0; lead < leads.size(); ++lead) {
      if ((leads[lead] - first_lead_) % lattice != 0) continue;
      for (const int64_t member : members_) {
        const Moment moment{run - runs.begin(), static_cast<int64_t>(lead), member};
        if (exists(moment)) result.push_back(moment);
      }
    }
  }
  return result;
}

void FieldStore::note_missing_times(Split split) {
  const DatasetPeriod& period = settings_.period(split);
  const int64_t run_step = run_steps_[static_cast<size_t>(split)];
  if (!period.given()) return;
  const auto& runs = times().runs;
  const Time start = bound(info_.calendar, split, "start", period.start, runs.front());
  const Time end = bound(info_.calendar, split, "end", period.end, runs.back());
  const std::string name = "dataset.periods." + std::string(name_of(split));
  if (!times().reforecast() || run_step == 0) {
    const int64_t step = std::max<int64_t>(1, usual_step(runs));
    const bool meets = start <= runs.back() && end >= runs.front();  // else it does not matter here
    if (meets && (runs.front() - start >= step || end - runs.back() >= step))
      notes_.push_back(name + " (" + period.start + " to " + period.end +
                       ") goes beyond the data, which are from " +
                       format_time(info_.calendar, runs.front()) + " to " +
                       format_time(info_.calendar, runs.back()));
    return;
  }
  int64_t count = 0, missing = 0;
  std::string first;
  for (Time run = start; run <= end; run += run_step, ++count)
    if (!index_of(runs, run) && missing++ == 0) first = format_time(info_.calendar, run);
  if (missing == 0) return;
  const std::string text = name + ": the data lack " + std::to_string(missing) + " of " +
                           std::to_string(count) + " runs, the first is " + first;
  if (settings_.gaps == Gaps::error)
    throw Error(ErrorKind::data, text, "; dataset.gaps = \"skip\" would do without them");
  notes_.push_back(text);
}

const std::vector<Moment>& FieldStore::moments(Split split) const {
  const std::vector<Moment>& result = moments_[static_cast<size_t>(split)];
  if (!result.empty()) return result;
  const DatasetPeriod& period = settings_.period(split);
  if (period.start.empty() && period.end.empty())
    throw Error(ErrorKind::configuration, "dataset.periods.", name_of(split), " is not given");
  throw Error(ErrorKind::data, "dataset.periods.", name_of(split), " (", period.start, " to ",
              period.end, ") contains no time at which the data have all variables; they have ",
              times().runs.size(), times().reforecast() ? " runs from " : " times from ",
              format_time(info_.calendar, times().runs.front()), " to ",
              format_time(info_.calendar, times().runs.back()));
}

Packing FieldStore::read_checked(const Feature& feature, int64_t plane, const Moment& moment,
                                 std::byte* out) const {
  const FieldRequest field_request = request(feature, moment);
  const Packing packing = source_->read_stored(field_request, region_, out);
  show_life();
  const auto refuse = [&](const auto&... parts) {
    const std::string file = source_->file_of(field_request);
    throw Error(ErrorKind::data, file, file.empty() ? "" : ": ", "variable '", feature.variable,
                "' (feature '", feature.name, "') has ", parts...);
  };
  const int64_t points = grid_.rows * grid_.columns;
  if (settings_.missing == Missing::error) {
    const int64_t missing = count_missing(level_, packing, out, points);
    if (missing > 0)
      refuse(missing, " missing values of ", points,
             source_->variable(feature.variable).limits_note(), " at ",
             format_time(info_.calendar, time(moment)),
             missing == points ? "; dataset.step_hours would skip times between those of the states"
                               : "",
             "; dataset.missing = \"mask\" would leave them out of the loss");
  } else if (!untrained_.empty()) {
    // A network has learnt nothing of a point without any value in the training: it stays missing.
    const std::vector<bool>& never = untrained_[static_cast<size_t>(plane)];
    if (!never.empty() && !make_missing(packing, never, out))
      refuse(
          "points without any value in the training period, but no number here that stands for "
          "a missing value (_FillValue)");
  }
  return packing;
}

StoredField FieldStore::field(const Feature& feature, int64_t plane, const Moment& moment,
                              std::byte* spare) const {
  const auto found = cached_.find(moment);
  if (found == cached_.end()) return {spare, read_checked(feature, plane, moment, spare)};
  return cache_->get(found->second, plane,
                     [&](std::byte* out) { return read_checked(feature, plane, moment, out); });
}

bool FieldStore::lacks_diagnostic(const Feature& feature, int64_t plane,
                                  const Moment& moment) const {
  return plane >= info_.input_dim() && plane < info_.weather_dim() &&
         !source_->exists(request(feature, moment));
}

void FieldStore::read_physical(const Feature& feature, int64_t plane, const Moment& moment,
                               float* out) const {
  if (lacks_diagnostic(feature, plane, moment)) {
    std::fill_n(out, grid_.rows * grid_.columns, std::numeric_limits<float>::quiet_NaN());
    return;
  }
  std::vector<std::byte> spare(
      cached_.contains(moment) ? 0 : static_cast<size_t>(plane_bytes_[static_cast<size_t>(plane)]));
  const StoredField stored = field(feature, plane, moment, spare.data());
  unpack(level_, stored.packing, stored.numbers, grid_.rows * grid_.columns, out);
}

void FieldStore::read_state(int64_t feature, const Moment& moment, float* out) const {
  read_physical(info_.state[static_cast<size_t>(feature)], feature, moment, out);
}

SourceMessage FieldStore::message(int64_t feature, int64_t member) const {
  const Feature& wanted = info_.state[static_cast<size_t>(feature)];
  const TimeAxis& axis = times();
  for (int64_t run = 0; run < std::ssize(axis.runs); ++run)
    for (int64_t lead = 0; lead < std::ssize(axis.leads); ++lead)
      if (const FieldRequest at = request(wanted, {run, lead, member}); source_->exists(at))
        return source_->message(at);
  return {};
}

int64_t FieldStore::state_bytes() const {
  return std::reduce(plane_bytes_.begin(), plane_bytes_.begin() + info_.weather_dim());
}

int64_t FieldStore::forcing_bytes() const {
  return std::reduce(plane_bytes_.begin() + info_.weather_dim(), plane_bytes_.end()) +
         (std::ssize(info_.boundary) + time_forcings_->radiation()) * grid_.rows * grid_.columns *
             4;
}

void FieldStore::add(const Channels& channels, const Moment& moment, StoredFrame& frame) const {
  if (!cached_.contains(moment)) frame.memory = cache_->spare(channels.bytes);
  std::byte* spare = frame.memory ? frame.memory->data() : nullptr;
  for (size_t f = 0; f < channels.features.size(); ++f) {
    const auto plane = channels.first_plane + static_cast<int64_t>(f);
    if (lacks_diagnostic(channels.features[f], plane, moment)) {
      frame.planes.push_back({.constant = std::numeric_limits<float>::quiet_NaN()});
      frame.numbers.push_back(nullptr);
      continue;
    }
    const StoredField stored = field(channels.features[f], plane, moment, spare);
    if (spare) spare += plane_bytes_[static_cast<size_t>(plane)];
    const FeatureStatistics& s = channels.statistics[f];
    frame.planes.push_back({.packing = stored.packing,
                            .place = 0,
                            .mean = info_.offset(s),
                            .factor = 1 / info_.scale(s)});
    frame.numbers.push_back(stored.numbers);
  }
}

StoredFrame FieldStore::state(const Moment& moment) const {
  StoredFrame frame;
  add({info_.state, info_.state_statistics, 0, state_bytes()}, moment, frame);
  return frame;
}

// Standardised here: what is not given is exactly 0.
void FieldStore::add_boundary(size_t feature, const FeatureStatistics& statistics,
                              Time validity_time, const Moment& t0, float* out,
                              StoredFrame& frame) const {
  boundary_->read(feature, time(t0), validity_time, t0.member, out, 0);
  const double mean = info_.offset(statistics), factor = 1 / info_.scale(statistics);
  int64_t missing = 0;
  for (const int64_t i : boundary_->points()) {
    out[i] = static_cast<float>((static_cast<double>(out[i]) - mean) * factor);
    missing += std::isnan(out[i]);
  }
  if (missing > 0 && settings_.missing == Missing::error)
    throw Error(ErrorKind::data, boundary_->file(), ": variable '",
                info_.boundary[feature].variable, "' of the boundary data has no value at ",
                missing, " points of the data set at ", format_time(info_.calendar, validity_time),
                "; dataset.missing = \"mask\" would leave them out");
  frame.planes.push_back({.place = 0});
  frame.numbers.push_back(out);
}

StoredFrame FieldStore::input(const Moment& moment) const {
  StoredFrame frame;
  add({inputs(), info_.state_statistics, 0, state_bytes()}, moment, frame);
  return frame;
}

StoredFrame FieldStore::missing_state(Time validity_time, const Moment& t0) const {
  StoredFrame frame;
  const auto channels = static_cast<size_t>(info_.weather_dim());
  const auto points = static_cast<size_t>(grid_.rows * grid_.columns);
  std::vector<size_t> sources;
  for (const Feature& feature : inputs())
    if (const auto source = boundary_ ? boundary_->feature_of(feature) : std::nullopt)
      sources.push_back(*source);
  if (sources.size() == inputs().size() && boundary_ &&
      boundary_->exists(time(t0), validity_time, t0.member)) {
    frame.computed.resize(sources.size() * points);
    for (size_t f = 0; f < sources.size(); ++f)
      add_boundary(sources[f], info_.state_statistics[f], validity_time, t0,
                   frame.computed.data() + f * points, frame);
  }
  frame.planes.resize(channels, {.constant = std::numeric_limits<float>::quiet_NaN()});
  frame.numbers.resize(channels, nullptr);
  return frame;
}

StoredFrame FieldStore::forcing(Time validity_time, const std::optional<Moment>& moment,
                                const Moment& t0) const {
  StoredFrame frame;
  const size_t points = static_cast<size_t>(grid_.rows * grid_.columns),
               physical = info_.physical_forcing.size(), boundary = info_.boundary.size();
  if (physical > 0)
    add({info_.physical_forcing, info_.forcing_statistics, info_.weather_dim(), forcing_bytes()},
        moment.value(), frame);
  frame.computed.resize((boundary + time_forcings_->radiation()) * points);
  for (size_t f = 0; f < boundary; ++f)
    add_boundary(f, info_.forcing_statistics[physical + f], validity_time, t0,
                 frame.computed.data() + f * points, frame);
  for (const float value : time_forcings_->constants(validity_time)) {
    frame.planes.push_back({.constant = value});
    frame.numbers.push_back(nullptr);
  }
  if (time_forcings_->radiation()) {
    float* const out = frame.computed.data() + boundary * points;
    time_forcings_->write_radiation(validity_time, out);
    frame.planes.push_back({.place = 0});
    frame.numbers.push_back(out);
  }
  std::ranges::rotate(frame.planes, frame.planes.begin() + moved_forcings());
  std::ranges::rotate(frame.numbers, frame.numbers.begin() + moved_forcings());
  return frame;
}

void FieldStore::decode(const StoredFrame& frame, float* out, float* valid,
                        float* all_valid) const {
  decode_frame(level_, frame.planes, frame.numbers, grid_.rows * grid_.columns, out, valid,
               all_valid);
}

}  // namespace py4cast
