// GraphLAM, HiLAM and HiLAMParallel against mfai's, and what is new beside it
// (tests/reference/make_graph_fixtures.py).
#include "models/mesh/graph_network.h"

#include <algorithm>
#include <functional>
#include <map>
#include <tuple>

#include "engine/error.h"
#include "engine/kept_values.h"
#include "tests/devices.h"
#include "tests/engine/error_of.h"
#include "tests/layers/numbered.h"
#include "tests/models/golden_checks.h"
#include "tests/models/graph_fixtures.h"

namespace py4cast {
namespace {

constexpr const char* graph_networks[] = {"graphlam", "hilam", "hilamparallel"};

const Json& golden() {
  static const Json file = fixture("graph_golden.json");
  return file;
}

Json variant_of(const Json& settings, int64_t rows = 64, int64_t columns = 64, int64_t inputs = 4,
                int64_t outputs = 2) {
  return {{"settings", settings},
          {"batch", 2},
          {"shape", {rows, columns}},
          {"inputs", inputs},
          {"outputs", outputs}};
}

// The networks with that graph in the place of a file's.
ModelRegistry models_with(const MeshGraph& graph) {
  return built_in_models([graph](const std::string&) { return tensors_of(graph); });
}

// mfai's: legacy, or with the indices that were meant.
MeshGraph original_graph(const std::string& network, bool legacy) {
  const Tensor coordinates = even_geometry(64, 64)->coordinates;
  MeshGraph graph = make_mesh_graph(
      coordinates, 64, 64,
      {.hierarchical = network != "graphlam", .compatibility = Compatibility::mfai});
  choose(graph, golden()["choices"]["64x64"], 64, 64);
  if (!legacy) shift_senders(graph, 1);
  return graph;
}

struct GraphTolerance {
  double value, gradient, loss;
};

class GraphGolden
    : public ::testing::TestWithParam<std::tuple<std::string, DataType, std::string>> {};

TEST_P(GraphGolden, EqualsTheOriginal) {
  const auto& [name, type, device] = GetParam();
  const Json& expected = golden()["variants"][name];
  const std::string kind = expected["model"];
  Json settings = expected["settings"];
  settings["graph"] = "that of the original";
  const Json variant = variant_of(settings);
  // In f64 the features of edges decide, which are stored as f32.
  const GraphTolerance tolerance =
      type == DataType::f64 ? GraphTolerance{1e-7, 1e-6, 1e-6} : GraphTolerance{1e-5, 1e-4, 1e-3};
  Runtime runtime(device);
  const Context context = runtime.context();
  const ModelRegistry models = models_with(original_graph(kind, expected["legacy"]));
  Network network(kind, variant, type, context.device, models);
  network.fill();
  const Tensor x = on_device_of(context, golden_input(variant, type), Owner::batches, "x");
  GoldenTraining training(network, context);
  for (int64_t step = 1; step <= 5; ++step) {
    const Pass pass = run(network, x, Phase::train, Precision::fp32, context);
    EXPECT_NEAR(pass.loss / expected["adamw_losses"][static_cast<size_t>(step - 1)].get<double>(),
                1, tolerance.loss);
    if (step == 1) {
      expect_statistics(pass, expected["train"], (4096 + 2001) * 2 + 1, tolerance.value);
      EXPECT_NEAR(gradient_sum(pass) / expected["gradient_abs_sum"].get<double>(), 1,
                  tolerance.gradient);
      for (const auto& [parameter, gradient] : expected["gradients"].items()) {
        ASSERT_TRUE(pass.gradients.count(parameter)) << parameter;
        const std::vector<double>& found = pass.gradients.at(parameter);
        const double allowed = expect_sums(parameter, found, gradient, tolerance.gradient, 1e-3);
        EXPECT_NEAR(found[0], gradient[2].get<double>(), allowed) << parameter;
      }
      if (expected["legacy"].get<bool>()) {
        EXPECT_EQ(pass.gradients.size(), expected["gradients"].size());
      }
      // Steps of a forecast, which share values.
      KeptValues values;
      Context forecast = context;
      forecast.kept = &values;
      for (int call = 0; call < 2; ++call) {
        const Pass alone{.y = (*network.model)(forecast, x), .loss = pass.loss};
        expect_statistics(alone, expected["train"], (4096 + 2001) * 2 + 1, tolerance.value);
        if (emulated_gpu() && device == "cuda") return;  // slow
      }
    }
    training.step();
  }
}

std::vector<std::tuple<std::string, DataType, std::string>> graph_golden_cases() {
  std::vector<std::tuple<std::string, DataType, std::string>> cases;
  for (const std::string& device : devices())
    for (DataType type : {DataType::f64, DataType::f32})
      for (const auto& [name, variant] : golden()["variants"].items()) {
        if (emulated_gpu() && device == "cuda" && !variant["legacy"].get<bool>()) continue;
        cases.emplace_back(name, type, device);
      }
  return cases;
}
INSTANTIATE_TEST_SUITE_P(Variants, GraphGolden, ::testing::ValuesIn(graph_golden_cases()),
                         [](const auto& test) {
                           return std::get<0>(test.param) + "_" +
                                  std::string(name_of(std::get<1>(test.param))) + "_" +
                                  std::get<2>(test.param);
                         });

class GraphNetworks : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Networks, GraphNetworks, ::testing::ValuesIn(graph_networks),
                         [](const auto& test) { return std::string(test.param); });

// With the graph that is built, whose ties go to the lowest number: with the original's defects,
// and without.
TEST_P(GraphNetworks, BuildTheirGraph) {
  const std::string network = GetParam();
  for (const auto& [compatibility, loss] : golden()["built"][network].items()) {
    const Json variant = variant_of({{"hidden_dims", 16}, {"compatibility", compatibility}});
    Network built(network, variant, DataType::f64);
    built.fill();
    const Pass pass = run(built, golden_input(variant, DataType::f64), Phase::train);
    EXPECT_NEAR(pass.loss / loss.get<double>(), 1, 1e-7) << compatibility;
  }
}

TEST_P(GraphNetworks, StateDictIsThatOfTheOriginal) {
  int found = 0;
  const Json file = fixture("graph_state_dict.json");
  for (const Json& variant : file["variants"]) {
    if (variant["model"].get<std::string>() != GetParam()) continue;
    ++found;
    SCOPED_TRACE(variant["settings"].dump());
    Network network(GetParam(), variant, DataType::f32);
    expect_state_dict(network, variant);
    const auto state = network.slab.state();
    // The original's files hold its graph, too, with the edges in some order.
    std::map<std::string, Tensor> theirs(state.begin(), state.end());
    const int64_t rows = variant["shape"][0], columns = variant["shape"][1];
    const TensorMap buffers = mfai_buffers(
        tensors_of(make_mesh_graph(even_geometry(rows, columns)->coordinates, rows, columns,
                                   {.hierarchical = std::string(GetParam()) != "graphlam"})),
        "graph");
    for (const auto& [name, tensor] : buffers) theirs[name] = tensor;
    const Tensor& edges = theirs["m2g_edge_index"] =
        converted(buffers.at("m2g_edge_index"), DataType::i64);
    const auto numbers = edges.span<int64_t>();
    const auto count = static_cast<size_t>(edges.size(1));
    for (const size_t row : {size_t{0}, count}) std::swap(numbers[row], numbers[row + 5]);
    EXPECT_NO_THROW(network.slab.load(theirs, "weights of mfai"));
    numbers[count] = numbers[count + 5];
    EXPECT_EQ(
        error_of([&] { network.slab.load(theirs, "weights of mfai"); }),
        "weights of mfai: these weights are of another network: 'm2g_edge_index' is of another "
        "graph than this network's; 'model.settings.graph' names the file of that graph");
    theirs = {state.begin(), state.end()};
    theirs["m2m_features"] = host_tensor({7, 3}, DataType::f32);
    EXPECT_THROW(network.slab.load(theirs, "weights of nobody"), Error);
  }
  EXPECT_EQ(found, 2);
}

// PyTorch's start: weights and biases uniform in +-1/sqrt(in), norms 1 and 0.
TEST_P(GraphNetworks, StartAsTheOriginal) {
  Network network(GetParam(), variant_of(Json::object()), DataType::f32);
  double bound = 0;  // of the weight before a bias; 0 after a norm
  for (const auto& [name, tensor] : network.slab.state()) {
    SCOPED_TRACE(name);
    if (name.ends_with("weight"))
      bound = tensor.rank() == 2 ? 1 / std::sqrt(static_cast<double>(tensor.size(1))) : 0;
    if (bound > 0)
      expect_uniform(tensor, bound);
    else
      for (float value : tensor.span<float>()) EXPECT_EQ(value, name.ends_with("weight") ? 1 : 0);
  }
}

// Parameter counts of the specification.
TEST(GraphNetwork, ParameterCounts) {
  const std::vector<std::pair<int64_t, int64_t>> sizes = {{2, 1}, {12, 3}, {19, 5}, {149, 69}};
  const std::map<std::string, std::map<int64_t, std::vector<int64_t>>> expected = {
      {"graphlam",
       {{64, {210369, 211139, 211717, 224197}}, {512, {210369, 211139, 211717, 224197}}}},
      {"hilam",
       {{64, {870529, 871299, 871877, 884357}}, {512, {1957377, 1958147, 1958725, 1971205}}}},
      {"hilamparallel",
       {{64, {536705, 537475, 538053, 550533}}, {512, {1189377, 1190147, 1190725, 1203205}}}}};
  for (const auto& [network, by_side] : expected)
    for (const auto& [side, counts] : by_side)
      for (size_t i = 0; i < sizes.size(); ++i) {
        if (side == 512 && i > 0 && i < 3) continue;
        ParameterSlab slab;
        Ports ports = field_ports(side, side, sizes[i].first, sizes[i].second);
        ports.geometry = even_geometry(side, side);
        make_model(built_in_models(), network, Builder(slab), ports, Json::object(), false);
        EXPECT_EQ(slab.count(), counts[i]) << network << " " << side << " " << i;
      }
}

const Json small_settings = {{"hidden_dims", 8}, {"processor_layers", 2}};

// Recomputing gives the same bits.
TEST_P(GraphNetworks, CheckpointingChangesNothing) {
  Json settings = small_settings;
  const Json variant = variant_of(settings, 30, 41);
  settings["use_checkpointing"] = true;
  Network plain(GetParam(), variant, DataType::f32),
      again(GetParam(), variant_of(settings, 30, 41), DataType::f32);
  plain.fill();
  again.fill();
  const Tensor x = golden_input(variant, DataType::f32);
  const Pass a = run(plain, x, Phase::train), b = run(again, x, Phase::train);
  EXPECT_EQ(values_of(a.y), values_of(b.y));
  EXPECT_EQ(a.gradients, b.gradients);
}

// Largest change of y, on the frame and inside of it.
std::pair<double, double> changes(const Tensor& before, const Tensor& after, int64_t frame) {
  const std::vector<double> a = values_of(before), b = values_of(after);
  const int64_t rows = before.size(1), columns = before.size(2), features = before.size(3);
  double on_frame = 0, inside = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const int64_t point = static_cast<int64_t>(i) / features, row = point / columns % rows,
                  column = point % columns;
    const bool in =
        row >= frame && row < rows - frame && column >= frame && column < columns - frame;
    double& largest = in ? inside : on_frame;
    largest = std::max(largest, std::abs(a[i] - b[i]));
  }
  return {on_frame, inside};
}

