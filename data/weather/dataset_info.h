// What a data set is, for the network, the losses and the reader.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/weather/named_tensor.h"
#include "data/weather/source.h"
#include "data/weather/statistics.h"

namespace py4cast {

// One channel of the state or of the physical forcing.
struct Feature {
  std::string name;        // "<short name>_<level>"; without levels "<short name>"
  std::string short_name;  // of the variable
  std::string variable;    // in the file
  int64_t level_index = 0;
  double level = 0;
  std::string units, long_name, standard_name, cell_methods;
  // See VariableInfo.
  std::optional<double> only_level;
  std::string level_name, level_units, level_standard_name, level_positive;
  double weight = 1;  // in the loss
  std::string file;   // that holds it first; empty: not known
};

struct DatasetInfo {
  std::string name;
  std::string domain_info;  // "33 x 49 points, latitude 50 ... 58, longitude -10 ... 2"
  Calendar calendar = Calendar::standard;
  int64_t step_seconds = 0;
  int64_t rows = 0, columns = 0;
  std::vector<Feature> state;  // what is forecast: states, then diagnostics
  int64_t diagnostics = 0;     // of them: forecast, but never given to the network
  std::vector<VariableInfo>
      diagnostic_variables;  // whose features they are, with the levels of these
  std::vector<Feature> physical_forcing;
  std::vector<Feature> boundary;  // of another model (data/weather/boundary.h)
  // Physical forcings, boundary, time forcings; or the time forcings first.
  std::vector<std::string> forcing_names;
  std::vector<std::string> forcing_units;
  std::vector<std::string> static_names;
  Statistics state_statistics, forcing_statistics;  // of state; of physical_forcing, then boundary
  bool standardize = true;

  // A field as the network has it is (x - offset) / scale.
  double offset(const FeatureStatistics& of) const { return standardize ? of.mean : 0; }
  double scale(const FeatureStatistics& of) const { return standardize ? of.std : 1; }

  int64_t weather_dim() const { return static_cast<int64_t>(state.size()); }
  int64_t forcing_dim() const { return static_cast<int64_t>(forcing_names.size()); }
  int64_t input_dim() const { return weather_dim() - diagnostics; }
  std::vector<std::string> state_names() const;
  std::vector<std::string> input_names() const;       // of what is given
  std::vector<std::string> diagnostic_names() const;  // of the others
  std::vector<std::string> state_units() const;
  // Vectors over the state's features. Differences are those of fields as the network has them.
  std::vector<double> scales() const;
  std::vector<double> difference_mean() const;
  std::vector<double> difference_std() const;
  std::vector<double> weights() const;

  // One table for each kind of feature: Name, Unit, Mean, Std, Minimum, Maximum, DiffMean, DiffStd,
  // Weight in Loss; all but the last in the unit.
  std::string summary() const;
};

}  // namespace py4cast
