#include "train/forecast/baselines.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "data/weather/calendar.h"
#include "engine/error.h"
#include "engine/files.h"
#include "engine/signs_of_life.h"
#include "train/forecast/scores.h"

namespace py4cast {
namespace {

constexpr int64_t day = 86400;
using Field = std::vector<float>;

// The fields of one feature; the last ones that were asked for stay in memory.
class Fields {
 public:
  Fields(const FieldStore& store, int64_t feature, size_t kept)
      : store_(store), feature_(feature), kept_(kept) {}

  std::shared_ptr<const Field> operator()(const Moment& moment) {
    show_life();
    auto [entry, fresh] = fields_.try_emplace(moment);
    if (fresh) {
      const auto field =
          std::make_shared<Field>(static_cast<size_t>(store_.info().rows * store_.info().columns));
      store_.read_state(feature_, moment, field->data());
      entry->second.field = field;
    }
    entry->second.turn = ++turn_;
    const auto result = entry->second.field;
    if (fields_.size() > kept_)
      fields_.erase(
          std::ranges::min_element(fields_, {}, [](const auto& each) { return each.second.turn; }));
    return result;
  }

 private:
  struct Kept {
    std::shared_ptr<const Field> field;
    uint64_t turn = 0;
  };
  const FieldStore& store_;
  int64_t feature_;
  size_t kept_;
  uint64_t turn_ = 0;
  std::map<Moment, Kept> fields_;
};

// Mean squared error over samples and interior points. `otherwise`: of each point, what stands for a forecast
// without a value; empty: nothing does.
class Error2 {
 public:
  Error2(const Tensor& interior, std::span<const double> otherwise)
      : interior_(interior.span<float>()), otherwise_(otherwise) {}
  template <typename Forecast>
  void add(const Field& truth, Forecast&& forecast) {
    for (size_t p = 0; p < truth.size(); ++p) {
      if (interior_[p] == 0) continue;
      double value = forecast(p);
      if (std::isnan(value) && !otherwise_.empty()) value = otherwise_[p];
      const double error = value - static_cast<double>(truth[p]);
      if (std::isnan(error)) continue;
      sum_ += error * error;
      ++count_;
    }
  }
  double rmse() const {
    return count_ ? std::sqrt(sum_ / static_cast<double>(count_)) : std::nan("");
  }

 private:
  std::span<const float> interior_;
  std::span<const double> otherwise_;
  double sum_ = 0;
  int64_t count_ = 0;
};

// Sums over the points of one time of day.
struct Pointwise {
  std::vector<double> count, x, y, xx, xy;
  explicit Pointwise(size_t points = 0)
      : count(points), x(points), y(points), xx(points), xy(points) {}
};

class Climate {
 public:
  // fewest: pairs of a line.
  Climate(const FieldStore& store, const std::vector<Moment>& training, Fields& fields,
          int64_t fewest)
      : store_(store),
        training_(training),
        fields_(fields),
        step_(store.info().step_seconds),
        fewest_(static_cast<double>(fewest)) {}

  size_t slot(const Moment& moment) const {
    return static_cast<size_t>(seconds_of_day(store_.time(moment)) / step_);
  }
  size_t slots() const { return static_cast<size_t>(day / step_); }
  size_t points() const { return static_cast<size_t>(store_.info().rows * store_.info().columns); }

  // Of each point, over all times.
  std::vector<double> means() {
    std::vector<double> mean(points()), count = mean;
    for (const Moment& moment : training_) {
      const auto field = fields_(moment);
      for (size_t p = 0; p < field->size(); ++p) {
        if (std::isnan((*field)[p])) continue;
        mean[p] += (*field)[p];
        ++count[p];
      }
    }
    for (size_t p = 0; p < points(); ++p) mean[p] /= count[p];
    return mean;
  }

  // D(h), [slots][points]
  std::vector<std::vector<double>> diurnal_cycle() {
    std::vector<std::vector<double>> mean(slots(), std::vector<double>(points())), count = mean;
    for (const Moment& moment : training_) {
      const auto field = fields_(moment);
      const Field& v = *field;
      const size_t h = slot(moment);
      for (size_t p = 0; p < v.size(); ++p) {
        if (std::isnan(v[p])) continue;
        mean[h][p] += v[p];
        ++count[h][p];
      }
    }
    for (size_t h = 0; h < slots(); ++h)
      for (size_t p = 0; p < points(); ++p) mean[h][p] /= count[h][p];
    return mean;
  }

