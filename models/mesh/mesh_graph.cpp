#include "models/mesh/mesh_graph.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "engine/error.h"
#include "engine/parameters.h"

namespace py4cast {
namespace {

// The points of a grid in the unit square, and on a square of whole numbers where distances are
// compared without rounding.
struct Points {
  std::vector<float> x, y;          // 0 ... 1
  std::vector<int64_t> on_x, on_y;  // 0 ... side
  int64_t side = 0;
};

// One axis of the coordinates, brought to 0 ... 1.
std::vector<float> normalised(const Tensor& coordinates, int axis) {
  const auto all = coordinates.span<double>();
  std::vector<double> values;
  for (size_t i = static_cast<size_t>(axis); i < all.size(); i += 2) values.push_back(all[i]);
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  if (!(*low < *high))
    throw Error(ErrorKind::data, "the mesh of a graph network: the ", axis == 0 ? "x" : "y",
                " coordinate of the grid is ", *low, " everywhere");
  std::vector<float> result;
  for (double value : values) result.push_back(static_cast<float>((value - *low) / (*high - *low)));
  return result;
}

// Whether the values are whole numbers of `steps`-ths, but for a hundredth of one.
bool equal_steps(const std::vector<float>& values, int64_t steps) {
  return std::ranges::all_of(values, [&](float value) {
    const double place = static_cast<double>(value) * static_cast<double>(steps);
    return std::abs(place - std::round(place)) < 0.01;
  });
}

std::vector<int64_t> whole(const std::vector<float>& values, int64_t steps, int64_t side) {
  std::vector<int64_t> result;
  for (float value : values)
    result.push_back(std::llround(static_cast<double>(value) * static_cast<double>(steps)) *
                     (side / steps));
  return result;
}

Points points_of(const Tensor& coordinates, int64_t rows, int64_t columns) {
  // Squares of distances times 134^2 stay below 2^63.
  constexpr int64_t largest_side = int64_t{1} << 24, otherwise = int64_t{1} << 20;
  Points points{normalised(coordinates, 0), normalised(coordinates, 1), {}, {}, 0};
  int64_t steps_x = std::max<int64_t>(columns - 1, 1), steps_y = std::max<int64_t>(rows - 1, 1);
  points.side = std::lcm(steps_x, steps_y);
  if (points.side > largest_side || !equal_steps(points.x, steps_x) ||
      !equal_steps(points.y, steps_y))
    points.side = steps_x = steps_y = otherwise;
  points.on_x = whole(points.x, steps_x, points.side);
  points.on_y = whole(points.y, steps_y, points.side);
  return points;
}

struct Place {
  double x, y;
};
Place place_at(const Points& points, int64_t point) {
  const auto i = static_cast<size_t>(point);
  return {points.x[i], points.y[i]};
}
// Of node (row, column) of a level of n x n.
Place place_at(int64_t n, int64_t row, int64_t column) {
  const auto along = [n](int64_t k) {
    return static_cast<double>(2 * k + 1) / static_cast<double>(2 * n);
  };
  return {along(column), along(row)};
}
Place place_at(int64_t n, int64_t node) {
  return place_at(n, node / n, node % n);
}

// Takes edges one by one, in the order of their receivers.
class EdgeList {
 public:
  explicit EdgeList(int64_t expected) {
    senders_.reserve(static_cast<size_t>(expected));
    receivers_.reserve(static_cast<size_t>(expected));
    features_.reserve(static_cast<size_t>(3 * expected));
  }
  // Features of sender - receiver.
  void add(int64_t sender, int64_t receiver, Place from, Place to) {
    senders_.push_back(static_cast<int32_t>(sender));
    receivers_.push_back(static_cast<int32_t>(receiver));
    const double x = from.x - to.x, y = from.y - to.y;
    for (double feature : {std::sqrt(x * x + y * y), x, y})
      features_.push_back(static_cast<float>(feature));
  }
  // Senders are counted from `first`.
  EdgeSet edges(int32_t first = 0) const {
    const auto count = static_cast<int64_t>(senders_.size());
    EdgeSet set{host_tensor({2, count}, DataType::i32), host_tensor({count, 3}, DataType::f32)};
    int32_t* const index = set.index.data<int32_t>();
    std::ranges::transform(senders_, index, [first](int32_t sender) { return sender - first; });
    std::ranges::copy(receivers_, index + count);
    std::ranges::copy(features_, set.features.data<float>());
    return set;
  }
  const std::vector<int32_t>& senders() const { return senders_; }

