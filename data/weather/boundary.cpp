#include "data/weather/boundary.h"

#include <algorithm>
#include <sstream>

#include "data/weather/calendar.h"
#include "data/weather/features.h"
#include "engine/error.h"
#include "engine/signs_of_life.h"

namespace py4cast {
namespace {

constexpr const char* prefix = "boundary_";

std::vector<FeatureWish> wishes_of(const BoundarySettings& settings,
                                   const std::vector<Feature>& state) {
  const std::string key = "dataset.boundary.variables";
  std::vector<FeatureWish> wishes;
  for (const BoundaryVariable& variable : settings.variables)
    wishes.push_back({key, variable.name, variable.short_name, variable.levels, {}});
  if (!wishes.empty()) return wishes;
  for (const Feature& feature : state) {
    if (wishes.empty() || wishes.back().variable != feature.variable)
      wishes.push_back({key, feature.variable, feature.short_name, {}, {}});
    if (!feature.level_name.empty() && !feature.only_level)
      wishes.back().levels.push_back(feature.level);
  }
  return wishes;
}

}  // namespace

Boundary::Boundary(const DatasetSettings& settings, std::unique_ptr<FieldSource> source,
                   const Inside& inside, MemoryLedger* ledger)
    : settings_(settings.boundary), source_(std::move(source)) {
  for (const FeatureWish& wish : wishes_of(settings_, inside.state))
    for (Feature feature : make_features(*source_, wish)) {
      if (!source_->variable(wish.variable).has_time)
        throw Error(ErrorKind::configuration, wish.key, ".", wish.variable,
                    ": the variable has no time axis");
      UnitConversion conversion;
      const auto same = std::ranges::find(inside.state, feature.name, &Feature::name);
      if (same != inside.state.end() && !same_units(feature.units, same->units)) {
        const auto found = unit_conversion(feature.units, same->units);
        notes_.push_back("'" + same->variable + "' of the boundary data is in '" + feature.units +
                         "', of the data set in '" + same->units + "': " +
                         (found ? "it is converted"
                                : "beyond its end no border is taken from the boundary data"));
        if (found) {
          conversion = *found;
          feature.units = same->units;
        }
      }
      conversions_.push_back(conversion);
      feature.name = prefix + feature.name;
      features_.push_back(feature);
    }
  const TimeAxis& axis = source_->times();
  if (!same_calendar(axis.calendar, inside.calendar, axis.runs))
    throw Error(ErrorKind::data, file(), ": the boundary data have the calendar ",
                calendar_name(axis.calendar), ", the data set ", calendar_name(inside.calendar));
  if (axis.members > 1 && axis.members < inside.members)
    throw Error(ErrorKind::data, file(), ": the boundary data have ", axis.members,
                " members, but member ", inside.members - 1, " of the data set is used");
  step_ = seconds_of(settings_.step_hours, "dataset.boundary.step_hours");
  if (step_ == 0) step_ = usual_step(axis.reforecast() ? axis.leads : axis.runs);
  delay_ = seconds_of(settings_.delay_hours, "dataset.boundary.delay_hours");
  std::vector<bool> wanted;
  if (settings_.region == BoundaryRegion::border) {
    if (settings.border == 0)
      throw Error(
          ErrorKind::configuration,
          "dataset.boundary.region: 'border' needs points to be given there; dataset.border "
          "is 0");
    for (const float mask : inside.border_mask.span<float>()) wanted.push_back(mask != 0);
  }
  bilinear_ = std::make_unique<Bilinear>(source_->grid(), inside.grid, wanted,
                                         file() + ": the boundary data");
  const int64_t bytes = bilinear_->region().rows() * bilinear_->region().columns() * 4,
                moments = std::ssize(axis.runs) * std::ssize(axis.leads) * axis.members;
  if (moments > settings.cache_bytes / bytes / std::ssize(features_)) return;
  cached_bytes_ = moments * bytes * std::ssize(features_);
  cache_ =
      std::make_unique<FieldCache>(moments, std::vector<int64_t>(features_.size(), bytes), ledger);
}

std::optional<size_t> Boundary::feature_of(const Feature& state) const {
  for (size_t i = 0; i < features_.size(); ++i)
    if (features_[i].name == prefix + state.name && same_units(features_[i].units, state.units))
      return i;
  return {};
}

std::optional<Boundary::Pick> Boundary::between(FieldRequest request, int64_t FieldRequest::*index,
                                                const std::vector<Time>& axis, Time time) const {
  const auto has = [&](int64_t i) {
    request.*index = i;
    return source_->exists(request);
  };
  const auto count = std::ssize(axis);
  int64_t after = std::ranges::lower_bound(axis, time) - axis.begin(), before = after;
  if (after < count && axis[static_cast<size_t>(after)] == time && has(after))
    return Pick{request, request, 0};
  while (--before >= 0 && !has(before)) continue;
  while (after < count && (axis[static_cast<size_t>(after)] == time || !has(after))) ++after;
  if (before < 0 || after == count) return {};
  const Time from = axis[static_cast<size_t>(before)], to = axis[static_cast<size_t>(after)];
  // Steps of leads may grow: neighbours are as far apart as runs have them.
  const bool neighbours =
      index == &FieldRequest::lead && settings_.step_hours == 0 && after == before + 1;
  if (to - from > step_ && !neighbours) return {};
  Pick pick{request, request, static_cast<double>(time - from) / static_cast<double>(to - from)};
  pick.first.*index = before;
  pick.second.*index = after;
  return pick;
}

std::optional<Boundary::Pick> Boundary::pick(const Feature& feature, Time start, Time time,
                                             int64_t member) const {
  const TimeAxis& axis = source_->times();
  FieldRequest request{.variable = feature.variable,
                       .level = feature.level_index,
                       .member = axis.members > 1 ? member : 0};
  if (!axis.reforecast())
    return between(request, &FieldRequest::run, axis.runs, time - axis.leads.front());
  const auto later = std::ranges::upper_bound(axis.runs, start - delay_);
  for (request.run = later - axis.runs.begin() - 1; request.run >= 0; --request.run) {
    const Time lead = time - axis.runs[static_cast<size_t>(request.run)];
    if (lead > axis.leads.back()) break;
    if (auto found = between(request, &FieldRequest::lead, axis.leads, lead)) return found;
  }
  return {};
}

bool Boundary::exists(Time start, Time time, int64_t member) const {
  return std::ranges::all_of(features_, [&](const Feature& feature) {
    return pick(feature, start, time, member).has_value();
  });
}

// On the region of the source; `spare` has room for it.
const float* Boundary::field(size_t feature, const FieldRequest& request,
                             std::vector<float>& spare) const {
  const Region& region = bilinear_->region();
  const auto read = [&](std::byte* out) {
    source_->read(request, region, reinterpret_cast<float*>(out));
    show_life();
    return Packing{};
  };
  if (!cache_) {
    spare.resize(static_cast<size_t>(region.rows() * region.columns()));
    read(reinterpret_cast<std::byte*>(spare.data()));
    return spare.data();
  }
  const TimeAxis& axis = source_->times();
  const int64_t moment =
      (request.run * std::ssize(axis.leads) + request.lead) * axis.members + request.member;
  return reinterpret_cast<const float*>(
      cache_->get(moment, static_cast<int64_t>(feature), read).numbers);
}

void Boundary::read(size_t feature, Time start, Time time, int64_t member, float* out,
                    float elsewhere) const {
  const auto found = pick(features_[feature], start, time, member);
  if (!found)
    throw Error(ErrorKind::data, file(), ": the boundary data have no '",
                features_[feature].variable, "' at ", format_time(source_->times().calendar, time),
                " for a forecast from ", format_time(source_->times().calendar, start),
                "; they have ", describe());
  std::vector<float> first, second;
  const float* values = field(feature, found->first, first);
  if (found->share > 0) {
    const float* later = field(feature, found->second, second);
    const Region& region = bilinear_->region();
    std::vector<float> mixed(static_cast<size_t>(region.rows() * region.columns()));
    for (size_t i = 0; i < mixed.size(); ++i) {
      const auto from = static_cast<double>(values[i]), to = static_cast<double>(later[i]);
      mixed[i] = static_cast<float>(from + found->share * (to - from));
    }
    (*bilinear_)(mixed.data(), out, elsewhere);
  } else {
    (*bilinear_)(values, out, elsewhere);
  }
  const UnitConversion& conversion = conversions_[feature];
  if (conversion.same()) return;
  for (const int64_t point : points())
    out[point] = static_cast<float>(conversion(static_cast<double>(out[point])));
}

std::string Boundary::file() const {
  return features_.empty() ? std::string() : features_.front().file;
}

std::string Boundary::describe() const {
  const TimeAxis& axis = source_->times();
  std::ostringstream text;
  text << axis.runs.size() << (axis.reforecast() ? " runs" : " times") << " from "
       << format_time(axis.calendar, axis.runs.front()) << " to "
       << format_time(axis.calendar, axis.runs.back());
  if (axis.reforecast())
    text << " with leads of " << static_cast<double>(axis.leads.front()) / 3600 << " to "
         << static_cast<double>(axis.leads.back()) / 3600 << " h";
  if (delay_ > 0) text << ", known " << static_cast<double>(delay_) / 3600 << " h later";
  if (step_ > 0) text << ", a step of " << static_cast<double>(step_) / 3600 << " h";
  return text.str();
}

std::string Boundary::fingerprint() const {
  std::ostringstream text;
  text << source_->fingerprint() << "\nboundary step " << step_ << " delay " << delay_ << " at "
       << points().size() << " points";
  for (const UnitConversion& conversion : conversions_)
    if (!conversion.same()) text << " times " << conversion.factor << " plus " << conversion.offset;
  return text.str();
}

}  // namespace py4cast
