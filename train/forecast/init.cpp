#include "train/forecast/init.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <sstream>

#include "data/weather/calendar.h"
#include "engine/error.h"
#include "engine/settings/documents.h"

namespace py4cast {
namespace {

constexpr Time day = 86400;

template <typename... Parts>
std::string text_of(const Parts&... parts) {
  std::ostringstream stream;
  (stream << ... << parts);
  return stream.str();
}

class Guesser {
 public:
  Guesser(FieldSource& source, const std::vector<std::string>& files)
      : source_(source), files_(files), times_(source.times()) {
    step_times_ = times_.reforecast() ? times_.leads : times_.runs;
  }

  Guess guess() {
    guess_files();
    guess_step();
    guess_variables();
    guess_periods();
    guess_grid();
    guess_training();
    return {std::move(values_), std::move(reasons_)};
  }

 private:
  // What three states (first, middle, last) tell about a variable.
  struct Probe {
    int64_t missing = 0, points = 0;
    bool in_space = false, in_time = false;  // where it varies
  };

  void put(const std::string& section, const std::string& key, Json value,
           const std::string& reason) {
    values_[section][key] = std::move(value);
    reasons_[section + "." + key] = reason;
  }

  std::string when(Time time) const { return format_time(times_.calendar, time); }

  void guess_files() {
    const Grid& grid = source_.grid();
    // In the order of the schema.
    for (const char* section : {"model", "dataset", "training"}) values_[section] = Json::object();
    values_["dataset"]["name"] = "netcdf";
    std::string reason = text_of(
        grid.rows, " rows x ", grid.columns, " columns, ", times_.runs.size(),
        times_.reforecast() ? " runs" : " times", " from ", when(times_.runs.front()), " to ",
        when(times_.runs.back()), " (", calendar_name(times_.calendar), " calendar).");
    if (times_.reforecast())
      reason += text_of(" Each run has ", times_.leads.size(), " lead times.");
    if (times_.members > 1) reason += text_of(" All ", times_.members, " members are used.");
    put("dataset", "files", files_, reason);
  }

  void guess_step() {
    std::map<Time, int64_t> counts;
    for (size_t i = 1; i < step_times_.size(); ++i) ++counts[step_times_[i] - step_times_[i - 1]];
    for (const auto& [interval, count] : counts)
      if (count > counts[step_]) step_ = interval;
    counts.erase(0);
    if (step_ == 0)
      throw Error(ErrorKind::data, files_.front(), ": has one time only; nothing to forecast");
    const auto intervals = static_cast<int64_t>(step_times_.size()) - 1;
    put("dataset", "step_hours", 0,
        text_of("As in the files: ", hours(step_), " h between two states (", counts[step_], " of ",
                intervals, " intervals)."));
    const int64_t others = intervals - counts[step_];
    if (others > 0)
      put("dataset", "gaps", "skip",
          text_of(others, others == 1 ? " interval is" : " intervals are",
                  " of another length: no sample reaches over a gap."));
  }

  static double hours(Time seconds) { return static_cast<double>(seconds) / 3600; }

  Probe probe(const VariableInfo& variable) {
    const Grid& grid = source_.grid();
    const Region region{0, grid.rows, 0, grid.columns};
    std::vector<float> first(static_cast<size_t>(grid.rows * grid.columns)), field(first.size());
    Probe result;
    bool have_first = false;
    for (int part : {0, 1, 2}) {
      FieldRequest request{variable.name};
      request.run = (static_cast<int64_t>(times_.runs.size()) - 1) * part / 2;
      request.lead = (static_cast<int64_t>(times_.leads.size()) - 1) * part / 2;
      if (!variable.has_time && part > 0) break;
      if (!source_.exists(request)) continue;
      source_.read(request, region, field.data());
      result.points += static_cast<int64_t>(field.size());
      result.missing +=
          std::count_if(field.begin(), field.end(), [](float value) { return std::isnan(value); });
      const auto differs = [](float a, float b) {
        return !std::isnan(a) && !std::isnan(b) && a != b;
      };
      const auto present =
          std::find_if(field.begin(), field.end(), [](float value) { return !std::isnan(value); });
      for (auto at = present; at != field.end(); ++at) result.in_space |= differs(*at, *present);
      if (!have_first) first = field;
      have_first = true;
      for (size_t i = 0; i < field.size(); ++i) result.in_time |= differs(field[i], first[i]);
    }
    return result;
  }