 private:
  std::vector<int32_t> senders_, receivers_;
  std::vector<float> features_;
};

struct Neighbour {
  int64_t distance;  // squared, in units of side / (2 n)
  int64_t node;
  auto operator<=>(const Neighbour&) const = default;
};

// The four nodes of a level of n x n that are nearest to a point, the nearest first. All that can be
// among them, and all within 0.67 of the nodes' distance, are in a block of 4 x 4.
std::array<Neighbour, 4> nearest_nodes(const Points& points, int64_t point, int64_t n) {
  const int64_t side = points.side, block = std::min<int64_t>(n, 4),
                x = 2 * n * points.on_x[static_cast<size_t>(point)],
                y = 2 * n * points.on_y[static_cast<size_t>(point)];
  const auto first = [&](int64_t place) {  // two nodes up to the place, two after it
    return std::clamp<int64_t>((place + side) / (2 * side) - 2, 0, n - block);
  };
  const int64_t row = first(y), column = first(x);
  std::array<Neighbour, 4> best;
  best.fill({std::numeric_limits<int64_t>::max(), 0});
  for (int64_t i = row; i < row + block; ++i)
    for (int64_t j = column; j < column + block; ++j) {
      const int64_t dx = x - (2 * j + 1) * side, dy = y - (2 * i + 1) * side;
      const Neighbour other{dx * dx + dy * dy, i * n + j};
      if (other >= best[3]) continue;
      best[3] = other;
      for (size_t k = 3; k > 0 && best[k] < best[k - 1]; --k) std::swap(best[k], best[k - 1]);
    }
  return best;
}

// g2m and m2g.
void join_grid(MeshGraph& graph, const Points& points, int64_t n, Compatibility compatibility) {
  const auto count = static_cast<int64_t>(points.x.size());
  const int64_t radius = 134 * points.side, reach = radius * radius / 10000;  // (2 side 0.67)^2
  std::vector<std::vector<int32_t>> points_of_node(static_cast<size_t>(n * n));
  EdgeList to_grid(4 * count);
  for (int64_t point = 0; point < count; ++point) {
    auto near = nearest_nodes(points, point, n);
    const bool alone = near[0].distance > reach;
    for (const Neighbour& node : near)
      if (node.distance <= reach ||
          (alone && compatibility == Compatibility::none && node == near[0]))
        points_of_node[static_cast<size_t>(node.node)].push_back(static_cast<int32_t>(point));
    std::ranges::sort(near, {}, &Neighbour::node);
    for (const Neighbour& node : near)
      to_grid.add(node.node, point, place_at(n, node.node), place_at(points, point));
  }
  graph.m2g = to_grid.edges();
  EdgeList to_mesh(2 * count);
  for (int64_t node = 0; node < n * n; ++node)
    for (int64_t point : points_of_node[static_cast<size_t>(node)])
      to_mesh.add(point, node, place_at(points, point), place_at(n, node));
  const bool shifted = compatibility == Compatibility::mfai;
  graph.g2m = to_mesh.edges(shifted ? *std::ranges::min_element(to_mesh.senders()) : 0);
}

// Between neighbours `distance` rows or columns apart, for the levels of those distances; a level's
// first node of an axis is in the middle of its square.
EdgeSet neighbour_edges(int64_t n, const std::vector<int64_t>& distances) {
  EdgeList list(9 * n * n);
  std::vector<int64_t> senders;
  for (int64_t row = 0; row < n; ++row)
    for (int64_t column = 0; column < n; ++column) {
      senders.clear();
      for (int64_t distance : distances) {
        if (row % distance != distance / 2 || column % distance != distance / 2) break;
        for (int64_t i = row - distance; i <= row + distance; i += distance)
          for (int64_t j = column - distance; j <= column + distance; j += distance)
            if (i >= 0 && i < n && j >= 0 && j < n && (i != row || j != column))
              senders.push_back(i * n + j);
      }
      std::ranges::sort(senders);
      for (int64_t sender : senders)
        list.add(sender, row * n + column, place_at(n, sender), place_at(n, row, column));
    }
  return list.edges();
}

// Between a level of n x n and the next coarser one.
void join_levels(MeshGraph& graph, int64_t n) {
  const int64_t coarse = n / 3;
  EdgeList down(n * n), up(n * n);
  for (int64_t row = 0; row < n; ++row)
    for (int64_t column = 0; column < n; ++column)
      down.add(row / 3 * coarse + column / 3, row * n + column,
               place_at(coarse, row / 3, column / 3), place_at(n, row, column));
  for (int64_t node = 0; node < coarse * coarse; ++node)
    for (int64_t k = 0; k < 9; ++k) {
      const int64_t row = node / coarse * 3 + k / 3, column = node % coarse * 3 + k % 3;
      up.add(row * n + column, node, place_at(coarse, node), place_at(n, row, column));
    }
  graph.down.push_back(down.edges());
  graph.up.push_back(up.edges());
}

Tensor places(int64_t n) {
  const Tensor result = host_tensor({n * n, 2}, DataType::f32);
  for (int64_t node = 0; node < n * n; ++node) {
    const Place place = place_at(n, node);
    result.data<float>()[2 * node] = static_cast<float>(place.x);
    result.data<float>()[2 * node + 1] = static_cast<float>(place.y);
  }
  return result;
}

// Nodes along a side of each level, the finest first.
std::vector<int64_t> level_sides(int64_t rows, int64_t columns) {
  const int64_t longer = std::max(rows, columns);
  std::vector<int64_t> sides;
  for (int64_t n = 3; 3 * n <= longer; n *= 3) sides.insert(sides.begin(), n);
  return sides;
}

}  // namespace

float MeshGraph::longest_edge() const {
  float longest = 0;
  for (const EdgeSet& level : m2m) {
    const auto features = level.features.span<float>();
    for (size_t i = 0; i < features.size(); i += 3) longest = std::max(longest, features[i]);
  }
  return longest;
}

MeshGraph make_mesh_graph(const Tensor& coordinates, int64_t rows, int64_t columns,
                          const MeshSettings& settings) {
  if (rows < 1 || columns < 1)
    throw Error(ErrorKind::configuration, "the mesh of a graph network: a grid of ", rows, " x ",
                columns, " points has none");
  if (coordinates.type() != DataType::f64 || coordinates.shape() != Shape{rows * columns, 2})
    throw Error(ErrorKind::internal, "the mesh of a graph network: coordinates are ",
                name_of(coordinates.type()), " ", coordinates.shape(), " but must be f64 [",
                rows * columns, ", 2]");
  const std::vector<int64_t> sides = level_sides(rows, columns);
  if (sides.size() < (settings.hierarchical ? 2 : 1))
    throw Error(ErrorKind::configuration, "the mesh of a graph network: a grid of ", rows, " x ",
                columns, " points is too small",
                settings.hierarchical ? " for levels; the longer side must have 27 points or more"
                                      : "; the longer side must have 9 points or more");
  MeshGraph graph;
  join_grid(graph, points_of(coordinates, rows, columns), sides[0], settings.compatibility);
  if (!settings.hierarchical) {
    std::vector<int64_t> distances;
    for (int64_t side : sides) distances.push_back(sides[0] / side);
    graph.m2m = {neighbour_edges(sides[0], distances)};
    graph.nodes = {places(sides[0])};
    return graph;
  }
  for (size_t level = 0; level < sides.size(); ++level) {
    graph.m2m.push_back(neighbour_edges(sides[level], {1}));
    graph.nodes.push_back(places(sides[level]));
    if (level + 1 < sides.size()) join_levels(graph, sides[level]);
  }
  return graph;
}

}  // namespace py4cast
