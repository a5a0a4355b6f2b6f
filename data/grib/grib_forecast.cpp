#include "data/grib/grib_forecast.h"

#include "engine/error.h"

#if PY4CAST_GRIB

#include <algorithm>
#include <cmath>
#include <sstream>

#include "data/grib/grib_grid.h"
#include "data/grib/grib_parameters.h"
#include "data/grib/grib_product.h"
#include "data/weather/calendar.h"
#include "data/weather/units.h"
#include "engine/files.h"

namespace py4cast {
namespace {

constexpr double no_value = 1e30;
constexpr int64_t fewest_bits = 16;

// The largest unit in which both are whole.
struct StepUnit {
  const char* name;
  Time seconds;
};
StepUnit step_unit_of(Time start, Time end) {
  for (const StepUnit unit : {StepUnit{"h", 3600}, StepUnit{"m", 60}})
    if (start % unit.seconds == 0 && end % unit.seconds == 0) return unit;
  return {"s", 1};
}

// What is made of an interval of time: "mean" of "area: mean time: mean"; empty: not said.
std::string method_of(const std::string& cell_methods) {
  std::istringstream words(cell_methods);
  std::string word;
  while (words >> word)
    if (word.ends_with("time:")) {
      while (words >> word && word.ends_with(':')) continue;
      return word;
    }
  return {};
}

bool has_message(const ForecastField& field) {
  return std::ranges::any_of(field.messages,
                             [](const SourceMessage& message) { return !message.bytes.empty(); });
}

class GribForecast {
 public:
  explicit GribForecast(const ForecastFile& forecast) : forecast_(forecast), grid_(forecast.grid) {
    if (forecast.times.empty()) throw Error(ErrorKind::data, "the forecast has no time");
    const Calendar calendar = forecast.calendar;
    if (calendar != Calendar::standard && calendar != Calendar::proleptic_gregorian)
      throw Error(ErrorKind::data, "GRIB has no times of the calendar ", calendar_name(calendar));
    start_ = forecast.reference_time.value_or(forecast.times.front());
    if (forecast.region.rows() > 0) grid_ = grid_part(forecast.grid, forecast.region);
    // Planes in metres begin in the south, as all centres write them: ecCodes 2.28 knows no other ones of polar
    // stereographic maps.
    turned_ = grid_.axis_units == "m" && grid_.y.front() > grid_.y.back();
    if (turned_)
      for (auto* values : {&grid_.latitude, &grid_.longitude, &grid_.x, &grid_.y})
        turn_over(*values);
  }

  void write(const std::string& path) {
    std::vector<std::string> messages;
    for (size_t time = 0; time < forecast_.times.size(); ++time)
      for (size_t member = 0; member < forecast_.planes(); ++member)
        for (const ForecastField& field : forecast_.fields)
          for (size_t level = 0; level < levels_of(field); ++level)
            messages.push_back(message(field, level, time, member));
    std::vector<Bytes> pieces;
    for (const std::string& bytes : messages) pieces.push_back(bytes_of(bytes));
    write_file(path, pieces);
  }

 private:
  void turn_over(std::vector<double>& rows) const {
    for (int64_t row = 0; row < grid_.rows / 2; ++row)
      std::swap_ranges(rows.begin() + row * grid_.columns, rows.begin() + (row + 1) * grid_.columns,
                       rows.end() - (row + 1) * grid_.columns);
  }
  static size_t levels_of(const ForecastField& field) {
    return std::max<size_t>(field.info.levels.size(), 1);
  }

  std::string message(const ForecastField& field, size_t level, size_t time, size_t member) {
    const size_t place = member * levels_of(field) + level;
    const bool given = place < field.messages.size() && !field.messages[place].bytes.empty();
    try {
      if (!given && frame_.empty()) frame_ = frame();
      return given ? continued(field, level, time, member) : made(field, level, time, member);
    } catch (const Error& error) {
      throw Error(error.kind(), "variable '", field.info.name,
                  "' cannot be written as GRIB: ", error.what());
    }
  }

