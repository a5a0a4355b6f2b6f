// What is checked in a text of JSON before anything is made of it.
#pragma once

#include <string>
#include <string_view>

namespace py4cast {

struct JsonSurvey {
  int depth = 0;      // of nesting
  std::string twice;  // a name that stands twice in one object; empty: none
};
// Up to the first place that is no JSON; comments are passed over. Linear in the length of the text.
JsonSurvey survey_json(std::string_view text);

}  // namespace py4cast
