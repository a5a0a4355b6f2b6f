#include "data/weather/lacking_source.h"

#include <algorithm>
#include <span>
#include <utility>

#include "data/weather/forwarding_source.h"

namespace py4cast {
namespace {

class LackingSource : public ForwardingSource {
 public:
  LackingSource(std::unique_ptr<FieldSource> source, const std::vector<VariableInfo>& absent)
      : ForwardingSource(std::move(source)), variables_(source_->variables()) {
    std::erase_if(variables_, [&](const VariableInfo& info) {
      return std::ranges::find(absent, info.name, &VariableInfo::name) != absent.end();
    });
    present_ = variables_.size();
    variables_.insert(variables_.end(), absent.begin(), absent.end());
  }
  const std::vector<VariableInfo>& variables() const override { return variables_; }
  bool exists(const FieldRequest& request) const override {
    return !is_absent(request) && source_->exists(request);
  }
  std::string file_of(const FieldRequest& request) const override {
    return is_absent(request) ? "" : source_->file_of(request);
  }
  std::vector<std::string> notes() const override {
    std::vector<std::string> notes = source_->notes();
    const auto reasons = left_out();
    for (const VariableInfo& info : absent()) {
      const auto reason = reasons.find(info.name);
      notes.push_back("the diagnostic '" + info.name + "' is forecast although the files lack it" +
                      (reason == reasons.end() ? "" : " (" + reason->second + ")"));
    }
    return notes;
  }

 private:
  std::span<const VariableInfo> absent() const { return std::span(variables_).subspan(present_); }
  bool is_absent(const FieldRequest& request) const {
    return std::ranges::any_of(
        absent(), [&](const VariableInfo& info) { return info.name == request.variable; });
  }

  std::vector<VariableInfo> variables_;  // the absent ones last
  size_t present_ = 0;
};

// With all its levels, over times.
bool has(const FieldSource& source, const VariableInfo& wanted) {
  const auto& variables = source.variables();
  const auto found = std::ranges::find(variables, wanted.name, &VariableInfo::name);
  return found != variables.end() && found->has_time &&
         std::ranges::all_of(
             wanted.levels, [&](double level) { return found->index_of_level(level).has_value(); });
}

}  // namespace

std::unique_ptr<FieldSource> with_absent(std::unique_ptr<FieldSource> source,
                                         const std::vector<VariableInfo>& variables) {
  std::vector<VariableInfo> absent;
  std::ranges::copy_if(variables, std::back_inserter(absent),
                       [&](const VariableInfo& info) { return !has(*source, info); });
  if (absent.empty()) return source;
  return std::make_unique<LackingSource>(std::move(source), absent);
}

}  // namespace py4cast
