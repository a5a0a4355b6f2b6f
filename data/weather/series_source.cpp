#include "data/weather/series_source.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "data/weather/features.h"
#include "data/weather/forwarding_source.h"

namespace py4cast {
namespace {

class SeriesSource : public ForwardingSource {
 public:
  explicit SeriesSource(std::unique_ptr<FieldSource> source) : ForwardingSource(std::move(source)) {
    const TimeAxis& axis = source_->times();
    std::map<Time, std::vector<Place>> places;
    for (auto run = std::ssize(axis.runs) - 1; run >= 0; --run)
      for (int64_t lead = 0; lead < std::ssize(axis.leads); ++lead)
        places[axis.runs[static_cast<size_t>(run)] + axis.leads[static_cast<size_t>(lead)]]
            .push_back({run, lead});
    times_ = {.calendar = axis.calendar,
              .leads = {0},
              .members = axis.members,
              .member_numbers = axis.member_numbers};
    for (auto& [time, found] : places) {
      std::erase_if(found, [&](const Place& place) { return !has_any(place); });
      if (found.empty()) continue;
      times_.runs.push_back(time);
      places_.push_back(std::move(found));
    }
  }
  const TimeAxis& times() const override { return times_; }
  // A total since the start of a run begins anew in the series.
  SourceMessage message(const FieldRequest& request) const override {
    const SourceMessage message = ForwardingSource::message(request);
    return message.total ? SourceMessage() : message;
  }
  std::string fingerprint() const override { return source_->fingerprint() + "\nas a series"; }
  std::string content() const override { return source_->content() + "\nas a series"; }

 private:
  struct Place {
    int64_t run, lead;
  };
  static FieldRequest at(FieldRequest request, const Place& place) {
    request.run = place.run;
    request.lead = place.lead;
    return request;
  }
  bool has_any(const Place& place) const {
    for (const VariableInfo& info : source_->variables())
      for (int64_t level = 0;
           info.has_time && level < std::max<int64_t>(1, std::ssize(info.levels)); ++level)
        for (int64_t member = 0; member < source_->times().members; ++member)
          if (source_->exists({info.name, level, place.run, place.lead, member})) return true;
    return false;
  }
  // Of the latest run that has the field; the latest one if none has.
  FieldRequest inner(const FieldRequest& request) const override {
    if (request.run < 0 || request.run >= std::ssize(places_)) return request;
    const std::vector<Place>& places = places_[static_cast<size_t>(request.run)];
    const auto found = std::ranges::find_if(
        places, [&](const Place& place) { return source_->exists(at(request, place)); });
    return at(request, found == places.end() ? places.front() : *found);
  }

  TimeAxis times_;
  std::vector<std::vector<Place>> places_;  // of each time, that of the latest run first
};

}  // namespace

std::unique_ptr<FieldSource> as_series(std::unique_ptr<FieldSource> source) {
  if (!source->times().reforecast()) return source;
  return std::make_unique<SeriesSource>(std::move(source));
}

bool follow_each_other(const TimeAxis& axis) {
  if (!axis.reforecast() || axis.runs.size() < 2) return false;
  const Time apart = usual_step(axis.runs);
  return apart <= 6 * 3600 && axis.leads.back() - axis.leads.front() < apart;
}

}  // namespace py4cast
