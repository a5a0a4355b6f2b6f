// Configuration files in the layout of the original program, on their way to keys of DatasetSettings.
#pragma once

#include <string>
#include <vector>

#include "engine/settings/json.h"

namespace py4cast {

// What the user is told of such a file.
std::string original_layout_note(const std::string& file);

// What the layouts of the original's data sets have in common. Every error is Error(configuration) and
// names the file and the key.
class OriginalLayout {
 public:
  OriginalLayout(const Json& content, const std::string& file) : content_(content), file_(file) {}

 protected:
  [[noreturn]] void fail(const std::string& key, const std::string& what) const;
  // Error: `keys` is no object, or has other ones.
  void check_keys(const Json& keys, const std::string& path,
                  const std::vector<std::string>& known) const;
  // A member that must be there (and an object).
  const Json& member(const Json& parent, const std::string& path, const char* name) const;
  const Json& object(const Json& parent, const std::string& path, const char* name) const;
  // periods.{train,valid,test}: checks the keys, and gives start and end to `result`. Dates stay as they
  // are, as texts (2022080600 is a time, too). Periods that are the same may overlap.
  void take_periods(const std::vector<std::string>& known, Json& result) const;
  // "input_output" is a state, "input" a forcing and "output" a diagnostic; nothing else can be.
  const char* role_of(const Json& variable, const std::string& path) const;

  static constexpr const char* splits[] = {"train", "valid", "test"};
  const Json& content_;
  const std::string& file_;
};

}  // namespace py4cast
