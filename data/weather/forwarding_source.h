// A source in front of another one, of which it changes something.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "data/weather/source.h"

namespace py4cast {

class ForwardingSource : public FieldSource {
 public:
  explicit ForwardingSource(std::unique_ptr<FieldSource> source) : source_(std::move(source)) {}

  const Grid& grid() const override { return source_->grid(); }
  const TimeAxis& times() const override { return source_->times(); }
  const std::vector<VariableInfo>& variables() const override { return source_->variables(); }
  std::string place() const override { return source_->place(); }
  void read(const FieldRequest& request, const Region& region, float* out) override {
    source_->read(inner(request), region, out);
  }
  Packing read_stored(const FieldRequest& request, const Region& region, void* out) override {
    return source_->read_stored(inner(request), region, out);
  }
  bool exists(const FieldRequest& request) const override {
    return source_->exists(inner(request));
  }
  std::string file_of(const FieldRequest& request) const override {
    return source_->file_of(inner(request));
  }
  SourceMessage message(const FieldRequest& request) const override {
    return source_->message(inner(request));
  }
  double default_weight(const VariableInfo& info, double level) const override {
    return source_->default_weight(info, level);
  }
  std::vector<std::string> notes() const override { return source_->notes(); }
  std::map<std::string, std::string> left_out() const override { return source_->left_out(); }
  std::string fingerprint() const override { return source_->fingerprint(); }
  std::string content() const override { return source_->content(); }

 protected:
  // What the other source is asked for.
  virtual FieldRequest inner(const FieldRequest& request) const { return request; }

  const std::unique_ptr<FieldSource> source_;
};

}  // namespace py4cast
