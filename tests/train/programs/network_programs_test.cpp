// What the programs do with networks alone: their outputs, weights, graphs.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <regex>

#include "data/netcdf/tensor_file.h"
#include "engine/random.h"
#include "engine/safetensors.h"
#include "tests/train/programs/programs.h"

namespace py4cast {
namespace {

TEST_F(Programs, ForwardInBf16IsNearlyThatOfFp32) {
  const std::string weights = (root_ / "weights.safetensors").string(),
                    input = (root_ / "x.safetensors").string(),
                    settings = " --settings " + (root_ / "settings.json").string();
  std::ofstream(root_ / "settings.json") << R"({"num_filters": 4})";
  Tensor x = host_tensor({1, 32, 48, 3}, DataType::f32);
  for (uint64_t i = 0; float& e : x.span<float>())
    e = static_cast<float>(RandomKey{1, 2}.uniform(i++) - 0.5);
  write_safetensors(input, {{"x", x}});
  Outcome outcome = run(tool() + "model weights --model halfunet" + settings +
                        " --inputs 3 --outputs 2 --height 32 --width 48 --output " + weights);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  std::map<std::string, Tensor> y;
  for (const std::string precision : {"fp32", "bf16"}) {
    const std::string output = (root_ / (precision + ".safetensors")).string();
    outcome =
        run(tool() + "model forward --model halfunet" + settings + " --weights " + weights +
            " --input " + input + " --output " + output + " --device cpu --precision " + precision);
    ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
    y[precision] = read_safetensors(output).tensors.at("y");
    EXPECT_EQ(y[precision].type(), DataType::f32);
  }
  double difference = 0, scale = 0;
  for (size_t i = 0; i < y["fp32"].span<float>().size(); ++i) {
    difference = std::max<double>(
        difference, std::abs(y["fp32"].span<float>()[i] - y["bf16"].span<float>()[i]));
    scale = std::max<double>(scale, std::abs(y["fp32"].span<float>()[i]));
  }
  EXPECT_LT(difference, 0.05 * scale);
  EXPECT_GT(difference, 0);
}

TEST_F(Programs, ModelInfoOfARunIsThatOfItsFlags) {
  ASSERT_EQ(run(train() + small("run") + "--epochs 1").exit_code, 0);
  const Outcome outcome = run(tool() + "model info " + folder("run").string());
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  // As the original's: two inputs of three states, four constant fields, two forcings.
  EXPECT_EQ(outcome.output.rfind("halfunet: 12 -> 3 features on 64 x 64 points, batch 2\n", 0), 0u)
      << outcome.output;
  EXPECT_TRUE(std::regex_search(outcome.output, std::regex("encoder1 +\\[2, 64, 64, 4\\] +[0-9]+ +"
                                                           "0\\.0[0-9]+ +[1-9][0-9.]+\n")))
      << outcome.output;
  std::ofstream(root_ / "settings.json") << R"({"num_filters": 4})";
  const Outcome flags =
      run(tool() + "model info --model halfunet --inputs 12 --outputs 3 --batch 2 --settings " +
          (root_ / "settings.json").string());
  EXPECT_EQ(outcome.output, flags.output);
  const Outcome other =
      run(tool() + "model info " + (folder("run") / "checkpoints/best").string() + " --batch 5");
  EXPECT_NE(other.output.find("batch 5"), std::string::npos) << other.output;
}

// On a grid whose rows come from the north and in unequal steps: the file is what a training builds.
TEST_F(Programs, TheGraphOfAConfigurationIsThatOfItsTraining) {
  const auto file = [&](const char* name) { return (root_ / name).string(); };
  ASSERT_EQ(run(tool() + "data simulate --grid 32 --hours 120 --seed 1 --out " + file("data.nc"))
                .exit_code,
            0);
  ASSERT_EQ(run(tool() + "init " + file("data.nc") + " --out " + file("config.json")).exit_code, 0);
  const std::string configuration = file("config.json") + " --dataset.subgrid '[0,30,1,32]'",
                    hilam = configuration + " --model hilam";
  const auto settings = [&](const std::string& more) {
    return " --model.settings '{\"hidden_dims\": 4, \"processor_layers\": 1" + more + "}'";
  };
  Outcome outcome =
      run(tool() + "model graph " + hilam + settings("") + " --out " + file("graph.nc"));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_NE(outcome.output.find("2 levels of 81, 9 nodes"), std::string::npos) << outcome.output;
  std::map<std::string, std::string> losses;
  std::string read_run;
  for (const auto& [name, more] : {std::pair<std::string, std::string>{"built", ""},
                                   {"read", ", \"graph\": \"" + file("graph.nc") + "\""}}) {
    outcome = run(train() + hilam + settings(more) + " --run_name " + name +
                  " --epochs 1 --limit_train_batches 4 --num_pred_steps_val_test 2");
    ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
    for (const auto& entry : fs::recursive_directory_iterator(root_ / "camp0"))
      if (entry.path().filename() == "metrics.jsonl" &&
          entry.path().parent_path().filename() == name + "_0") {
        losses[name] = contents(entry.path());
        read_run = entry.path().parent_path().string();
      }
  }
  EXPECT_NE(losses["built"].find("loss"), std::string::npos);
  EXPECT_EQ(losses["built"], losses["read"]);

  // That of a grid of equal steps is another.
  ASSERT_EQ(
      run(tool() + "model graph --grid 30x31 --hierarchical --out " + file("even.nc")).exit_code,
      0);
  const TensorMap own = read_netcdf_tensors(file("graph.nc")),
                  even = read_netcdf_tensors(file("even.nc"));
  EXPECT_EQ(own.size(), even.size());
  EXPECT_FALSE(std::ranges::equal(own.at("m2g_edge_index").span<double>(),
                                  even.at("m2g_edge_index").span<double>()));
  // A run neither goes on with it nor forecasts.
  const std::string more_epochs = train() + "--resume " + read_run + " --epochs 2";
  fs::copy_file(file("graph.nc"), file("kept.nc"));
  fs::copy_file(file("even.nc"), file("graph.nc"), fs::copy_options::overwrite_existing);
  outcome = run(more_epochs);
  EXPECT_EQ(outcome.exit_code, 2) << outcome.output;
  const std::string other_graph = "the file of model.settings.graph is not the one";
  EXPECT_NE(outcome.output.find(other_graph), std::string::npos) << outcome.output;
  outcome = run(train() + "--test " + read_run);
  EXPECT_EQ(outcome.exit_code, 2) << outcome.output;
  EXPECT_NE(outcome.output.find(other_graph), std::string::npos) << outcome.output;
  fs::copy_file(file("kept.nc"), file("graph.nc"), fs::copy_options::overwrite_existing);
  outcome = run(more_epochs);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;

  for (const auto& [words, refusal] :
       {std::pair{std::string(" --grid 30x31"), "needs neither configuration nor '--model'"},
        {" --hierarchical", "--hierarchical: goes with --grid"},
        {" --model halfunet --model.settings '{}'",
         "'halfunet' has no graph; these have one: graphlam, hilam, hilamparallel"}}) {
    outcome = run(tool() + "model graph " + configuration + words + " --out " + file("none.nc"));
    EXPECT_EQ(outcome.exit_code, 2) << outcome.output;
    EXPECT_NE(outcome.output.find(refusal), std::string::npos) << outcome.output;
  }
}

// neural-lam's up edges point the other way; its checkpoints have a path before the names.
TEST_F(Programs, WeightsGoToNeuralLamAndBack) {
  std::ofstream(root_ / "settings.json") << R"({"hidden_dims": 4, "processor_layers": 1})";
  const auto file = [&](const char* name) { return (root_ / name).string(); };
  Outcome outcome = run(tool() + "model weights --model hilam --settings " + file("settings.json") +
                        " --inputs 3 --outputs 2 --output " + file("ours"));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  const std::string convert = tool() + "model convert --weights ";
  outcome = run(convert + file("ours") + " --from mfai --to neural_lam --output " + file("theirs"));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  const auto ours = read_safetensors(file("ours")).tensors,
             theirs = read_safetensors(file("theirs")).tensors;
  // Theirs hold limits of what is predicted, too: none.
  ASSERT_EQ(theirs.size(), ours.size() + 7);
  EXPECT_EQ(theirs.at("softplus_upper_lims").shape(), Shape{0});
  for (const auto& [name, tensor] : ours) {
    const bool up = name == "mesh_up_embedders.0.0.weight";
    ASSERT_EQ(theirs.at(name).shape(), tensor.shape());
    for (size_t i = 0; i < tensor.span<float>().size(); ++i)
      ASSERT_EQ(theirs.at(name).span<float>()[i],
                (up && i % 3 > 0 ? -1 : 1) * tensor.span<float>()[i])
          << name << " " << i;
  }
  std::vector<std::pair<std::string, Tensor>> checkpoint = {
      {"forecaster.other", host_tensor({2}, DataType::f32)},
      {"forecaster.predictor.g2m_features", host_tensor({5, 3}, DataType::f32)}};
  for (const auto& [name, tensor] : theirs)
    checkpoint.emplace_back("forecaster.predictor." + name, tensor);
  write_safetensors(file("checkpoint"), checkpoint);
  outcome =
      run(convert + file("checkpoint") + " --from neural_lam --to mfai --output " + file("again"));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  const auto again = read_safetensors(file("again")).tensors;
  ASSERT_EQ(again.size(), ours.size());
  for (const auto& [name, tensor] : ours)
    EXPECT_TRUE(std::ranges::equal(again.at(name).span<float>(), tensor.span<float>())) << name;
  for (auto& [name, tensor] : checkpoint)
    if (name.ends_with("clamp_lower_idx")) tensor = host_tensor({2}, DataType::i64);
  write_safetensors(file("checkpoint"), checkpoint);
  outcome =
      run(convert + file("checkpoint") + " --from neural_lam --to mfai --output " + file("again"));
  EXPECT_EQ(outcome.exit_code, 3) << outcome.output;
  EXPECT_NE(outcome.output.find("'clamp_lower_idx' has 2 entries"), std::string::npos)
      << outcome.output;
  outcome = run(convert + file("ours") + " --from mfai --to pangu --output " + file("none"));
  EXPECT_NE(outcome.output.find("--to: 'mfai' or 'neural_lam' is needed, not 'pangu'"),
            std::string::npos)
      << outcome.output;
}

TEST_F(Programs, ConvertRefusesWhatIsNotThatNetwork) {
  std::ofstream(root_ / "settings.json") << R"({"hidden_dims": 4, "processor_layers": 1})";
  const auto file = [&](const std::string& name) { return (root_ / name).string(); };
  const auto converts = [&](const std::string& words) {
    const Outcome outcome = run(tool() + "model convert " + words);
    EXPECT_EQ(fs::exists(file("none")), false);
    return outcome.output.substr(0, outcome.output.find('\n'));
  };
  const std::string away = " --from mfai --to neural_lam", home = " --from neural_lam --to mfai",
                    none = " --output " + file("none");
  for (const std::string model : {"graphlam", "hilam", "hilamparallel"}) {
    const std::string ours = file(model), theirs = file(model + "_theirs");
    Outcome outcome = run(tool() + "model weights --model " + model + " --settings " +
                          file("settings.json") + " --inputs 3 --outputs 2 --output " + ours);
    ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
    EXPECT_NE(converts("--weights " + ours + away + " --output " + theirs).find("tensors"),
              std::string::npos);
    EXPECT_NE(converts("--weights " + theirs + home + " --output " + file("again")).find("tensors"),
              std::string::npos);
    EXPECT_EQ(converts("--weights " + ours + home + none),
              "py4cast: " + ours +
                  ": 'sigmoid_lower_lims' is missing: these are not the weights of neural-lam");
    EXPECT_EQ(converts("--weights " + theirs + away + none),
              "py4cast: " + theirs +
                  ": has 'sigmoid_lower_lims': these are the weights of neural-lam, not of mfai");
    EXPECT_EQ(converts("--weights " + ours + away + " --output " + ours),
              "py4cast: --output: " + ours + " is read, too");
    const TensorMap good = read_safetensors(ours).tensors;
    const auto refusal = [&](const TensorMap& tensors) {
      write_safetensors(file("wrong"), {tensors.begin(), tensors.end()});
      return converts("--weights " + file("wrong") + away + none);
    };
    const std::string other =
        "py4cast: " + file("wrong") + ": these weights are of another network";
    TensorMap wrong = good;
    wrong.erase("m2g_gnn.edge_mlp.0.bias");
    EXPECT_EQ(refusal(wrong), other + ": 'm2g_gnn.edge_mlp.0.bias' is missing");
    wrong = good;
    wrong["output_map.2.scale"] = host_tensor({2}, DataType::f32);
    EXPECT_EQ(refusal(wrong), other +
                                  ": 'output_map.2.scale' is not in the network (nearest: "
                                  "'output_map.2.bias')");
    wrong = good;
    wrong["output_map.2.bias"] = host_tensor({2}, DataType::i64);
    EXPECT_EQ(refusal(wrong), other +
                                  ": 'output_map.2.bias' is i64 but the network needs "
                                  "floating-point numbers");
    wrong["output_map.2.bias"] = host_tensor({2}, DataType::f32);
    wrong["output_map.2.bias"].data<float>()[1] = NAN;
    EXPECT_EQ(refusal(wrong),
              "py4cast: " + file("wrong") + ": 'output_map.2.bias' has a value that is not finite");
  }
  ASSERT_EQ(run(tool() + "model graph --grid 27x30 --out " + file("flat.nc")).exit_code, 0);
  EXPECT_EQ(converts("--weights " + file("hilam") + " --from mfai --to mfai --graph " +
                     file("flat.nc") + none),
            "py4cast: " + file("flat.nc") + ": the graph has 1 levels, but " + file("hilam") +
                " needs 2");
}

TEST_F(Programs, SizesOfNetworksAreCheckedInWords) {
  std::ofstream(root_ / "settings.json") << R"({"num_filters": 4})";
  const auto file = [&](const char* name) { return (root_ / name).string(); };
  const std::string halfunet = " --model halfunet --settings " + file("settings.json"),
                    output = " --output " + file("out");
  const auto refusal = [&](const std::string& words) {
    const Outcome outcome = run(tool() + "model " + words);
    EXPECT_FALSE(outcome.exit_code == 0 || outcome.exit_code > 100 || fs::exists(file("out")));
    return outcome.output;
  };
  for (const std::string option : {"inputs", "outputs", "height", "width", "batch"})
    EXPECT_EQ(refusal("weights" + halfunet + " --" + option + " 0" + output),
              "py4cast: command line: '--" + option + "' must be at least 1, not 0\n");
  EXPECT_EQ(refusal("weights" + halfunet + " --inputs 3" + output),
            "py4cast: command line: '--outputs' is missing\n");
  EXPECT_EQ(refusal("info" + halfunet + " --outputs 3"),
            "py4cast: command line: '--inputs' is missing\n");
  ASSERT_EQ(run(tool() + "model weights" + halfunet + " --inputs 3 --outputs 2 --output " +
                file("weights"))
                .exit_code,
            0);
  const auto forward = [&](const Shape& x, const std::string& words) {
    write_safetensors(file("x"), {{"x", host_tensor(x, DataType::f32)}});
    return refusal("forward --device cpu --input " + file("x") + output + " " + words);
  };
  const std::string from = " --weights " + file("weights");
  EXPECT_EQ(forward({0, 32, 32, 3}, halfunet + from),
            "py4cast: " + file("x") + ": 'x' is [0, 32, 32, 3], but all sizes must be positive\n");
  EXPECT_EQ(forward({1, 0, 32, 3}, "--model hilam" + from),
            "py4cast: " + file("x") + ": 'x' is [1, 0, 32, 3], but all sizes must be positive\n");
  EXPECT_EQ(
      forward({1, 32, 32, 3}, halfunet + from + " --height 64"),
      "py4cast: command line: '--height' is 64, but 'x' of " + file("x") + " is [1, 32, 32, 3]\n");
  EXPECT_EQ(
      forward({1, 32, 32, 3}, halfunet + from + " --inputs 4"),
      "py4cast: command line: '--inputs' is 4, but 'x' of " + file("x") + " is [1, 32, 32, 3]\n");
  EXPECT_EQ(forward({1, 32, 32, 3}, "--model unet" + from)
                .rfind("py4cast: " + file("weights") + ": these weights are of another network", 0),
            0u);
  std::ofstream(root_ / "settings.json") << R"({"last_activation": "Foo"})";
  const std::string sentence = refusal("weights" + halfunet + " --inputs 3 --outputs 2" + output);
  EXPECT_EQ(sentence.rfind("py4cast: halfunet: 'model.settings.last_activation': there is no "
                           "activation 'Foo'; the nearest is '",
                           0),
            0u)
      << sentence;
}

}  // namespace
}  // namespace py4cast
