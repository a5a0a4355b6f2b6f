#include "train/registries.h"

#include <utility>

#include "engine/error.h"
#include "engine/settings/documents.h"

namespace py4cast {

Layout Registries::layout() const {
  return {
      .tables = {&table_of<GeneralSettings>()},
      .choices = {choice_of(tasks, {"task", "", ""}),
                  choice_of(optimizers,
                            {"training.optimizer.name", "training.optimizer", "The optimiser."}),
                  choice_of(observers, {"run.observers", "run.observer_settings",
                                        "The observers' own settings, by name."})},
      .groups = {
          {.flag = "dev_mode",
           .description = "A short trial: training.epochs 3, training.limit_train_batches 3.",
           .values = {{"training.epochs", "3"}, {"training.limit_train_batches", "3"}}},
          {.flag = "use_lr_scheduler",
           .description = "As in the original: training.schedule.name cosine, warmup_steps 1000.",
           .values = {{"training.schedule.name", "cosine"},
                      {"training.schedule.warmup_steps", "1000"}}},
          {.flag = "channels_last",
           .description = "Does nothing: kernels choose the layout of what they compute."}}};
}

Configuration Registries::resolve(const ConfigurationSources& sources) const {
  Configuration configuration(py4cast::resolve(layout(), sources));
  if (const auto& check = task_of(configuration).check) check(configuration);
  return configuration;
}

const TaskKind& Registries::task_of(const Configuration& configuration) const {
  return tasks.find(configuration.task);
}

std::unique_ptr<Optimizer> Registries::make_optimizer(const Configuration& configuration,
                                                      const std::string& learner,
                                                      ParameterSlab& slab,
                                                      const Context& context) const {
  const TrainingSection& training = configuration.training;
  const Json settings = configuration.section("training.optimizer");
  const Schedule schedule{.kind = training.schedule.name,
                          .lr = read_settings<OptimizerKeys>(settings).lr,
                          .min_lr = training.schedule.min_lr,
                          .warmup_steps = training.schedule.warmup_steps};
  if (schedule.kind == Schedule::Kind::cosine && schedule.min_lr > schedule.lr)
    throw Error(ErrorKind::configuration, "training.schedule.min_lr ", schedule.min_lr,
                " is above training.optimizer.lr ", schedule.lr);
  return std::make_unique<Optimizer>(learner, context, slab,
                                     optimizers.find(training.optimizer.name).make(settings),
                                     schedule, training.clip_norm);
}

TrainerObserver Registries::make_observer(const Configuration& configuration,
                                          const RunFolder* folder, Task& task, Logger& log) const {
  std::vector<TrainerObserver> all;
  for (const std::string& name : configuration.run.observers) {
    const ObserverKind& kind = observers.find(name);
    all.push_back(
        kind.make(configuration.section("run.observer_settings." + kind.name), folder, task, log));
  }
  return all_of(std::move(all));
}

TrainerSettings trainer_settings(const Configuration& configuration) {
  const auto [profile_first, profile_last] = profiled_steps(configuration.run.profile_steps);
  return {.step = {.seed = configuration.seed,
                   .shared_values = configuration.training.embed_once,
                   .cuda_graph = configuration.run.cuda_graph,
                   .bucket_bytes = configuration.run.bucket_bytes},
          .epochs = configuration.training.epochs,
          .limit_train_batches = configuration.training.limit_train_batches,
          .val_interval = configuration.training.val_interval,
          .patience = configuration.training.patience,
          .profile_first = profile_first,
          .profile_last = profile_last};
}

Json configuration_schema(const Registries& registries) {
  return schema_of(registries.layout(), "Configuration of py4cast");
}

std::string configuration_example(const Registries& registries) {
  return example_of(
      registries.layout(),
      "Every key with its meaning, type and default. Any key may also be given as "
      "--section.key VALUE, or as environment variable PY4CAST_SECTION_KEY; flags win over the "
      "environment, the environment over the file. Made by: py4cast config example");
}

void add_built_in(Registries& registries, const TensorReader& read) {
  registries.models = built_in_models(read);
  registries.read_tensors = read;
  for (const auto kind : {adamw_kind, adam_kind, sgd_kind}) registries.optimizers.add(kind());
}

}  // namespace py4cast
