#include "data/zarr/anemoi_layout.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "data/weather/calendar.h"
#include "engine/error.h"

namespace py4cast {
namespace {

constexpr size_t axis_of_variables = 1, axis_of_members = 2, axis_of_cells = 3;

std::vector<std::string> texts_of(const Json& json) {
  std::vector<std::string> result;
  if (json.is_array())
    for (const Json& text : json)
      if (text.is_string()) result.push_back(text.get<std::string>());
  return result;
}

class AnemoiReader {
 public:
  explicit AnemoiReader(const StoreContent& store)
      : store_(store), data_(*store.metadata.find("data")), names_(texts_at("variables")) {
    view_.metadata.path = store.metadata.path;
    view_.metadata.attributes = store.metadata.attributes;
  }

  FeatureView read() {
    if (data_.shape.size() != 4 || data_.shape[axis_of_variables] != names_.size())
      refuse("'data' is " + data_.describe_shape() + ", but dates x " +
             std::to_string(names_.size()) + " variables x members x cells are needed");
    find_times();
    find_grid();
    const std::vector<std::string> constants = texts_at("constant_fields");
    const Json* described = find_place(store_.group.attributes, "variables_metadata");
    for (size_t i = 0; i < names_.size(); ++i) {
      ArrayFeature feature{"data", {{axis_of_variables, i}}, axis_of_cells};
      if (data_.shape[axis_of_members] == 1) feature.fixed[axis_of_members] = 0;
      if (std::ranges::find(constants, names_[i]) != constants.end())
        feature.fixed[0] = view_.times.at(0);
      std::map<std::string, CfAttribute> attributes;
      if (described && described->is_object() && described->contains(names_[i]))
        attributes = zarr_attributes((*described)[names_[i]]);
      add_feature(data_as_seen(), names_[i], feature, attributes, view_);
    }
    return std::move(view_);
  }

 private:
  [[noreturn]] void refuse(const std::string& what) const {
    throw Error(ErrorKind::data, store_.metadata.path, ": ", what);
  }

  std::vector<std::string> texts_at(const char* attribute) const {
    const Json* found = find_place(store_.group.attributes, attribute);
    return found ? texts_of(*found) : std::vector<std::string>();
  }

  CfVariable data_as_seen() const {
    CfVariable result = data_;
    result.dimensions = {"time", "variable", "ensemble", "cell"};
    result.attributes.clear();  // zeros are zeros there, whatever the fill value is
    return result;
  }

  void find_times() {
    const CfVariable& dates = *store_.metadata.find("dates");
    const std::vector<double> numbers = store_.numbers("dates");
    if (numbers.size() != data_.shape[0] || numbers.empty())
      refuse("there are " + std::to_string(numbers.size()) + " dates of " +
             std::to_string(data_.shape[0]) + " fields");
    if (!is_time_units(dates.text("units"))) refuse("the dates have no unit of time");
    const Calendar calendar = Calendar::proleptic_gregorian;
    const TimeUnits units(calendar, dates.text("units"));
    std::set<Time> missing;
    for (const std::string& date : texts_at("missing_dates"))
      missing.insert(parse_time(calendar, date).time);
    std::vector<double> kept;
    for (size_t i = 0; i < numbers.size(); ++i) {
      if (missing.contains(units.decode(numbers[i]))) continue;
      kept.push_back(numbers[i]);
      view_.times.push_back(i);
    }
    if (kept.empty()) refuse("all dates are missing");
    add_numbers("time", {"time"},
                {{"units", text_attribute(dates.text("units"))},
                 {"calendar", text_attribute(calendar_name(calendar))}},
                kept, view_);
    view_.metadata.dimensions["ensemble"] = data_.shape[axis_of_members];
  }

  void find_grid() {
    CfVariable latitude{.name = "latitude"}, longitude{.name = "longitude"};
    latitude.attributes["units"] = text_attribute("degrees_north");
    longitude.attributes["units"] = text_attribute("degrees_east");
    const std::vector<double> latitudes = store_.numbers("latitudes"),
                              longitudes = store_.numbers("longitudes");
    const size_t cells = data_.shape[axis_of_cells];
    if (latitudes.size() != cells || longitudes.size() != cells)
      refuse("there are " + std::to_string(latitudes.size()) + " latitudes and " +
             std::to_string(longitudes.size()) + " longitudes of " + std::to_string(cells) +
             " cells");
    if (add_rectangle(latitude, latitudes, longitude, longitudes, view_)) return;
    const Json* shape = find_place(store_.group.attributes, "field_shape");
    if (!shape || !shape->is_array() || shape->size() != 2 || !(*shape)[0].is_number_unsigned() ||
        !(*shape)[1].is_number_unsigned() || (*shape)[0].get<size_t>() < 2 ||
        (*shape)[1].get<size_t>() < 2 ||
        (*shape)[0].get<size_t>() != cells / (*shape)[1].get<size_t>() ||
        cells % (*shape)[1].get<size_t>() != 0)
      refuse("the " + std::to_string(cells) + " cells form no rectangle (field_shape is " +
             (shape ? on_one_line(*shape) : "missing") +
             "), as on reduced or unstructured grids; only rectangles can be read");
    add_rectangle((*shape)[0].get<size_t>(), (*shape)[1].get<size_t>(), view_);
    add_of_points(latitude, latitudes, view_);
    add_of_points(longitude, longitudes, view_);
  }

  const StoreContent& store_;
  const CfVariable& data_;
  const std::vector<std::string> names_;
  FeatureView view_;
};

}  // namespace

std::optional<FeatureView> anemoi_view(const StoreContent& store) {
  for (const char* name : {"data", "dates", "latitudes", "longitudes"})
    if (!store.metadata.find(name)) return {};
  if (!find_place(store.group.attributes, "variables")) return {};
  return AnemoiReader(store).read();
}

}  // namespace py4cast