  // After the message of the input.
  std::string continued(const ForecastField& field, size_t level, size_t time,
                        size_t member) const {
    const SourceMessage& source = field.messages[member * levels_of(field) + level];
    const std::string bytes = source.bytes;  // ecCodes changes them where they lie
    GribHandle handle(bytes);
    const auto edition = static_cast<int>(handle.integer("edition"));
    if (!forecast_.members.empty() && !read_grib_product(handle, edition).derived.empty())
      throw Error(ErrorKind::data,
                  "its values are of the whole ensemble in the data, the forecast is of members; "
                  "netCDF and Zarr files take them");
    if (edition == 1) handle.set_integer("edition", 2);
    handle.set("stepUnits", "s");
    const DateTime date = {.year = handle.integer("dataDate") / 10000,
                           .month = static_cast<int>(handle.integer("dataDate") / 100 % 100),
                           .day = static_cast<int>(handle.integer("dataDate") % 100),
                           .hour = static_cast<int>(handle.integer("dataTime") / 100),
                           .minute = static_cast<int>(handle.integer("dataTime") % 100)};
    const Time run = to_time(Calendar::standard, date), begin = handle.integer("startStep"),
               end = handle.integer("endStep");
    // What counts at the beginning of its hour ends after it.
    const Time later = run + end - source.validity;
    const Time forecast_end = forecast_.times[time] - start_ + later;
    if (source.total && run + begin != start_)
      throw Error(ErrorKind::data, "its values count from the start of a run, ",
                  format_time(Calendar::standard, run + begin),
                  " in the data, not from that of the forecast; netCDF and Zarr files take them");
    const Time length = source.total ? forecast_end : end - begin;
    if (handle.find("deleteLocalDefinition")) handle.set_integer("deleteLocalDefinition", 1);
    set_member(handle, member, length > 0);
    set_times(handle, forecast_end, length);
    set_grib_grid(handle, grid_, true);
    return with_values(handle, field, level, time, member);
  }

  // The input is GRIB.
  bool any_messages() const { return std::ranges::any_of(forecast_.fields, has_message); }

  std::string frame() const {
    const auto message = [&] {
      GribHandle handle(GribHandle::Sample{"regular_ll_sfc_grib2"});
      handle.set("centre", "consensus");
      set_grib_grid(handle, grid_);
      return handle.message();
    };
    const std::string bytes = message();
    const GribHandle read(bytes);  // one that was set has not all keys of its grid
    check_grib_grid(read, grid_);
    return bytes;
  }

  std::string made(const ForecastField& field, size_t level, size_t time, size_t member) const {
    const GribParameter& parameter = grib_parameter_of(field.info);
    if (parameter.sum && any_messages())
      throw Error(
          ErrorKind::data,
          "it is a sum, and the data have no message that says over which time; netCDF and Zarr "
          "files take it");
    if (parameter.sum && forecast_.of_runs)
      throw Error(
          ErrorKind::data,
          "it is a sum, which in runs with lead times counts from the start of the run, not "
          "from that of the forecast; netCDF and Zarr files take it");
    const std::string method = method_of(field.info.cell_methods);
    if (!parameter.sum && !method.empty() && method != "point")
      throw Error(ErrorKind::data, "its values are of intervals (cell_methods '",
                  field.info.cell_methods,
                  "'), and the data have no message that says of which; netCDF and Zarr files take "
                  "them");
    std::string bytes = frame_;
    GribHandle handle(bytes);
    if (parameter.sum) handle.set_integer("productDefinitionTemplateNumber", 8);
    set_member(handle, member, parameter.sum);  // another template: before the level
    handle.set_integer("discipline", parameter.discipline);
    handle.set_integer("parameterCategory", parameter.category);
    handle.set_integer("parameterNumber", parameter.number);
    if (std::string_view(parameter.level_type).empty() && height_above_ground(field.info)) {
      handle.set("typeOfLevel", "heightAboveGround");
      set_height(handle, *height_above_ground(field.info));
    } else if (std::string_view(parameter.level_type).empty()) {
      const double hectopascals =
          field.info.known_levels()[level] * hectopascals_in(field.info.level_units).value();
      handle.set("typeOfLevel", "isobaricInhPa");
      handle.set("level", hectopascals);
    } else {
      handle.set("typeOfLevel", parameter.level_type);
      if (std::string_view(parameter.level_type) == "hybrid")
        handle.set("level", field.info.levels[level]);
      else if (parameter.level > 0)
        set_height(handle, height_of(parameter, field.info));
    }
    if (parameter.sum) handle.set_integer("typeOfStatisticalProcessing", 1);
    const Time before = time > 0 ? forecast_.times[time - 1] : start_;
    set_times(handle, forecast_.times[time] - start_,
              parameter.sum ? forecast_.times[time] - before : 0);
    const UnitConversion units = unit_conversion(field.info.units, parameter.units).value();
    return with_values(handle, field, level, time, member,
                       {parameter.scale * units.factor, parameter.scale * units.offset});
  }

