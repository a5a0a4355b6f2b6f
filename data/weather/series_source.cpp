#include "data/weather/series_source.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "data/weather/features.h"

namespace py4cast {
namespace {

class SeriesSource : public FieldSource {
 public:
  explicit SeriesSource(std::unique_ptr<FieldSource> source) : source_(std::move(source)) {
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
  const Grid& grid() const override { return source_->grid(); }
  const TimeAxis& times() const override { return times_; }
  const std::vector<VariableInfo>& variables() const override { return source_->variables(); }
  const VariableInfo& variable(const std::string& name) const override {
    return source_->variable(name);
  }
  void read(const FieldRequest& request, const Region& region, float* out) override {
    source_->read(placed(request), region, out);
  }
  Packing read_stored(const FieldRequest& request, const Region& region, void* out) override {
    return source_->read_stored(placed(request), region, out);
  }
  bool exists(const FieldRequest& request) const override {
    return source_->exists(placed(request));
  }
  std::string file_of(const FieldRequest& request) const override {
    return source_->file_of(placed(request));
  }
  SourceMessage message(const FieldRequest& request) const override {
    return source_->message(placed(request));
  }
  double default_weight(const VariableInfo& info, double level) const override {
    return source_->default_weight(info, level);
  }
  std::vector<std::string> notes() const override { return source_->notes(); }
  std::map<std::string, std::string> left_out() const override { return source_->left_out(); }
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
    return std::ranges::any_of(source_->variables(), [&](const VariableInfo& info) {
      return info.has_time && source_->exists(at({.variable = info.name}, place));
    });
  }
  // Of the latest run that has the field; the latest one if none has.
  FieldRequest placed(const FieldRequest& request) const {
    if (request.run < 0 || request.run >= std::ssize(places_)) return request;
    const std::vector<Place>& places = places_[static_cast<size_t>(request.run)];
    const auto found = std::ranges::find_if(
        places, [&](const Place& place) { return source_->exists(at(request, place)); });
    return at(request, found == places.end() ? places.front() : *found);
  }

  std::unique_ptr<FieldSource> source_;
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