  // Slope and intercept of one lead, by time of day. Deviations are taken from the means before they are
  // multiplied.
  struct Line {
    std::vector<double> intercept, slope;
  };
  using Lines = std::vector<Line>;
  // Of the leads first, first + 1, ... [count][slots], from two readings of the training period.
  std::vector<Lines> regression(int64_t first, size_t count) {
    std::vector<std::vector<Pointwise>> sums(count,
                                             std::vector<Pointwise>(slots(), Pointwise(points())));
    const auto for_pairs = [&](auto&& f) {
      for (const Moment& moment : training_) {
        const auto to = fields_(moment);
        for (size_t i = 0; i < count; ++i) {
          const auto earlier = store_.shifted(moment, -(first + static_cast<int64_t>(i)));
          if (!earlier || !contains(*earlier)) continue;
          const auto from = fields_(*earlier);
          Pointwise& sum = sums[i][slot(*earlier)];
          for (size_t p = 0; p < from->size(); ++p)
            if (!std::isnan((*from)[p]) && !std::isnan((*to)[p])) f(sum, p, (*from)[p], (*to)[p]);
        }
      }
    };
    for_pairs([](Pointwise& sum, size_t p, double v, double w) {
      sum.count[p] += 1;
      sum.x[p] += v;
      sum.y[p] += w;
    });
    for (auto& lead : sums)
      for (Pointwise& sum : lead)
        for (size_t p = 0; p < points(); ++p) {
          sum.x[p] /= sum.count[p];
          sum.y[p] /= sum.count[p];
        }
    for_pairs([](Pointwise& sum, size_t p, double v, double w) {
      sum.xx[p] += (v - sum.x[p]) * (v - sum.x[p]);
      sum.xy[p] += (v - sum.x[p]) * (w - sum.y[p]);
    });
    std::vector<Lines> result;
    for (const auto& lead : sums) {
      Lines& lines = result.emplace_back();
      for (const Pointwise& sum : lead) lines.push_back(line_of(sum));
    }
    return result;
  }
  // Bytes of a lead in `regression`.
  size_t bytes_of_lead() const { return slots() * points() * 7 * sizeof(double); }

 private:
  Line line_of(const Pointwise& sum) const {
    Line line{std::vector<double>(points()), std::vector<double>(points())};
    for (size_t p = 0; p < points(); ++p) {
      line.slope[p] = sum.xx[p] > 0 ? sum.xy[p] / sum.xx[p] : 0;
      line.intercept[p] = sum.y[p] - line.slope[p] * sum.x[p];
      if (sum.count[p] < fewest_) line.intercept[p] = std::nan("");
    }
    return line;
  }
  bool contains(const Moment& moment) const {
    return std::binary_search(training_.begin(), training_.end(), moment);
  }
  const FieldStore& store_;
  const std::vector<Moment>& training_;
  Fields& fields_;
  int64_t step_;
  double fewest_;
};

class Baselines {
 public:
  Baselines(const Dataset& samples, const BaselineSettings& settings,
            std::vector<std::string>& notes)
      : samples_(samples),
        settings_(settings),
        store_(samples.store()),
        leads_(samples.num_pred_steps()),
        step_(store_.info().step_seconds) {
    training_ = store_.moments(Split::train);
    daily_ = day % step_ == 0 && !store_.times().reforecast() && store_.members().size() <= 1;
    if (!daily_) {
      notes.push_back(
          "the references day_before, diurnal_persistence and hourly_regression are left out: they "
          "need one "
          "series of times whose step divides a day");
      return;
    }
    const double points = static_cast<double>(store_.info().rows * store_.info().columns);
    const double work = points * static_cast<double>(training_.size()) *
                        static_cast<double>(leads_ * store_.info().weather_dim());
    regression_ = work <= settings.regression_limit;
    if (!regression_)
      notes.push_back(
          "the reference hourly_regression is left out: the training period is too large for it");
    const int64_t pairs = fewest_pairs();
    if (!regression_ || pairs >= settings.regression_pairs) return;
    regression_ = false;
    notes.push_back("the reference hourly_regression is left out: the training period has only " +
                    std::to_string(pairs) + " of the " + std::to_string(settings.regression_pairs) +
                    " pairs of times that its line for an hour of the day needs");
  }

