#include "train/configuration.h"

#include <cstdio>

#include "engine/error.h"

namespace py4cast {

void check_ranks(const Configuration& configuration, int64_t ranks) {
  const int64_t expected = configuration.run.gpu;
  if (expected == 0 || expected == ranks) return;
  throw Error(ErrorKind::configuration, "run.gpu (--gpu) asks for ", expected,
              expected == 1 ? " rank" : " ranks", " but the program runs on ", ranks,
              "; start it with 'mpirun -np ", expected, " ...'");
}

std::pair<int64_t, int64_t> profiled_steps(const std::string& text) {
  if (text.empty()) return {0, -1};
  long long first = 0, last = 0;
  int end = 0;
  if (std::sscanf(text.c_str(), "%lld%*1[:-]%lld%n", &first, &last, &end) != 2 ||
      static_cast<size_t>(end) != text.size() || first < 1 || last < first)
    throw Error(ErrorKind::configuration, "run.profile_steps '", text,
                "' is not FIRST:LAST with two optimiser steps that count from 1");
  return {first, last};
}

}  // namespace py4cast