  // The name says it, too: "u10" with the height of another variable, which some programs give to all, is at 10 m.
  static double height_of(const GribParameter& parameter, const VariableInfo& info) {
    const double usual = parameter.level, own = height_above_ground(info).value_or(usual);
    return std::abs(own - usual) <= std::max(1.0, 0.25 * usual) ? own : usual;
  }

  // In metres, to a centimetre.
  static void set_height(GribHandle& handle, double height) {
    const bool whole = height == std::floor(height);
    handle.set_integer("scaleFactorOfFirstFixedSurface", whole ? 0 : 2);
    handle.set_integer("scaledValueOfFirstFixedSurface",
                       std::lround(whole ? height : 100 * height));
  }

  // An ensemble's message of the input knows of how many members it is one.
  void set_member(GribHandle& handle, size_t member, bool interval) const {
    if (forecast_.members.empty()) return;
    if (!handle.find("perturbationNumber")) {
      handle.set_integer("productDefinitionTemplateNumber", interval ? 11 : 1);
      handle.set_integer("numberOfForecastsInEnsemble", std::ssize(forecast_.members));
    }
    handle.set_integer("perturbationNumber", forecast_.members[member]);
  }

  // A forecast from the start; of an interval, its end.
  void set_times(GribHandle& handle, Time end, Time length) const {
    const DateTime date = to_date(forecast_.calendar, start_);
    handle.set_integer("dataDate", 10000 * date.year + 100 * date.month + date.day);
    handle.set_integer("dataTime", 100 * date.hour + date.minute);
    handle.set_integer("second", date.second);
    handle.set_integer("typeOfProcessedData", forecast_.members.empty() ? 1 : 4);
    handle.set_integer("typeOfGeneratingProcess", forecast_.members.empty() ? 2 : 4);
    const StepUnit unit = step_unit_of(end - length, end);
    handle.set("stepUnits", unit.name);
    std::string range = std::to_string(end / unit.seconds);
    if (length > 0) range = std::to_string((end - length) / unit.seconds) + "-" + range;
    handle.set("stepRange", range);
  }

  std::string with_values(GribHandle& handle, const ForecastField& field, size_t level, size_t time,
                          size_t member, const UnitConversion& units = {}) const {
    const auto points = static_cast<size_t>(grid_.rows * grid_.columns);
    const size_t place = (time * forecast_.planes() + member) * levels_of(field) + level;
    const float* first = field.data.data() + place * points;
    std::vector<double> values(first, first + points);
    const bool gaps = std::ranges::any_of(values, [](double x) { return std::isnan(x); });
    for (double& value : values) value = std::isnan(value) ? no_value : units(value);
    if (turned_) turn_over(values);
    handle.set("packingType", "grid_simple");
    handle.set_integer("bitsPerValue", std::max(fewest_bits, handle.integer("bitsPerValue")));
    handle.set_integer("bitmapPresent", gaps);
    if (gaps) handle.set("missingValue", no_value);
    handle.set_numbers("values", values);
    return handle.message();
  }

  const ForecastFile& forecast_;
  Grid grid_;
  bool turned_ = false;  // of it, the rows of the forecast's
  std::string frame_;    // a message on the grid, of no field
  Time start_ = 0;
};

}  // namespace

void write_grib_forecast(const std::string& path, const ForecastFile& forecast) {
  GribForecast(forecast).write(path);
}

std::vector<std::string> assumed_sums(const ForecastFile& forecast) {
  std::vector<std::string> names;
  for (const ForecastField& field : forecast.fields) {
    if (has_message(field)) continue;
    const GribParameter& parameter = grib_parameter_of(field.info);
    if (parameter.sum) names.push_back(field.info.name);
  }
  return names;
}

}  // namespace py4cast

#else

namespace py4cast {

void write_grib_forecast(const std::string& path, const ForecastFile&) {
  throw Error(ErrorKind::configuration, path,
              ": GRIB files need ecCodes, and this program was built without it "
              "(PY4CAST_GRIB=OFF)");
}

std::vector<std::string> assumed_sums(const ForecastFile&) {
  return {};
}

}  // namespace py4cast

#endif

namespace py4cast {

bool is_grib_name(const std::string& path) {
  for (const char* ending : {".grib", ".grib2", ".grb", ".grb2"})
    if (path.ends_with(ending)) return true;
  return false;
}

}  // namespace py4cast
