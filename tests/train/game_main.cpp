// py4cast_train with another task: what the tests start to see a run of two learners killed, resumed and
// on several ranks. Nothing of the programs knows of it.
#include "tests/train/adversarial_task.h"
#include "train/programs/commands.h"

namespace py4cast {
namespace {

struct CriticSection : Settings {
  PY4CAST_SETTING(int64_t, moves, 2, "Moves of the critic in a round.", .minimum = 1);
};
struct GameSettings : Settings {
  PY4CAST_SECTION(CriticSection, critic, "One of two players.");
};

std::shared_ptr<Task> make_game(const TaskSource& source) {
  const Configuration& configuration = source.configuration;
  return std::make_shared<AdversarialTask>(
      source.runtime.context(), source.runtime.communicator(),
      AdversarialSettings{.critic_moves = configuration.read<GameSettings>().critic.moves,
                          .accumulate = configuration.training.accumulate_batches,
                          .seed = static_cast<uint64_t>(configuration.seed)});
}

}  // namespace
}  // namespace py4cast

int main(int count, char** words) {
  using namespace py4cast;
  Registries registries;
  registries.optimizers.add(adamw_kind());
  registries.tasks.add({.name = "game",
                        .layout =
                            [] {
                              return Layout{{&table_of<GameSettings>()}, {}, {}};
                            },
                        .make = make_game});
  return run_program("game", {train_command(registries, "")}, count, words);
}
