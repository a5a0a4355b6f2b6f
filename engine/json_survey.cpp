#include "engine/json_survey.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

namespace py4cast {
namespace {

class Surveyor : public nlohmann::json_sax<nlohmann::json> {
 public:
  JsonSurvey survey;

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(size_t) override { return open(); }
  bool end_object() override { return close(); }
  bool start_array(size_t) override { return open(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    if (!names_.back().insert(name).second && survey.twice.empty()) survey.twice = name;
    return true;
  }
  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception&) override {
    return false;
  }

 private:
  bool open() {
    names_.emplace_back();
    survey.depth = std::max(survey.depth, static_cast<int>(names_.size()));
    return true;
  }
  bool close() {
    names_.pop_back();
    return true;
  }

  std::vector<std::set<std::string>> names_;  // of the objects and arrays that are open
};

}  // namespace

JsonSurvey survey_json(std::string_view text) {
  Surveyor surveyor;
  nlohmann::json::sax_parse(text, &surveyor, nlohmann::json::input_format_t::json, /*strict=*/true,
                            /*ignore_comments=*/true);
  return surveyor.survey;
}

}  // namespace py4cast