  // What all leads of a feature need is read once, as far as memory allows.
  void feature(int64_t feature, Json& result) {
    Fields fields(store_, feature, kept_fields());
    Climate climate(store_, training_, fields, settings_.regression_pairs);
    const std::string name = store_.info().state[static_cast<size_t>(feature)].name;
    const auto cycle = daily_ ? climate.diurnal_cycle() : Cycle{};
    const bool gaps =
        store_.settings().missing == Missing::mask || feature >= store_.info().input_dim();
    const auto means = gaps ? climate.means() : std::vector<double>{};
    const auto group =
        regression_
            ? std::clamp<int64_t>(
                  settings_.memory_bytes / static_cast<int64_t>(climate.bytes_of_lead()), 1, leads_)
            : leads_;
    for (int64_t first = 1; first <= leads_; first += group) {
      const auto count = static_cast<size_t>(std::min(group, leads_ + 1 - first));
      const auto lines =
          regression_ ? climate.regression(first, count) : std::vector<Climate::Lines>{};
      std::vector<Errors> errors(count, Errors(store_.interior_mask(), means));
      for (int64_t i = 0; i < samples_.size(); ++i)
        for (size_t lead = 0; lead < count; ++lead)
          add(samples_.sample_moment(i), first + static_cast<int64_t>(lead), fields, climate, cycle,
              regression_ ? &lines[lead] : nullptr, errors[lead]);
      for (size_t lead = 0; lead < count; ++lead)
        report(errors[lead], first + static_cast<int64_t>(lead), name, result);
    }
  }

 private:
  using Cycle = std::vector<std::vector<double>>;
  struct Errors {
    Errors(const Tensor& interior, std::span<const double> means)
        : persistence(interior, means),
          before(interior, means),
          diurnal(interior, means),
          regression(interior, means) {}
    Error2 persistence, before, diurnal, regression;
  };

  // Of training times a lead apart, of any lead and any time of day that samples start from.
  int64_t fewest_pairs() const {
    int64_t fewest = std::numeric_limits<int64_t>::max();
    for (int64_t lead = 1; lead <= leads_; ++lead) {
      std::map<Time, int64_t> pairs;
      for (int64_t i = 0; i < samples_.size(); ++i)
        pairs[seconds_of_day(store_.time(samples_.sample_moment(i)))] = 0;
      for (const Moment& moment : training_)
        if (const auto later = store_.shifted(moment, lead);
            later && std::ranges::binary_search(training_, *later))
          if (const auto known = pairs.find(seconds_of_day(store_.time(moment)));
              known != pairs.end())
            ++known->second;
      for (const auto& [hour, count] : pairs) fewest = std::min(fewest, count);
    }
    return fewest;
  }

  // All, or at least those of a day and of the leads around it.
  size_t kept_fields() const {
    const int64_t field = 4 * store_.info().rows * store_.info().columns;
    return static_cast<size_t>(
        std::max(settings_.memory_bytes / field, 2 * leads_ + day / step_ + 4));
  }

  void add(const Moment& start, int64_t lead, Fields& fields, const Climate& climate,
           const Cycle& cycle, const Climate::Lines* lines, Errors& errors) const {
    const auto target = store_.shifted(start, lead);
    if (!target) return;
    const auto now_field = fields(start), truth_field = fields(*target);
    const Field &now = *now_field, &truth = *truth_field;
    errors.persistence.add(truth, [&](size_t p) { return static_cast<double>(now[p]); });
    if (!daily_) return;
    const size_t from = climate.slot(start), to = climate.slot(*target);
    errors.diurnal.add(truth, [&](size_t p) {
      return static_cast<double>(now[p]) + cycle[to][p] - cycle[from][p];
    });
    if (lines)
      errors.regression.add(truth, [&](size_t p) {
        return (*lines)[from].intercept[p] + (*lines)[from].slope[p] * static_cast<double>(now[p]);
      });
    const auto earlier = lead * step_ <= day ? store_.shifted(*target, -day / step_) : std::nullopt;
    if (!earlier || !store_.state_exists(*earlier)) return;
    const auto yesterday = fields(*earlier);
    errors.before.add(truth, [&](size_t p) { return static_cast<double>((*yesterday)[p]); });
  }

