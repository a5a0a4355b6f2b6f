#include "train/forecast/init.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <functional>
#include <numeric>
#include <optional>
#include <set>
#include <sstream>

#include "data/weather/calendar.h"
#include "data/weather/features.h"
#include "engine/error.h"
#include "engine/settings/documents.h"
#include "engine/text.h"
#include "train/forecast/common_times.h"
#include "train/forecast/period_guess.h"
#include "train/forecast/variable_reasons.h"
#include "train/forecast/variable_survey.h"

namespace py4cast {
namespace {

template <typename... Parts>
std::string text_of(const Parts&... parts) {
  std::ostringstream stream;
  (stream << ... << parts);
  return stream.str();
}

struct SurveyedVariable {
  const VariableInfo& info;
  bool constant = false;  // without a time, or the same at all times
  std::vector<LevelSurvey> levels;
  // Of each level, why it cannot be used, or not beside the others; empty: it can.
  std::vector<std::string> problems, rare;
};

class Guesser {
 public:
  Guesser(FieldSource& source, const std::string& kind, const std::vector<std::string>& files,
          bool made_series)
      : source_(source),
        kind_(kind),
        files_(files),
        made_series_(made_series),
        times_(source.times()) {}

  Guess guess() {
    if (times_.runs.empty()) refuse_constants();
    guess_files();
    find_step_times();
    guess_step();
    survey();
    do {
      find_common_times();
      periods_ = guess_periods(common_, times_, step_, files_.front());
    } while (drop_untrainable());
    put("dataset", "periods", periods_.json, periods_.reason);
    guess_variables();
    guess_grid();
    guess_training();
    return {std::move(values_), std::move(reasons_)};
  }

 private:
  void put(const std::string& section, const std::string& key, Json value,
           const std::string& reason) {
    values_[section][key] = std::move(value);
    reasons_[section + "." + key] = reason;
  }

  // Fields with a time may have been left out.
  [[noreturn]] void refuse_constants() const {
    const std::string left_out = left_out_words(source_.left_out(), files_.front());
    throw Error(ErrorKind::data, files_.front(), ": has ",
                left_out.empty() ? "no time axis" : "no variable with a time that can be used",
                ", so there is nothing to forecast",
                left_out.empty() ? "" : "; left out: ", left_out);
  }

  std::string when(Time time) const { return format_time(times_.calendar, time); }

  void guess_files() {
    for (const std::string& file : files_)
      if (!is_utf8(file))
        throw Error(ErrorKind::data, file,
                    ": the name of the file is not UTF-8, so a configuration cannot hold it");
    const Grid& grid = source_.grid();
    // In the order of the schema.
    for (const char* section : {"model", "dataset", "training"}) values_[section] = Json::object();
    values_["dataset"]["name"] = kind_;
    std::string reason = text_of(
        grid.rows, " rows x ", grid.columns, " columns, ", times_.runs.size(),
        times_.reforecast() ? " runs" : " times", " from ", when(times_.runs.front()), " to ",
        when(times_.runs.back()), " (", calendar_name(times_.calendar), " calendar).");
    if (times_.reforecast())
      reason += text_of(" Each run has ", times_.leads.size(), " lead times.");
    if (times_.members > 1) reason += text_of(" All ", times_.members, " members are used.");
    put("dataset", "files", files_, reason);
    if (made_series_)
      put("dataset", "as_series", true,
          "Runs that follow each other, at most 6 h apart, are one series of times.");
  }

  // Those of most variables: others may have theirs between them.
  void find_step_times() {
    const std::vector<Time>& axis = times_.reforecast() ? times_.leads : times_.runs;
    std::map<Time, std::pair<int64_t, std::vector<Time>>> by_step;  // variables, times of the first
    for (const VariableInfo& variable : source_.variables()) {
      if (!variable.has_time) continue;
      std::vector<Time> there;
      for (size_t i = 0; i < axis.size(); ++i)
        if (exists_at(variable, static_cast<int64_t>(i))) there.push_back(axis[i]);
      auto& [variables, first] = by_step[usual_step(there)];
      if (variables++ == 0) first = there;
    }
    by_step.erase(0);
    const auto most =
        std::ranges::max_element(by_step, {}, [](const auto& step) { return step.second.first; });
    step_times_ = most == by_step.end() ? axis : most->second.second;
  }

  // In any run.
  bool exists_at(const VariableInfo& variable, int64_t time) const {
    if (!times_.reforecast()) return source_.exists({.variable = variable.name, .run = time});
    for (int64_t run = 0; run < std::ssize(times_.runs); ++run)
      if (source_.exists({.variable = variable.name, .run = run, .lead = time})) return true;
    return false;
  }

