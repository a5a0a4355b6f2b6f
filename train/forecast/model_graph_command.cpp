// py4cast model graph
#include <iostream>

#include "data/netcdf/tensor_file.h"
#include "engine/error.h"
#include "models/mesh/mesh_graph.h"
#include "train/forecast/commands.h"
#include "train/forecast/experiment.h"
#include "train/forecast/forecaster.h"
#include "train/run_configuration.h"

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

MeshSettings mesh_settings(const Arguments& arguments) {
  const std::string compatibility = arguments.text("compatibility", "none");
  if (compatibility != "none" && compatibility != "mfai")
    throw Error(ErrorKind::configuration, "--compatibility: 'none' or 'mfai' is needed, not '",
                compatibility, "'");
  return {.hierarchical = arguments.has("hierarchical"),
          .compatibility = compatibility == "mfai" ? Compatibility::mfai : Compatibility::none};
}

// A graph over so many points.
struct GridGraph {
  int64_t rows, columns;
  TensorMap tensors;
};

GridGraph graph_of_grid(const Arguments& arguments) {
  if (!arguments.positional.empty() || !arguments.flags.empty())
    throw Error(ErrorKind::configuration,
                "--grid: a graph over equal steps needs neither configuration nor '--model' (and "
                "'--hierarchical' gives it levels of its own); without --grid the grid is that of "
                "the configuration's data");
  const auto [rows, columns] = grid_of(arguments.text("grid"));
  return {rows, columns,
          tensors_of(make_mesh_graph(even_geometry(rows, columns)->coordinates, rows, columns,
                                     mesh_settings(arguments)))};
}

std::string networks_with_graph(const ModelRegistry& models) {
  std::string names;
  for (const ModelKind& kind : models)
    if (kind.graph) names += (names.empty() ? "" : ", ") + kind.name;
  return names;
}

// That of the configuration's network on the grid of its data.
GridGraph graph_of_data(const Registries& registries, const ForecastRegistries& kinds,
                        const Arguments& arguments) {
  for (const char* option : {"hierarchical", "compatibility"})
    if (arguments.has(option))
      throw Error(ErrorKind::configuration, "--", option,
                  ": goes with --grid; a configuration says it by its network, 'model.name', and "
                  "'model.settings.compatibility'");
  const Configuration configuration = train_configuration(registries, arguments);
  const ForecastSettings settings = forecast_settings(configuration);
  const ModelKind& kind = registries.models.find(settings.model.name);
  if (!kind.graph)
    throw Error(ErrorKind::configuration, "model.name: '", kind.name,
                "' has no graph; these have one: ", networks_with_graph(registries.models));
  return with_runtime(configuration.device, [&](Runtime& runtime) -> GridGraph {
    const auto store =
        open_store(settings, kinds, runtime.communicator(), nullptr, &runtime.ledger());
    const Ports ports = Forecaster::ports(*store, make_rule(configuration, kinds).steps);
    return {store->info().rows, store->info().columns,
            kind.graph(ports, kind.settings->checked(configuration.section("model.settings"),
                                                     kind.name, "model.settings"))};
  });
}

int model_graph(const GridGraph& graph, const std::string& out) {
  write_netcdf_tensors(out, graph.tensors,
                       "mesh over a grid of " + std::to_string(graph.rows) + " x " +
                           std::to_string(graph.columns) + " points");
  const auto rows = [&graph](const std::string& name) {
    const auto found = graph.tensors.find(name + "_features");
    return found == graph.tensors.end() ? 0 : found->second.size(0);
  };
  std::vector<int64_t> levels;
  while (const int64_t nodes = rows("mesh_" + std::to_string(levels.size())))
    levels.push_back(nodes);
  std::cout << out << ": " << levels.size() << (levels.size() > 1 ? " levels of " : " level of ");
  for (size_t level = 0; level < levels.size(); ++level)
    std::cout << (level > 0 ? ", " : "") << levels[level];
  std::cout << " nodes, " << rows("g2m") << " edges from and " << rows("m2g") << " to the grid\n";
  return 0;
}

}  // namespace

Command model_graph_command(const Registries& registries, const ForecastRegistries& kinds) {
  return {"model graph",
          "[CONFIG]",
          0,
          1,
          "Writes the graph that the network of a configuration builds over the grid of its data, "
          "as netCDF; with --grid, the graph over a grid of equal steps, without data.",
          {{"out", "FILE", "The netCDF file to write."},
           {"grid", "HxW", "Rows and columns of a grid of equal steps."},
           {"hierarchical", "", "Of --grid: levels of their own, as of hilam; else one."},
           {"compatibility", "NAME",
            "Of --grid: none, or mfai: with the original's defects (default none)."}},
          [&registries] { return registries.layout(); },
          [&registries, &kinds](const Arguments& arguments) {
            const std::string out = arguments.required("out");
            return model_graph(arguments.has("grid") ? graph_of_grid(arguments)
                                                     : graph_of_data(registries, kinds, arguments),
                               out);
          }};
}

}  // namespace py4cast
