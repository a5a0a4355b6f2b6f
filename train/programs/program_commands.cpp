#include "train/programs/program_commands.h"

#include <filesystem>

#include "engine/error.h"
#include "train/configuration_keys.h"

namespace py4cast {
namespace {

// Number of steps of the original's test program.
constexpr const char* test_predictions = "17";

const std::vector<Option> model_options = {
    {"model", "NAME", "The network."},
    {"settings", "FILE", "JSON file of the network's settings (also --model_conf)."},
    {"model_conf", "FILE", "The same as --settings."},
    {"inputs", "N", "Number of input features."},
    {"outputs", "N", "Number of output features (default: from the weights)."},
    {"height", "N", "Rows of the grid (default 64)."},
    {"width", "N", "Columns of the grid (default 64)."},
    {"batch", "N", "Samples of one batch (default 1)."},
    {"seed", "N", "Seed of the weights (default 42)."},
    {"device", "D", "auto, cpu, cuda or cuda:N (default auto)."},
    {"precision", "P", "fp32, tf32, bf16 or fp64 (default fp32)."}};

std::vector<Option> with_model_options(std::vector<Option> options) {
  options.insert(options.begin(), model_options.begin(), model_options.end());
  return options;
}

// A key's checks for an option of the same name.
std::string checked_choice(const Arguments& arguments, const std::string& option,
                           const std::string& otherwise) {
  if (!arguments.has(option)) return otherwise;
  return checked_value(*find_flag(option)->key, arguments.text(option), "command line",
                       "--" + option)
      .get<std::string>();
}

// The options over what the request holds already (of a run).
void fill_model(ModelRequest& request, const Arguments& arguments) {
  if (request.model.empty() || arguments.has("model")) request.model = arguments.required("model");
  const std::string settings = arguments.text("settings", arguments.text("model_conf"));
  if (!settings.empty()) request.settings = read_json_file(settings);
  request.inputs = arguments.integer("inputs", request.inputs);
  request.outputs = arguments.integer("outputs", request.outputs);
  request.height = arguments.integer("height", request.height);
  request.width = arguments.integer("width", request.width);
  request.batch = arguments.integer("batch", request.batch);
  request.seed = arguments.integer("seed", request.seed);
  request.device = checked_choice(arguments, "device", request.device);
  request.precision = checked_choice(arguments, "precision", request.precision);
}

Configuration run_configuration(const std::string& run, std::vector<FlagValue> flags,
                                std::vector<FlagValue> first = {}) {
  first.insert(first.end(), flags.begin(), flags.end());
  return resolve({run_configuration_file(run), configuration_environment(), std::move(first)});
}

TestRequest test_request(const Arguments& arguments, const std::string& run) {
  TestRequest request;
  request.run = run;
  request.configuration =
      run_configuration(run, arguments.flags, {{"--num_pred_steps_val_test", test_predictions}});
  request.split = arguments.text("split", request.split);
  const std::vector<std::string> splits = {"train", "valid", "test"};
  if (std::find(splits.begin(), splits.end(), request.split) == splits.end())
    throw Error(ErrorKind::configuration,
                "command line: '--split' must be train, valid or test, "
                "not '",
                request.split, "'");
  return request;
}

Command test_command(const Programs& programs) {
  return {
      "test",
      "RUN",
      0,
      1,
      "Scores a run. By default 17 steps of the validation period, as the original does.",
      {{"split", "PERIOD", "train, valid (default) or test."}, {"ckpt", "RUN", "The same as RUN."}},
      true,
      [test = programs.test](const Arguments& arguments) {
        const std::string run =
            arguments.positional.empty() ? arguments.required("ckpt") : arguments.positional[0];
        return test(test_request(arguments, run));
      }};
}

Command predict_command(const Programs& programs) {
  return {"predict",
          "RUN",
          1,
          1,
          "Writes a forecast of a trained run as CF netCDF. Flags of the configuration change the "
          "data that it starts from.",
          {{"start", "TIME", "Time of the last given state, ISO 8601: 2019-03-27T06."},
           {"steps", "N", "Number of steps of the data to forecast."},
           {"member", "N", "Member of an ensemble to start from (default 0)."},
           {"out", "FILE", "The netCDF file to write."}},
          true,
          [predict = programs.predict](const Arguments& arguments) {
            PredictRequest request;
            request.run = arguments.positional[0];
            request.start = arguments.required("start");
            request.steps = (arguments.required("steps"), arguments.integer("steps", 0));
            if (request.steps < 1)
              throw Error(ErrorKind::configuration, "command line: '--steps' must be at least 1");
            request.member = arguments.integer("member", 0);
            request.out = arguments.required("out");
            request.configuration = run_configuration(request.run, arguments.flags);
            return predict(request);
          }};
}

Command init_command(const Programs& programs) {
  return {"init",
          "FILE.nc...",
          1,
          size_t(-1),
          "Writes a configuration for files it has never seen: roles, periods, step, border and "
          "padding are guessed, and each guess is explained.",
          {{"out", "FILE", "Where to write it (default: standard output)."}},
          false,
          [init = programs.init](const Arguments& arguments) {
            return init({arguments.positional, arguments.text("out")});
          }};
}

void add_data_commands(std::vector<Command>& commands, const Programs& programs) {
  if (programs.data_simulate)
    commands.push_back(
        {"data simulate",
         "",
         0,
         0,
         "Makes weather: shallow water on a rotating planet over relief, with temperature, "
         "moisture and a day cycle, as CF netCDF.",
         {{"grid", "N", "Rows and columns (default 128)."},
          {"hours", "N", "Hourly states (default 2000)."},
          {"seed", "N", "Seed of the first state and the relief (default 1)."},
          {"out", "FILE", "The netCDF file to write."}},
         false,
         [simulate = programs.data_simulate](const Arguments& arguments) {
           SimulateRequest request;
           request.grid = arguments.integer("grid", request.grid);
           request.hours = arguments.integer("hours", request.hours);
           request.seed = arguments.integer("seed", request.seed);
           request.out = arguments.required("out");
           return simulate(request);
         }});
  if (programs.data_info)
    commands.push_back({"data info",
                        "FILE.nc...",
                        1,
                        size_t(-1),
                        "Prints grid, times and variables of files.",
                        {},
                        false,
                        [info = programs.data_info](const Arguments& arguments) {
                          return info(arguments.positional);
                        }});
  if (programs.data_order)
    commands.push_back(
        {"data order",
         "[CONFIG]",
         0,
         1,
         "Prints the samples of all epochs in the order in which training takes them.",
         {},
         true,
         [order = programs.data_order](const Arguments& arguments) {
           return order(train_configuration(arguments));
         }});
}

void add_model_commands(std::vector<Command>& commands, const Programs& programs) {
  if (programs.model_info)
    commands.push_back({"model info", "[RUN]", 0, 1,
                        "Prints the layers of a network, their shapes, parameters and memory. With "
                        "RUN, a run folder or checkpoint, its network; options change it.",
                        with_model_options({}), false,
                        [info = programs.model_info](const Arguments& arguments) {
                          ModelRequest request;
                          if (!arguments.positional.empty()) {
                            const std::string& run = arguments.positional[0];
                            request = run_model_request(run, run_configuration(run, {}));
                          }
                          fill_model(request, arguments);
                          return info(request);
                        }});
  if (programs.model_weights)
    commands.push_back({"model weights", "", 0, 0,
                        "Writes freshly drawn weights with PyTorch's names and layouts.",
                        with_model_options({{"output", "FILE", "The safetensors file to write."}}),
                        false, [weights = programs.model_weights](const Arguments& arguments) {
                          WeightsRequest request;
                          fill_model(request, arguments);
                          request.output = arguments.required("output");
                          return weights(request);
                        }});
  if (programs.model_forward)
    commands.push_back(
        {"model forward", "", 0, 0,
         "Runs a network on a tensor: x [batch, height, width, features] in, y out; names and "
         "layouts are PyTorch's.",
         with_model_options({{"weights", "FILE", "Weights, safetensors."},
                             {"input", "FILE", "Tensor x, safetensors."},
                             {"output", "FILE", "Tensor y, safetensors."},
                             {"gradients", "FILE", "Gradient of mean(y^2) by parameter name."},
                             {"train", "", "Training mode: batch norm by the batch."}}),
         false, [forward = programs.model_forward](const Arguments& arguments) {
           ForwardRequest request;
           fill_model(request, arguments);
           request.weights = arguments.required("weights");
           request.input = arguments.required("input");
           request.output = arguments.required("output");
           request.gradients = arguments.text("gradients");
           request.train = arguments.has("train");
           return forward(request);
         }});
}

Command config_command(const Programs& programs) {
  return {"config",
          "schema|example",
          1,
          1,
          "Prints the JSON schema of the configuration, or a complete commented example.",
          {},
          false,
          [config = programs.config](const Arguments& arguments) {
            return config(arguments.positional[0]);
          }};
}

}  // namespace

Configuration train_configuration(const Arguments& arguments) {
  ConfigurationSources sources;
  sources.environment = configuration_environment();
  sources.flags = arguments.flags;
  if (!arguments.positional.empty()) sources.file = arguments.positional[0];
  for (const FlagValue& flag : arguments.flags)
    if (sources.file.empty() && flag.value && find_flag(flag.flag.substr(2))->key &&
        find_flag(flag.flag.substr(2))->key->path == "run.resume")
      sources.file = run_configuration_file(*flag.value);
  return resolve(sources);
}

std::string run_configuration_file(const std::string& run) {
  namespace fs = std::filesystem;
  fs::path folder = fs::absolute(run).lexically_normal();
  if (!folder.has_filename()) folder = folder.parent_path();
  // A checkpoint lies at RUN/checkpoints/NAME.
  for (const fs::path& candidate : {folder, folder.parent_path().parent_path()})
    if (fs::exists(candidate / "config.json")) return (candidate / "config.json").string();
  throw Error(ErrorKind::input_output, run, ": not a run folder (it has no config.json)");
}

Command train_command(const Programs& programs, const std::string& name) {
  return {name,
          "[CONFIG]",
          0,
          1,
          "Trains, validates and tests a network. CONFIG is a JSON file in which comments are "
          "allowed. Defaults < CONFIG < environment (PY4CAST_SECTION_KEY) < flags.",
          {{"dry-run", "", "Print the configuration, the parameter count and the memory plan."},
           {"test", "RUN", "Score this run instead of training."},
           {"split", "PERIOD", "With --test: train, valid (default) or test."}},
          true,
          [programs](const Arguments& arguments) {
            if (arguments.has("test"))
              return programs.test(test_request(arguments, arguments.text("test")));
            const Configuration configuration = train_configuration(arguments);
            return arguments.has("dry-run") ? programs.dry_run(configuration)
                                            : programs.train(configuration);
          }};
}

std::vector<Command> py4cast_commands(const Programs& programs) {
  std::vector<Command> commands;
  if (programs.train) commands.push_back(train_command(programs));
  if (programs.test) commands.push_back(test_command(programs));
  if (programs.predict) commands.push_back(predict_command(programs));
  if (programs.init) commands.push_back(init_command(programs));
  add_data_commands(commands, programs);
  add_model_commands(commands, programs);
  if (programs.config) commands.push_back(config_command(programs));
  return commands;
}

}  // namespace py4cast
