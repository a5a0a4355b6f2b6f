#include "data/weather/lacking_source.h"

#include <algorithm>
#include <span>
#include <utility>

namespace py4cast {
namespace {

class LackingSource : public FieldSource {
 public:
  LackingSource(std::unique_ptr<FieldSource> source, const std::vector<VariableInfo>& absent)
      : source_(std::move(source)), present_(source_->variables().size()) {
    variables_ = source_->variables();
    variables_.insert(variables_.end(), absent.begin(), absent.end());
  }
  const Grid& grid() const override { return source_->grid(); }
  const TimeAxis& times() const override { return source_->times(); }
  const std::vector<VariableInfo>& variables() const override { return variables_; }
  void read(const FieldRequest& request, const Region& region, float* out) override {
    source_->read(request, region, out);
  }
  Packing read_stored(const FieldRequest& request, const Region& region, void* out) override {
    return source_->read_stored(request, region, out);
  }
  bool exists(const FieldRequest& request) const override {
    return !is_absent(request) && source_->exists(request);
  }
  std::string file_of(const FieldRequest& request) const override {
    return is_absent(request) ? "" : source_->file_of(request);
  }
  SourceMessage message(const FieldRequest& request) const override {
    return source_->message(request);
  }
  double default_weight(const VariableInfo& info, double level) const override {
    return source_->default_weight(info, level);
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
  std::map<std::string, std::string> left_out() const override { return source_->left_out(); }
  std::string fingerprint() const override { return source_->fingerprint(); }
  std::string content() const override { return source_->content(); }

  const VariableInfo& variable(const std::string& name) const override {
    const auto found = std::ranges::find(absent(), name, &VariableInfo::name);
    return found == absent().end() ? source_->variable(name) : *found;
  }

 private:
  std::span<const VariableInfo> absent() const { return std::span(variables_).subspan(present_); }
  bool is_absent(const FieldRequest& request) const {
    return std::ranges::any_of(
        absent(), [&](const VariableInfo& info) { return info.name == request.variable; });
  }

  std::unique_ptr<FieldSource> source_;
  std::vector<VariableInfo> variables_;  // the absent ones last
  size_t present_;
};

}  // namespace

std::unique_ptr<FieldSource> with_absent(std::unique_ptr<FieldSource> source,
                                         const std::vector<VariableInfo>& variables) {
  std::vector<VariableInfo> absent;
  std::ranges::copy_if(variables, std::back_inserter(absent), [&](const VariableInfo& info) {
    return std::ranges::find(source->variables(), info.name, &VariableInfo::name) ==
           source->variables().end();
  });
  if (absent.empty()) return source;
  return std::make_unique<LackingSource>(std::move(source), absent);
}

}  // namespace py4cast
