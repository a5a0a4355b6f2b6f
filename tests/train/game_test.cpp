// Runs of a task with two learners, as a user runs them: killed and resumed, on two ranks, captured.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "engine/files.h"
#include "tests/devices.h"
#include "tests/places.h"

namespace py4cast {
namespace {

namespace fs = std::filesystem;

class Games : public ::testing::TestWithParam<std::string> {
 protected:
  static constexpr int epochs = 40;
  void SetUp() override {
    root_ =
        fs::path(::testing::TempDir()) / ("games_" + GetParam() + "_" + std::to_string(getpid()));
    fs::remove_all(root_);
  }
  void TearDown() override { fs::remove_all(root_); }

  std::string command(const std::string& name, int64_t accumulate = 1) const {
    return test_program_folder() + "/game --task game --device " + GetParam() + " --run.root " +
           root_.string() + " --run_name " + name + " --epochs " + std::to_string(epochs) +
           " --training.accumulate_batches " + std::to_string(accumulate) + " >/dev/null";
  }
  fs::path folder(const std::string& name) const {
    return root_ / "camp0/vectors/adversarial" / (name + "_0");
  }
  // What a run ended with.
  std::string result(const std::string& name) const {
    std::string bytes;
    for (const char* file : {"model.safetensors", "optimizer.safetensors"})
      bytes += read_file((folder(name) / "checkpoints/last" / file).string());
    return bytes + read_file((folder(name) / "metrics.jsonl").string());
  }
  int64_t epoch_of(const std::string& name) const {
    const fs::path state = folder(name) / "checkpoints/last/state.json";
    if (!fs::exists(state)) return 0;
    return nlohmann::json::parse(read_file(state.string())).value("epoch", int64_t{0});
  }
  fs::path root_;
};
INSTANTIATE_TEST_SUITE_P(Devices, Games, ::testing::ValuesIn(devices()),
                         [](const auto& test) { return test.param; });

TEST_P(Games, KilledAndResumedIsAsNeverKilled) {
  ASSERT_EQ(std::system(command("whole").c_str()), 0);
  const pid_t child = fork();
  if (child == 0) {
    execl("/bin/sh", "sh", "-c", ("exec " + command("killed")).c_str(), nullptr);
    _exit(127);
  }
  int status = 0;
  while (epoch_of("killed") < 3 && waitpid(child, &status, WNOHANG) == 0)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status)) << "the run ended before it was killed";
  ASSERT_LT(epoch_of("killed"), epochs);
  ASSERT_EQ(std::system((test_program_folder() + "/game --resume " + folder("killed").string() +
                         " >/dev/null")
                            .c_str()),
            0);
  EXPECT_EQ(epoch_of("killed"), epochs);
  EXPECT_TRUE(result("killed") == result("whole"));
}

#ifdef PY4CAST_MPI
TEST_P(Games, TwoRanksAreOneThatTakesTwoBatches) {
  ASSERT_EQ(std::system(command("one", 2).c_str()), 0);
  ASSERT_EQ(std::system(("PY4CAST_EMULATED_DEVICES=2 " + mpirun(2) + command("two")).c_str()), 0);
  EXPECT_TRUE(result("one") == result("two"));
}
#endif

}  // namespace
}  // namespace py4cast
