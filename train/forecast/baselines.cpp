#include "train/forecast/baselines.h"

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "data/weather/calendar.h"
#include "train/forecast/scores.h"

namespace py4cast {
namespace {

constexpr int64_t day = 86400;
using Field = std::vector<float>;

// The fields of one feature, kept in memory if they all fit.
class Fields {
 public:
  Fields(const FieldStore& store, int64_t feature, bool keep)
      : store_(store), feature_(feature), keep_(keep) {}

  const Field& operator()(const Moment& moment) {
    if (keep_) {
      auto [entry, fresh] = kept_.try_emplace(moment);
      if (fresh) read(moment, entry->second);
      return entry->second;
    }
    Field& slot = recent_[turn_];  // callers hold at most two fields at a time
    turn_ = (turn_ + 1) % recent_.size();
    read(moment, slot);
    return slot;
  }

 private:
  void read(const Moment& moment, Field& out) const {
    out.resize(static_cast<size_t>(store_.info().rows * store_.info().columns));
    store_.read_state(feature_, moment, out.data());
  }
  const FieldStore& store_;
  int64_t feature_;
  bool keep_;
  std::map<Moment, Field> kept_;
  std::array<Field, 4> recent_;
  size_t turn_ = 0;
};

// Mean squared error over samples and interior points.
class Error2 {
 public:
  explicit Error2(const Tensor& interior) : interior_(interior.span<float>()) {}
  template <typename Forecast>
  void add(const Field& truth, Forecast&& forecast) {
    for (size_t p = 0; p < truth.size(); ++p) {
      if (interior_[p] == 0) continue;
      const double error = forecast(p) - static_cast<double>(truth[p]);
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
  Climate(const FieldStore& store, const std::vector<Moment>& training, Fields& fields)
      : store_(store), training_(training), fields_(fields), step_(store.info().step_seconds) {}

  size_t slot(const Moment& moment) const {
    return static_cast<size_t>(seconds_of_day(store_.time(moment)) / step_);
  }
  size_t slots() const { return static_cast<size_t>(day / step_); }
  size_t points() const { return static_cast<size_t>(store_.info().rows * store_.info().columns); }

  // D(h), [slots][points]
  std::vector<std::vector<double>> diurnal_cycle() {
    std::vector<std::vector<double>> mean(slots(), std::vector<double>(points())), count = mean;
    for (const Moment& moment : training_) {
      const Field& v = fields_(moment);
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

  // Slope and intercept by time of day, for one lead. Deviations are taken from the means before
  // they are multiplied.
  struct Line {
    std::vector<double> intercept, slope;
  };
  std::vector<Line> regression(int64_t lead_steps) {
    std::vector<Pointwise> sums(slots(), Pointwise(points()));
    const auto for_pairs = [&](auto&& f) {
      for (const Moment& moment : training_) {
        const auto later = store_.shifted(moment, lead_steps);
        if (!later || !contains(*later)) continue;
        const Field& from = fields_(moment);
        const Field& to = fields_(*later);
        Pointwise& sum = sums[slot(moment)];
        for (size_t p = 0; p < from.size(); ++p)
          if (!std::isnan(from[p]) && !std::isnan(to[p])) f(sum, p, from[p], to[p]);
      }
    };
    for_pairs([](Pointwise& sum, size_t p, double v, double w) {
      sum.count[p] += 1;
      sum.x[p] += v;
      sum.y[p] += w;
    });
    for (Pointwise& sum : sums)
      for (size_t p = 0; p < points(); ++p) {
        sum.x[p] /= sum.count[p];
        sum.y[p] /= sum.count[p];
      }
    for_pairs([](Pointwise& sum, size_t p, double v, double w) {
      sum.xx[p] += (v - sum.x[p]) * (v - sum.x[p]);
      sum.xy[p] += (v - sum.x[p]) * (w - sum.y[p]);
    });
    std::vector<Line> lines;
    for (const Pointwise& sum : sums) {
      Line line{std::vector<double>(points()), std::vector<double>(points())};
      for (size_t p = 0; p < points(); ++p) {
        line.slope[p] = sum.xx[p] > 0 ? sum.xy[p] / sum.xx[p] : 0;
        line.intercept[p] = sum.y[p] - line.slope[p] * sum.x[p];
      }
      lines.push_back(std::move(line));
    }
    return lines;
  }

 private:
  bool contains(const Moment& moment) const {
    return std::binary_search(training_.begin(), training_.end(), moment);
  }
  const FieldStore& store_;
  const std::vector<Moment>& training_;
  Fields& fields_;
  int64_t step_;
};

class Baselines {
 public:
  Baselines(const Dataset& samples, const BaselineSettings& settings,
            std::vector<std::string>& notes)
      : samples_(samples),
        store_(samples.store()),
        leads_(samples.num_pred_steps()),
        step_(store_.info().step_seconds) {
    daily_ = day % step_ == 0 && !store_.times().reforecast() && store_.members().size() <= 1;
    if (!daily_) {
      notes.push_back(
          "the references day_before, diurnal_persistence and hourly_regression are left out: they "
          "need one "
          "series of times whose step divides a day");
      return;
    }
    training_ = store_.moments(Split::train);
    const double points = static_cast<double>(store_.info().rows * store_.info().columns);
    const double work = points * static_cast<double>(training_.size()) *
                        static_cast<double>(leads_ * store_.info().weather_dim());
    regression_ = work <= settings.regression_limit;
    if (!regression_)
      notes.push_back(
          "the reference hourly_regression is left out: the training period is too large for it");
    keep_ =
        points * 4 * static_cast<double>(training_.size() + static_cast<size_t>(samples.size())) <=
        static_cast<double>(settings.memory_bytes);
  }

  void feature(int64_t feature, Json& result) {
    Fields fields(store_, feature, keep_);
    Climate climate(store_, training_, fields);
    const std::string name = store_.info().state[static_cast<size_t>(feature)].name;
    const auto cycle = daily_ ? climate.diurnal_cycle() : std::vector<std::vector<double>>{};
    for (int64_t lead = 1; lead <= leads_; ++lead) {
      const std::string key = lead_text(static_cast<double>(lead * step_) / 3600);
      const auto lines = regression_ ? climate.regression(lead) : std::vector<Climate::Line>{};
      Error2 persistence(store_.interior_mask()), before = persistence, diurnal = persistence,
                                                  regression = persistence;
      for (int64_t i = 0; i < samples_.size(); ++i) {
        const Moment start = samples_.sample_moment(i);
        const auto target = store_.shifted(start, lead);
        if (!target) continue;
        const Field now = fields(start), truth = fields(*target);
        persistence.add(truth, [&](size_t p) { return static_cast<double>(now[p]); });
        if (!daily_) continue;
        const size_t from = climate.slot(start), to = climate.slot(*target);
        diurnal.add(truth, [&](size_t p) {
          return static_cast<double>(now[p]) + cycle[to][p] - cycle[from][p];
        });
        if (regression_)
          regression.add(truth, [&](size_t p) {
            return lines[from].intercept[p] + lines[from].slope[p] * static_cast<double>(now[p]);
          });
        const auto earlier =
            lead * step_ <= day ? store_.shifted(*target, -day / step_) : std::nullopt;
        if (earlier && store_.state_exists(*earlier)) {
          const Field& yesterday = fields(*earlier);
          before.add(truth, [&](size_t p) { return static_cast<double>(yesterday[p]); });
        }
      }
      result["persistence"]["rmse"][name][key] = persistence.rmse();
      if (daily_ && lead * step_ <= day) result["day_before"]["rmse"][name][key] = before.rmse();
      if (daily_) result["diurnal_persistence"]["rmse"][name][key] = diurnal.rmse();
      if (regression_) result["hourly_regression"]["rmse"][name][key] = regression.rmse();
    }
  }

 private:
  const Dataset& samples_;
  const FieldStore& store_;
  int64_t leads_, step_;
  std::vector<Moment> training_;
  bool daily_ = false, regression_ = false, keep_ = false;
};

}  // namespace

Json baseline_scores(const Dataset& samples, const BaselineSettings& settings,
                     std::vector<std::string>& notes, const std::function<void(double)>& progress) {
  Baselines baselines(samples, settings, notes);
  Json result = Json::object();
  const int64_t features = samples.info().weather_dim();
  for (int64_t feature = 0; feature < features; ++feature) {
    baselines.feature(feature, result);
    if (progress) progress(static_cast<double>(feature + 1) / static_cast<double>(features));
  }
  return result;
}

}  // namespace py4cast