  // Radiation and accumulations belong to an interval: they drive the weather and are no state.
  static std::string interval_word(const VariableInfo& variable) {
    std::string text = variable.long_name + " " + variable.standard_name;
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
    for (const char* word : {"radiation", "solar", "insolation", "accumul", "flux", "precipitation",
                             "rainfall", "snowfall"})
      if (text.find(word) != std::string::npos) return word;
    std::string units;
    std::copy_if(variable.units.begin(), variable.units.end(), std::back_inserter(units),
                 [](char letter) { return letter != ' ' && letter != '*'; });
    if (units == "Jm-2" || units == "Wm-2" || units == "J/m2" || units == "W/m2")
      return variable.units;
    for (const char* name : {"ssrd", "strd", "ssr", "str", "tsr", "ttr", "tisr", "tp"})
      if (variable.name == name) return name;
    return "";
  }

  static std::string title(const VariableInfo& variable) {
    std::string text = variable.long_name.empty() ? variable.name : variable.long_name;
    if (!variable.units.empty()) text += " [" + variable.units + "]";
    return text;
  }

  // The role and its reason; an empty role: left out.
  std::pair<std::string, std::string> role(const VariableInfo& variable, const Probe& found) {
    if (found.points == found.missing) return {"", "has no values"};
    if (!found.in_space && !found.in_time) return {"", "is the same number everywhere"};
    if (!variable.has_time) return {"static", "it has no time"};
    if (!found.in_time) return {"", "has a time but never changes"};
    const std::string word = interval_word(variable);
    if (!word.empty())
      return {"forcing",
              "it belongs to an interval of time ('" + word +
                  "'): given at every step, not forecast; as state it would be forecast"};
    return {"state", "it changes with time: forecast"};
  }

  void guess_variables() {
    Json variables = Json::object();
    std::string left_out, missing;
    for (const VariableInfo& variable : source_.variables()) {
      const Probe found = probe(variable);
      const auto [role_name, why] = role(variable, found);
      if (role_name.empty()) {
        left_out += (left_out.empty() ? " Left out: " : ", ") + variable.name + " (" + why + ")";
        continue;
      }
      if (found.missing > 0 && variable.has_time)
        missing += (missing.empty() ? "" : ", ") + variable.name;
      Json& entry = variables[variable.name] = {{"role", role_name}};
      std::string reason = title(variable) + ": " + why + ".";
      if (variable.levels.size() > 1) {
        entry["levels"] = variable.levels;
        reason += text_of(" All ", variable.levels.size(), " levels",
                          variable.level_units.empty() ? "" : " [" + variable.level_units + "]",
                          "; delete those that are not needed.");
      }
      reasons_["dataset.variables." + variable.name] = reason;
      const auto features = static_cast<int64_t>(std::max<size_t>(1, variable.levels.size()));
      if (role_name == "state") states_ += features;
    }
    if (states_ == 0)
      throw Error(ErrorKind::data, files_.front(),
                  ": no variable changes with time, so there is "
                  "nothing to forecast.",
                  left_out);
    put("dataset", "variables", variables,
        "state: forecast; forcing: given at every step; static: constant." +
            (left_out.empty() ? "" : left_out + "."));
    if (!missing.empty())
      put("dataset", "missing", "mask", "There are missing values in " + missing + ".");
  }

  // The first and last index of a share of `count` steps.
  static int64_t part(int64_t count, double share) {
    return static_cast<int64_t>(std::llround(static_cast<double>(count) * share));
  }

