#include "train/run_folder.h"

#include <sys/resource.h>

#include <iostream>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/files.h"
#include "tests/engine/error_of.h"
#include "tests/train/checkpoint_parts.h"

namespace py4cast {
namespace {

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

  const SavedNetwork network(1);
  folder.save("best", network.learners(), some_state());
  EXPECT_EQ(load_checkpoint_state(folder.checkpoint("best")).metrics_bytes, 45);
}

TEST(RunFolderOnDisk, AResumedOneHasTheMetricsOfAnUninterruptedOne) {
  Trial trial(fresh_folder());
  const SavedNetwork network(1);
  std::string path;
  {
    RunFolder folder(trial.place(), *trial.communicator, trial.log);
    path = folder.path();
    folder.append_metrics({{"step", 1}});
    folder.save("last", network.learners(), some_state());
    folder.append_metrics({{"step", 2}, {"lost", true}});
    EXPECT_EQ(error_of([&] { RunFolder(path, *trial.communicator); }, ErrorKind::input_output),
              path + ": another process is training in this run folder");
  }
  std::ofstream(path + "/metrics.jsonl", std::ios::app) << "{\"step\": 3, \"ha";  // a cut line
  const CheckpointState state = load_checkpoint_state(find_checkpoint(path, {"last"}));
  RunFolder folder(path, *trial.communicator);
  folder.go_on_from(state, trial.log);
  folder.append_metrics({{"step", 2}});
  EXPECT_EQ(read_file(folder.file("metrics.jsonl")), "{\"step\":1}\n{\"step\":2}\n");
}

// Another process may have the name by then: nothing is written into it.
TEST(RunFolderOnDisk, OneThatIsRemovedMovedOrReplacedIsNotWrittenAgain) {
  Trial trial(fresh_folder());
  const SavedNetwork network(1);
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
    EXPECT_EQ(error_of([&] { folder.save("last", network.learners(), some_state()); },
                       ErrorKind::input_output),
              expected);
    EXPECT_EQ(error_of([&] { folder.write_json("scores.json", {}); }, ErrorKind::input_output),
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
  EXPECT_EQ(error_of([&] { RunFolder(path, *trial.communicator); }, ErrorKind::input_output),
            path + "/metrics.jsonl: is a symbolic link, which is not written to");
  EXPECT_EQ(read_file(outside), "many lines");
}

TEST(RunFolderOnDisk, WhatAKilledProcessLeftIsClearedAndNeverACheckpoint) {
  Trial trial(fresh_folder());
  const SavedNetwork network(1);
  std::string path;
  {
    RunFolder folder(trial.place(), *trial.communicator, trial.log);
    path = folder.path();
    folder.save("last", network.learners(), some_state());
  }
  fs::copy(path + "/checkpoints/last", path + "/checkpoints/best.new");
  for (const char* name : {"/config.json.new4711", "/my.news", "/notes.new.txt"})
    write_file(path + name, "");
  EXPECT_EQ(error_of([&] { find_checkpoint(path, {"best"}); }, ErrorKind::input_output),
            path + ": has no checkpoint 'best' (it has last)");
  const RunFolder again(path, *trial.communicator);
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
      error_of([&] { RunFolder(place, *trial.communicator, trial.log); }, ErrorKind::configuration),
      place.path + ": is neither empty nor the folder of a run, so no run is begun in it");
}

TEST(RunFolderOnDisk, MissingMetricsAreSaid) {
  Trial trial(fresh_folder());
  std::ostringstream terminal;
  Logger log(&terminal);
  const std::string path = RunFolder(trial.place(), *trial.communicator, log).path();
  RunFolder folder(path, *trial.communicator);
  folder.go_on_from(some_state(), log);
  EXPECT_EQ(terminal.str(), "warning: " + path +
                                "/metrics.jsonl has 0 bytes, but had 11 at the checkpoint: lines "
                                "are missing\n");
}

TEST(RunFolderOnDisk, IsFoundByItsNameOrACheckpoint) {
  Trial trial(fresh_folder());
  RunFolder folder(trial.place(), *trial.communicator, trial.log);
  const std::string path = folder.path();
  folder.write_json("config.json", Json::object());
  EXPECT_EQ(error_of(
                [&] {
                  find_checkpoint(path, {"best", "last"});
                },
                ErrorKind::input_output),
            path + ": has no checkpoint 'best' or 'last' (it has none)");
  const SavedNetwork first(1), second(2);
  folder.save("last", first.learners(), some_state());
  EXPECT_EQ(find_checkpoint(path, {"best", "last"}), path + "/checkpoints/last");
  EXPECT_EQ(error_of([&] { find_checkpoint(path, {"best"}); }, ErrorKind::input_output),
            path + ": has no checkpoint 'best' (it has last)");
  folder.save("best", second.learners(), some_state());
  EXPECT_EQ(find_checkpoint(path, {"best", "last"}), path + "/checkpoints/best");
  EXPECT_EQ(find_checkpoint(path + "/checkpoints/last", {"best"}), path + "/checkpoints/last");
  EXPECT_EQ(error_of([&] { find_checkpoint(path + "x", {"best"}); }, ErrorKind::input_output),
            path + "x: there is no such run folder or checkpoint");
  for (const char* below : {"", "/", "/checkpoints/last", "/checkpoints/last/"})
    EXPECT_EQ(find_run(path + below), path) << below;
  EXPECT_EQ(error_of([&] { find_run(trial.root); }, ErrorKind::input_output),
            trial.root + ": is neither a run folder nor a checkpoint in one (no config.json)");

  SavedNetwork loaded(3);
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
      error_of([&] { RunFolder(place, *trial.communicator, trial.log); }, ErrorKind::configuration),
      "run.run_name 'a/b' cannot be the name of a folder: it is empty, dots, or has a '/'");
}

TEST(RunFolderOnDisk, AFolderThatCannotBeWrittenIsSaid) {
  Trial trial(fresh_folder());
  write_file(trial.root + "/file", "");
  RunFolder::Place place = trial.place();
  place.root = trial.root + "/file";
  EXPECT_EQ(
      error_of([&] { RunFolder(place, *trial.communicator, trial.log); }, ErrorKind::input_output),
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