  void report(const Errors& errors, int64_t lead, const std::string& name, Json& result) const {
    const std::string key = lead_text(static_cast<double>(lead * step_) / 3600);
    result["persistence"]["rmse"][name][key] = errors.persistence.rmse();
    if (daily_ && lead * step_ <= day)
      result["day_before"]["rmse"][name][key] = errors.before.rmse();
    if (daily_) result["diurnal_persistence"]["rmse"][name][key] = errors.diurnal.rmse();
    if (regression_) result["hourly_regression"]["rmse"][name][key] = errors.regression.rmse();
  }

  const Dataset& samples_;
  const BaselineSettings settings_;
  const FieldStore& store_;
  int64_t leads_, step_;
  std::vector<Moment> training_;
  bool daily_ = false, regression_ = false;
};

// All that the scores depend on.
std::string made_from(const Dataset& samples, const BaselineSettings& settings) {
  const FieldStore& store = samples.store();
  std::ostringstream text;
  text << "version 4\n"
       << store.made_from(store.moments(Split::train)) << "\nborder " << store.settings().border
       << " leads " << samples.num_pred_steps() << " limit " << settings.regression_limit
       << " pairs " << settings.regression_pairs << "\nwithout a value";
  for (const FeatureStatistics& statistics : store.info().state_statistics) {
    text << "\n" << statistics.name;
    for (const int64_t length : statistics.never) text << ' ' << length;
  }
  text << "\nsamples";
  for (int64_t i = 0; i < samples.size(); ++i) text << ' ' << samples.sample_time(i);
  return text.str();
}

Json read_cached(const std::string& file, const std::string& from) {
  std::error_code code;
  if (file.empty() || !std::filesystem::is_regular_file(file, code)) return {};
  const Json json = Json::parse(read_file(file), nullptr, false);  // one that is cut is made anew
  return is_sealed(json) && json.value("made_from", Json()) == from ? json : Json();
}

// JSON writes what is no number as null.
void restore_nan(Json& json) {
  if (json.is_null()) json = std::nan("");
  if (json.is_structured())
    for (Json& part : json) restore_nan(part);
}

// The features are dealt to the ranks.
Json shared_scores(const Dataset& samples, const BaselineSettings& settings,
                   Communicator& communicator, std::vector<std::string>& notes) {
  Baselines baselines(samples, settings, notes);
  const std::vector<std::string> names = samples.info().state_names();
  const auto ranks = static_cast<size_t>(communicator.size());
  Json own = Json::object();
  for (auto f = static_cast<size_t>(communicator.rank()); f < names.size(); f += ranks)
    baselines.feature(static_cast<int64_t>(f), own);
  std::vector<Json> parts;
  for (const auto& block : communicator.all_gather(bytes_of(own.dump())))
    parts.push_back(
        Json::parse(std::string(reinterpret_cast<const char*>(block.data()), block.size())));
  Json result = Json::object();
  for (size_t f = 0; f < names.size(); ++f)
    for (const auto& [baseline, scores] : parts[f % ranks].items())
      result[baseline]["rmse"][names[f]] = scores["rmse"][names[f]];
  restore_nan(result);
  return result;
}

}  // namespace

BaselineScores baseline_scores(const Dataset& samples, const BaselineSettings& settings,
                               Communicator& communicator, const std::string& folder) {
  const std::string from = made_from(samples, settings),
                    file =
                        folder.empty() ? "" : folder + "/baselines_" + fingerprint(from) + ".json";
  const Json cached = Json::parse(
      communicator.broadcast(communicator.root() ? read_cached(file, from).dump() : std::string()));
  BaselineScores result;
  if (!cached.is_null()) {
    result = {cached.at("scores"), cached.at("notes").get<std::vector<std::string>>()};
    restore_nan(result.scores);
    return result;
  }
  result.scores = shared_scores(samples, settings, communicator, result.notes);
  if (!communicator.root() || file.empty()) return result;
  try {
    make_folders(folder);
    write_file(
        file,
        sealed({{"made_from", from}, {"scores", result.scores}, {"notes", result.notes}}).dump(2) +
            "\n");
  } catch (const Error& error) {
    result.notes.push_back(std::string(error.what()) + "; the references will be computed again");
  }
  return result;
}

}  // namespace py4cast
