#include "train/run_folder.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "engine/error.h"
#include "engine/files.h"
#include "engine/safetensors.h"

namespace py4cast {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

// An empty folder of the test's own name.
std::string fresh_folder() {
  const auto* test = testing::UnitTest::GetInstance()->current_test_info();
  const std::string folder =
      testing::TempDir() + test->test_suite_name() + "_" + std::string(test->name());
  fs::remove_all(folder);
  fs::create_directories(folder);
  return folder;
}

template <typename F>
std::string sentence(F&& f, ErrorKind kind) {
  try {
    f();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  return "no error";
}

// A small network with an AdamW state, all numbers made from `value`.
struct Network {
  explicit Network(double value, const Shape& last = {3}, const std::string& name = "network",
                   std::unique_ptr<UpdateRule> rule = make_adamw({}))
      : slab(DataType::f32) {
    slab.add({.name = "conv.weight", .file_shape = {4, 3, 1, 2}, .order = {2, 3, 1, 0}});
    slab.add({.name = "norm.running_mean", .file_shape = {4}, .trainable = false});
    slab.add({.name = "norm.num_batches_tracked",
              .file_shape = {},
              .trainable = false,
              .type = DataType::i64});
    slab.add({.name = "bias", .file_shape = last});
    slab.allocate(Device{}, nullptr, true);
    learner = std::make_unique<Optimizer>(name, Context{}, slab, std::move(rule), Schedule{});
    learner->set_steps_done(static_cast<int64_t>(value) + 2);
    list[0] = learner.get();
    double next = value;
    for (const Parameter& parameter : slab.parameters()) {
      if (parameter.value().type() == DataType::i64) {
        parameter.value().data<int64_t>()[0] = static_cast<int64_t>(value);
        continue;
      }
      for (float& x : parameter.value().span<float>()) x = static_cast<float>(next += 0.5);
      if (!parameter.trainable()) continue;
      for (const auto& [slab_name, moments] : learner->state()) {
        const Tensor part = slab.slice(moments, parameter);
        for (float& x : part.span<float>()) x = static_cast<float>(next += 0.25);
      }
    }
  }
  // All of it as one text.
  std::string text() const {
    std::string text;
    const auto append = [&](const Tensor& tensor) {
      text.append(reinterpret_cast<const char*>(tensor.raw()), tensor.bytes());
    };
    for (const Parameter& parameter : slab.parameters()) append(parameter.value());
    for (const auto& [name, moments] : learner->state()) append(moments);
    return text + std::to_string(learner->steps_done());
  }
  Learners learners() const { return list; }
  ParameterSlab slab;
  std::unique_ptr<Optimizer> learner;
  Optimizer* list[1];
};

CheckpointState some_state(int64_t step = 7) {
  CheckpointState state;
  state.epoch = 3, state.batch = 5, state.step = step, state.seed = 42;
  state.epoch_loss = 1.0 / 3;
  state.best = 0.1 + 0.2;
  state.configuration_hash = fingerprint("configuration");
  state.metrics_bytes = 11;
  state.extra = {{"patience", 4}};
  return state;
}

TEST(Checkpoint, GivesBackEveryBit) {
  const std::string folder = fresh_folder() + "/last";
  const Network saved(1);
  Network loaded(100);
  save_checkpoint(folder, saved.learners(), some_state());
  EXPECT_EQ(load_checkpoint(folder, loaded.learners()), some_state());
  EXPECT_TRUE(loaded.text() == saved.text());
  CheckpointState without_best = some_state();
  without_best.best.reset();
  save_checkpoint(folder, saved.learners(), without_best);
  EXPECT_EQ(load_checkpoint_state(folder), without_best);
  EXPECT_FALSE(fs::exists(folder + ".new"));
}

TEST(Checkpoint, FilesHaveTheLayoutOfPyTorch) {
  const std::string folder = fresh_folder() + "/last";
  const Network network(1);
  save_checkpoint(folder, network.learners(), some_state());
  const auto model = read_safetensors(folder + "/model.safetensors").tensors;
  EXPECT_EQ(model.at("conv.weight").shape(), (Shape{4, 3, 1, 2}));
  EXPECT_EQ(model.at("norm.num_batches_tracked").type(), DataType::i64);
  // [out, in, y, x] in the file is [y, x, in, out] here
  EXPECT_EQ(model.at("conv.weight").data<float>()[(2 * 3 + 1) * 2 + 1],
            network.slab.parameters()[0].value().data<float>()[(1 * 3 + 1) * 4 + 2]);
  const auto moments = read_safetensors(folder + "/optimizer.safetensors").tensors;
  std::set<std::string> names;
  for (const auto& [name, tensor] : moments) names.insert(name);
  EXPECT_EQ(names, (std::set<std::string>{"first_moment.bias", "first_moment.conv.weight",
                                          "second_moment.bias", "second_moment.conv.weight"}));
  EXPECT_EQ(moments.at("first_moment.conv.weight").shape(), (Shape{4, 3, 1, 2}));
  EXPECT_EQ(Json::parse(read_file(folder + "/state.json"))["format_version"], 2);
}

TEST(Checkpoint, WhatDoesNotFitIsSaid) {
  const std::string folder = fresh_folder(), last = folder + "/last";
  Network network(1);
  const auto save = [&] { save_checkpoint(last, network.learners(), some_state()); };
  const auto load = [&](ErrorKind kind = ErrorKind::data) {
    return sentence([&] { load_checkpoint(last, network.learners()); }, kind);
  };
  EXPECT_EQ(load(ErrorKind::input_output), last + ": there is no checkpoint here");

  for (const char* name : {"state.json", "model.safetensors", "optimizer.safetensors"}) {
    save();
    fs::remove(last + "/" + name);
    EXPECT_EQ(load(), last + ": this checkpoint has no file " + name);
    save();
    fs::resize_file(last + "/" + name, fs::file_size(last + "/" + name) - 3);
    EXPECT_NE(
        load().find(std::string(name) == "state.json" ? "not valid JSON at line" : "is truncated"),
        std::string::npos)
        << load();
  }
  save();
  write_file(last + "/state.json", "{\"format_version\": 1}");
  EXPECT_EQ(load(), last + "/state.json: has format_version 1, but this program reads 2");
  write_file(last + "/state.json", "{\"format_version\": 2, \"epoch\": 3}");
  EXPECT_NE(load().find("state.json: is not the state of a checkpoint: "), std::string::npos);

  save();
  const Json good = Json::parse(read_file(last + "/state.json"));
  const auto with = [&](const char* name, const Json& value) {
    Json changed = good;
    changed[name] = value;
    write_file(last + "/state.json", changed.dump());
    return load();
  };
  const std::string file = last + "/state.json: ";
  EXPECT_EQ(with("epoch", uint64_t{1} << 63),
            file + "'epoch' is 9223372036854775808, not an integer");
  EXPECT_EQ(with("step", -1), file + "'step' is -1, less than 0");
  EXPECT_EQ(with("batch", 1.5), file + "'batch' is 1.5, not an integer");
  EXPECT_EQ(with("seed", "42"), file + "'seed' is \"42\", not an integer");
  EXPECT_EQ(with("optimizer_steps", {{"network", uint64_t{1} << 63}}),
            file + "'optimizer_steps' is 9223372036854775808, not an integer");

  save();
  Network wider(1, {5});
  EXPECT_EQ(
      sentence([&] { load_checkpoint(last, wider.learners()); }, ErrorKind::data),
      last +
          "/model.safetensors: these weights are of another network: 'bias' has shape [3] but "
          "the network needs [5]");
  Network momentum(1, {3}, "network", make_sgd({}));
  EXPECT_EQ(sentence([&] { load_checkpoint(last, momentum.learners()); }, ErrorKind::data),
            last + "/optimizer.safetensors: has no 'velocity': it is of another optimiser");
  save_checkpoint(last, momentum.learners(), some_state());
  EXPECT_EQ(sentence([&] { load_checkpoint(last, network.learners()); }, ErrorKind::data),
            last + "/optimizer.safetensors: has no 'first_moment': it is of another optimiser");
  Network renamed(1, {3}, "other");
  save();
  EXPECT_NE(sentence([&] { load_checkpoint(last, renamed.learners()); }, ErrorKind::data)
                .find("state.json: is not the state of a checkpoint: "),
            std::string::npos);
}

TEST(Checkpoint, WeightsThatAreNotFiniteAreRefused) {
  const std::string folder = fresh_folder(), last = folder + "/last";
  Network network(1);
  network.slab.parameters()[1].value().data<float>()[2] = std::nanf("");
  save_checkpoint(last, network.learners(), some_state());
  const std::string expected =
      last + "/model.safetensors: 'norm.running_mean' has a value that is not finite";
  const auto load = [&](auto&&... to) {
    return sentence([&] { load_weights(last, to...); }, ErrorKind::data);
  };
  EXPECT_EQ(load(network.slab), expected);
  EXPECT_EQ(load(network.learners()), expected);
  EXPECT_EQ(sentence([&] { load_checkpoint(last, network.learners()); }, ErrorKind::data),
            expected);
}

TEST(Checkpoint, SeveralLearnersShareIt) {
  const std::string folder = fresh_folder() + "/last";
  const Network critic(1, {3}, "critic"), generator(50, {5}, "generator", make_sgd({}));
  Network other(100, {3}, "critic"), another(150, {5}, "generator", make_sgd({}));
  const std::vector<Optimizer*> saved{critic.learner.get(), generator.learner.get()},
      loaded{another.learner.get(), other.learner.get()};
  save_checkpoint(folder, saved, some_state());
  EXPECT_EQ(load_checkpoint(folder, loaded), some_state());
  EXPECT_TRUE(other.text() == critic.text());
  EXPECT_TRUE(another.text() == generator.text());
  const auto model = read_safetensors(folder + "/model.safetensors").tensors,
             slabs = read_safetensors(folder + "/optimizer.safetensors").tensors;
  EXPECT_EQ(model.at("critic.bias").shape(), (Shape{3}));
  EXPECT_EQ(model.at("generator.bias").shape(), (Shape{5}));
  EXPECT_EQ(slabs.at("generator.velocity.bias").shape(), (Shape{5}));
  EXPECT_EQ(slabs.size(), 2u * 2 + 2);
  Network alone(1, {3}, "critic");
  EXPECT_EQ(sentence([&] { load_checkpoint(folder, alone.learners()); }, ErrorKind::data)
                .find(folder + "/model.safetensors: these weights are of another network"),
            0u);
}

TEST(Checkpoint, WithoutExchangeOfFoldersTheOldOneIsFoundAgain) {
  const std::string folder = fresh_folder(), last = folder + "/last", fresh = folder + "/fresh";
  const Network first(1), second(2);
  Network loaded(3);
  save_checkpoint(last, first.learners(), some_state());
  save_checkpoint(fresh, second.learners(), some_state());
  replace_folder(fresh, last, false);
  load_checkpoint(last, loaded.learners());
  EXPECT_TRUE(loaded.text() == second.text());
  EXPECT_FALSE(fs::exists(last + ".old") || fs::exists(fresh));
  // Between its two renames.
  fs::rename(last, last + ".old");
  EXPECT_EQ(find_checkpoint(last, {}), last);
  load_checkpoint(last, loaded.learners());
  EXPECT_TRUE(loaded.text() == second.text());
}

// Runs f in a process of its own, which is allowed to leave in any way.
template <typename F>
pid_t in_child(F&& f) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(f());
  return child;
}
int exit_code_of(pid_t child) {
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}
// The exit code is the kind of the error, the sentence goes to the file.
template <typename F>
int code_of_error(const std::string& file, F&& f) {
  std::ofstream stream(file);
  try {
    f();
  } catch (const Error& error) {
    stream << error.what() << std::flush;
    return error.exit_code();
  }
  return 0;
}

TEST(Checkpoint, AKillLeavesOneThatIsWhole) {
  const std::string folder = fresh_folder(), last = folder + "/last";
  Network network(0);
  save_checkpoint(last, network.learners(), some_state(0));
  int64_t reached = 0;
  for (uint64_t round = 0; round < 20 || reached < 10; ++round) {
    const pid_t child = in_child([&]() -> int {
      for (int64_t step = reached + 1;; ++step) {
        const Network next(static_cast<double>(step));
        save_checkpoint(last, next.learners(), some_state(step));
      }
    });
    ::usleep(static_cast<useconds_t>(RandomKey{3}.below(40'000 + 1000 * round, round)));
    ::kill(child, SIGKILL);
    EXPECT_EQ(exit_code_of(child), -SIGKILL);
    Network loaded(1000);
    const CheckpointState state = load_checkpoint(last, loaded.learners());
    EXPECT_GE(state.step, reached);
    EXPECT_TRUE(loaded.text() == Network(static_cast<double>(state.step)).text());
    reached = state.step;
  }
}

TEST(Checkpoint, AFullDiskLeavesTheFormerOne) {
  const std::string folder = fresh_folder(), last = folder + "/last";
  const Network first(1), second(2);
  save_checkpoint(last, first.learners(), some_state());
  const rlim_t model = fs::file_size(last + "/model.safetensors"),
               optimizer = fs::file_size(last + "/optimizer.safetensors");
  for (rlim_t size : {rlim_t{0}, model - 1, optimizer - 1}) {  // no file may be larger
    const pid_t child = in_child([&] {
      const rlimit limit{size, size};
      ::signal(SIGXFSZ, SIG_IGN);
      ::setrlimit(RLIMIT_FSIZE, &limit);
      return code_of_error("/dev/null",
                           [&] { save_checkpoint(last, second.learners(), some_state()); });
    });
    EXPECT_EQ(exit_code_of(child), static_cast<int>(ErrorKind::input_output));
    Network loaded(3);
    load_checkpoint(last, loaded.learners());
    EXPECT_TRUE(loaded.text() == first.text());
    EXPECT_EQ(std::distance(fs::directory_iterator(folder), {}), 1) << "something is left behind";
  }
}

struct Trial {
  explicit Trial(std::string root_folder) : root(std::move(root_folder)) {}
  RunFolder::Place place() const { return {root, "camp0", {"dummy", "halfunet"}, "trial"}; }
  std::string root;
  std::unique_ptr<Communicator> communicator = single_process();
  Logger log{nullptr};
};

TEST(RunFolderOnDisk, HasTheNextFreeVersion) {
  Trial trial(fresh_folder());
  const std::string parent = trial.root + "/camp0/dummy/halfunet/";
  fs::create_directories(parent + "trial_x");
  fs::create_directories(parent + "trial_1_2");
  EXPECT_EQ(RunFolder(trial.place(), *trial.communicator, trial.log).path(), parent + "trial_0");
  EXPECT_EQ(RunFolder(trial.place(), *trial.communicator, trial.log).path(), parent + "trial_1");
  fs::create_directories(parent + "trial_41");
  EXPECT_EQ(RunFolder(trial.place(), *trial.communicator, trial.log).path(), parent + "trial_42");
}

TEST(RunFolderOnDisk, RunsThatStartAtOnceDoNotShareOne) {
  Trial trial(fresh_folder());
  std::vector<pid_t> children;
  for (int i = 0; i < 8; ++i)
    children.push_back(in_child([&] {
      for (int j = 0; j < 5; ++j) RunFolder(trial.place(), *trial.communicator, trial.log);
      return 0;
    }));
  for (pid_t child : children) EXPECT_EQ(exit_code_of(child), 0);
  EXPECT_EQ(std::distance(fs::directory_iterator(trial.root + "/camp0/dummy/halfunet"), {}), 40);
}

TEST(RunFolderOnDisk, HoldsItsFiles) {
  Trial trial(fresh_folder());
  RunFolder folder(trial.place(), *trial.communicator, trial.log);
  folder.write_json("config.json", {{"seed", 42}});
  trial.log.info("epoch ", 3, ": ", 0.5);
  folder.append_metrics({{"step", 1}, {"loss", 0.1}});
  folder.append_metrics({{"step", 2}, {"loss", 0.25}});
  EXPECT_EQ(read_file(folder.file("metrics.jsonl")),
            "{\"step\":1,\"loss\":0.1}\n{\"step\":2,\"loss\":0.25}\n");
  EXPECT_EQ(Json::parse(read_file(folder.file("config.json"))), Json({{"seed", 42}}));
  const std::string log = read_file(folder.file("log.txt"));
  EXPECT_EQ(log.substr(log.find(' ')), " epoch 3: 0.5\n");
  EXPECT_EQ(log.find(' '), std::string("2026-03-01T12:00:00Z").size());

  const Network network(1);
  folder.save("best", network.learners(), some_state());
  EXPECT_EQ(load_checkpoint_state(folder.checkpoint("best")).metrics_bytes, 45);
}

TEST(RunFolderOnDisk, AResumedOneHasTheMetricsOfAnUninterruptedOne) {
  Trial trial(fresh_folder());
  const Network network(1);
  std::string path;
  {
    RunFolder folder(trial.place(), *trial.communicator, trial.log);
    path = folder.path();
    folder.append_metrics({{"step", 1}});
    folder.save("last", network.learners(), some_state());
    folder.append_metrics({{"step", 2}, {"lost", true}});
    EXPECT_EQ(sentence([&] { RunFolder(path, {}, *trial.communicator, trial.log); },
                       ErrorKind::input_output),
              path + ": another process is training in this run folder");
  }
  std::ofstream(path + "/metrics.jsonl", std::ios::app) << "{\"step\": 3, \"ha";  // a cut line
  const CheckpointState state = load_checkpoint_state(find_checkpoint(path, {"last"}));
  RunFolder folder(path, state, *trial.communicator, trial.log);
  folder.append_metrics({{"step", 2}});
  EXPECT_EQ(read_file(folder.file("metrics.jsonl")), "{\"step\":1}\n{\"step\":2}\n");
}

// Another process may have the name by then: nothing is written into it.
TEST(RunFolderOnDisk, OneThatIsRemovedMovedOrReplacedIsNotWrittenAgain) {
  Trial trial(fresh_folder());
  const Network network(1);
  for (const std::string how : {"removed", "moved", "replaced"}) {
    RunFolder folder(trial.place(), *trial.communicator, trial.log);
    const std::string path = folder.path(), moved = trial.root + "/elsewhere";
    folder.save("last", network.learners(), some_state());
    how == "removed" ? fs::remove_all(path) : (fs::rename(path, moved), 1);
    std::optional<RunFolder> other;
    if (how == "replaced") other.emplace(trial.place(), *trial.communicator, trial.log);
    const std::string expected =
        path +
        ": the run folder was removed, moved or replaced during the run; nothing more is written "
        "to it";
    EXPECT_EQ(sentence([&] { folder.save("last", network.learners(), some_state()); },
                       ErrorKind::input_output),
              expected);
    EXPECT_EQ(sentence([&] { folder.write_json("scores.json", {}); }, ErrorKind::input_output),
              expected);
    EXPECT_EQ(fs::exists(path), how == "replaced");
    if (other) {
      EXPECT_EQ(other->path(), path);
      EXPECT_TRUE(fs::is_empty(path + "/checkpoints"));
    }
    fs::remove_all(path);
    fs::remove_all(moved);
  }
}

TEST(RunFolderOnDisk, MetricsAreNoLink) {
  Trial trial(fresh_folder());
  const std::string path = RunFolder(trial.place(), *trial.communicator, trial.log).path(),
                    outside = trial.root + "/precious";
  write_file(outside, "many lines");
  fs::remove(path + "/metrics.jsonl");
  fs::create_symlink(outside, path + "/metrics.jsonl");
  EXPECT_EQ(sentence([&] { RunFolder(path, {}, *trial.communicator, trial.log); },
                     ErrorKind::input_output),
            path + "/metrics.jsonl: is a symbolic link, which is not written to");
  EXPECT_EQ(read_file(outside), "many lines");
}

TEST(RunFolderOnDisk, WhatAKilledProcessLeftIsClearedAndNeverACheckpoint) {
  Trial trial(fresh_folder());
  const Network network(1);
  std::string path;
  {
    RunFolder folder(trial.place(), *trial.communicator, trial.log);
    path = folder.path();
    folder.save("last", network.learners(), some_state());
  }
  fs::copy(path + "/checkpoints/last", path + "/checkpoints/best.new");
  for (const char* name : {"/config.json.new4711", "/my.news", "/notes.new.txt"})
    write_file(path + name, "");
  EXPECT_EQ(sentence([&] { find_checkpoint(path, {"best"}); }, ErrorKind::input_output),
            path + ": has no checkpoint 'best' (it has last)");
  const RunFolder again(path, {}, *trial.communicator, trial.log);
  EXPECT_FALSE(fs::exists(path + "/checkpoints/best.new"));
  EXPECT_FALSE(fs::exists(path + "/config.json.new4711"));
  EXPECT_TRUE(fs::exists(path + "/my.news") && fs::exists(path + "/notes.new.txt"));
}

TEST(RunFolderOnDisk, MayBeNamedByItsPath) {
  Trial trial(fresh_folder());
  RunFolder::Place place = trial.place();
  place.path = trial.root + "/a/b";
  EXPECT_EQ(RunFolder(place, *trial.communicator, trial.log).path(), place.path);
  // A start that came to no checkpoint is begun again.
  EXPECT_EQ(RunFolder(place, *trial.communicator, trial.log).path(), place.path);
  place.path = trial.root + "/c";
  fs::create_directories(place.path);
  EXPECT_EQ(RunFolder(place, *trial.communicator, trial.log).path(), place.path);
  place.path = trial.root + "/home";
  fs::create_directories(place.path + "/letters");
  EXPECT_EQ(
      sentence([&] { RunFolder(place, *trial.communicator, trial.log); }, ErrorKind::configuration),
      place.path + ": is neither empty nor the folder of a run, so no run is begun in it");
}

TEST(RunFolderOnDisk, MissingMetricsAreSaid) {
  Trial trial(fresh_folder());
  std::ostringstream terminal;
  Logger log(&terminal);
  const std::string path = RunFolder(trial.place(), *trial.communicator, log).path();
  RunFolder folder(path, some_state(), *trial.communicator, log);
  EXPECT_EQ(terminal.str(), "warning: " + path +
                                "/metrics.jsonl has 0 bytes, but had 11 at the checkpoint: lines "
                                "are missing\n");
}

TEST(RunFolderOnDisk, IsFoundByItsNameOrACheckpoint) {
  Trial trial(fresh_folder());
  RunFolder folder(trial.place(), *trial.communicator, trial.log);
  const std::string path = folder.path();
  folder.write_json("config.json", Json::object());
  EXPECT_EQ(sentence(
                [&] {
                  find_checkpoint(path, {"best", "last"});
                },
                ErrorKind::input_output),
            path + ": has no checkpoint 'best' or 'last' (it has none)");
  const Network first(1), second(2);
  folder.save("last", first.learners(), some_state());
  EXPECT_EQ(find_checkpoint(path, {"best", "last"}), path + "/checkpoints/last");
  EXPECT_EQ(sentence([&] { find_checkpoint(path, {"best"}); }, ErrorKind::input_output),
            path + ": has no checkpoint 'best' (it has last)");
  folder.save("best", second.learners(), some_state());
  EXPECT_EQ(find_checkpoint(path, {"best", "last"}), path + "/checkpoints/best");
  EXPECT_EQ(find_checkpoint(path + "/checkpoints/last", {"best"}), path + "/checkpoints/last");
  EXPECT_EQ(sentence([&] { find_checkpoint(path + "x", {"best"}); }, ErrorKind::input_output),
            path + "x: there is no such run folder or checkpoint");
  for (const char* below : {"", "/", "/checkpoints/last", "/checkpoints/last/"})
    EXPECT_EQ(find_run(path + below), path) << below;
  EXPECT_EQ(sentence([&] { find_run(trial.root); }, ErrorKind::input_output),
            trial.root + ": is neither a run folder nor a checkpoint in one (no config.json)");

  Network loaded(3);
  load_weights(path, loaded.slab);
  EXPECT_EQ(loaded.slab.state()[0].second.data<float>()[0],
            second.slab.state()[0].second.data<float>()[0]);
  load_weights(path + "/checkpoints/last/model.safetensors", loaded.slab);
  EXPECT_EQ(loaded.slab.state()[0].second.data<float>()[0],
            first.slab.state()[0].second.data<float>()[0]);
}

TEST(RunFolderOnDisk, NamesAreOneFolderEach) {
  Trial trial(fresh_folder());
  RunFolder::Place place = trial.place();
  place.run_name = "a/b";
  EXPECT_EQ(
      sentence([&] { RunFolder(place, *trial.communicator, trial.log); }, ErrorKind::configuration),
      "run.run_name 'a/b' cannot be the name of a folder: it is empty, dots, or has a '/'");
}

TEST(RunFolderOnDisk, AFolderThatCannotBeWrittenIsSaid) {
  Trial trial(fresh_folder());
  write_file(trial.root + "/file", "");
  RunFolder::Place place = trial.place();
  place.root = trial.root + "/file";
  EXPECT_EQ(
      sentence([&] { RunFolder(place, *trial.communicator, trial.log); }, ErrorKind::input_output),
      place.root + "/camp0/dummy/halfunet: the folder cannot be made: Not a directory");

  // As a user who may not write there (root may write anywhere), nor look into the folders above.
  fs::create_directories(trial.root + "/camp0/dummy/halfunet");
  fs::permissions(trial.root + "/camp0/dummy/halfunet", fs::perms(0555));
  const pid_t child = in_child([&] {
    return code_of_error(trial.root + "/said", [&] {
      place.root = ".";
      fs::current_path(trial.root);
      if (::geteuid() == 0 && ::setresuid(65534, 65534, 65534) != 0) ::_exit(1);
      RunFolder(place, *trial.communicator, trial.log);
    });
  });
  EXPECT_EQ(exit_code_of(child), static_cast<int>(ErrorKind::input_output));
  EXPECT_EQ(read_file(trial.root + "/said"),
            "./camp0/dummy/halfunet/trial_0: the folder cannot be made: Permission denied");
}

TEST(RunFolderOnDisk, AFullDiskIsSaidByTheMetrics) {
  Trial trial(fresh_folder());
  RunFolder folder(trial.place(), *trial.communicator, trial.log);
  const pid_t child = in_child([&] {
    const rlimit limit{20, 20};
    ::signal(SIGXFSZ, SIG_IGN);
    ::setrlimit(RLIMIT_FSIZE, &limit);
    return code_of_error("/dev/null", [&] {
      for (int i = 0; i < 100; ++i) folder.append_metrics({{"step", i}});
    });
  });
  EXPECT_EQ(exit_code_of(child), static_cast<int>(ErrorKind::input_output));
}

}  // namespace
}  // namespace py4cast