  void guess_step() {
    std::map<Time, int64_t> counts;
    for (size_t i = 1; i < step_times_.size(); ++i) ++counts[step_times_[i] - step_times_[i - 1]];
    step_ = usual_step(step_times_);
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

  // Radiation and accumulations belong to an interval: they drive the weather and are no state.
  static bool is_of_interval(const VariableInfo& variable) {
    return variable.has_time && variable.role.empty() && !interval_word(variable).empty();
  }

  static std::string title(const VariableInfo& variable) {
    std::string text = variable.long_name.empty() ? variable.name : variable.long_name;
    if (!variable.units.empty()) text += " [" + variable.units + "]";
    return text;
  }

  // Why a level cannot be used, whatever the periods; empty: it can.
  std::string unusable(const VariableInfo& variable, const LevelSurvey& found,
                       bool constant) const {
    if (found.points == found.missing) return "has no values" + variable.limits_note();
    if (found.infinite)
      return "has an infinite value" +
             (variable.has_time ? " at " + when(*found.infinite) : std::string()) + in_f32_;
    if (!found.in_space && !found.in_time) return "is the same number everywhere" + in_f32_;
    if (constant) return "";
    if (!found.in_time) return "has a time but never changes";
    if (is_of_interval(variable) && never_falls(found, times_))
      return "never falls: it is a total since the start of the data or of a simulation, and the "
             "differences of its times are needed";
    return "";
  }

  // The same, for the training period. A forcing may change in any way.
  std::string unusable_in_training(const VariableInfo& variable, const LevelSurvey& found,
                                   bool state) const {
    const PeriodSurvey trained = survey_period(found, times_, periods_.training, step_);
    if (!trained.values.any())
      return "has no value in the training period" + variable.limits_note();
    if (!trained.values.varies())
      return "is the same number everywhere in the training period" + in_f32_;
    if (state && !trained.changes.any())
      return text_of("has no two fields in the training period that are ", hours(step_),
                     " h apart");
    if (state && !trained.changes.varies())
      return "changes by the same amount everywhere in the training period";
    return "";
  }

  // The role and its reason.
  std::pair<std::string, std::string> role(const VariableInfo& variable, bool constant) const {
    if (constant)
      return {"static", variable.has_time ? "it has a time but never changes" : "it has no time"};
    if (!variable.role.empty()) return {variable.role, "the file says so"};
    const std::string word = interval_word(variable);
    if (word.empty()) return {"state", "it changes with time: forecast"};
    if (intervals_are_states_)
      return {"state", "it belongs to an interval of time ('" + word +
                           "'), but there is nothing else to forecast"};
    return {"forcing", "it belongs to an interval of time ('" + word +
                           "'): given at every step, not forecast; as state it would be forecast"};
  }

  // Every so many fields are looked at: all, if they are not too many.
  int64_t stride() const {
    constexpr int64_t most_bytes = int64_t{2} << 30;
    int64_t fields = 0;
    for (const VariableInfo& variable : source_.variables())
      if (variable.has_time)
        fields += static_cast<int64_t>(std::max<size_t>(1, variable.levels.size()));
    fields *= static_cast<int64_t>(times_.runs.size() * times_.leads.size()) * times_.members;
    const int64_t bytes = fields * source_.grid().rows * source_.grid().columns * 4;
    return bytes <= most_bytes ? 1 : 2 * (bytes / most_bytes + 1);
  }

  void survey() {
    const int64_t every = stride();
    for (const VariableInfo& variable : source_.variables()) {
      SurveyedVariable& surveyed = surveyed_.emplace_back(variable);
      std::vector<LevelSurvey>& levels = surveyed.levels;
      for (size_t level = 0; level < std::max<size_t>(1, variable.levels.size()); ++level)
        levels.push_back(
            survey_level(source_, variable, static_cast<int64_t>(level), step_, every));
      surveyed.constant =
          !variable.has_time || (!is_of_interval(variable) && levels.front().fields.size() > 1 &&
                                 std::ranges::none_of(levels, &LevelSurvey::in_time) &&
                                 std::ranges::any_of(levels, &LevelSurvey::in_space));
      for (const LevelSurvey& level : levels)
        surveyed.problems.push_back(unusable(variable, level, surveyed.constant));
      surveyed.rare.resize(levels.size());
    }
  }

  bool is_driver(const VariableInfo& variable) const {
    return variable.role == "forcing" || is_of_interval(variable);
  }

  // The times of all variables. Left out is what would cost more than half of the samples that the
  // state with the most times has.
  void find_common_times() {
    struct Candidate {
      SurveyedVariable& variable;
      size_t level;
      Presence there;
    };
    std::vector<Candidate> candidates;
    for (SurveyedVariable& variable : surveyed_)
      for (size_t level = 0; level < variable.levels.size(); ++level) {
        variable.rare[level].clear();
        if (!variable.constant && variable.problems[level].empty())
          candidates.push_back({variable, level,
                                presence_of(source_, variable.info, static_cast<int64_t>(level),
                                            variable.levels[level])});
      }
    const auto times = [](const Candidate& each) { return std::ranges::count(each.there, true); };
    std::vector<size_t> order(candidates.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::ranges::stable_sort(order, std::less<>(), [&](size_t i) {
      return std::pair(is_driver(candidates[i].variable.info), -times(candidates[i]));
    });
    common_.assign(static_cast<size_t>(times_.members) * times_.runs.size() * times_.leads.size(),
                   true);
    std::optional<int64_t> most;
    for (const size_t i : order) {
      const auto& [variable, level, there] = candidates[i];
      Presence shared = both(common_, there);
      if (most && shared == common_) continue;
      const int64_t samples = std::ranges::count_if(
          row_lengths(shared, times_, step_), [&](int64_t row) { return row >= fewest_states(); });
      if (!most) most = samples;
      if (2 * samples < *most)
        variable.rare[level] =
            text_of("has values at ", times(candidates[i]), " of ", there.size(),
                    " times, which would leave ", samples, " of ", *most, " samples");
      else
        common_ = std::move(shared);
    }
  }

  // What a training refuses is left out; it may have cut the periods.
  bool drop_untrainable() {
    bool dropped = false;
    for (SurveyedVariable& variable : surveyed_)
      for (size_t level = 0; level < variable.levels.size(); ++level) {
        std::string& problem = variable.problems[level];
        if (variable.constant || !problem.empty() || !variable.rare[level].empty()) continue;
        problem =
            unusable_in_training(variable.info, variable.levels[level], !is_driver(variable.info));
        dropped |= !problem.empty();
      }
    return dropped;
  }

  // At times that a period uses.
  bool has_gaps(const LevelSurvey& found, bool constant) const {
    if (constant) return found.missing > 0;
    return std::ranges::any_of(std::array{periods_.training, periods_.validation, periods_.test},
                               [&](const auto& period) {
                                 return survey_period(found, times_, period, step_).missing > 0;
                               });
  }

  void guess_variables() {
    Json variables = Json::object();
    std::string left_out;
    for (const auto& [name, reason] : source_.left_out()) add_left_out(left_out, name, reason);
    const int64_t every = stride();
    for (const bool intervals : {false, true}) {
      intervals_are_states_ = states_ == 0;
      for (const SurveyedVariable& variable : surveyed_)
        if (is_of_interval(variable.info) == intervals)
          guess_variable(variable, variables, left_out);
    }
    if (states_ == 0)
      throw Error(ErrorKind::data, files_.front(),
                  ": no variable that changes with time can be a state, so there is nothing to "
                  "forecast.",
                  left_out);
    put("dataset", "variables", variables,
        "state: forecast; forcing: given at every step; static: constant." +
            (left_out.empty() ? "" : left_out + "."));
    if (!missing_.empty())
      put("dataset", "missing", "mask", "There are missing values in " + missing_ + ".");
    else if (every > 1)
      put("dataset", "missing", "mask",
          text_of("There may be missing values: only 2 of ", every, " times were looked at."));
  }

  static void add_left_out(std::string& list, const std::string& name, const std::string& reason) {
    list += (list.empty() ? " Left out: " : ", ") + name + " (" + reason + ")";
  }

  void guess_variable(const SurveyedVariable& surveyed, Json& variables, std::string& left_out) {
    const VariableInfo& variable = surveyed.info;
    const bool constant = surveyed.constant;
    const auto [role_name, why] = role(variable, constant);
    const size_t count = surveyed.levels.size();
    std::vector<double> levels;
    std::string reason, unused;
    bool missing = false;
    size_t used = 0;
    for (size_t level = 0; level < count; ++level) {
      const LevelSurvey& found = surveyed.levels[level];
      missing |= has_gaps(found, constant);
      std::string problem = surveyed.problems[level] + surveyed.rare[level];
      if (problem.empty() && !constant)
        problem = unusable_in_training(variable, found, role_name == "state");
      if (!problem.empty()) {
        if (unused.empty()) unused = problem;
        continue;
      }
      ++used;
      if (!variable.levels.empty()) levels.push_back(variable.levels[level]);
      if (reason.empty() && !constant && *found.first_value > times_.runs.front())
        reason = " Its values begin at " + when(*found.first_value) + ".";
      if (reason.empty() && !constant && *found.last_value < times_.runs.back())
        reason = " Its values end at " + when(*found.last_value) + ".";
      if (reason.empty() && role_name == "state" && never_falls(found, times_))
        reason = " Its values never fall: leave it out if it is a total since some start.";
      if (reason.empty() && !constant && is_of_interval(variable))
        reason = growth_words(source_, variable, static_cast<int64_t>(level), found);
    }
    // Constant fields that the data set takes by itself count, too.
    if (missing && (used > 0 || constant))
      missing_ += (missing_.empty() ? "" : ", ") + variable.name + variable.limits_note();
    if (used == 0) return add_left_out(left_out, variable.name, unused);
    Json& entry = variables[variable.name] = {{"role", role_name}};
    reason = title(variable) + ": " + why + "." + reason;
    if (count > 1) {
      entry["levels"] = levels;
      reason += text_of(used == count ? " All " : " ", used, used == count ? "" : " of ",
                        used == count ? "" : std::to_string(count), " levels",
                        variable.level_units.empty() ? "" : " [" + variable.level_units + "]",
                        used == count ? "" : " (another one " + unused + ")",
                        "; delete those that are not needed.");
    }
    if (!constant) reason += own_name(variable.name, levels, entry);
    reasons_["dataset.variables." + variable.name] = reason;
    if (role_name == "state") states_ += static_cast<int64_t>(used);
  }

  // Features have names of their own: 't' at 850 hPa is 't_850' (FieldStore), which a variable may be called.
  std::string own_name(const std::string& variable, const std::vector<double>& levels,
                       Json& entry) {
    std::string name = variable;
    for (;; name += "_") {
      std::vector<std::string> features;
      for (const double level : levels) features.push_back(text_of(name, "_", level));
      if (levels.empty()) features.push_back(name);
      if (std::ranges::any_of(features, [&](const auto& each) { return features_.contains(each); }))
        continue;
      features_.insert(features.begin(), features.end());
      break;
    }
    if (name == variable) return "";
    entry["short_name"] = name;
    return " Another feature has its name.";
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
    if (step_ < seconds_per_day) {
      time_forcings.push_back("hour");
      reason = "States come more often than daily: the hour matters. ";
    }
    if (periods_.days >= 300) time_forcings.push_back("year");
    reason += periods_.days >= 300 ? "The data cover the seasons."
                                   : text_of(periods_.days, " days say nothing about the seasons.");
    put("dataset", "time_forcings", time_forcings, reason);
    put("training", "strategy", "scaled_ar",
        "The network's output counts in units of the mean change, and the border is given.");
    put("training", "epochs", 10, "A first look; look at the validation scores for more.");
    const int64_t batch = std::clamp<int64_t>(65536 / (grid.rows * grid.columns), 1, 8);
    put("training", "batch_size", batch, "By the size of the grid, at most 8.");
    put("training", "accumulate_batches", 1, "One optimiser step per batch.");
    put("training", "num_pred_steps_val_test", std::clamp<int64_t>(periods_.longest_forecast, 1, 6),
        text_of("Scores up to this many steps of ", hours(step_), " h."));
    put("training", "schedule", {{"name", "cosine"}},
        "The learning rate falls along half a cosine.");
  }

  FieldSource& source_;
  const std::string& kind_;
  const std::vector<std::string>& files_;
  const bool made_series_;
  const TimeAxis& times_;
  // As networks take them: numbers of a file may be larger, or differ by less.
  const std::string in_f32_ = ", rounded to float32";
  std::vector<Time> step_times_;  // times of one forecast: the step is between them
  Json values_ = Json::object();
  std::map<std::string, std::string> reasons_;
  Time step_ = 0;
  PeriodGuess periods_;
  std::vector<SurveyedVariable> surveyed_;
  Presence common_;      // at which all variables are there
  std::string missing_;  // variables with missing values
  std::set<std::string> features_ = {"sin_hour", "cos_hour", "sin_year", "cos_year",
                                     "toa_radiation"};
  bool intervals_are_states_ = false;  // where there are no others
  int64_t states_ = 0;
};

}  // namespace

Guess guess_configuration(FieldSource& source, const std::string& kind,
                          const std::vector<std::string>& files, bool made_series) {
  return Guesser(source, kind, files, made_series).guess();
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
