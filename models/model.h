// A network: named tensors in, named tensors out.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/tape.h"
#include "layers/module.h"

namespace py4cast {

using Json = nlohmann::ordered_json;
using TensorMap = std::map<std::string, Tensor>;

class Model {
 public:
  virtual ~Model() = default;
  // Forecasting networks take "x" [batch, height, width, in] and give "y" [batch, height, width,
  // out].
  virtual TensorMap forward(Context& context, const TensorMap& inputs) const = 0;
  // Height and width must be multiples of this.
  virtual int64_t size_multiple() const { return 1; }

  // y for x, of x's type. In precision bf16 the network itself sees bf16 tensors; its parameters
  // are f32.
  Tensor operator()(Context& context, const Tensor& x) const;
};

// What a network needs to know of its data.
struct ModelShape {
  int64_t in = 0, out = 0;        // features
  int64_t height = 0, width = 0;  // grid points
};

// Registers its parameters under the builder and returns the network.
// Error(configuration): an unknown setting (with the nearest), a wrong type, a size that is not a
// multiple.
using ModelFactory = std::function<std::unique_ptr<Model>(const Builder&, const ModelShape&,
                                                          const Json& settings, bool autopad)>;

// Names to factories. "HalfUNet", "half_unet" and "halfunet" are the same name.
class ModelRegistry {
 public:
  void add(const std::string& name,
           ModelFactory factory);  // Error(configuration): the name is taken
  // Error(configuration): unknown, with the nearest name.
  std::unique_ptr<Model> create(const std::string& name, const Builder& builder,
                                const ModelShape& shape, const Json& settings, bool autopad) const;
  std::vector<std::string> names() const;

 private:
  std::map<std::string, std::pair<std::string, ModelFactory>> factories_;  // by folded name
};
ModelRegistry built_in_models();

// Reads a network's settings: each key into its variable; what the JSON lacks keeps the variable's
// value.
//   SettingsReader(json, "halfunet").get("num_filters", filters).get("bias", bias).finish();
// Error(configuration): a wrong type; an unknown key, with the nearest.
class SettingsReader {
 public:
  SettingsReader(const Json& settings, std::string model)
      : settings_(settings), model_(std::move(model)) {}

  template <typename T>
  SettingsReader& get(const std::string& key, T& value) {
    known_.push_back(key);
    if (const auto entry = settings_.find(key); entry != settings_.end()) {
      try {
        entry->get_to(value);
      } catch (const Json::exception&) {
        throw Error(ErrorKind::configuration, "model.settings.", key, " of ", model_, ": ",
                    entry->dump(), " is of the wrong type");
      }
      if constexpr (std::is_integral_v<T>)
        if (entry->is_number_float() || entry->is_boolean() != std::is_same_v<T, bool>)
          throw Error(ErrorKind::configuration, "model.settings.", key, " of ", model_, ": ",
                      entry->dump(), " is of the wrong type");
    }
    return *this;
  }
  void finish() const;

 private:
  const Json& settings_;
  std::string model_;
  std::vector<std::string> known_;
};

// Any network on any size: zero padding around the centre up to the next multiple (left =
// difference / 2), and the result cropped back. Source: mfai's autopad.
class Autopad : public Model {
 public:
  explicit Autopad(std::unique_ptr<Model> model) : model_(std::move(model)) {}
  TensorMap forward(Context& context, const TensorMap& inputs) const override;

 private:
  std::unique_ptr<Model> model_;
};
int64_t rounded_up(int64_t size, int64_t multiple);

}  // namespace py4cast
