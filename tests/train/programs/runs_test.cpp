// Runs that are stopped, queued again, made longer, moved.
#include <gtest/gtest.h>
#include <netcdf.h>

#include <map>

#include "data/netcdf/netcdf_dataset.h"
#include "engine/files.h"
#include "engine/safetensors.h"
#include "tests/train/in_child.h"
#include "tests/train/programs/programs.h"
#include "train/stop_signals.h"

namespace py4cast {
namespace {

TEST(StopSignals, TheFirstIsNotedAndTheSecondEnds) {
  const std::map<int, std::string> names{
      {SIGTERM, "SIGTERM"}, {SIGINT, "SIGINT"}, {SIGUSR1, "SIGUSR1"}};
  for (const int signal : {SIGTERM, SIGINT, SIGUSR1}) {
    EXPECT_EQ(exit_code_of(in_child([&] {
                const StopSignals signals;
                if (signals.received() || !signals.name().empty()) return 1;
                ::raise(signal);
                return signals.received() && signals.name() == names.at(signal) ? 0 : 2;
              })),
              0);
    EXPECT_EQ(exit_code_of(in_child([&] {
                const StopSignals signals;
                ::raise(SIGUSR1);
                ::raise(signal);
                return 0;
              })),
              -signal);
    EXPECT_EQ(exit_code_of(in_child([&] {
                StopSignals signals;
                signals.end_at_once();
                ::raise(signal);
                return 0;
              })),
              75);
    EXPECT_EQ(exit_code_of(in_child([&] {
                ::signal(signal, SIG_DFL);  // who starts a program may have had it ignored
                { const StopSignals signals; }
                ::raise(signal);
                return 0;
              })),
              -signal);
  }
}

int64_t lines_of(const fs::path& file) {
  std::ifstream stream(file);
  return std::count(std::istreambuf_iterator<char>(stream), {}, '\n');
}

class Stopped : public Programs {
 protected:
  fs::path run_folder() const { return root_ / "mine"; }
  std::string requeued() const {
    return small("whole") + "--epochs 6 --resume_or_start " + run_folder().string();
  }
  // Signals the process once the run has made some steps; its exit code.
  int signal_after(int64_t steps, pid_t child, int signal) const {
    int status = 0;
    for (int tries = 0; tries < 60000; ++tries) {
      if (waitpid(child, &status, WNOHANG) == child) break;
      if (lines_of(run_folder() / "metrics.jsonl") >= steps) {
        kill(child, signal);
        waitpid(child, &status, 0);
        break;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  // The same command line until it is done.
  void queued_again(const std::string& launcher, const std::string& flags, int signal) const {
    EXPECT_EQ(signal_after(2, start(requeued() + flags, launcher), signal), stopped_exit_code);
    EXPECT_EQ(signal_after(10, start(requeued() + flags, launcher), signal), stopped_exit_code);
    EXPECT_GT(state(run_folder())["step"], 2);
    const std::string log = contents(run_folder() / "log.txt");
    EXPECT_NE(log.find(": stopped "), std::string::npos) << log;
    EXPECT_NE(
        log.find("; --resume " + run_folder().string() + " goes on from there; exit code 75\n"),
        std::string::npos)
        << log;
    const Outcome outcome = run(launcher + train() + requeued() + flags);
    ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
    expect_equal(run_folder(), folder("whole"));
  }
};

TEST_F(Stopped, ByASignalItGoesOnBitForBitWithTheSameCommandLine) {
  ASSERT_EQ(run(train() + small("whole") + "--epochs 6").exit_code, 0);
  for (const int signal : {SIGTERM, SIGINT, SIGUSR1}) {
    queued_again("", "", signal);
    fs::remove_all(run_folder());
  }
}

// Whoever has its name by then is left alone.
TEST_F(Stopped, ByTheLossOfItsFolder) {
  const std::string output = (root_ / "output").string(), moved = (root_ / "moved").string(),
                    here = run_folder().string();
  const Outcome outcome = run(
      train() + requeued() + " --epochs 100000 > " + output + " 2>&1 & until [ \"$(cat " + here +
      "/metrics.jsonl 2>/dev/null | wc -l)\" -gt 4 ] || ! kill -0 $!; do sleep 0.02; done; mv " +
      here + " " + moved + "; wait $!; code=$?; cat " + output + "; exit $code");
  EXPECT_EQ(outcome.exit_code, 8) << outcome.output;
  EXPECT_NE(outcome.output.find("py4cast: " + here +
                                ": the run folder was removed, moved or replaced during the run; "
                                "nothing more is written to it\n"),
            std::string::npos)
      << outcome.output;
  EXPECT_FALSE(fs::exists(here));
}

#ifdef PY4CAST_MPI
TEST_F(Stopped, OnTwoRanksToo) {
  ASSERT_EQ(run(train() + small("whole") + "--epochs 6").exit_code, 0);
  queued_again(mpirun(2), " --training.accumulate_batches 1 --limit_train_batches 3", SIGUSR1);
}
#endif

#ifdef PY4CAST_MPI

// One of two ranks gets a signal once the run has made some steps; what the run says, and its exit code.
class TroubledRanks : public Stopped {
 protected:
  Outcome after(int signal, const std::string& flags) const {
    const std::string output = (root_ / "output").string(),
                      pid = "$(pgrep -P $! -f py4cast_train | tail -n 1)";
    const std::string metrics = (run_folder() / "metrics.jsonl").string();
    return run(mpirun(2) + train() + requeued() +
               " --epochs 100000 --training.accumulate_batches 1 --limit_train_batches 3 " + flags +
               " > " + output + " 2>&1 & until [ \"$(cat " + metrics +
               " 2>/dev/null | wc -l)\" -gt 20 ] || ! kill -0 $!; do sleep 0.05; done; kill -" +
               std::to_string(signal) + " " + pid + "; wait $!; code=$?; cat " + output +
               "; exit $code");
  }
  static void expect_part(const Outcome& outcome, const std::string& part) {
    EXPECT_NE(outcome.output.find(part), std::string::npos) << outcome.output;
  }
  static std::string host() {
    char name[256] = "";
    ::gethostname(name, sizeof name - 1);
    return name;
  }
};

// In any command: one sentence, and the exit code of one process.
TEST_F(Programs, AnErrorOnRanksIsThatOfOneProcess) {
  const std::string file = (root_ / "lost.nc").string();
  for (const std::string& command :
       {train() + repository() + "/config/era5_t2m_uk.json --dry-run",
        tool() + "data info " + repository() + "/config/era5_t2m_uk.json",
        tool() + "data prepare " + repository() + "/config/era5_t2m_uk.json"}) {
    const Outcome outcome = run(mpirun(2) + command + " --dataset.files " + file);
    EXPECT_EQ(outcome.exit_code, 3) << command;
    EXPECT_NE(outcome.output.find("py4cast: " + file + ": there is no such file"),
              std::string::npos)
        << outcome.output;
  }
}

// Each start is forecast by one rank, with the bits of a single process.
TEST_F(Programs, RanksShareTheStartsOfForecasts) {
  ASSERT_EQ(run(train() + small("run") + "--epochs 1").exit_code, 0);
  const std::string command = "predict " + folder("run").string() +
                              " --start 2023-01-03T02/2023-01-03T06/2 --steps 2 --out ";
  const std::string one = (root_ / "one").string(), two = (root_ / "two").string();
  fs::create_directories(one);
  fs::create_directories(two);
  Outcome outcome = run(tool() + command + one + "/{start}.nc");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  outcome = run(mpirun(2) + tool() + command + two + "/{start}.nc");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  for (const char* name : {"20230103T0200.nc", "20230103T0400.nc", "20230103T0600.nc"}) {
    std::vector<float> alone(64 * 64), shared(64 * 64);
    const FieldRequest request{.variable = "input_output_00", .run = 1};
    open_netcdf({one + "/" + name})->read(request, {0, 64, 0, 64}, alone.data());
    open_netcdf({two + "/" + name})->read(request, {0, 64, 0, 64}, shared.data());
    EXPECT_EQ(alone, shared) << name;
  }
  outcome = run(tool() + command + one + "/all.nc");
  EXPECT_EQ(outcome.exit_code, 2) << outcome.output;
  EXPECT_NE(outcome.output.find("needs {start} in its name, for 3 starts"), std::string::npos)
      << outcome.output;
}

TEST_F(TroubledRanks, OneThatIsKilledIsNamed) {
  const Outcome outcome = after(SIGKILL, "");
  EXPECT_NE(outcome.exit_code, 0);
  expect_part(outcome, "py4cast: rank 1 on " + host() +
                           " has ended without a word: it was killed or has crashed");
}

TEST_F(TroubledRanks, OneThatIsStoppedIsNamedAndEndsTheRun) {
  const Outcome outcome = after(SIGSTOP, "--run.hang_timeout 10");
  EXPECT_EQ(outcome.exit_code, 7) << outcome.output;
  const std::string rank = "rank 1 on " + host() + " has made no progress for ";
  expect_part(outcome, "py4cast: " + rank);
  expect_part(outcome,
              " s: its process is stopped, or its machine does not answer; that is longer than "
              "run.hang_timeout");
}

#endif

TEST_F(Programs, ARunThatCameToNoEpochGoesOnFromItsBeginning) {
  ASSERT_EQ(run(train() + small("whole") + "--epochs 2").exit_code, 0);
  const fs::path cut = root_ / "cut";
  fs::copy(folder("whole"), cut, fs::copy_options::recursive);
  for (const char* file : {"checkpoints/last", "checkpoints/best", "scores.json"})
    fs::remove_all(cut / file);
  std::string metrics = read_file(cut / "metrics.jsonl");
  write_file(cut / "metrics.jsonl", metrics.substr(0, metrics.find('\n') + 1));
  const Outcome outcome = run(train() + "--resume " + cut.string());
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_NE(outcome.output.find("goes on from " + cut.string() +
                                "/checkpoints/initial: 0 epochs, 0 steps done"),
            std::string::npos)
      << outcome.output;
  expect_equal(cut, folder("whole"));
}

TEST_F(Programs, ALastCheckpointThatIsLostIsSaid) {
  ASSERT_EQ(run(train() + small("lost") + "--epochs 2").exit_code, 0);
  const fs::path checkpoints = folder("lost") / "checkpoints";
  const std::string metrics = read_file(folder("lost") / "metrics.jsonl");
  for (const char* gone : {"last/state.json", "last"}) {
    fs::remove_all(checkpoints / gone);
    for (const char* flag : {"--resume ", "--resume_or_start "}) {
      const Outcome outcome =
          run(train() + small("lost") + "--epochs 2 " + flag + folder("lost").string());
      EXPECT_EQ(outcome.exit_code, 3);
      EXPECT_NE(outcome.output.find("checkpoints/last: is missing or damaged, but the run has come "
                                    "to epoch 2; --resume "),
                std::string::npos)
          << outcome.output;
    }
  }
  EXPECT_EQ(read_file(folder("lost") / "metrics.jsonl"), metrics);
  EXPECT_EQ(run(train() + "--resume " + (checkpoints / "initial").string()).exit_code, 0);
  const Outcome best = run(train() + "--resume " + (checkpoints / "initial").string());
  EXPECT_NE(best.output.find("initial is not the run's last checkpoint: what came after it is done "
                             "again"),
            std::string::npos)
      << best.output;
}

TEST_F(Programs, ARunOutlivesTheWeightsThatItBeganWith) {
  ASSERT_EQ(run(train() + small("origin") + "--epochs 1").exit_code, 0);
  ASSERT_EQ(
      run(train() + small("tuned") + "--epochs 1 --load_model_ckpt " + folder("origin").string())
          .exit_code,
      0);
  const std::string resume = train() + "--resume " + folder("tuned").string() + " --epochs 2";
  Outcome outcome = run(resume + " --no_log");
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_NE(outcome.output.find("run.no_log cannot go with run.resume, which goes on in a run "
                                "folder"),
            std::string::npos)
      << outcome.output;
  fs::rename(folder("origin"), root_ / "elsewhere");
  outcome = run(resume);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
}

TEST_F(Programs, AFolderWithAnotherNameIsLeftAlone) {
  const std::string begin = train() + small("x") + "--epochs 1 --resume_or_start ";
  const fs::path mine = root_ / "mine", old = root_ / "mine.old";
  ASSERT_EQ(run(begin + mine.string()).exit_code, 0);
  fs::rename(mine, old);
  ASSERT_EQ(run(begin + mine.string() + " --seed 5").exit_code, 0);
  EXPECT_TRUE(fs::exists(old) && fs::exists(mine));
}

TEST_F(Programs, EpochsMayGrowButNotShrink) {
  ASSERT_EQ(run(train() + small("long") + "--epochs 3").exit_code, 0);
  ASSERT_EQ(run(train() + small("short") + "--epochs 1").exit_code, 0);
  const std::string resume = train() + "--resume " + folder("short").string();
  Outcome outcome = run(resume + " --epochs 3");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_NE(outcome.output.find("training.epochs grows from 1 to 3"), std::string::npos)
      << outcome.output;
  expect_equal(folder("short"), folder("long"));
  // The run itself has 3 now.
  EXPECT_EQ(run(resume).exit_code, 0);
  outcome = run(resume + " --epochs 2");
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_NE(outcome.output.find("'training.epochs' was 3 and is 2; the epochs of a run may grow "
                                "but not shrink"),
            std::string::npos)
      << outcome.output;

  EXPECT_EQ(outcome.output.find("best weights may be others"), std::string::npos);

  ASSERT_EQ(run(train() + small("seldom") + "--epochs 1 --val_interval 2").exit_code, 0);
  outcome = run(train() + "--resume " + folder("seldom").string() + " --epochs 2");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_NE(outcome.output.find("epoch 1 was the last one and so was validated: a run that had all "
                                "these epochs from its start would not have been, and its best "
                                "weights may be others"),
            std::string::npos)
      << outcome.output;

  ASSERT_EQ(run(train() + small("cosine") + "--epochs 1 --training.schedule.name cosine").exit_code,
            0);
  outcome = run(train() + "--resume " + folder("cosine").string() + " --epochs 2");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_NE(outcome.output.find("the cosine of the learning rate now ends at step 6, not 3"),
            std::string::npos)
      << outcome.output;
}

// To t2m, packed, where file_fingerprint does not look.
void add_to_one_value(const std::string& file, float change) {
  int id = 0, variable = 0;
  const size_t place[] = {43, 8, 8};
  float value = 0;
  ASSERT_EQ(nc_open(file.c_str(), NC_WRITE, &id), NC_NOERR);
  ASSERT_EQ(nc_inq_varid(id, "t2m", &variable), NC_NOERR);
  ASSERT_EQ(nc_get_var1_float(id, variable, place, &value), NC_NOERR);
  value += change;
  ASSERT_EQ(nc_put_var1_float(id, variable, place, &value), NC_NOERR);
  ASSERT_EQ(nc_close(id), NC_NOERR);
}

TEST_F(Programs, DataMayMoveButNotChange) {
  const std::string config = (root_ / "config.json").string(),
                    moved = (root_ / "archive/moved.nc").string();
  const auto simulate = [&](int seed, const std::string& file) {
    return run(tool() + "data simulate --grid 16 --hours 120 --seed " + std::to_string(seed) +
               " --overwrite --out " + file)
        .exit_code;
  };
  ASSERT_EQ(simulate(1, (root_ / "data.nc").string()), 0);
  ASSERT_EQ(run(tool() + "init " + (root_ / "data.nc").string() + " --out " + config).exit_code, 0);
  const std::string flags =
      " --model.settings.num_filters 4 --limit_train_batches 4 "
      "--accumulate_batches 2 --batch_size 2 --num_pred_steps_val_test 2 "
      "--training.schedule.name constant ";
  for (const char* name : {"whole --epochs 2", "moved --epochs 1"}) {
    const Outcome outcome = run(train() + config + flags + "--run_name " + name);
    ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  }
  const auto found = [&](const std::string& name) {
    for (const auto& entry : fs::recursive_directory_iterator(root_ / "camp0"))
      if (entry.path().filename() == name + "_0") return entry.path();
    return fs::path();
  };
  const std::string resume = train() + "--resume " + found("moved").string();
  fs::create_directories(root_ / "archive");
  fs::rename(root_ / "data.nc", moved);
  EXPECT_EQ(run(resume + " --epochs 2").exit_code, 3) << "the file is not there any more";
  const Outcome outcome = run(resume + " --epochs 2 --dataset.files " + moved);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  expect_equal(found("moved"), found("whole"));
  EXPECT_EQ(run(resume).exit_code, 0) << "the run knows where its data are";
  // One value that no sample of the content meets: a forecast would be standardised by the former mean.
  const std::string content = file_fingerprint(moved);
  add_to_one_value(moved, 1000);
  ASSERT_EQ(file_fingerprint(moved), content);
  const Outcome changed = run(resume);
  EXPECT_EQ(changed.exit_code, 2) << changed.output;
  EXPECT_NE(changed.output.find(found("moved").string() +
                                "/statistics.json: the data are not those of the run to be "
                                "resumed: variable 't2m' has in the training period the mean "),
            std::string::npos)
      << changed.output;
  ASSERT_EQ(simulate(2, moved), 0);
  const Outcome other = run(resume);
  EXPECT_EQ(other.exit_code, 2) << other.output;
  EXPECT_NE(other.output.find("the data are not those of the run to be resumed"), std::string::npos)
      << other.output;
}

// Two processors may add in another order; a value of another size is another value.
TEST_F(Programs, StatisticsMayDifferByRoundingAlone) {
  ASSERT_EQ(run(train() + small("run") + "--epochs 1").exit_code, 0);
  const std::string file = (folder("run") / "statistics.json").string(),
                    resume = train() + "--resume " + folder("run").string() + " --epochs 1";
  Json statistics = Json::parse(contents(file));
  const auto with = [&](const char* key, const Json& value) {
    Json changed = statistics;
    changed[1][key] = value;
    write_file(file, changed.dump());
    return run(resume);
  };
  EXPECT_EQ(with("difference_std", 1.42 * (1 + 1e-12)).exit_code, 0);
  const Outcome outcome = with("difference_std", 1.43);
  EXPECT_EQ(outcome.exit_code, 2) << outcome.output;
  EXPECT_NE(outcome.output.find("variable 'input_output_01' has in the training period the "
                                "deviation of its changes 1.42, and had 1.43"),
            std::string::npos)
      << outcome.output;
  EXPECT_EQ(with("never_a_value", {5, 1, 4090}).exit_code, 2);
}

TEST_F(Programs, ATrainingGoesOnWithoutTensorBoard) {
  ASSERT_EQ(run(train() + small("run") + "--epochs 1").exit_code, 0);
  fs::remove_all(folder("run") / "tensorboard");
  write_file((folder("run") / "tensorboard").string(), "no folder");
  const Outcome outcome = run(train() + "--resume " + folder("run").string() + " --epochs 2");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  const std::string said = "; TensorBoard is told no more";
  const size_t at = outcome.output.find(said);
  EXPECT_NE(at, std::string::npos) << outcome.output;
  EXPECT_EQ(outcome.output.find(said, at + 1), std::string::npos) << outcome.output;
}

TEST_F(Programs, AnEnvironmentOfWrongTypesIsSaid) {
  ASSERT_EQ(run(train() + small("run") + "--epochs 1").exit_code, 0);
  const std::string file = (folder("run") / "environment.json").string();
  for (const char* text : {"[]", "{\"ranks\": \"two\"}", "{\"device\": 7}"}) {
    write_file(file, text);
    const Outcome outcome = run(train() + "--resume " + folder("run").string());
    EXPECT_EQ(outcome.exit_code, 3) << outcome.output;
    EXPECT_NE(outcome.output.find(file + ": is not the environment of a run"), std::string::npos)
        << outcome.output;
  }
}

TEST_F(Programs, AForecastThatDoesNotStayFiniteIsSaidOnce) {
  ASSERT_EQ(run(train() + small("run") + "--epochs 1").exit_code, 0);
  const std::string predict = tool() + "predict " + folder("run").string() +
                              " --start 2023-01-03T02 --steps 2 --points 0,20 ";
  EXPECT_EQ(run(predict).output.find("finite"), std::string::npos);
  const std::string file = (folder("run") / "checkpoints/best/model.safetensors").string();
  const Safetensors weights = read_safetensors(file);
  for (const auto& [name, tensor] : weights.tensors)
    if (tensor.type() == DataType::f32) std::ranges::fill(tensor.span<float>(), 1e38f);
  write_safetensors(file, {weights.tensors.begin(), weights.tensors.end()}, weights.metadata);
  const std::string state = fs::path(file).parent_path() / "state.json";
  Json json = Json::parse(read_file(state));
  json["checksums"]["model.safetensors"] = file_checksum(file);
  write_file(state, json.dump());
  const Outcome outcome = run(predict);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  const std::string said =
      "the forecast from 2023-01-03T02:00:00 does not stay finite: the first variable that is not "
      "is 'input_output_00' at 2023-01-03T03:00:00";
  const size_t at = outcome.output.find(said);
  EXPECT_NE(at, std::string::npos) << outcome.output;
  EXPECT_EQ(outcome.output.find("stay finite", at + said.size()), std::string::npos);
  EXPECT_NE(outcome.output.find(" nan"), std::string::npos) << outcome.output;
  EXPECT_EQ(outcome.output.find("-nan"), std::string::npos) << outcome.output;
}

}  // namespace
}  // namespace py4cast
