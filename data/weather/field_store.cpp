#include "data/weather/field_store.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <sstream>

#include "data/weather/features.h"
#include "data/weather/lacking_source.h"
#include "data/weather/series_source.h"
#include "data/weather/static_fields.h"
#include "engine/error.h"
#include "engine/files.h"

namespace py4cast {
namespace {

template <typename... Parts>
Error setting_error(const Parts&... parts) {
  return Error(ErrorKind::configuration, "dataset.", parts...);
}

std::string describe_domain(const Grid& grid) {
  std::ostringstream text;
  text << grid.rows << " x " << grid.columns << " points";
  const auto add = [&](const char* name, const std::vector<double>& values) {
    if (values.empty()) return;
    const auto [low, high] = std::ranges::minmax(values);
    text << ", " << name << " " << low << " ... " << high;
  };
  add("latitude", grid.latitude);
  add("longitude", grid.longitude);
  return text.str();
}

}  // namespace

FieldStore::FieldStore(DatasetSettings settings, std::unique_ptr<FieldSource> source,
                       MemoryLedger* ledger, const std::optional<Statistics>& statistics)
    : settings_(std::move(settings)),
      source_(with_absent(settings_.as_series ? as_series(std::move(source)) : std::move(source),
                          settings_.trained_diagnostics)) {
  info_.name = settings_.name;
  info_.standardize = settings_.standardize;
  info_.calendar = times().calendar;
  set_region();
  set_members();
  border_mask_ = make_border_mask(grid_.rows, grid_.columns, settings_.border);
  set_features();
  set_boundary(ledger);
  set_forcing_names();
  set_step();
  interior_mask_ = host_tensor(border_mask_.shape(), DataType::f32);
  std::ranges::transform(border_mask_.span<float>(), interior_mask_.span<float>().begin(),
                         [](float value) { return 1 - value; });
  Sources more;
  for (const std::string& file : settings_.static_files) more.push_back(further_files({file}, {}));
  statics_ = make_statics(settings_, *source_, more, region_, grid_, notes_);
  for (const auto& files : more) statics_content_ += files->content();
  info_.static_names = statics_.feature_names();
  set_cache(ledger);
  set_statistics(statistics);
}

FieldStore::~FieldStore() = default;

std::string FieldStore::cache_note() const {
  const auto megabytes = [](int64_t bytes) { return std::to_string((bytes + 999999) / 1000000); };
  if (all_bytes_ == 0) return "";
  const std::string all = "the fields of all periods take " + megabytes(all_bytes_) + " MB";
  const int64_t taken = boundary_ ? boundary_->cached_bytes() : 0;
  return cached_.empty()
             ? all + ", more than dataset.cache_bytes (" + megabytes(settings_.cache_bytes) +
                   " MB" +
                   (taken > 0 ? ", boundary data take " + megabytes(taken) + " of them" : "") +
                   "), so each batch reads those that it needs"
             : all + " and stay in memory";
}

void FieldStore::expect_threads(int64_t threads) const {
  if (cached_.empty()) cache_->expect(threads, std::max(state_bytes(), forcing_bytes()));
}

const std::string& FieldStore::content() const {
  if (content_.empty())
    content_ = fingerprint(source_->content() + (boundary_ ? boundary_->content() : std::string()) +
                           statics_content_);
  return content_;
}

void FieldStore::set_region() {
  const Grid& full = source_->grid();
  const std::vector<int64_t>& s = settings_.subgrid;
  region_ = {0, full.rows, 0, full.columns};
  if (!s.empty() && s.size() != 4)
    throw setting_error("subgrid: ", s.size(),
                        " numbers are given; first row, end row, first "
                        "column and end column are needed");
  // The original's way to say "all" is four zeros.
  if (!s.empty() && s != std::vector<int64_t>(4, 0)) region_ = {s[0], s[1], s[2], s[3]};
  if (region_.row_begin < 0 || region_.row_begin >= region_.row_end ||
      region_.row_end > full.rows || region_.column_begin < 0 ||
      region_.column_begin >= region_.column_end || region_.column_end > full.columns)
    throw setting_error("subgrid: rows ", region_.row_begin, " to ", region_.row_end, ", columns ",
                        region_.column_begin, " to ", region_.column_end,
                        " do not lie in the grid of ", full.rows, " x ", full.columns, " points");
  grid_ = grid_part(full, region_);
  info_.rows = grid_.rows;
  info_.columns = grid_.columns;
  info_.domain_info = describe_domain(grid_);
}

void FieldStore::set_members() {
  members_.resize(static_cast<size_t>(times().members));
  std::iota(members_.begin(), members_.end(), 0);
  if (settings_.members.empty()) return;
  std::vector<int64_t> wanted;
  for (const int64_t number : settings_.members)
    wanted.push_back(member(number, "dataset.members"));
  std::ranges::sort(wanted);
  if (const auto twice = std::ranges::adjacent_find(wanted); twice != wanted.end())
    throw setting_error("members: ", times().number_of(*twice), " stands there twice");
  members_ = std::move(wanted);
}

int64_t FieldStore::member(int64_t number, const std::string& key) const {
  const auto number_of = [&](int64_t member) { return times().number_of(member); };
  const auto found = std::ranges::find(members_, number, number_of);
  if (found != members_.end()) return *found;
  constexpr size_t most = 60;
  std::string known;
  for (size_t i = 0; i < std::min(members_.size(), most); ++i)
    known += (i ? ", " : "") + std::to_string(number_of(members_[i]));
  throw Error(ErrorKind::configuration, key, ": ", number, " is none of the members ", known,
              members_.size() > most ? ", ..." : "");
}

void FieldStore::set_features() {
  std::vector<Feature> diagnostic;
  for (const DatasetVariable& variable : settings_.variables)
    if (variable.role != Role::constant) {
      if (!source_->variable(variable.name).has_time)
        throw setting_error("variables.", variable.name,
                            ": the variable has no time axis; its role can only be 'static'");
      auto& features = variable.role == Role::state        ? info_.state
                       : variable.role == Role::diagnostic ? diagnostic
                                                           : info_.physical_forcing;
      const std::vector<Feature> made =
          make_features(*source_, {"dataset.variables", variable.name, variable.short_name,
                                   variable.levels, variable.weight});
      features.insert(features.end(), made.begin(), made.end());
      if (variable.role != Role::diagnostic) continue;
      VariableInfo& info =
          info_.diagnostic_variables.emplace_back(source_->variable(variable.name));
      if (info.levels.empty()) continue;
      info.levels.clear();
      for (const Feature& feature : made) info.levels.push_back(feature.level);
    }
  if (info_.state.empty())
    throw setting_error("variables: no variable has the role 'state'; the data have ",
                        source_->variables().size(), " variables");
  info_.state.insert(info_.state.end(), diagnostic.begin(), diagnostic.end());
  info_.diagnostics = std::ssize(diagnostic);
}

std::unique_ptr<FieldSource> FieldStore::further_files(const Texts& files,
                                                       const Texts& variables) const {
  if (files.empty()) return nullptr;
  if (!settings_.open_files)
    throw Error(ErrorKind::internal, files[0], ": nothing here opens files of any kind");
  return settings_.open_files(files, variables);
}

void FieldStore::set_boundary(MemoryLedger* ledger) {
  const BoundarySettings& settings = settings_.boundary;
  if (settings.files.empty()) return;
  Texts names;
  for (const BoundaryVariable& variable : settings.variables) names.push_back(variable.name);
  const std::vector<Feature> state(info_.state.begin(), info_.state.begin() + info_.input_dim());
  for (const Feature& feature : state)
    if (settings.variables.empty()) names.push_back(feature.variable);
  boundary_ = std::make_unique<Boundary>(
      settings_, further_files(settings.files, names),
      Boundary::Inside{grid_, info_.calendar, border_mask_, state, members_.back() + 1}, ledger);
  info_.boundary = boundary_->features();
  notes_.push_back("the boundary data have " + boundary_->describe());
  notes_.insert(notes_.end(), boundary_->notes().begin(), boundary_->notes().end());
}

int64_t FieldStore::moved_forcings() const {
  return settings_.time_forcings_first
             ? std::ssize(info_.physical_forcing) + std::ssize(info_.boundary)
             : 0;
}

void FieldStore::set_forcing_names() {
  time_forcings_.emplace(settings_.time_forcings, info_.calendar, grid_);
  std::set<std::string> seen;
  for (const Feature& feature : info_.state) seen.insert(feature.name);
  for (const auto* features : {&info_.physical_forcing, &info_.boundary})
    for (const Feature& feature : *features) {
      info_.forcing_names.push_back(feature.name);
      info_.forcing_units.push_back(feature.units);
      seen.insert(feature.name);
    }
  for (const std::string& name : time_forcings_->names()) {
    info_.forcing_names.push_back(name);
    info_.forcing_units.push_back("1");
    seen.insert(name);
  }
  for (Texts* texts : {&info_.forcing_names, &info_.forcing_units})
    std::ranges::rotate(*texts, texts->begin() + moved_forcings());
  if (seen.size() != info_.state.size() + info_.forcing_names.size())
    throw setting_error(
        "variables: two features have the same name; give their variables other "
        "short names");
}

const std::vector<Time>& FieldStore::step_axis() const {
  return times().reforecast() ? times().leads : times().runs;
}

// Times of step_axis() at which there are states: files may have more.
std::vector<Time> FieldStore::state_times() const {
  const bool reforecast = times().reforecast();
  const int64_t runs = reforecast ? std::ssize(times().runs) : 1, member = members_.front();
  std::vector<Time> result;
  for (int64_t i = 0; i < std::ssize(step_axis()); ++i) {
    int64_t run = 0;
    while (run < runs && !input_exists(reforecast ? Moment{run, i, member} : Moment{i, 0, member}))
      ++run;
    if (run < runs) result.push_back(step_axis()[static_cast<size_t>(i)]);
  }
  return result;
}

void FieldStore::set_step() {
  const std::vector<Time> there = state_times();
  info_.step_seconds = seconds_of(settings_.step_hours, "dataset.step_hours");
  if (info_.step_seconds == 0) info_.step_seconds = usual_step(there);
  // A forecast's file may have fewer states than times.
  const Time trained = settings_.trained_step;
  const auto apart = [&] {
    return std::ranges::any_of(
        step_axis(), [&](Time each) { return index_of(step_axis(), each + trained).has_value(); });
  };
  if (settings_.step_hours == 0 && trained > 0 &&
      (info_.step_seconds == 0 || (info_.step_seconds > trained && apart())))
    info_.step_seconds = trained;
  if (info_.step_seconds <= 0)
    throw Error(ErrorKind::data, "the data have ", there.size(),
                " times: a forecast needs at least two");
  first_lead_ = times().reforecast() && !there.empty() ? there.front() : times().leads.front();
}

// Runs of one period may reach into the next one.
void FieldStore::note_shared_times() {
  if (settings_.overlap == Overlap::allow) return;
  std::array<std::set<Time>, 3> found;
  for (size_t split = 0; split < found.size(); ++split)
    for (const Moment& moment : moments_[split]) found[split].insert(time(moment));
  for (const auto& [split, earlier] :
       {std::pair{Split::valid, Split::train}, std::pair{Split::test, Split::train},
        std::pair{Split::test, Split::valid}}) {
    const auto &later_times = found[static_cast<size_t>(split)],
               &earlier_times = found[static_cast<size_t>(earlier)];
    const auto shared =
        std::ranges::count_if(later_times, [&](Time each) { return earlier_times.contains(each); });
    if (shared > 0)
      warnings_.push_back("dataset.periods." + std::string(name_of(split)) + ": " +
                          std::to_string(shared) + " of its " + std::to_string(later_times.size()) +
                          " times are forecast by runs of dataset.periods." +
                          std::string(name_of(earlier)) + ", too, so its scores say less");
  }
}

void FieldStore::set_cache(MemoryLedger* ledger) {
  std::set<Moment> used;
  for (const Split split : {Split::train, Split::valid, Split::test}) {
    const std::string key = "dataset.periods." + std::string(name_of(split));
    const int64_t step = seconds_of(settings_.period(split).step, key + ".step");
    sample_steps_[static_cast<size_t>(split)] = step > 0 ? step : info_.step_seconds;
    run_steps_[static_cast<size_t>(split)] =
        seconds_of(settings_.period(split).run_step, key + ".run_step");
    note_missing_times(split);
    anchors_[static_cast<size_t>(split)] = anchors(split);
    std::vector<Moment>& found = moments_[static_cast<size_t>(split)];
    found = find_moments(split);
    used.insert(found.begin(), found.end());
  }
  note_shared_times();
  for (const std::string& note : source_->notes()) notes_.push_back(note);
  const int64_t points = grid_.rows * grid_.columns;
  for (const auto* features : {&info_.state, &info_.physical_forcing})
    for (const Feature& feature : *features)
      plane_bytes_.push_back(aligned(points * source_->variable(feature.variable).stored_bytes));
  auto moments = static_cast<int64_t>(used.size());
  all_bytes_ = moments * std::reduce(plane_bytes_.begin(), plane_bytes_.end());
  const int64_t taken = boundary_ ? boundary_->cached_bytes() : 0;
  if (all_bytes_ > settings_.cache_bytes - taken) moments = 0;
  cache_ = std::make_unique<FieldCache>(moments, plane_bytes_, ledger);
  if (moments == 0) return;
  for (const Moment& moment : used) cached_.emplace(moment, static_cast<int64_t>(cached_.size()));
}

}  // namespace py4cast
