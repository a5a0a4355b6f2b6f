// What the tests of graphs and of graph networks share.
#pragma once

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

#include "engine/parameters.h"
#include "engine/settings/json.h"
#include "models/mesh/mesh_graph.h"

namespace py4cast {

struct Place {
  double x, y;
};
// Of a point of an even grid, in the unit square, as it is stored.
inline Place even_place(int64_t point, int64_t rows, int64_t columns) {
  const auto along = [](int64_t i, int64_t count) {
    return static_cast<double>(
        static_cast<float>(static_cast<double>(i) / static_cast<double>(count - 1)));
  };
  return {along(point % columns, columns), along(point / columns, rows)};
}

// Joins points to other nodes: {point: its four nodes}.
inline void choose(MeshGraph& graph, const Json& choices, int64_t rows, int64_t columns) {
  const double n = std::sqrt(static_cast<double>(graph.nodes[0].size(0)));
  for (const auto& [number, nodes] : choices.items()) {
    const int64_t point = std::stol(number);
    const Place to = even_place(point, rows, columns);
    for (int64_t k = 0; k < 4; ++k) {
      const auto node = nodes[static_cast<size_t>(k)].get<int32_t>();
      const double row = std::floor(node / n), column = node - n * row;
      const double x = (2 * column + 1) / (2 * n) - to.x, y = (2 * row + 1) / (2 * n) - to.y;
      graph.m2g.index.data<int32_t>()[4 * point + k] = node;
      float* const features = graph.m2g.features.data<float>() + 3 * (4 * point + k);
      features[0] = static_cast<float>(std::sqrt(x * x + y * y));
      features[1] = static_cast<float>(x);
      features[2] = static_cast<float>(y);
    }
  }
}

// Adds to the number of each point that g2m reads.
inline void shift_senders(MeshGraph& graph, int32_t by) {
  int32_t* const senders = graph.g2m.index.data<int32_t>();
  std::for_each(senders, senders + graph.g2m.count(), [by](int32_t& sender) { sender += by; });
}

}  // namespace py4cast
