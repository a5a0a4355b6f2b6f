// Networks with the weights and inputs of the golden values, and what comes of them.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/runtime.h"
#include "kernels/ops/arithmetic.h"
#include "kernels/ops/reduce.h"
#include "kernels/ops/views.h"
#include "layers/batch_norm.h"
#include "models/model.h"
#include "tests/places.h"

namespace py4cast {

inline Json fixture(const std::string& name) {
  std::ifstream file(repository() + "/tests/reference/" + name);
  return Json::parse(file);
}

// Deterministic numbers in [-1, 1): an integer hash of the index, seeded by k.
inline float uniform(uint32_t i, uint32_t k) {
  uint32_t h = i * 2654435761u + k * 40503u + 12345u;
  h ^= h >> 16;
  for (int round = 0; round < 2; ++round) {
    h *= 0x45d9f3bu;
    h ^= h >> 16;
  }
  return static_cast<float>(2 * static_cast<double>(h) / 4294967296.0 - 1);
}

struct Network {
  Network(const std::string& kind, const Json& variant, DataType type, Device device = {},
          const ModelRegistry& models = built_in_models())
      : slab(type) {
    const int64_t rows = variant["shape"][0], columns = variant["shape"][1];
    Ports ports = field_ports(rows, columns, variant["inputs"], variant["outputs"]);
    ports.geometry = even_geometry(rows, columns);
    model = make_model(models, kind, Builder(slab), ports, variant["settings"], false);
    slab.allocate(device, nullptr, true);
    slab.initialise(RandomKey{42});
  }

  // The k-th trainable parameter from uniform(., k), scaled by its kind, in f32.
  void fill() {
    std::map<std::string, Tensor> state;
    for (const auto& [name, tensor] : slab.state()) state[name] = tensor;
    uint32_t k = 0;
    for (const Parameter& parameter : slab.parameters()) {
      if (!parameter.trainable()) continue;
      const Shape& shape = parameter.spec().file_shape;
      Tensor values = host_tensor(shape, DataType::f32);
      const auto ends = [&](const char* end) { return parameter.name().ends_with(end); };
      const bool gain = ends(".g") || (shape.rank() == 1 && ends("weight"));
      const bool matrix = shape.rank() > 1 && !gain && !ends(".b");
      const auto scale = static_cast<float>(
          std::sqrt(3.0 / (static_cast<double>(shape.numel()) / static_cast<double>(shape[0]))));
      for (uint32_t i = 0; float& value : values.span<float>()) {
        const float u = uniform(i++, k);
        value = matrix ? scale * u : (gain ? 1.0f : 0.0f) + 0.1f * u;
      }
      state[parameter.name()] = values;
      ++k;
    }
    slab.load(state, "golden values");
  }

  ParameterSlab slab;
  std::unique_ptr<Model> model;
};

inline Tensor golden_input(const Json& variant, DataType type) {
  Tensor x =
      host_tensor({variant["batch"], variant["shape"][0], variant["shape"][1], variant["inputs"]},
                  DataType::f32);
  for (uint32_t i = 0; float& value : x.span<float>()) value = 1.7f * uniform(i++, 9999);
  return converted(x, type);
}

inline std::vector<double> values_of(const Tensor& tensor) {
  const Tensor wide = converted(on_host(tensor), DataType::f64);
  return {wide.span<double>().begin(), wide.span<double>().end()};
}

struct Pass {
  Tensor y;
  double loss = 0;
  std::map<std::string, std::vector<double>> gradients;  // in file layout
};

// Forward and backward of mean(y^2).
inline Pass run(Network& network, const Tensor& x, Phase phase,
                Precision precision = Precision::fp32, Context context = {}) {
  Tape tape(add);
  std::vector<BufferUpdate> updates;
  context.tape = &tape;
  context.phase = phase;
  context.precision = precision;
  context.buffer_updates = &updates;
  Pass pass;
  pass.y = (*network.model)(context, x);
  const Tensor loss = mean_all(context, multiply(context, pass.y, pass.y));
  pass.loss = values_of(loss)[0];
  Context plain = context.without_tape();
  tape.backward(context, {&loss, 1}, {full(plain, {}, loss.type(), 1)},
                [&](Context&, const Parameter& parameter, Tensor gradient) {
                  copy(gradient, parameter.gradient());
                  pass.gradients[parameter.name()] =
                      values_of(permuted(on_host(gradient), inverse_order(parameter.spec().order)));
                });
  if (!updates.empty()) apply_statistics(plain, updates, joined_statistics(plain, updates));
  return pass;
}

}  // namespace py4cast
