// Two builds against each other.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace py4cast {

enum class Verdict { same, faster, slower };

// slower: the best new time is longer than the worst old one; faster: the worst new one is shorter than
// the best old one. Chance alone says either once in C(2n, n) times with n runs of both: with five of
// each once in 252.
Verdict compare_times(const std::vector<double>& before, const std::vector<double>& after);

using Times = std::map<std::string, std::vector<double>>;  // ms by case

// The table of the cases that both have, and the names of those that are not in as many runs of both.
std::string comparison_table(const Times& before, const Times& after);
// Whether a case is slower, or is gone from a run of the new build. Error(data): they have none in common.
bool any_worse(const Times& before, const Times& after);

}  // namespace py4cast
