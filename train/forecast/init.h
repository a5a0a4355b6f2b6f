// A first configuration for files that the program has never seen: every guess with its reason.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "data/weather/source.h"
#include "engine/settings/json.h"

namespace py4cast {

struct Guess {
  Json values;                                 // the keys that were guessed, nested
  std::map<std::string, std::string> reasons;  // by key path: "dataset.border"
};

// Reads the axes and the fields of `source` (at most some 2 GiB of them); `kind` (dataset.name) and
// `files` are the names to write down. A training accepts what is written.
//   periods   of the time in which all variables have values the first 70 % for training, 15 % for
//             validation, 15 % for the test; a variable that would cost most of the samples is left out
//   roles     without a time, or the same at all times: static; radiation, fluxes and accumulations: forcing; else state;
//             what a training refuses (no values or no change in its period) is left out, and in a series
//             totals since some start, which never fall
//   missing   masked where there are missing values
//   step      the most frequent interval between two times of a variable, of most variables
//   border    1/8 of the shorter side, at most 10 points; none on a global grid
//   padding   if the sides are not divisible by 16
// `made_series`: the source is that of files with runs (dataset.as_series).
// Error(data): no time axis, no state, too few times for three periods, a period without a sample.
Guess guess_configuration(FieldSource& source, const std::string& kind,
                          const std::vector<std::string>& files, bool made_series = false);

// The configuration file: JSON with the reasons as comments.
std::string guess_document(const Guess& guess);

}  // namespace py4cast
