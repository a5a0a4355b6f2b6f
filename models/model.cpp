#include "models/model.h"

#include <algorithm>
#include <cctype>

#include "kernels/ops/views.h"
#include "models/half_unet.h"

namespace py4cast {
namespace {

std::string folded(const std::string& name) {
  std::string result;
  for (unsigned char c : name)
    if (std::isalnum(c)) result += static_cast<char>(std::tolower(c));
  return result;
}

}  // namespace

Tensor Model::operator()(Context& context, const Tensor& x) const {
  const DataType inside = context.precision == Precision::bf16 ? DataType::bf16 : x.type();
  return cast(context, forward(context, {{"x", cast(context, x, inside)}}).at("y"), x.type());
}

void ModelRegistry::add(const std::string& name, ModelFactory factory) {
  if (!factories_.try_emplace(folded(name), name, std::move(factory)).second)
    throw Error(ErrorKind::configuration, "two networks are named '", name, "'");
}

std::unique_ptr<Model> ModelRegistry::create(const std::string& name, const Builder& builder,
                                             const ModelShape& shape, const Json& settings,
                                             bool autopad) const {
  const auto entry = factories_.find(folded(name));
  if (entry == factories_.end())
    throw Error(ErrorKind::configuration, "model.name: there is no network '", name,
                "'; the nearest is '", nearest_name(name, names()), "'");
  return entry->second.second(builder, shape, settings, autopad);
}

std::vector<std::string> ModelRegistry::names() const {
  std::vector<std::string> result;
  for (const auto& [key, value] : factories_) result.push_back(value.first);
  return result;
}

ModelRegistry built_in_models() {
  ModelRegistry registry;
  registry.add("HalfUNet", make_half_unet);
  return registry;
}

void SettingsReader::finish() const {
  for (const auto& [key, value] : settings_.items())
    if (std::find(known_.begin(), known_.end(), key) == known_.end())
      throw Error(ErrorKind::configuration, "unknown key 'model.settings.", key, "' of ", model_,
                  "; did you mean '", nearest_name(key, known_), "'?");
}

int64_t rounded_up(int64_t size, int64_t multiple) {
  return (size + multiple - 1) / multiple * multiple;
}

TensorMap Autopad::forward(Context& context, const TensorMap& inputs) const {
  TensorMap padded = inputs;
  Tensor& x = padded.at("x");
  const int64_t height = x.size(1), width = x.size(2);
  const int64_t extra_rows = rounded_up(height, model_->size_multiple()) - height;
  const int64_t extra_columns = rounded_up(width, model_->size_multiple()) - width;
  if (extra_rows) x = pad(context, x, 1, extra_rows / 2, extra_rows - extra_rows / 2);
  if (extra_columns) x = pad(context, x, 2, extra_columns / 2, extra_columns - extra_columns / 2);
  TensorMap outputs = model_->forward(context, padded);
  Tensor& y = outputs.at("y");
  if (extra_columns) y = narrow(context, y, 2, extra_columns / 2, width);
  if (extra_rows) y = narrow(context, y, 1, extra_rows / 2, height);
  return outputs;
}

}  // namespace py4cast
