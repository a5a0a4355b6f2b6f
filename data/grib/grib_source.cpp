#include "data/grib/grib_source.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <optional>
#include <set>
#include <sstream>
#include <tuple>

#include "data/weather/data_files.h"
#include "data/weather/units.h"
#include "engine/error.h"

namespace py4cast {
namespace {

template <typename T>
int64_t index_in(const std::vector<T>& sorted, T value) {
  return std::lower_bound(sorted.begin(), sorted.end(), value) - sorted.begin();
}

Time validity_of(const GribRecord& record) {
  return *record.run + record.product->lead;
}

// On these a level says what a variable is not: t at 500 hPa is one of many.
bool is_surface_of_many(const std::string& level_type) {
  return level_type == "isobaricInhPa" || level_type == "hybrid";
}

// Name, and what tells variables of one name apart.
using GribKind = std::array<std::string, 5>;

GribKind kind_of(const GribProduct& product) {
  return {product.name, product.level_type, product.step_type, product.derived, ""};
}

std::string grib_number(double value) {
  std::ostringstream text;
  text << value;
  return text.str();
}

std::string bottom_of(const GribProduct& product) {
  return "to_" + grib_number(product.bottom);
}

double hours_of(const GribProduct& product) {
  return static_cast<double>(product.lead - product.begin) / 3600;
}

// CF's words for ecCodes' types of intervals; empty: others.
std::string cell_methods_of(const std::string& step_type) {
  static const std::map<std::string, std::string> methods = {{"accum", "time: sum"},
                                                             {"avg", "time: mean"},
                                                             {"max", "time: maximum"},
                                                             {"min", "time: minimum"}};
  const auto found = methods.find(step_type);
  return found == methods.end() ? "" : found->second;
}

// How the records of a variable contradict each other; empty: they do not.
std::string doubt_about(const std::string& name, const std::vector<const GribRecord*>& records,
                        bool constant) {
  const auto text = [](const auto&... parts) {
    std::ostringstream stream;
    (stream << ... << parts);
    return stream.str();
  };
  const GribRecord& first = *records[0];
  std::map<std::tuple<Time, Time, int64_t, double>, const GribRecord*> fields;
  for (const GribRecord* record : records) {
    const GribProduct& product = *record->product;
    if (record->run.has_value() != first.run.has_value())
      return text((record->run ? first : *record).place(), ": variable '", name,
                  "' has no date here, but one in ", (record->run ? *record : first).place());
    if (!same_units(product.units, first.product->units))
      return text("variable '", name, "' has the unit '", first.product->units, "' in ",
                  first.place(), " and '", product.units, "' in ", record->place());
    auto field = std::tuple(Time{0}, Time{0}, int64_t{-1}, product.level);
    if (!constant)
      field = {record->run.value_or(0), product.lead, product.member.value_or(-1), product.level};
    const GribRecord& other = *fields.try_emplace(field, record).first->second;
    if (&other == record || other.message() == record->message()) continue;
    const double hours = hours_of(product), other_hours = hours_of(*other.product);
    return text(other.place(), " and ", record->place(), " both hold variable '", name, "' of ",
                record->run ? format_time(Calendar::standard, validity_of(*record)) : "all times",
                ", level ", product.level, ", and differ",
                hours == other_hours ? ""
                                     : ": one is of " + grib_number(other_hours) +
                                           " h, the other of " + grib_number(hours) + " h");
  }
  return {};
}

}  // namespace

GribSource::GribSource(const std::vector<std::string>& patterns,
                       const std::vector<std::string>& wanted)
    : given_(expand_patterns(patterns)), files_(grib_files(given_)) {
  for (const std::string& file : files_)
    std::ranges::move(contents_.add(file), std::back_inserter(records_));
  std::vector<Series> series = collect_series();
  choose_grid(series, wanted);
  keep_grid(series);
  leave_out_doubtful(series);
  find_constants(series, wanted);
  leave_out_doubtful(series);  // a constant is one for all members
  set_times(series);
  for (const Series& one : series) add_variable(one);
}

std::vector<GribSource::Series> GribSource::collect_series() const {
  std::map<std::pair<GribKind, double>, std::set<std::string>> bottoms;  // by top
  for (const GribRecord& record : records_)
    bottoms[{kind_of(*record.product), record.product->level}].insert(bottom_of(*record.product));
  std::set<GribKind> of_layers;  // some of which share their top
  for (const auto& [top, layers] : bottoms)
    if (layers.size() > 1) of_layers.insert(top.first);
  std::vector<Series> series;
  std::map<GribKind, size_t> index;
  for (const GribRecord& record : records_) {
    GribKind kind = kind_of(*record.product);
    if (of_layers.contains(kind)) kind.back() = bottom_of(*record.product);
    const auto [found, fresh] = index.try_emplace(kind, series.size());
    if (fresh) series.push_back({.name = record.product->name});
    series[found->second].records.push_back(&record);
  }
  // What tells the variables of one name apart is added to it.
  std::map<std::string, std::array<std::set<std::string>, std::tuple_size_v<GribKind>>> kinds;
  for (const auto& [kind, place] : index)
    for (size_t i = 1; i < kind.size(); ++i) kinds[kind[0]][i].insert(kind[i]);
  for (const auto& [kind, place] : index)
    for (size_t i = 1; i < kind.size(); ++i)
      if (kinds[kind[0]][i].size() > 1 && !kind[i].empty()) series[place].name += "_" + kind[i];
  return series;
}

void GribSource::choose_grid(const std::vector<Series>& series,
                             const std::vector<std::string>& wanted) {
  std::vector<std::pair<int64_t, int64_t>> fields(contents_.grids().size());  // wanted, all
  for (const Series& one : series)
    for (const GribRecord* record : one.records)
      if (const int64_t grid = record->layout->grid; grid >= 0) {
        auto& [asked, all] = fields[static_cast<size_t>(grid)];
        asked += std::ranges::find(wanted, one.name) != wanted.end();
        ++all;
      }
  if (fields.empty())
    throw Error(ErrorKind::data, records_[0].place(), ": ", records_[0].layout->description);
  grid_ = static_cast<size_t>(std::ranges::max_element(fields) - fields.begin());
}

void GribSource::keep_grid(std::vector<Series>& series) {
  const auto is_elsewhere = [&](const GribRecord* record) {
    return record->layout->grid != static_cast<int64_t>(grid_);
  };
  for (Series& one : series) {
    const auto kept =
        std::stable_partition(one.records.begin(), one.records.end(),
                              [&](const auto* record) { return !is_elsewhere(record); });
    for (auto at = kept; at != one.records.end(); ++at) {
      const GribLayout& layout = *(*at)->layout;
      const std::string name =
          kept == one.records.begin() ? one.name : one.name + " (" + layout.description + ")";
      left_out_.try_emplace(
          name, (*at)->place() + ": " +
                    (layout.grid < 0 ? layout.description
                                     : "it is on another grid (" + layout.description +
                                           ") than the data set (" + std::to_string(grid().rows) +
                                           " x " + std::to_string(grid().columns) + " points)"));
    }
    one.records.erase(kept, one.records.end());
  }
  std::erase_if(series, [](const Series& one) { return one.records.empty(); });
}

void GribSource::leave_out_doubtful(std::vector<Series>& series) {
  std::string doubtful;
  std::erase_if(series, [&](const Series& one) {
    const std::string doubt = doubt_about(one.name, one.records, one.constant);
    if (doubt.empty()) return false;
    left_out_[doubtful = one.name] = doubt;
    return true;
  });
  if (series.empty())
    throw Error(ErrorKind::data, "variable '", doubtful,
                "' cannot be used: ", left_out_.at(doubtful));
}

void GribSource::find_constants(std::vector<Series>& series,
                                const std::vector<std::string>& wanted) const {
  bool any_varies = false;
  for (Series& one : series) {
    one.constant = std::ranges::all_of(one.records, [&](const GribRecord* record) {
      return !record->run || validity_of(*record) == validity_of(*one.records[0]);
    });
    any_varies |= !one.constant;
  }
  // One time for all: a data set of one time.
  for (Series& one : series)
    if (one.records[0]->run && (!any_varies || std::ranges::find(wanted, one.name) != wanted.end()))
      one.constant = false;
}

bool GribSource::is_by_validity(const std::vector<Series>& series) const {
  if (times_.leads.size() == 1) return times_.leads[0] != 0;
  if (times_.runs.size() == 1) return true;
  bool any_one_lead = false;
  for (const Series& one : series) {
    if (one.constant) continue;
    std::set<Time> runs, leads;
    std::map<std::tuple<double, int64_t, Time>, Time> run_by_field;
    for (const GribRecord* record : one.records) {
      runs.insert(*record->run);
      leads.insert(record->product->lead);
      const auto field = std::tuple(record->product->level, record->product->member.value_or(-1),
                                    validity_of(*record));
      if (run_by_field.try_emplace(field, *record->run).first->second != *record->run) return false;
    }
    any_one_lead |= leads.size() == 1 && runs.size() > 1;
  }
  return any_one_lead;
}

void GribSource::set_times(const std::vector<Series>& series) {
  std::set<Time> runs, leads, validities;
  std::set<int64_t> members;
  for (const Series& one : series) {
    if (one.constant) continue;
    for (const GribRecord* record : one.records) {
      runs.insert(*record->run);
      leads.insert(record->product->lead);
      validities.insert(validity_of(*record));
      if (record->product->member) members.insert(*record->product->member);
    }
  }
  times_.runs.assign(runs.begin(), runs.end());
  times_.leads.assign(leads.begin(), leads.end());
  if (leads.empty()) times_.leads = {0};
  by_validity_ = is_by_validity(series);
  if (by_validity_) {
    times_.runs.assign(validities.begin(), validities.end());
    times_.leads = {0};
  }
  members_.assign(members.begin(), members.end());
  times_.member_numbers = members_;
  times_.members = std::max<int64_t>(1, static_cast<int64_t>(members_.size()));
}

void GribSource::add_variable(const Series& series) {
  const GribProduct& first = *series.records[0]->product;
  VariableInfo info{.name = series.name,
                    .units = first.units,
                    .long_name = first.long_name,
                    .standard_name = first.standard_name,
                    .cell_methods = cell_methods_of(first.step_type),
                    .has_time = !series.constant};
  std::set<double> levels;
  for (const GribRecord* record : series.records) levels.insert(record->product->level);
  const std::vector<double> sorted(levels.begin(), levels.end());
  std::vector<Entry> entries;
  for (const GribRecord* record : series.records) {
    Entry entry{{0, 0, -1, index_in(sorted, record->product->level)}, record};
    auto& [run, lead, member, level] = entry.place;
    if (!series.constant) {
      run = index_in(times_.runs, by_validity_ ? validity_of(*record) : *record->run);
      lead = by_validity_ ? 0 : index_in(times_.leads, record->product->lead);
      if (record->product->member) member = index_in(members_, *record->product->member);
    }
    entries.push_back(entry);
  }
  std::ranges::stable_sort(entries, {}, &Entry::place);
  const bool to_choose_from = sorted.size() > 1 || is_surface_of_many(first.level_type);
  if (to_choose_from || first.level_units != "1") {
    if (to_choose_from)
      info.levels = sorted;
    else
      info.only_level = sorted.at(0);
    info.level_name = first.level_type;
    info.level_units = first.level_units;
    info.level_standard_name = first.level_standard_name;
    info.level_positive = first.level_positive;
  }
  variables_.push_back(std::move(info));
  entries_[series.name] = std::move(entries);
}

const GribRecord* GribSource::find(const FieldRequest& request) const {
  const VariableInfo& info = variable(request.variable);
  const std::vector<Entry>& entries = entries_.at(request.variable);
  const auto at = [&](std::array<int64_t, 4> place) -> const GribRecord* {
    const auto found = std::ranges::lower_bound(entries, place, {}, &Entry::place);
    return found != entries.end() && found->place == place ? found->record : nullptr;
  };
  if (!info.has_time) return at({0, 0, -1, request.level});
  if (request.member < 0 || request.member >= times_.members) return nullptr;
  const GribRecord* own = at({request.run, request.lead, request.member, request.level});
  return own ? own : at({request.run, request.lead, -1, request.level});
}

std::string GribSource::file_of(const FieldRequest& request) const {
  const GribRecord* record = find(request);
  return record ? record->file->path : std::string();
}

void GribSource::read(const FieldRequest& request, const Region& region, float* out) {
  const GribRecord* record = find(request);
  if (!record) throw Error(ErrorKind::data, place(), ": ", describe(request), " is not there");
  check_region(region);
  try {
    record->read(region, out);
  } catch (const Error& error) {
    throw Error(error.kind(), error.what(), "; wanted: ", describe(request));
  }
}

SourceMessage GribSource::message(const FieldRequest& request) const {
  const GribRecord* record = find(request);
  if (!record || !variable(request.variable).has_time) return {};
  SourceMessage result{record->message(), times_.runs[static_cast<size_t>(request.run)] +
                                              times_.leads[static_cast<size_t>(request.lead)]};
  const GribProduct& product = *record->product;
  if (product.begin == product.lead) return result;
  // Another one of the run; leads of one run alone are times, not leads.
  for (FieldRequest other = request; other.run < std::ssize(times_.runs);
       ++other.run, other.lead = -1)
    while (++other.lead < std::ssize(times_.leads)) {
      const GribRecord* const next = find(other);
      if (!next || next == record || next->run != record->run) continue;
      result.total = product.begin == next->product->begin && product.lead != next->product->lead;
      return result;
    }
  return result;
}

std::string GribSource::fingerprint() const {
  return fingerprint_of_files(files_);
}

std::string GribSource::content() const {
  return content_of_files(files_);
}

}  // namespace py4cast
