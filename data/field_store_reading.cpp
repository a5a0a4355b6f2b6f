// Times and fields of a FieldStore.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "data/calendar.h"
#include "data/field_store.h"
#include "engine/error.h"

namespace py4cast {
namespace {

std::optional<int64_t> index_of(const std::vector<Time>& axis, Time time) {
  const auto found = std::ranges::lower_bound(axis, time);
  if (found == axis.end() || *found != time) return {};
  return found - axis.begin();
}

Time bound(Calendar calendar, Split split, const char* key, const std::string& text, Time absent) {
  if (text.empty()) return absent;
  try {
    const ParsedTime parsed = parse_time(calendar, text);
    return parsed.time + (parsed.date_only && std::string_view(key) == "end" ? 86399 : 0);
  } catch (const Error& error) {
    throw Error(ErrorKind::configuration, "dataset.periods.", name_of(split), ".", key, ": ",
                error.what());
  }
}

}  // namespace

// The features that are read together, and where they stand among the planes of a moment.
struct FieldStore::Channels {
  const std::vector<Feature>& features;
  const Statistics& statistics;
  int64_t first_plane;
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

std::optional<Moment> FieldStore::find(Time validity_time, int64_t member) const {
  const auto& [calendar, runs, leads, members] = times();
  for (auto run = static_cast<int64_t>(runs.size()) - 1; run >= 0; --run) {
    const Time lead = validity_time - runs[static_cast<size_t>(run)];
    if (lead > leads.back()) break;
    if (const auto found = index_of(leads, lead)) return Moment{run, *found, member};
  }
  return {};
}

FieldRequest FieldStore::request(const Feature& feature, const Moment& moment) const {
  return {.variable = feature.variable,
          .level = feature.level_index,
          .run = moment.run,
          .lead = moment.lead,
          .member = moment.member};
}

bool FieldStore::exists(const std::vector<Feature>& features, const Moment& moment) const {
  return std::ranges::all_of(
      features, [&](const Feature& feature) { return source_->exists(request(feature, moment)); });
}
bool FieldStore::state_exists(const Moment& moment) const {
  return exists(info_.state, moment);
}
bool FieldStore::forcing_exists(const Moment& moment) const {
  return exists(info_.physical_forcing, moment);
}
bool FieldStore::exists(const Moment& moment) const {
  return state_exists(moment) && forcing_exists(moment);
}

int64_t FieldStore::sample_step_seconds(Split split) const {
  const double hours = settings_.period(split).step_hours;
  return hours > 0 ? std::llround(hours * 3600) : info_.step_seconds;
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
  const auto first_run = std::ranges::lower_bound(runs, start);
  std::vector<Moment> result;
  for (auto run = first_run; run != runs.end() && *run <= end; ++run) {
    if (!reforecast && (*run - *first_run) % lattice != 0) continue;
    for (size_t lead = 0; lead < leads.size(); ++lead) {
      if ((leads[lead] - leads.front()) % lattice != 0) continue;
      for (const int64_t member : members_) {
        const Moment moment{run - runs.begin(), static_cast<int64_t>(lead), member};
        if (exists(moment)) result.push_back(moment);
      }
    }
  }
  return result;
}

const std::vector<Moment>& FieldStore::moments(Split split) const {
  const std::vector<Moment>& result = moments_[static_cast<size_t>(split)];
  if (!result.empty()) return result;
  const DatasetPeriod& period = settings_.period(split);
  if (period.start.empty() && period.end.empty())
    throw Error(ErrorKind::configuration, "dataset.periods.", name_of(split), " is not given");
  throw Error(ErrorKind::data, "dataset.periods.", name_of(split), " (", period.start, " to ",
              period.end, ") contains no time of the data, which have ", times().runs.size(),
              times().reforecast() ? " runs from " : " times from ",
              format_time(info_.calendar, times().runs.front()), " to ",
              format_time(info_.calendar, times().runs.back()));
}

void FieldStore::read_checked(const Feature& feature, const Moment& moment, float* out) const {
  const FieldRequest field_request = request(feature, moment);
  source_->read(field_request, region_, out);
  if (settings_.mask_missing) return;
  const int64_t points = grid_.rows * grid_.columns;
  const auto missing =
      std::count_if(out, out + points, [](float value) { return std::isnan(value); });
  if (missing == 0) return;
  const std::string file = source_->file_of(field_request);
  throw Error(ErrorKind::data, file, file.empty() ? "" : ": ", "variable '", feature.variable,
              "' (feature '", feature.name, "') has ", missing, " missing values of ", points,
              " at ", format_time(info_.calendar, time(moment)),
              "; dataset.missing = \"mask\" would leave them out of the loss");
}

const float* FieldStore::field(const Feature& feature, int64_t plane, const Moment& moment,
                               float* spare) const {
  const auto found = cached_.find(moment);
  if (found == cached_.end()) {
    read_checked(feature, moment, spare);
    return spare;
  }
  const auto planes = static_cast<int64_t>(info_.state.size() + info_.physical_forcing.size());
  return cache_->get(found->second * planes + plane,
                     [&](float* out) { read_checked(feature, moment, out); });
}

void FieldStore::read_state(int64_t feature, const Moment& moment, float* out) const {
  const float* values = field(info_.state[static_cast<size_t>(feature)], feature, moment, out);
  if (values != out) std::copy(values, values + grid_.rows * grid_.columns, out);
}

void FieldStore::load(const Channels& channels, const Moment& moment, float* out, float* valid,
                      int64_t stride) const {
  const int64_t points = grid_.rows * grid_.columns;
  const auto count = static_cast<int64_t>(channels.features.size());
  const auto spare = cached_.contains(moment) ? nullptr : cache_->spare(count);
  std::vector<const float*> fields;
  for (int64_t f = 0; f < count; ++f)
    fields.push_back(field(channels.features[static_cast<size_t>(f)], channels.first_plane + f,
                           moment,
                           spare ? reinterpret_cast<float*>(spare->data()) + f * points : nullptr));
  // In blocks that stay in the cache: the source is by feature, the result by point.
  constexpr int64_t block = 64;
  for (int64_t begin = 0; begin < points; begin += block) {
    const int64_t end = std::min(begin + block, points);
    for (int64_t f = 0; f < count; ++f) {
      const FeatureStatistics& s = channels.statistics[static_cast<size_t>(f)];
      const double mean = settings_.standardize ? s.mean : 0;
      const double scale = settings_.standardize ? 1 / s.std : 1;
      const float* from = fields[static_cast<size_t>(f)];
      for (int64_t point = begin; point < end; ++point) {
        const bool missing = std::isnan(from[point]);
        out[point * stride + f] =
            missing ? 0 : static_cast<float>((static_cast<double>(from[point]) - mean) * scale);
        if (valid) valid[point * stride + f] = !missing;
      }
    }
  }
}

void FieldStore::load_state(const Moment& moment, float* out, float* valid) const {
  load({info_.state, info_.state_statistics, 0}, moment, out, valid, info_.weather_dim());
}

void FieldStore::load_forcing(Time validity_time, const std::optional<Moment>& moment, float* out,
                              float* valid) const {
  const int64_t stride = info_.forcing_dim();
  const auto physical = static_cast<int64_t>(info_.physical_forcing.size());
  if (valid) std::fill(valid, valid + grid_.rows * grid_.columns * stride, 1.0f);
  if (physical)
    load({info_.physical_forcing, info_.forcing_statistics, info_.weather_dim()}, moment.value(),
         out, valid, stride);
  if (stride > physical) time_forcings_->write(validity_time, out + physical, stride);
}

}  // namespace py4cast