// What is given on the border reaches the interior, and the other way round.
TEST_P(GraphNetworks, BorderAndInteriorKnowOfEachOther) {
  constexpr int64_t frame = 3;
  const Json variant = variant_of(small_settings, 30, 41);
  Network network(GetParam(), variant, DataType::f32);
  network.fill();
  const Tensor x = golden_input(variant, DataType::f32);
  const Pass before = run(network, x, Phase::evaluate);
  for (bool border : {true, false}) {
    const Tensor moved = converted(x, DataType::f32);
    for (int64_t i = 0; i < moved.numel(); ++i) {
      const int64_t point = i / 4, row = point / 41 % 30, column = point % 41;
      const bool in = row >= frame && row < 30 - frame && column >= frame && column < 41 - frame;
      if (in != border && i % 4 == 3) moved.data<float>()[i] += 1;  // one field
    }
    const auto [on_frame, inside] =
        changes(before.y, run(network, moved, Phase::evaluate).y, frame);
    EXPECT_GT(on_frame, 1e-3);
    EXPECT_GT(inside, 1e-3);
  }
}

// In bf16 the products are rounded to three digits; so are the values.
TEST_P(GraphNetworks, RunInBf16) {
  for (const std::string& device : devices()) {
    Runtime runtime(device);
    const Context context = runtime.context();
    const Json variant = variant_of(small_settings, 30, 41);
    Network network(GetParam(), variant, DataType::f32, context.device);
    network.fill();
    const Tensor x =
        on_device_of(context, golden_input(variant, DataType::f32), Owner::batches, "x");
    const Pass exact = run(network, x, Phase::train, Precision::fp32, context),
               rounded = run(network, x, Phase::train, Precision::bf16, context);
    EXPECT_EQ(rounded.y.type(), DataType::f32);
    EXPECT_NEAR(rounded.loss / exact.loss, 1, 3e-2);
    EXPECT_NE(rounded.loss, exact.loss);
    EXPECT_EQ(rounded.gradients.size(), exact.gradients.size());
  }
}

