// Graphs against published counts and numbers of the original, against mfai's edges
// (tests/reference/make_graph_fixtures.py), and against a search through all nodes.
#include "models/mesh/mesh_graph.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <set>

#include "engine/error.h"
#include "models/model.h"
#include "tests/engine/error_of.h"
#include "tests/models/golden_network.h"
#include "tests/models/graph_fixtures.h"

namespace py4cast {
namespace {

Tensor even_coordinates(int64_t rows, int64_t columns) {
  return even_geometry(rows, columns)->coordinates;
}

MeshGraph graph_of(int64_t rows, int64_t columns, bool hierarchical,
                   Compatibility compatibility = Compatibility::none) {
  return make_mesh_graph(even_coordinates(rows, columns), rows, columns,
                         {.hierarchical = hierarchical, .compatibility = compatibility});
}

std::vector<int64_t> counts(const std::vector<EdgeSet>& sets) {
  std::vector<int64_t> result;
  for (const EdgeSet& set : sets) result.push_back(set.count());
  return result;
}

struct Counts {
  int64_t rows, columns;
  std::vector<int64_t> nodes, within, between;
  int64_t g2m;
};

using Integers64 = std::vector<int64_t>;

// The table of the specification.
TEST(MeshGraph, CountsAreThoseOfTheOriginal) {
  const Integers64 nodes{6561, 729, 81, 9}, within{51520, 5512, 544, 40}, between{6561, 729, 81};
  for (const auto& expected : {Counts{64, 64, {81, 9}, {544, 40}, {81}, 5436},
                               Counts{128, 128, {729, 81, 9}, {5512, 544, 40}, {729, 81}, 22744},
                               Counts{500, 500, nodes, within, between, 350696},
                               Counts{512, 512, nodes, within, between, 367720},
                               Counts{512, 640, nodes, within, between, 459668},
                               Counts{1024,
                                      1024,
                                      {59049, 6561, 729, 81, 9},
                                      {469480, 51520, 5512, 544, 40},
                                      {59049, 6561, 729, 81},
                                      1475712}}) {
    SCOPED_TRACE(std::to_string(expected.rows) + " x " + std::to_string(expected.columns));
    const MeshGraph levels = graph_of(expected.rows, expected.columns, true, Compatibility::mfai);
    Integers64 found;
    for (const Tensor& level : levels.nodes) found.push_back(level.size(0));
    EXPECT_EQ(found, expected.nodes);
    EXPECT_EQ(counts(levels.m2m), expected.within);
    EXPECT_EQ(counts(levels.up), expected.between);
    EXPECT_EQ(counts(levels.down), expected.between);
    EXPECT_EQ(levels.g2m.count(), expected.g2m);
    EXPECT_EQ(levels.m2g.count(), 4 * expected.rows * expected.columns);
    EXPECT_NEAR(levels.longest_edge(), 0.4714045, 1e-7);
    if (expected.rows > 512) continue;
    const MeshGraph one = graph_of(expected.rows, expected.columns, false, Compatibility::mfai);
    int64_t sum = 0;
    for (int64_t count : expected.within) sum += count;
    EXPECT_EQ(counts(one.m2m), Integers64{sum});
    EXPECT_EQ(one.nodes.size(), 1u);
    EXPECT_TRUE(one.up.empty() && one.down.empty());
    EXPECT_EQ(one.g2m.count(), expected.g2m);
  }
}

std::array<double, 3> sums(const Tensor& features) {
  std::array<double, 3> result{};
  const auto all = features.span<float>();
  for (size_t i = 0; i < all.size(); ++i) result[i % 3] += static_cast<double>(all[i]);
  return result;
}

void expect_first(const EdgeSet& set, int32_t sender, int32_t receiver,
                  std::array<double, 3> features) {
  EXPECT_EQ(set.index.data<int32_t>()[0], sender);
  EXPECT_EQ(set.index.data<int32_t>()[set.count()], receiver);
  for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(set.features.data<float>()[i], features[i], 1e-7) << i;
}

void expect_feature_sums(const EdgeSet& set, std::array<double, 3> expected, double tolerance) {
  const auto found = sums(set.features);
  for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(found[i], expected[i], tolerance) << i;
}

// The published numbers of 64 x 64. Theirs stand sorted by sender, so the first edges of two sets
// are others.
TEST(MeshGraph, FeaturesAreThoseOfTheOriginal) {
  const MeshGraph graph = graph_of(64, 64, true, Compatibility::mfai);
  expect_first(graph.m2m[0], 1, 0, {1.0 / 9, 1.0 / 9, 0});
  expect_feature_sums(graph.m2m[0], {72.22652, 0, 0}, 1e-5);
  // Point 1, whose number is counted from point 1.
  expect_first(graph.g2m, 0, 0, {0.06827242, -0.03968254, -0.05555556});
  EXPECT_NEAR(sums(graph.g2m.features)[0], 266.37227, 1e-4);
  expect_first(graph.m2g, 0, 0, {0.07856742, 0.05555556, 0.05555556});
  EXPECT_NEAR(sums(graph.m2g.features)[0], 1468.91502, 1e-3);
  for (const EdgeSet& set : {graph.down[0], graph.up[0]}) {
    expect_first(set, 0, 0, {0.15713485, 0.1111111, 0.1111111});
    EXPECT_NEAR(sums(set.features)[0], 9.656854, 1e-6);
  }
  const float *const fine = graph.nodes[0].data<float>(), *const coarse =
                                                              graph.nodes[1].data<float>();
  EXPECT_NEAR(fine[0], 0.0555556, 1e-7);
  EXPECT_NEAR(fine[161], 0.9444444, 1e-7);
  EXPECT_NEAR(coarse[1], 0.1666667, 1e-7);
  EXPECT_NEAR(coarse[17], 0.8333333, 1e-7);
}

// [edges, sum of senders, of receivers, of their products, sums of the features]
void expect_checksums(const std::string& name, const TensorMap& tensors, const Json& expected) {
  const Tensor &index = tensors.at(name + "_edge_index"),
               &features = tensors.at(name + "_features");
  const int64_t count = index.size(1);
  std::array<int64_t, 3> found{};
  for (int64_t e = 0; e < count; ++e) {
    const int64_t sender = index.data<int32_t>()[e], receiver = index.data<int32_t>()[count + e];
    found[0] += sender;
    found[1] += receiver;
    found[2] += sender * receiver;
  }
  EXPECT_EQ(count, expected[0].get<int64_t>()) << name;
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(found[i], expected[i + 1].get<int64_t>()) << name << i;
  const auto total = sums(features);
  for (size_t i = 0; i < 3; ++i)
    EXPECT_NEAR(total[i], expected[i + 4].get<double>(), 2e-7 * static_cast<double>(count)) << name;
}

// With mfai's choices between equally near nodes every edge is mfai's. Its own indices of g2m are
// right: the shift is done later, by the network.
TEST(MeshGraph, EdgesAreThoseOfMfai) {
  const Json all = fixture("graph_golden.json");
  for (const auto& [name, golden] : all["graphs"].items()) {
    SCOPED_TRACE(name);
    const int64_t rows = golden["shape"][0], columns = golden["shape"][1];
    MeshGraph graph = graph_of(rows, columns, name.starts_with("hilam"), Compatibility::mfai);
    choose(graph, all["choices"][name.substr(name.find('_') + 1)], rows, columns);
    shift_senders(graph, 1);
    const TensorMap tensors = tensors_of(graph);
    for (const auto& [set, sum] : golden["edges"].items()) expect_checksums(set, tensors, sum);
    EXPECT_EQ(tensors.size(), 2 * golden["edges"].size() + graph.nodes.size());
  }
}

// Each point's nodes by a search through all, in whole numbers of 1 / (2 n (rows - 1) (columns - 1)).
TEST(MeshGraph, PointsAreJoinedToTheirNearestNodes) {
  for (const auto& [rows, columns] : {std::pair{9, 9}, {27, 10}, {28, 55}, {64, 64}, {33, 49}}) {
    SCOPED_TRACE(std::to_string(rows) + " x " + std::to_string(columns));
    const MeshGraph graph = graph_of(rows, columns, false);
    const auto n = static_cast<int64_t>(std::sqrt(static_cast<double>(graph.nodes[0].size(0))));
    const int64_t side = int64_t{rows - 1} * (columns - 1), count = graph.m2g.count();
    EXPECT_EQ(count, 4 * rows * columns);
    std::map<int64_t, std::set<int64_t>> nodes_of_point;  // g2m
    for (int64_t e = 0; e < graph.g2m.count(); ++e)
      nodes_of_point[graph.g2m.index.data<int32_t>()[e]].insert(
          graph.g2m.index.data<int32_t>()[graph.g2m.count() + e]);
    for (int64_t point = 0; point < rows * columns; ++point) {
      std::vector<std::pair<int64_t, int64_t>> all;  // squared distance, node
      for (int64_t node = 0; node < n * n; ++node) {
        const int64_t dx = 2 * n * (point % columns) * (rows - 1) - (2 * (node % n) + 1) * side,
                      dy = 2 * n * (point / columns) * (columns - 1) - (2 * (node / n) + 1) * side;
        all.emplace_back(dx * dx + dy * dy, node);
      }
      std::ranges::sort(all);
      std::vector<int64_t> nearest;
      std::set<int64_t> reach{all[0].second};
      for (size_t i = 0; i < all.size(); ++i) {
        if (i < 4) nearest.push_back(all[i].second);
        if (100 * std::sqrt(static_cast<double>(all[i].first)) <= 134 * static_cast<double>(side))
          reach.insert(all[i].second);
      }
      std::ranges::sort(nearest);
      for (int64_t k = 0; k < 4; ++k) {
        EXPECT_EQ(graph.m2g.index.data<int32_t>()[4 * point + k], nearest[static_cast<size_t>(k)]);
        EXPECT_EQ(graph.m2g.index.data<int32_t>()[count + 4 * point + k], point);
      }
      EXPECT_EQ(nodes_of_point[point], reach) << "point " << point;
    }
  }
}

void expect_places(const EdgeSet& set, const std::function<Place(int64_t)>& sender,
                   const std::function<Place(int64_t)>& receiver, double sign = 1) {
  const int32_t* const index = set.index.data<int32_t>();
  for (int64_t e = 0; e < set.count(); ++e) {
    const Place from = sender(index[e]), to = receiver(index[set.count() + e]);
    const float* const features = set.features.data<float>() + 3 * e;
    EXPECT_NEAR(features[1], sign * (from.x - to.x), 1e-6);
    EXPECT_NEAR(features[2], sign * (from.y - to.y), 1e-6);
    EXPECT_NEAR(features[0], std::hypot(from.x - to.x, from.y - to.y), 1e-6);
    if (e == 0) continue;
    EXPECT_LT(std::pair(index[set.count() + e - 1], index[e - 1]),
              std::pair(index[set.count() + e], index[e]));
  }
}

// Without the original's defects every edge tells where its ends are, and none is there twice.
TEST(MeshGraph, FeaturesTellWhereTheNodesAre) {
  constexpr int64_t rows = 40, columns = 97;
  for (bool hierarchical : {false, true}) {
    const MeshGraph graph = graph_of(rows, columns, hierarchical);
    const auto point = [&](int64_t i) { return even_place(i, rows, columns); };
    const auto node = [&](size_t level) {
      return [&graph, level](int64_t i) {
        const float* const place = graph.nodes[level].data<float>() + 2 * i;
        return Place{static_cast<double>(place[0]), static_cast<double>(place[1])};
      };
    };
    expect_places(graph.g2m, point, node(0));
    expect_places(graph.m2g, node(0), point);
    for (size_t l = 0; l < graph.m2m.size(); ++l) expect_places(graph.m2m[l], node(l), node(l));
    for (size_t l = 0; l < graph.up.size(); ++l) {
      expect_places(graph.down[l], node(l + 1), node(l));
      expect_places(graph.up[l], node(l), node(l + 1), -1);
    }
  }
}

// A field that is turned round, or whose coordinates are those of a map in metres, has the mesh of
// its places, whatever the order of its rows.
TEST(MeshGraph, CoordinatesMayRunEitherWayAndBeginAnywhere) {
  constexpr int64_t rows = 30, columns = 40;
  const Tensor down = even_coordinates(rows, columns),
               up = host_tensor(down.shape(), DataType::f64);
  for (int64_t i = 0; i < rows * columns; ++i) {
    up.data<double>()[2 * i] = 350000 + 2500 * down.data<double>()[2 * i];
    up.data<double>()[2 * i + 1] = -120 - 2500 * down.data<double>()[2 * i + 1];
  }
  const MeshGraph a = make_mesh_graph(down, rows, columns, {}),
                  b = make_mesh_graph(up, rows, columns, {});
  const auto ends = [](const EdgeSet& set) {
    std::set<std::pair<int64_t, int64_t>> result;
    for (int64_t e = 0; e < set.count(); ++e)
      result.emplace(set.index.data<int32_t>()[e], set.index.data<int32_t>()[set.count() + e]);
    return result;
  };
  std::set<std::pair<int64_t, int64_t>> turned;
  for (const auto& [point, node] : ends(b.g2m))
    turned.emplace((rows - 1 - point / columns) * columns + point % columns, node);
  EXPECT_EQ(turned, ends(a.g2m));
}

// A grid of unequal steps, bent: each point's four nodes are no farther than any other.
TEST(MeshGraph, GridsMayBeBent) {
  constexpr int64_t rows = 30, columns = 41, n = 9;
  const Tensor bent = even_coordinates(rows, columns);
  for (int64_t i = 0; i < rows * columns; ++i) {
    double &x = bent.data<double>()[2 * i], &y = bent.data<double>()[2 * i + 1];
    const double u = x / (columns - 1), v = y / (rows - 1);
    x = u + 0.1 * v * (1 - v);
    y = v * v + 0.1 * u;
  }
  const MeshGraph graph = make_mesh_graph(bent, rows, columns, {});
  double low[2] = {1e9, 1e9}, high[2] = {-1e9, -1e9};
  for (int64_t i = 0; i < 2 * rows * columns; ++i) {
    low[i % 2] = std::min(low[i % 2], bent.data<double>()[i]);
    high[i % 2] = std::max(high[i % 2], bent.data<double>()[i]);
  }
  for (int64_t point = 0; point < rows * columns; ++point) {
    std::vector<double> all, taken;
    for (int64_t node = 0; node < n * n; ++node) {
      const float* const place = graph.nodes[0].data<float>() + 2 * node;
      double square = 0;
      for (int axis = 0; axis < 2; ++axis) {
        const double at =
            (bent.data<double>()[2 * point + axis] - low[axis]) / (high[axis] - low[axis]);
        square += (at - static_cast<double>(place[axis])) * (at - static_cast<double>(place[axis]));
      }
      all.push_back(std::sqrt(square));
    }
    for (int64_t k = 0; k < 4; ++k)
      taken.push_back(all[static_cast<size_t>(graph.m2g.index.data<int32_t>()[4 * point + k])]);
    std::ranges::sort(all);
    std::ranges::sort(taken);
    for (size_t k = 0; k < 4; ++k) EXPECT_NEAR(taken[k], all[k], 2e-6);
  }
}

TEST(MeshGraph, RefusesWhatHasNoMesh) {
  EXPECT_NE(error_of([] { graph_of(8, 8, false); }).find("9 points or more"), std::string::npos);
  EXPECT_NE(error_of([] { graph_of(26, 26, true); }).find("27 points or more"), std::string::npos);
  EXPECT_NE(error_of([] {
              make_mesh_graph(host_tensor({0, 2}, DataType::f64), 0, 32, {});
            }).find("a grid of 0 x 32 points has none"),
            std::string::npos);
  const Tensor flat = even_coordinates(9, 9);
  for (int64_t i = 0; i < 81; ++i) flat.data<double>()[2 * i + 1] = 3;
  EXPECT_NE(error_of([&] { make_mesh_graph(flat, 9, 9, {}); }).find("y coordinate"),
            std::string::npos);
}

bool equal(const Tensor& a, const Tensor& b) {
  return a.type() == b.type() && a.shape() == b.shape() &&
         std::equal(a.raw(), a.raw() + a.bytes(), b.raw());
}

TEST(MeshGraph, ComesBackFromTensorsInAnyOrder) {
  constexpr int64_t points = 28 * 30;
  for (bool hierarchical : {false, true}) {
    const TensorMap tensors = tensors_of(graph_of(28, 30, hierarchical));
    EXPECT_EQ(tensors.size(), hierarchical ? 14u : 7u);
    TensorMap turned;
    for (const auto& [name, tensor] : tensors) {
      turned[name] = host_tensor(tensor.shape(), DataType::f64);
      const Tensor wide = converted(tensor, DataType::f64);
      const int64_t edges = name.ends_with("index") ? tensor.size(1) : tensor.size(0);
      for (int64_t i = 0; i < wide.numel(); ++i) {
        const int64_t width = wide.numel() / edges;
        const int64_t from = name.starts_with("mesh_0") || name.starts_with("mesh_1") ? i
                             : name.ends_with("index")
                                 ? i / edges * edges + edges - 1 - i % edges
                                 : (edges - 1 - i / width) * width + i % width;
        turned[name].data<double>()[i] = wide.data<double>()[from];
      }
    }
    for (const TensorMap& given : {tensors, turned}) {
      const TensorMap again = tensors_of(mesh_graph_of(given, points, "graph.nc"));
      ASSERT_EQ(again.size(), tensors.size());
      for (const auto& [name, tensor] : tensors) EXPECT_TRUE(equal(again.at(name), tensor)) << name;
    }
    TensorMap wrong = tensors;
    wrong.erase("g2m_features");
    EXPECT_EQ(error_of([&] { mesh_graph_of(wrong, points, "graph.nc"); }),
              "graph.nc: there is no 'g2m_features'; the nearest is 'm2g_features'");
    for (const int64_t others : {points - 1, 4 * points})
      EXPECT_EQ(
          error_of([&] { mesh_graph_of(tensors, others, "graph.nc"); }),
          "graph.nc: the graph is over 840 points, but the data have " + std::to_string(others));
  }
}

TEST(MeshGraph, RefusesTensorsThatAreNoGraph) {
  const TensorMap tensors = tensors_of(graph_of(9, 9, false));
  const auto error_with = [&](const std::string& name, double value) {
    TensorMap wrong = tensors;
    wrong[name] = converted(tensors.at(name), DataType::f64);
    wrong[name].data<double>()[1] = value;
    return error_of([&] { mesh_graph_of(wrong, 81, "g.nc"); });
  };
  EXPECT_EQ(error_with("m2m_0_features", NAN),
            "g.nc: m2m_0_features has a value that is not finite");
  EXPECT_EQ(error_with("mesh_0_features", 1e300),
            "g.nc: mesh_0_features has a value that is not finite");
  EXPECT_EQ(error_with("g2m_edge_index", 0.5), "g.nc: g2m_edge_index: 0.5 is no number of a node");
  EXPECT_EQ(error_with("m2g_edge_index", NAN), "g.nc: m2g_edge_index: nan is no number of a node");
  EXPECT_EQ(error_with("m2g_edge_index", 1e300),
            "g.nc: m2g_edge_index: 1e+300 is no number of a node");
}

// 81 + 9 nodes come before the points; edges stay as they stand.
TEST(MeshGraph, BuffersAreThoseOfMfai) {
  const MeshGraph graph = graph_of(27, 30, true);
  TensorMap tensors = tensors_of(graph);
  const Tensor& index = tensors.at("g2m_edge_index");
  int32_t* const senders = index.data<int32_t>();
  std::reverse(senders, senders + index.size(1));
  const TensorMap buffers = mfai_buffers(tensors, "g.nc");
  ASSERT_EQ(buffers.size(), 4u);
  for (const auto& [name, rows] :
       {std::pair<std::string, std::array<int64_t, 2>>{"g2m", {90, 0}}, {"m2g", {0, 90}}}) {
    const Tensor &given = tensors.at(name + "_edge_index"),
                 &found = buffers.at(name + "_edge_index"),
                 &features = buffers.at(name + "_features");
    ASSERT_EQ(found.shape(), given.shape());
    for (int64_t e = 0; e < given.numel(); ++e)
      ASSERT_EQ(found.data<int64_t>()[e],
                given.data<int32_t>()[e] + rows[static_cast<size_t>(e / given.size(1))])
          << name << " " << e;
    ASSERT_EQ(features.shape(), tensors.at(name + "_features").shape());
    for (int64_t i = 0; i < features.numel(); ++i)
      ASSERT_NEAR(features.data<float>()[i] * std::sqrt(2.0f) / 3,
                  tensors.at(name + "_features").data<float>()[i], 1e-7)
          << name << " " << i;
  }
  tensors.erase("m2m_1_features");
  EXPECT_NE(
      error_of([&] { mfai_buffers(tensors, "g.nc"); }).find("g.nc: there is no 'm2m_1_features'"),
      std::string::npos);
}

}  // namespace
}  // namespace py4cast
