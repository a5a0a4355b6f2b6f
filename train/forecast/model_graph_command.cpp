// py4cast model graph
#include <iostream>

#include "data/netcdf/tensor_file.h"
#include "engine/error.h"
#include "models/mesh/mesh_graph.h"
#include "models/model.h"
#include "train/forecast/commands.h"

namespace py4cast {
namespace {

// "512x640": rows, columns.
std::pair<int64_t, int64_t> grid_of(const std::string& text) {
  const size_t cross = text.find('x');
  const auto number = [&](const std::string& digits) {
    if (digits.empty() || digits.size() > 9 ||
        digits.find_first_not_of("0123456789") != std::string::npos)
      throw Error(ErrorKind::configuration, "--grid: ROWSxCOLUMNS is needed, as 512x640, not '",
                  text, "'");
    return std::stol(digits);
  };
  return {number(text.substr(0, cross)),
          number(cross == std::string::npos ? "" : text.substr(cross + 1))};
}

int model_graph(int64_t rows, int64_t columns, const MeshSettings& settings,
                const std::string& out) {
  const auto geometry = even_geometry(rows, columns);
  const MeshGraph graph = make_mesh_graph(geometry->coordinates, rows, columns, settings);
  write_netcdf_tensors(
      out, tensors_of(graph),
      "mesh over a grid of " + std::to_string(rows) + " x " + std::to_string(columns) + " points");
  std::cout << out << ": " << graph.levels() << (graph.levels() > 1 ? " levels of " : " level of ");
  for (int64_t level = 0; level < graph.levels(); ++level)
    std::cout << (level ? ", " : "") << graph.nodes[static_cast<size_t>(level)].size(0);
  std::cout << " nodes, " << graph.g2m.count() << " edges from and " << graph.m2g.count()
            << " to the grid\n";
  return 0;
}

}  // namespace

Command model_graph_command() {
  return {"model graph",
          "",
          0,
          0,
          "Writes the graph that a graph network builds over a grid of equal steps, as netCDF.",
          {{"grid", "HxW", "Rows and columns of the grid."},
           {"out", "FILE", "The netCDF file to write."},
           {"hierarchical", "", "Levels of their own, as of hilam; else one, as of graphlam."},
           {"compatibility", "NAME", "none, or mfai: with the original's defects (default none)."}},
          {},
          [](const Arguments& arguments) {
            const auto [rows, columns] = grid_of(arguments.required("grid"));
            const std::string compatibility = arguments.text("compatibility", "none");
            if (compatibility != "none" && compatibility != "mfai")
              throw Error(ErrorKind::configuration, "--compatibility: 'none' or 'mfai' is needed, ",
                          "not '", compatibility, "'");
            return model_graph(rows, columns,
                               {.hierarchical = arguments.has("hierarchical"),
                                .compatibility = compatibility == "mfai" ? Compatibility::mfai
                                                                         : Compatibility::none},
                               arguments.required("out"));
          }};
}

}  // namespace py4cast
