#include "bench/compare.h"

#include <algorithm>
#include <cstdio>

#include "bench/report.h"
#include "engine/error.h"

namespace py4cast {
namespace {

std::string range_of(const std::vector<double>& times) {
  const auto [least, most] = std::ranges::minmax(times);
  char text[96];
  std::snprintf(text, sizeof text, "%.4g (%.4g-%.4g)", median(times), least, most);
  return text;
}

const char* word_for(Verdict verdict) {
  switch (verdict) {
    case Verdict::faster:
      return "faster";
    case Verdict::slower:
      return "SLOWER";
    case Verdict::same:
      break;
  }
  return "same";
}

template <typename F>
void for_each_common(const Times& before, const Times& after, F&& f) {
  for (const auto& [name, times] : before)
    if (const auto found = after.find(name); found != after.end()) f(name, times, found->second);
}

// A case that ends in an error is in no report.
size_t runs_of(const std::string& name, const Times& times) {
  const auto found = times.find(name);
  return found == times.end() ? 0 : found->second.size();
}

}  // namespace

Verdict compare_times(const std::vector<double>& before, const std::vector<double>& after) {
  if (std::ranges::min(after) > std::ranges::max(before)) return Verdict::slower;
  if (std::ranges::max(after) < std::ranges::min(before)) return Verdict::faster;
  return Verdict::same;
}

std::string comparison_table(const Times& before, const Times& after) {
  std::string text =
      "| case | old ms (least-most) | new ms | new / old | verdict |\n|---|---|---|---|---|\n";
  for_each_common(before, after, [&](const std::string& name, const auto& a, const auto& b) {
    char ratio[32];
    std::snprintf(ratio, sizeof ratio, "%.3f", median(b) / median(a));
    text += "| " + name + " | " + range_of(a) + " | " + range_of(b) + " | " + ratio + " | " +
            word_for(compare_times(a, b)) + " |\n";
  });
  const auto note_others = [&](const Times& some, const Times& others, const char* which) {
    for (const auto& [name, times] : some)
      if (runs_of(name, others) < times.size())
        text += (others.contains(name) ? "in more runs of the " : "only in the ") +
                std::string(which) + ": " + name + "\n";
  };
  note_others(before, after, "old build");
  note_others(after, before, "new build");
  return text;
}

bool any_worse(const Times& before, const Times& after) {
  bool worse = false, common = false;
  for_each_common(before, after, [&](const std::string&, const auto& a, const auto& b) {
    common = true;
    worse |= compare_times(a, b) == Verdict::slower;
  });
  if (!common) throw Error(ErrorKind::data, "the two builds have no case in common");
  return worse || std::ranges::any_of(before, [&](const auto& each) {
           return runs_of(each.first, after) < each.second.size();
         });
}

}  // namespace py4cast
