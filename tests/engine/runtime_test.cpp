#include "engine/runtime.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/error.h"
#include "tests/places.h"

namespace py4cast {
namespace {

struct Outcome {
  int status;          // exit code; -1: ended by a signal
  std::string output;  // both streams
  int count(const std::string& text) const {
    int found = 0;
    for (size_t at = output.find(text); at != std::string::npos; at = output.find(text, at + 1))
      ++found;
    return found;
  }
};

Outcome run(const std::string& command) {
  Outcome outcome{-1, ""};
  FILE* pipe = ::popen((command + " 2>&1 </dev/null").c_str(), "r");
  char part[4096];
  for (size_t size; (size = std::fread(part, 1, sizeof part, pipe)) > 0;)
    outcome.output.append(part, size);
  const int status = ::pclose(pipe);
  if (WIFEXITED(status)) outcome.status = WEXITSTATUS(status);
  return outcome;
}

std::string program(const std::string& scenario) {
  return test_program_folder() + "/ranks " + scenario;
}

TEST(Runtime, DeviceInWords) {
  EXPECT_EQ(Runtime("cpu").device(), Device{});
  const auto sentence = [](const char* device) {
    try {
      Runtime runtime(device);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::configuration);
      return std::string(error.what());
    }
    return std::string("no error");
  };
  EXPECT_EQ(sentence("cud"), "device 'cud' is unknown; did you mean 'cuda'?");
#ifndef PY4CAST_CUDA
  EXPECT_TRUE(Runtime("auto").description().starts_with(
      "cpu (auto: this program was built without CUDA (PY4CAST_CUDA=OFF)), "));
  EXPECT_EQ(sentence("cuda"),
            "device 'cuda': this program was built without CUDA (PY4CAST_CUDA=OFF), so it cannot "
            "use a GPU; --device cpu does without");
#elif PY4CAST_CUDA_EMULATED
  EXPECT_TRUE(
      Runtime("auto").description().starts_with("cpu (auto: the GPU is an emulated one), "));
#endif
}

#if PY4CAST_CUDA
// A kernel's fault is told by a later call, which has done nothing wrong.
TEST(Runtime, ErrorsOfEarlierWorkAreCalledSo) {
  const auto text = [](int error) {
    try {
      check_cuda(error, "cudaStreamSynchronize");
    } catch (const Error& thrown) {
      return std::string(thrown.what());
    }
    return std::string("no error");
  };
  constexpr int illegal_address = 700, invalid_value = 1, too_many_threads = 701;
  const char* const hint = "by work that was put on the GPU before";
  EXPECT_TRUE(text(illegal_address).starts_with("cudaStreamSynchronize: "));
  EXPECT_NE(text(illegal_address).find(hint), std::string::npos) << text(illegal_address);
  for (int error : {invalid_value, too_many_threads})
    EXPECT_EQ(text(error).find(hint), std::string::npos) << text(error);
  EXPECT_EQ(text(0), "no error");
}
#endif

TEST(Runtime, RefusesGpusThatLackInstructions) {
  EXPECT_EQ(unsuitable({.name = "Tesla T4", .major = 7, .minor = 5}),
            "the GPU Tesla T4 has compute capability 7.5, this program needs 8.0 or more");
  EXPECT_EQ(unsuitable({.name = "NVIDIA A100", .major = 8, .minor = 0}), "");
  EXPECT_EQ(unsuitable({.name = "NVIDIA H100", .major = 9, .minor = 0}), "");
}

TEST(Runtime, AloneWithoutALauncher) {
  Runtime runtime("cpu");
  Communicator& communicator = runtime.communicator();
  EXPECT_EQ(communicator.size(), 1);
  EXPECT_TRUE(communicator.root());
  std::vector<double> values{1, 2};
  communicator.sum_in_rank_order(values);
  EXPECT_EQ(values, (std::vector<double>{1, 2}));
  EXPECT_EQ(communicator.broadcast(std::string("text")), "text");
  EXPECT_EQ(communicator.all_gather_values(3), std::vector<int>{3});
  EXPECT_TRUE(communicator.any(true));
  EXPECT_THROW(runtime.guard([]() -> int { throw Error(ErrorKind::data, "sentence"); }), Error);
  EXPECT_EQ(runtime.context().ledger, &runtime.ledger());
  for (const char* scenario : {"blocks", "sums"}) {
    const Outcome outcome = run(program(scenario));
    EXPECT_EQ(outcome.output, "good\n");
    EXPECT_EQ(outcome.status, 0);
  }
}

TEST(Runtime, EnvironmentReport) {
  Runtime runtime("cpu");
  const auto report = environment_report(runtime);
  for (const char* key : {"host", "processor", "compiler", "build_type", "commit", "cpu_level",
                          "device", "system", "transport"})
    EXPECT_FALSE(report.at(key).get<std::string>().empty()) << key;
  EXPECT_EQ(report.at("threads"), runtime.threads());
  EXPECT_EQ(report.at("ranks"), 1);
  EXPECT_GE(report.at("cores_allowed").get<int>(), 1);
}

TEST(Runtime, ThreadsOfTheCoresThatMayBeUsed) {
  EXPECT_EQ(run("unset OMP_NUM_THREADS; taskset -c " + std::to_string(::sched_getcpu()) + " " +
                program("threads"))
                .count("1 thread, report 1\n"),
            1);
  EXPECT_EQ(run("OMP_NUM_THREADS=3 " + program("threads")).count("3 threads, report 3\n"), 1);
}

// Given by the environment, or else briefly; and the program gets its words.
TEST(Runtime, ThreadsSpinAsTheyAreTold) {
  const std::string unset = "env -u OMP_WAIT_POLICY -u GOMP_SPINCOUNT OMP_DISPLAY_ENV=verbose ";
  Outcome outcome = run(unset + program("threads"));
  EXPECT_EQ(outcome.count("GOMP_SPINCOUNT = '3000'"), 1) << outcome.output;
  EXPECT_EQ(outcome.count(", report "), 1) << outcome.output;
  outcome = run(unset + "OMP_WAIT_POLICY=passive " + program("threads"));
  EXPECT_EQ(outcome.count("GOMP_SPINCOUNT = '0'"), 1) << outcome.output;
}

#if PY4CAST_MPI

Outcome on_ranks(int ranks, const std::string& scenario) {
  return run(mpirun(ranks) + program(scenario));
}

TEST(RanksOfMpi, OfUnequalProcessorsComputeWithInstructionsThatAllHave) {
  const Outcome outcome =
      run(mpirun(3) +
          "sh -c 'test $OMPI_COMM_WORLD_RANK != 1 || export PY4CAST_CPU_LEVEL=baseline; exec " +
          program("level") + "'");
  EXPECT_EQ(outcome.count("good: baseline\n"), 3) << outcome.output;
}

class Ranks : public testing::TestWithParam<int> {};

TEST_P(Ranks, BlocksGoWhereTheyShould) {
  const Outcome outcome = on_ranks(GetParam(), "blocks");
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_EQ(outcome.count("good\n"), GetParam()) << outcome.output;
}

TEST_P(Ranks, SumsHaveTheBitsOfRankOrder) {
  const Outcome outcome = on_ranks(GetParam(), "sums");
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_EQ(outcome.count("good\n"), GetParam()) << outcome.output;
}

#if PY4CAST_CUDA_EMULATED
TEST_P(Ranks, SumsFromGpuToGpuAreThoseOfTheHost) {
  const Outcome outcome =
      run("PY4CAST_EMULATED_DEVICES=4 " + mpirun(GetParam()) + program("sums_there"));
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_EQ(outcome.count("good\n"), GetParam()) << outcome.output;
}
#endif

INSTANTIATE_TEST_SUITE_P(OfMpi, Ranks, testing::Values(1, 2, 3, 4));

TEST(RanksOfMpi, OneForWhichTheOthersWaitIsNamed) {
  const Outcome outcome = on_ranks(3, "late");
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_EQ(outcome.count("good\n"), 3) << outcome.output;
}

TEST(RanksOfMpi, WorkBetweenStepsIsToldFromStandingStill) {
  Outcome outcome = on_ranks(3, "work");
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_EQ(outcome.count("good\n"), 3) << outcome.output;
  outcome = on_ranks(3, "hang");
  EXPECT_EQ(outcome.status, 7) << outcome.output;
  EXPECT_EQ(outcome.count("py4cast: rank 1 on "), 1) << outcome.output;
  EXPECT_EQ(outcome.count(" s: the others wait for it; that is longer than run.hang_timeout"), 1)
      << outcome.output;
}

TEST(RanksOfMpi, ShareTheCores) {
  cpu_set_t cores;
  ASSERT_EQ(::sched_getaffinity(0, sizeof cores, &cores), 0);
  const int each = std::max(1, CPU_COUNT(&cores) / 2);
  const Outcome outcome = run("unset OMP_NUM_THREADS; " + mpirun(2) + program("threads"));
  EXPECT_EQ(outcome.count("2 ranks of " + std::to_string(each) + " thread"), 2) << outcome.output;
}

// Ended, though perhaps not yet known to its parent (Z).
bool ended(int process) {
  std::ifstream stream("/proc/" + std::to_string(process) + "/stat");
  std::string text;
  return !std::getline(stream, text) || text.find(") Z ") != std::string::npos;
}

// All processes that announced themselves are gone.
void expect_ended(const Outcome& outcome) {
  int processes = 0;
  for (size_t at = outcome.output.find("process "); at != std::string::npos;
       at = outcome.output.find("process ", at + 1)) {
    const int id = std::atoi(outcome.output.c_str() + at + 8);
    if (id == 0) continue;  // a word of mpirun's
    ++processes;
    for (int i = 0; i < 1000 && !ended(id); ++i) ::usleep(10'000);  // the launcher does not wait
    EXPECT_TRUE(ended(id)) << id;
  }
  EXPECT_GE(processes, 1) << outcome.output;
}

TEST(RanksOfMpi, AnErrorOnOneEndsAllWithItsSentence) {
  const Outcome outcome = on_ranks(2, "error");
  EXPECT_EQ(outcome.status, static_cast<int>(ErrorKind::data)) << outcome.output;
  EXPECT_EQ(outcome.count("py4cast: t2m.nc: variable 't2m' is missing [rank 1 of 2]\n"), 1)
      << outcome.output;
  EXPECT_EQ(outcome.count("good"), 0);
  expect_ended(outcome);
}

TEST(RanksOfMpi, AnErrorOfAllIsSaidOnce) {
  const Outcome outcome = on_ranks(2, "all");
  EXPECT_EQ(outcome.status, static_cast<int>(ErrorKind::configuration)) << outcome.output;
  EXPECT_EQ(outcome.count("py4cast: an unknown key [rank 0 of 2]\n"), 1) << outcome.output;
  EXPECT_EQ(outcome.count("an unknown key"), 1) << outcome.output;
  expect_ended(outcome);
}

TEST(RanksOfMpi, LackOfMemoryOnOneEndsAll) {
  const Outcome outcome = on_ranks(2, "memory");
  EXPECT_EQ(outcome.status, static_cast<int>(ErrorKind::memory)) << outcome.output;
  EXPECT_EQ(outcome.count("py4cast: not enough memory [rank 1 of 2]\n"), 1) << outcome.output;
  expect_ended(outcome);
}

TEST(RanksOfMpi, AnErrorOutsideOfTheGuardEndsAll) {
  const Outcome outcome = on_ranks(2, "unguarded");
  EXPECT_NE(outcome.status, 0) << outcome.output;
  EXPECT_EQ(outcome.count("an error ended this rank, so the run ends [rank 1 of 2]\n"), 1)
      << outcome.output;
  expect_ended(outcome);
}

#if PY4CAST_CUDA_EMULATED
TEST(RanksOfMpi, WhyNcclDoesNotStartIsSaid) {
  const Outcome outcome = on_ranks(2, "nccl");
  EXPECT_EQ(outcome.status, static_cast<int>(ErrorKind::communication)) << outcome.output;
  EXPECT_EQ(outcome.count("py4cast: ncclCommInitRank failed: invalid usage (Duplicate GPU detected)"
                          " [rank 0 of 2]\n"),
            1)
      << outcome.output;
  EXPECT_EQ(outcome.count("good"), 0);
}
#endif

TEST(RanksOfMpi, TheDeathOfOneEndsAll) {
  const Outcome outcome = on_ranks(2, "kill");
  EXPECT_NE(outcome.status, 0) << outcome.output;
  EXPECT_GE(outcome.count("signal 9 (Killed)"), 1) << outcome.output;
  expect_ended(outcome);
}

TEST(RanksOfMpi, TheSilentExitOfOneEndsAll) {
  const Outcome outcome = on_ranks(2, "exit");
  EXPECT_NE(outcome.status, 0) << outcome.output;
  expect_ended(outcome);
}

#else

TEST(Runtime, RefusesALauncherThatItCannotAnswer) {
  const Outcome outcome = run("OMPI_COMM_WORLD_SIZE=2 " + program("blocks"));
  EXPECT_EQ(outcome.status, static_cast<int>(ErrorKind::communication)) << outcome.output;
  EXPECT_EQ(outcome.count("started by mpirun, but this program was built without MPI "
                          "(PY4CAST_MPI=OFF)"),
            1)
      << outcome.output;
}

#endif

TEST(Runtime, RefusesTasksOfSlurmThatDoNotKnowEachOther) {
  const Outcome outcome = run("SLURM_STEP_NUM_TASKS=2 " + program("blocks"));
  EXPECT_EQ(outcome.status, static_cast<int>(ErrorKind::configuration)) << outcome.output;
  EXPECT_EQ(outcome.count("srun started 2 processes that do not know of each other"), 1)
      << outcome.output;
}

}  // namespace
}  // namespace py4cast
