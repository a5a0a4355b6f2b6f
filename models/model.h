// A network: named tensors in, named tensors out.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/settings/registry.h"
#include "engine/settings/settings.h"
#include "engine/tape.h"
#include "engine/tensor_map.h"
#include "layers/module.h"

namespace py4cast {

class Model {
 public:
  virtual ~Model() = default;
  // Outputs for inputs: of the shapes that the network was made for, with a batch axis in front.
  virtual TensorMap forward(Context& context, const TensorMap& inputs) const = 0;

  // The output "y" for the input "x", of networks that have no others.
  Tensor operator()(Context& context, const Tensor& x) const;
};

// Where the points of a grid are, row by row, for networks that build a mesh on it.
struct Geometry {
  Tensor coordinates;  // f64 [points, 2]: x, y of the grid's own axes
  Tensor border;       // f32 [points, 1]: 1 where the forecast is given from outside, else 0
};

// Of a grid of equal steps without a border: x is the column, y the row.
std::shared_ptr<const Geometry> even_geometry(int64_t rows, int64_t columns);

// What a network needs to know of its data: the shapes of a sample, without the batch axis. Inputs
// and outputs of more than one axis are fields: axes in space, then the features.
struct Ports {
  std::map<std::string, Shape> inputs, outputs;
  std::shared_ptr<const Geometry> geometry = nullptr;  // null: there is none, or fields are padded
};
// Of a forecasting network: "x" [height, width, in] and "y" [height, width, out].
Ports field_ports(int64_t height, int64_t width, int64_t in, int64_t out);
// The shapes of "x" and "y", for a network that knows no other ports and takes fields of so many
// axes in space, which y has, too. Error(configuration): there are other ports, or one is missing.
std::pair<Shape, Shape> field_to_field(const Ports& ports, const std::string& model, int axes);

// Settings of networks that need sizes of certain multiples.
struct PaddedSettings : Settings {
  PY4CAST_SETTING(bool, autopad_enabled, false, "The same as model.autopad.");
};

// A kind of network.
struct ModelKind {
  // Registers the parameters and constants under the builder and returns the network. The settings
  // are checked and complete. Error(configuration): settings, or ports, that cannot be together.
  using Factory = std::function<std::unique_ptr<Model>(const Builder& builder, const Ports& ports,
                                                       const Json& settings)>;

  std::string name;
  const SettingsTable* settings;  // of model.settings
  Factory make;
  // What the sizes of fields must be multiples of, by axis in space, or one number for all axes.
  // Null: any size will do; else the settings are PaddedSettings.
  std::vector<int64_t> (*multiples)(const Json& settings) = nullptr;
  // The graph on which it computes, as the tensors of a file (models/mesh/mesh_graph.h). The settings
  // are checked and complete. Null: it has none.
  std::function<TensorMap(const Ports& ports, const Json& settings)> graph = {};
};
using ModelRegistry = Registry<ModelKind>;
// Reads the tensors of a file, for settings that name one.
using TensorReader = std::function<TensorMap(const std::string& path)>;
// Without a reader, such settings are refused.
ModelRegistry built_in_models(const TensorReader& read = {});

// A network of that name, in the care of what is the same for all networks:
// - settings are checked against the kind's table, names with the nearest;
// - sizes of ports and batches must be positive;
// - inputs are checked against the ports, results against what was promised;
// - with autopad (or the setting autopad_enabled) fields of any size are filled up with zeros
//   around the centre (before: half of the difference, rounded down) to the next multiple, and
//   results cut back. Without, Error(shape) names the multiple. Source: mfai's autopad;
// - in precision bf16 the network sees bf16 tensors; outputs are of the type of the inputs.
std::unique_ptr<Model> make_model(const ModelRegistry& models, const std::string& name,
                                  const Builder& builder, const Ports& ports, const Json& settings,
                                  bool autopad);

}  // namespace py4cast
