// The files of a run folder, whose network has a weight and a bias: what going on with it, testing it and forecasts read.
#include "train/run_folder.h"

#include <nlohmann/json.hpp>

#include "engine/communicator.h"
#include "tests/fuzz/door.h"
#include "train/forecast/experiment.h"
#include "train/optimizer.h"
#include "train/programs/built_in.h"

void py4cast::enter(std::string_view input) {
  static const std::shared_ptr<const Registries> registries = built_in_registries();
  const Stranger run("run");
  unpack_folder(input, run.path());
  unless_wrong([&] { read_statistics(run.path()); });
  unless_wrong([&] {
    trained_network(registries->resolve({.file = run.path() + "/config.json"}),
                    find_checkpoint(run.path(), {"best", "last"}));
  });
  ParameterSlab slab;
  slab.add({.name = "weight", .file_shape = {2, 3}, .order = {1, 0}});
  slab.add({.name = "bias", .file_shape = {3}});
  slab.allocate(Device{}, nullptr, true);
  Optimizer optimizer("network", Context{}, slab, make_adamw({}), Schedule{});
  Optimizer* const learners[] = {&optimizer};
  unless_wrong([&] { load_weights(run.path(), learners); });
  const CheckpointState state =
      load_checkpoint(find_checkpoint(run.path(), {"last", "initial"}), learners);
  const auto alone = single_process();
  Logger log(nullptr);
  RunFolder folder(run.path(), *alone);
  folder.go_on_from(state, log);
  folder.append_metrics({{"epoch", state.epoch}});
}