TEST(GraphNetwork, RefusesInWords) {
  const auto make = [](const char* network, Json settings, int64_t side, bool geometry,
                       const ModelRegistry& models = built_in_models()) {
    return error_of([&] {
      ParameterSlab slab;
      Ports ports = field_ports(side, side, 4, 2);
      if (geometry) ports.geometry = even_geometry(side, side);
      make_model(models, network, Builder(slab), ports, settings, false);
    });
  };
  const auto expect = [](const std::string& error, const char* part) {
    EXPECT_NE(error.find(part), std::string::npos) << error;
  };
  EXPECT_EQ(make("graphlam", Json::object(), 9, true), "no error");
  expect(make("graphlam", Json::object(), 64, false), "graphlam: needs the coordinates");
  expect(make("hilam", Json::object(), 26, true), "27 points");
  expect(make("hilam", {{"offload_to_cpu", true}}, 64, true), "use_checkpointing saves memory");
  expect(make("hilam", {{"mesh_aggr", "max"}}, 64, true), "'sum' or 'mean'");
  expect(make("hilam", {{"graph", "g.nc"}}, 64, true), "reads no graphs");
  expect(
      make("hilam", {{"graph", "g.nc"}}, 64, true, models_with(original_graph("graphlam", true))),
      "g.nc: the graph has 1 level, but hilam needs several");
  expect(
      make("graphlam", {{"graph", "g.nc"}}, 64, true, models_with(original_graph("hilam", true))),
      "g.nc: the graph has 2 levels, but graphlam needs one");
  expect(make("hilam", {{"graph", "g.nc"}}, 96, true, models_with(original_graph("hilam", true))),
         "g.nc: the graph is over 4096 points, but the data have 9216");
  expect(make("hilam", {{"graph", "g.nc"}}, 32, true, models_with(original_graph("hilam", true))),
         "g.nc: the graph is over 4096 points, but the data have 1024");
  MeshGraph flat = original_graph("hilam", true);
  for (EdgeSet& level : flat.m2m)
    level.features = host_tensor(level.features.shape(), DataType::f32);
  expect(make("hilam", {{"graph", "g.nc"}}, 64, true, models_with(flat)),
         "g.nc: no edge of m2m has a length");
}

}  // namespace
}  // namespace py4cast
