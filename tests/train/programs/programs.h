// What the tests of the programs share.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>

#include "tests/places.h"

namespace py4cast {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct Outcome {
  int exit_code = 0;
  std::string output;  // standard output and error together
};

inline Outcome run(const std::string& command) {
  Outcome outcome;
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  char buffer[4096];
  for (size_t n; (n = fread(buffer, 1, sizeof buffer, pipe)) > 0;) outcome.output.append(buffer, n);
  const int status = pclose(pipe);
  outcome.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return outcome;
}

// Of a file that must be there.
inline std::string contents(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  EXPECT_TRUE(stream.good()) << file << " is missing";
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

// A root of its own for each test; small trainings on the dummy data set.
class Programs : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::ranges::replace(name, '/', '_');
    root_ = fs::path(::testing::TempDir()) / ("programs_" + std::to_string(getpid()) + "_" + name);
    fs::create_directories(root_);
    setenv("PY4CAST_ROOTDIR", root_.c_str(), 1);
  }
  void TearDown() override { fs::remove_all(root_); }

  static std::string train() { return program_folder() + "/py4cast_train "; }
  static std::string tool() { return program_folder() + "/py4cast "; }
  std::string small(const std::string& name) const {
    return "--dataset dummy --model halfunet --model.settings '{\"num_filters\": 4}' --strategy "
           "scaled_ar "
           "--num_pred_steps_val_test 2 --limit_train_batches 6 --batch_size 2 "
           "--training.accumulate_batches 2 "
           "--run_name " +
           name + " " + flags_;
  }
  fs::path folder(const std::string& name) const {
    return root_ / "camp0/dummy/halfunet" / (name + "_0");
  }
  std::string weights(const std::string& name, const std::string& checkpoint = "last") const {
    return contents(folder(name) / "checkpoints" / checkpoint / "model.safetensors");
  }

  // Killed without warning, then resumed: the same bits as never killed.
  void killed_and_resumed(const std::string& flags, const std::string& launcher = "",
                          const std::string& resume_flags = "") const;
  // All that a run leaves behind for whoever compares.
  void expect_equal(const fs::path& run, const fs::path& other) const;
  // A process of its own for `launcher` py4cast_train with these words.
  static pid_t start(const std::string& words, const std::string& launcher = "");
  // The state.json of a checkpoint; an empty object if there is none yet.
  static Json state(const fs::path& run, const std::string& checkpoint = "last");

  fs::path root_;
  std::string flags_;  // of every training
};

inline pid_t Programs::start(const std::string& words, const std::string& launcher) {
  const std::string command = "exec env " + launcher + train() + words + " > /dev/null 2>&1";
  const pid_t child = fork();
  if (child != 0) return child;
  execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
  _exit(127);
}

inline Json Programs::state(const fs::path& run, const std::string& checkpoint) {
  std::ifstream stream(run / "checkpoints" / checkpoint / "state.json");
  const Json json = Json::parse(stream, nullptr, false);
  return json.is_discarded() ? Json::object() : json;
}

inline void Programs::killed_and_resumed(const std::string& flags, const std::string& launcher,
                                         const std::string& resume_flags) const {
  constexpr int epochs = 6;
  const std::string all_flags = flags + " --epochs " + std::to_string(epochs);
  ASSERT_EQ(run(train() + small("whole") + all_flags).exit_code, 0);

  const pid_t child = start(small("killed") + all_flags);
  const auto epoch = [&] { return state(folder("killed")).value("epoch", 0); };  // saved
  int status = 0, seen = 0;
  bool ended = false;
  for (int tries = 0; tries < 60000 && !ended && (seen = epoch()) < 2; ++tries) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    ended = waitpid(child, &status, WNOHANG) == child;
  }
  if (!ended) {
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
  }
  ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
      << "the run ended before it was killed, after epoch " << epoch();
  ASSERT_GE(seen, 2);
  ASSERT_LT(epoch(), epochs) << "nothing was left to be done";
  const Outcome outcome =
      run(launcher + train() + "--resume " + folder("killed").string() + resume_flags);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_NE(outcome.output.find("goes on from " + folder("killed").string()), std::string::npos)
      << outcome.output;
  expect_equal(folder("killed"), folder("whole"));
}

inline void Programs::expect_equal(const fs::path& run, const fs::path& other) const {
  for (const char* file :
       {"checkpoints/last/model.safetensors", "checkpoints/best/model.safetensors",
        "checkpoints/last/optimizer.safetensors", "metrics.jsonl", "scores.json"})
    EXPECT_TRUE(contents(run / file) == contents(other / file)) << file;
}

}  // namespace py4cast
