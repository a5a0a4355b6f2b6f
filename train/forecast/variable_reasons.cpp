#include "train/forecast/variable_reasons.h"

#include <algorithm>
#include <iterator>
#include <sstream>
#include <utility>
#include <vector>

#include "engine/text.h"

namespace py4cast {

std::string interval_word(const VariableInfo& variable) {
  const std::string text = lower_case(variable.long_name + " " + variable.standard_name);
  for (const char* word : {"radiation", "solar", "insolation", "accumul", "flux", "precipitation",
                           "rainfall", "snowfall"})
    if (text.find(word) != std::string::npos) return word;
  std::string units;
  std::copy_if(variable.units.begin(), variable.units.end(), std::back_inserter(units),
               [](char letter) { return letter != ' ' && letter != '*'; });
  if (units == "Jm-2" || units == "Wm-2" || units == "J/m2" || units == "W/m2")
    return variable.units;
  for (const char* name : {"ssrd", "strd", "ssr", "str", "tsr", "ttr", "tisr", "tp"})
    if (variable.name == name) return name;
  return "";
}

bool never_falls(const LevelSurvey& found, const TimeAxis& axis) {
  ValueRange changes;
  for (const LevelSurvey::Field& field : found.fields) changes.add(field.changes);
  return !axis.reforecast() && changes.any() && changes.low >= 0;
}

std::string growth_words(const FieldSource& source, const VariableInfo& variable, int64_t level,
                         const LevelSurvey& found) {
  const TimeAxis& axis = source.times();
  if (!axis.reforecast()) return "";
  const std::string advice =
      " whose interval depends on the lead time; the differences of its times are the amounts of a "
      "step.";
  ValueRange values;
  std::map<Time, ValueRange> by_lead;  // changes that end there
  for (const LevelSurvey::Field& field : found.fields) {
    values.add(field.values);
    if (field.changes.any()) by_lead[field.lead].add(field.changes);
  }
  const double least = -1e-3 * (values.high - values.low);  // packing rounds
  std::vector<Time> falls;
  bool grows = false, alone = true;
  for (auto lead = by_lead.begin(); lead != by_lead.end(); ++lead) {
    grows |= lead->second.high > 0;
    if (lead->second.low >= least) continue;
    alone &= falls.empty() || std::prev(lead)->first != falls.back();
    falls.push_back(lead->first);
  }
  // What is no sum falls at many leads, or for half a day.
  if (!grows || !alone || 3 * falls.size() > by_lead.size()) {
    FieldRequest at{variable.name, level};
    for (; at.lead < std::ssize(axis.leads); ++at.lead)
      if (source.exists(at) && source.message(at).total)
        return " The intervals of its messages begin together: they are sums" + advice;
    return "";
  }
  std::ostringstream text;
  text << " Its values only grow within a run";
  for (size_t i = 0; i < std::min<size_t>(falls.size(), 3); ++i)
    text << (i == 0 ? " and begin anew before +" : ", +") << static_cast<double>(falls[i]) / 3600
         << " h";
  if (falls.size() > 3) text << " ...";
  text << ": they seem to be a sum" << advice;
  return text.str();
}

std::string left_out_words(const std::map<std::string, std::string>& left_out,
                           const std::string& path) {
  constexpr size_t listed = 3;
  std::vector<std::pair<std::string, std::vector<std::string>>> by_reason;
  for (const auto& [name, whole] : left_out) {
    const std::string reason =
        whole.starts_with(path + ": ") ? whole.substr(path.size() + 2) : whole;
    const auto known =
        std::ranges::find(by_reason, reason, [](const auto& each) { return each.first; });
    if (known == by_reason.end())
      by_reason.push_back({reason, {name}});
    else
      known->second.push_back(name);
  }
  const auto is_no_field = [](const auto& each) {
    return each.first.find("is not a field on the grid") != std::string::npos;
  };
  if (!std::ranges::all_of(by_reason, is_no_field)) std::erase_if(by_reason, is_no_field);
  std::string text;
  for (size_t i = 0; i < std::min(listed, by_reason.size()); ++i) {
    const auto& [reason, names] = by_reason[i];
    for (size_t k = 0; k < std::min(listed, names.size()); ++k)
      text += (k > 0 ? ", " : i > 0 ? "; " : "") + names[k];
    if (names.size() > listed) text += " and " + std::to_string(names.size() - listed) + " more";
    text += " (" + reason + ")";
  }
  if (by_reason.size() > listed)
    text += " and others for " + std::to_string(by_reason.size() - listed) + " more reasons";
  return text;
}

}  // namespace py4cast