  void guess_periods() {
    const int64_t fewest = times_.reforecast() ? 7 : 20;
    const auto count = static_cast<int64_t>(times_.runs.size());
    if (count < fewest)
      throw Error(ErrorKind::data, files_.front(), ": has ", count,
                  times_.reforecast() ? " runs" : " times", "; ", fewest,
                  " are the fewest that make a training, a validation and a test period");
    const Time first = times_.runs.front(), last = times_.runs.back();
    const auto day_of = [](Time time) { return (time - seconds_of_day(time)) / day; };
    const int64_t days = day_of(last) - day_of(first) + 1;
    const bool whole_days = days >= 10;
    // Boundaries as days or as indices of times.
    const int64_t all = whole_days ? days : count, begin_valid = part(all, 0.7),
                  begin_test = part(all, 0.85);
    auto period = [&](int64_t begin, int64_t end) {
      if (!whole_days)
        return Json{{"start", when(times_.runs[static_cast<size_t>(begin)])},
                    {"end", when(times_.runs[static_cast<size_t>(end - 1)])}};
      const Time midnight = day_of(first) * day;
      return Json{{"start", when(midnight + begin * day).substr(0, 10)},
                  {"end", when(midnight + (end - 1) * day).substr(0, 10)}};
    };
    put("dataset", "periods",
        {{"train", period(0, begin_valid)},
         {"valid", period(begin_valid, begin_test)},
         {"test", period(begin_test, all)}},
        text_of("The first 70 % of the ", all, whole_days ? " days" : " times",
                " for training, 15 % for validation, the last 15 % for the test."));
    const int64_t shortest = std::min(begin_test - begin_valid, all - begin_test);
    if (times_.reforecast())
      longest_forecast_ = static_cast<int64_t>(times_.leads.size()) - 2;
    else
      longest_forecast_ = whole_days ? shortest * day / step_ - 2 : shortest - 2;
    span_days_ = days;
  }

  void guess_grid() {
    const Grid& grid = source_.grid();
    const int64_t shorter = std::min(grid.rows, grid.columns);
    const auto [west, east] = std::minmax_element(grid.longitude.begin(), grid.longitude.end());
    const double spacing =
        grid.columns > 1 ? (*east - *west) / static_cast<double>(grid.columns - 1) : 0;
    const bool global = grid.separable && *east - *west + spacing > 359;
    const int64_t border = global ? 0 : std::min<int64_t>(10, shorter / 8);
    put("dataset", "border", border,
        global ? "The grid goes around the globe: it has no lateral border."
               : text_of("A limited area: a frame of ", border,
                         " points is given (1/8 of the shorter side, at most 10), the interior is "
                         "forecast."));
    const bool divisible = grid.rows % 16 == 0 && grid.columns % 16 == 0;
    put("model", "name", "halfunet", "Small and quick: a good first network.");
    put("model", "settings", {{"num_filters", states_ > 8 ? 64 : 32}},
        text_of(states_, states_ == 1 ? " feature is" : " features are", " forecast."));
    put("model", "autopad", !divisible,
        text_of("The network needs sides divisible by 16; ", grid.rows, " x ", grid.columns,
                divisible ? " are." : " are not, so the grid is padded."));
  }

  void guess_training() {
    const Grid& grid = source_.grid();
    Json time_forcings = Json::array();
    std::string reason;
    if (step_ < day) {
      time_forcings.push_back("hour");
      reason = "States come more often than daily: the hour matters. ";
    }
    if (span_days_ >= 300) time_forcings.push_back("year");
    reason += span_days_ >= 300 ? "The data cover the seasons."
                                : text_of(span_days_, " days say nothing about the seasons.");
    put("dataset", "time_forcings", time_forcings, reason);
    put("training", "strategy", "scaled_ar",
        "The network's output counts in units of the mean change, and the border is given.");
    put("training", "epochs", 10, "A first look; look at the validation scores for more.");
    const int64_t batch = std::clamp<int64_t>(65536 / (grid.rows * grid.columns), 1, 8);
    put("training", "batch_size", batch, "By the size of the grid, at most 8.");
    put("training", "accumulate_batches", 1, "One optimiser step per batch.");
    put("training", "num_pred_steps_val_test", std::clamp<int64_t>(longest_forecast_, 1, 6),
        text_of("Scores up to this many steps of ", hours(step_), " h."));
    put("training", "schedule", {{"name", "cosine"}},
        "The learning rate falls along half a cosine.");
  }

  FieldSource& source_;
  const std::vector<std::string>& files_;
  const TimeAxis& times_;
  std::vector<Time> step_times_;  // times of one forecast: the step is between them
  Json values_ = Json::object();
  std::map<std::string, std::string> reasons_;
  Time step_ = 0;
  int64_t states_ = 0, span_days_ = 0, longest_forecast_ = 1;
};

}  // namespace

Guess guess_configuration(FieldSource& source, const std::vector<std::string>& files) {
  return Guesser(source, files).guess();
}

std::string guess_document(const Guess& guess) {
  return commented_configuration(
      guess.values,
      [&](const std::string& path) {
        const auto reason = guess.reasons.find(path);
        return reason == guess.reasons.end() ? "" : reason->second;
      },
      "Guessed by py4cast init; look at every line. Keys that are not here keep their defaults "
      "(py4cast config example shows all).");
}

}  // namespace py4cast
