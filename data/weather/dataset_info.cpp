#include "data/weather/dataset_info.h"

#include <algorithm>
#include <sstream>

#include "data/weather/calendar.h"
#include "data/weather/table.h"

namespace py4cast {
std::vector<std::string> DatasetInfo::state_names() const {
  std::vector<std::string> names;
  for (const Feature& feature : state) names.push_back(feature.name);
  return names;
}

std::vector<std::string> DatasetInfo::input_names() const {
  std::vector<std::string> names = state_names();
  names.resize(static_cast<size_t>(input_dim()));
  return names;
}
std::vector<std::string> DatasetInfo::diagnostic_names() const {
  const std::vector<std::string> names = state_names();
  return {names.begin() + input_dim(), names.end()};
}

std::vector<std::string> DatasetInfo::state_units() const {
  std::vector<std::string> units;
  for (const Feature& feature : state) units.push_back(feature.units);
  return units;
}

std::vector<double> DatasetInfo::scales() const {
  std::vector<double> values;
  for (const FeatureStatistics& s : state_statistics) values.push_back(scale(s));
  return values;
}
std::vector<double> DatasetInfo::difference_mean() const {
  std::vector<double> values;
  for (const FeatureStatistics& s : state_statistics)
    values.push_back(s.difference_mean * (s.std / scale(s)));
  return values;
}
std::vector<double> DatasetInfo::difference_std() const {
  std::vector<double> values;
  for (const FeatureStatistics& s : state_statistics)
    values.push_back(s.difference_std * (s.std / scale(s)));
  return values;
}

std::vector<double> DatasetInfo::weights() const {
  std::vector<double> values;
  for (const Feature& feature : state) values.push_back(feature.weight);
  return values;
}

std::string DatasetInfo::summary() const {
  std::ostringstream stream;
  stream << "Data set " << name << ": " << domain_info << ", step " << step_seconds / 3600.0
         << " h, calendar " << calendar_name(calendar) << "\n";
  const std::vector<std::string> header = {
      "Name", "Unit", "Mean", "Std", "Minimum", "Maximum", "DiffMean", "DiffStd", "Weight in Loss"};
  const auto cells = [](const Feature& feature, const FeatureStatistics& s) {
    return std::vector<std::string>{feature.name,
                                    feature.units,
                                    general_number(s.mean),
                                    general_number(s.std),
                                    general_number(s.minimum),
                                    general_number(s.maximum),
                                    general_number(s.difference_mean * s.std),
                                    general_number(s.difference_std * s.std)};
  };
  const auto inputs = static_cast<size_t>(input_dim());
  const auto add_table = [&](const char* kind, size_t begin, size_t end) {
    TextTable table{header, {}};
    for (size_t i = begin; i < end; ++i) {
      table.rows.push_back(cells(state[i], state_statistics[i]));
      table.rows.back().push_back(general_number(state[i].weight));
    }
    stream << kind << " (" << end - begin << ")\n" << table.to_string();
  };
  add_table("State", 0, inputs);
  if (diagnostics > 0) add_table("Diagnostic", inputs, state.size());
  if (!forcing_names.empty()) {
    std::vector<Feature> given = physical_forcing;
    given.insert(given.end(), boundary.begin(), boundary.end());
    TextTable forcings{{header.begin(), header.begin() + 8}, {}};
    for (size_t i = 0; i < forcing_names.size(); ++i) {
      const auto feature = std::ranges::find(given, forcing_names[i], &Feature::name);
      forcings.rows.push_back(
          feature == given.end()
              ? std::vector<std::string>{forcing_names[i], forcing_units[i], "", "", "", "", "", ""}
              : cells(*feature, forcing_statistics[static_cast<size_t>(feature - given.begin())]));
    }
    stream << "Forcing (" << forcing_names.size() << ")\n" << forcings.to_string();
  }
  if (!static_names.empty()) {
    TextTable statics{{"Name"}, {}};
    for (const std::string& static_name : static_names) statics.rows.push_back({static_name});
    stream << "Static (" << static_names.size() << ")\n" << statics.to_string();
  }
  return stream.str();
}

}  // namespace py4cast
