// The graph on which graph networks compute: a mesh of square levels over the points of a grid.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/tensor.h"
#include "engine/tensor_map.h"

namespace py4cast {

// Edges from one set of nodes to another (or the same), sorted by receiver, then by sender.
struct EdgeSet {
  Tensor index;     // i32 [2, edges]: senders, then receivers, each counted from 0 in its own set
  Tensor features;  // f32 [edges, 3]: |d|, d_x, d_y; d = place of the sender - that of the receiver

  int64_t count() const { return index.size(1); }
};

// Places are those in the unit square over which the grid lies. Level 0 is the finest.
struct MeshGraph {
  EdgeSet g2m, m2g;               // from the grid to level 0, and back
  std::vector<EdgeSet> m2m;       // within each level
  std::vector<EdgeSet> up, down;  // from level l to l + 1, and back
  std::vector<Tensor> nodes;      // f32 [nodes, 2] of each level: places x, y

  int64_t levels() const { return static_cast<int64_t>(nodes.size()); }
  float longest_edge() const;  // of those within levels
};

enum class Compatibility { none, mfai };

struct MeshSettings {
  bool hierarchical = false;  // levels of their own; else edges of all levels between nodes of 0
  Compatibility compatibility = Compatibility::none;
};

// The graph of a grid of points, coordinates f64 [rows columns, 2] (x, y), row by row.
//
// Each axis of the coordinates is brought to 0 ... 1 in float32. With the largest k for which
// 3^k <= max(rows, columns), level l of k - 1 has n x n nodes, n = 3^(k - 1 - l), in the middles of
// equal squares, numbered row by row (y, then x).
//
//   m2m[l]  each node and its (up to) eight neighbours; not hierarchical: the edges of all levels,
//           between the nodes of level 0 in the same places
//   down[l] from each node to the 3 x 3 nodes of level l inside its square; up[l] the same edges
//           turned round with the same features, whose d is then receiver - sender
//   g2m     to each node of level 0 from the points within 0.67 of the nodes' distance; a point
//           that is in reach of none is joined to the nearest node
//   m2g     to each point from the four nearest nodes of level 0
//
// Of equally near nodes those of the lowest number are taken; on grids of equal steps distances are
// compared in whole numbers. Differences of places are computed in float64.
//
// Compatibility::mfai: points in reach of no node stay alone, and the senders of g2m are counted
// from the first point that has an edge, so that each edge brings the values of a point before its
// own. Source: neural-lam 0.1 and mfai 9.0.1, create_mesh.py, interaction_net.py; Oskarsson,
// Landelius, Lindsten, "Graph-based neural weather prediction for limited area modeling", 2023.
//
// Error(configuration): no points, or fewer than 9 along the longer side (27, if hierarchical).
// Error(data): a coordinate that is the same everywhere.
MeshGraph make_mesh_graph(const Tensor& coordinates, int64_t rows, int64_t columns,
                          const MeshSettings& settings);

// As named tensors of a file: "g2m", "m2g", "m2m_0", ..., "mesh_up_0", ..., "mesh_down_0", ... each
// with "_edge_index" [2, edges] and "_features" [edges, 3], and "mesh_0_features" [nodes, 2], ...
TensorMap tensors_of(const MeshGraph& graph);
// The reverse, for a grid of so many points; numbers of any type, edges in any order. `origin`
// names the file. Error(data): a tensor is missing, has another shape, or names a node that is
// not there; the graph is over another number of points; a point receives nothing from the mesh.
MeshGraph mesh_graph_of(const TensorMap& tensors, int64_t points, const std::string& origin);

// What mfai's files of weights hold of such a graph, edges in the same order: "g2m_edge_index" and
// "m2g_edge_index", i64, nodes numbered level by level and then the points; "g2m_features" and
// "m2g_features", f32, divided by the longest edge within a level. Error(data): as above.
TensorMap mfai_buffers(const TensorMap& tensors, const std::string& origin);

}  // namespace py4cast
