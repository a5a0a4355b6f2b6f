#include "data/weather/units.h"

#include <udunits2.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <memory>
#include <mutex>

#include "engine/error.h"
#include "engine/text.h"

namespace py4cast {
namespace {

// In lower case, without what stands between the factors.
const std::map<std::string, std::string> spellings = {
    {"c", "degC"},
    {"degc", "degC"},
    {"\u00b0c", "degC"},
    {"degreec", "degC"},
    {"degreesc", "degC"},
    {"degreecelsius", "degC"},
    {"degreescelsius", "degC"},
    {"degk", "K"},
    {"degreesk", "K"},
    {"degreeskelvin", "K"},
    {"pa", "Pa"},
    {"kpa", "kPa"},
    {"hpa", "hPa"},
    {"mb", "hPa"},
    {"gpm", "m"},
    {"gpdm", "dam"},
    {"mofwaterequivalent", "m"},
    {"deg", "degree"},
    {"degtrue", "degree"},
    {"degreetrue", "degree"},
    {"degreestrue", "degree"},
    {"mps", "m s-1"},
    {"ms-1", "m s-1"},
    {"kgkg-1", "kg kg-1"},
    {"kgm-2", "kg m-2"},
    {"wm-2", "W m-2"},
    {"jm-2", "J m-2"},
    {"m2s-2", "m2 s-2"},
    {"-", "1"},
    {"~", "1"},
    {"none", "1"},
    {"dimensionless", "1"},
    {"unitless", "1"},
    {"fraction", "1"},
    {"proportion", "1"},
    {"numeric", "1"},
    {"(0-1)", "1"},
    {"0-1", "1"},
};

std::string spelled(const std::string& units) {
  const auto first = units.find_first_not_of(" \t\n");
  if (first == std::string::npos) return "";
  const std::string text = units.substr(first, units.find_last_not_of(" \t\n") + 1 - first);
  std::string plain = lower_case(text);
  std::erase_if(plain, [](char letter) {
    return std::string_view(" *^._").find(letter) != std::string_view::npos;
  });
  const auto known = spellings.find(plain);
  return known == spellings.end() ? text : known->second;
}

// UDUNITS counts a radian as 1.
bool is_angle(const std::string& units) {
  const std::string text = lower_case(units);
  return std::ranges::any_of(std::array{"deg", "rad", "arc", "\u00b0"},
                             [&](const char* begin) { return text.starts_with(begin); }) &&
         !text.starts_with("degc") && !text.starts_with("degf") && !text.starts_with("degk");
}

struct Freed {
  void operator()(ut_unit* unit) const { ut_free(unit); }
  void operator()(cv_converter* converter) const { cv_free(converter); }
};
using Unit = std::unique_ptr<ut_unit, Freed>;
using Converter = std::unique_ptr<cv_converter, Freed>;

// Not safe to use from several threads at once.
ut_system* table_of_units() {
  static ut_system* const table = [] {
    ut_set_error_message_handler(ut_ignore);
    return ut_read_xml(nullptr);
  }();
  if (!table) {
    ut_status status = UT_SUCCESS;
    throw Error(ErrorKind::input_output,
                "the table of units of UDUNITS cannot be read: ", ut_get_path_xml(nullptr, &status),
                " (Debian's package is libudunits2-data; the variable UDUNITS2_XML_PATH names the "
                "file elsewhere)");
  }
  return table;
}

}  // namespace

bool UnitConversion::same() const {
  return std::abs(factor - 1) < 1e-9 && std::abs(offset) < 1e-9;
}

std::optional<UnitConversion> unit_conversion(const std::string& from, const std::string& to) {
  const std::string a = spelled(from), b = spelled(to);
  if (a.empty() || b.empty()) return {};
  if (a == b) return UnitConversion{};
  if (is_angle(a) != is_angle(b)) return {};
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  ut_system* const table = table_of_units();
  const Unit given(ut_parse(table, a.c_str(), UT_UTF8)),
      wanted(ut_parse(table, b.c_str(), UT_UTF8));
  if (!given || !wanted) return {};
  const Converter converter(ut_get_converter(given.get(), wanted.get()));
  if (!converter) return {};
  const double zero = cv_convert_double(converter.get(), 0),
               one = cv_convert_double(converter.get(), 1),
               two = cv_convert_double(converter.get(), 2);
  const UnitConversion conversion{one - zero, zero};
  // Logarithms ("dBZ") are no such line.
  if (!(std::abs(conversion(2) - two) <= 1e-9 * (std::abs(one) + std::abs(two)))) return {};
  return conversion;
}

bool same_units(const std::string& a, const std::string& b) {
  if (a == b) return true;
  const auto conversion = unit_conversion(a, b);
  return conversion && conversion->same();
}

std::optional<double> hectopascals_in(const std::string& units) {
  const auto conversion = unit_conversion(units, "hPa");
  if (!conversion) return {};
  return conversion->factor;
}

}  // namespace py4cast
