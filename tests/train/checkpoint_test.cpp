#include "train/checkpoint.h"

#include <sys/resource.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/files.h"
#include "engine/safetensors.h"
#include "tests/engine/error_of.h"
#include "tests/train/checkpoint_parts.h"

namespace py4cast {
namespace {

TEST(Checkpoint, GivesBackEveryBit) {
  const std::string folder = fresh_folder() + "/last";
  const SavedNetwork saved(1);
  SavedNetwork loaded(100);
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
  const SavedNetwork network(1);
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
  SavedNetwork network(1);
  const auto save = [&] { save_checkpoint(last, network.learners(), some_state()); };
  const auto load = [&](ErrorKind kind = ErrorKind::data) {
    return error_of([&] { load_checkpoint(last, network.learners()); }, kind);
  };
  EXPECT_EQ(load(ErrorKind::input_output), last + ": there is no checkpoint here");
  for (const std::string_view magic : {"PK\3\4 and more of it", "\x80\2}q and more of it"}) {
    write_file(folder + "/model.pt", magic);
    EXPECT_NE(error_of([&] { read_weights(folder + "/model.pt"); }, ErrorKind::data)
                  .find("model.pt: is not a safetensors file but one of torch.save; Python's "),
              std::string::npos);
  }

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
  // A bit that turned on the disk.
  for (const std::string name : {"model.safetensors", "optimizer.safetensors"}) {
    save();
    std::string bytes = read_file(last + "/" + name);
    bytes[bytes.size() - 3] ^= 1;
    write_file(last + "/" + name, bytes);
    EXPECT_EQ(load().find(last + "/" + name + ": is damaged, or was changed"), 0u) << load();
    if (name == "model.safetensors") {
      EXPECT_THROW(read_weights(last), Error);
    }
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
  SavedNetwork wider(1, {5});
  EXPECT_EQ(
      error_of([&] { load_checkpoint(last, wider.learners()); }, ErrorKind::data),
      last +
          "/model.safetensors: these weights are of another network: 'bias' has shape [3] but "
          "the network needs [5]");
  SavedNetwork momentum(1, {3}, "network", make_sgd({}));
  EXPECT_EQ(error_of([&] { load_checkpoint(last, momentum.learners()); }, ErrorKind::data),
            last + "/optimizer.safetensors: has no 'velocity': it is of another optimiser");
  save_checkpoint(last, momentum.learners(), some_state());
  EXPECT_EQ(error_of([&] { load_checkpoint(last, network.learners()); }, ErrorKind::data),
            last + "/optimizer.safetensors: has no 'first_moment': it is of another optimiser");
  SavedNetwork renamed(1, {3}, "other");
  save();
  EXPECT_NE(error_of([&] { load_checkpoint(last, renamed.learners()); }, ErrorKind::data)
                .find("state.json: is not the state of a checkpoint: "),
            std::string::npos);
}

TEST(Checkpoint, WeightsThatAreNotFiniteAreRefused) {
  const std::string folder = fresh_folder(), last = folder + "/last";
  SavedNetwork network(1);
  network.slab.parameters()[1].value().data<float>()[2] = std::nanf("");
  save_checkpoint(last, network.learners(), some_state());
  const std::string expected =
      last + "/model.safetensors: 'norm.running_mean' has a value that is not finite";
  const auto load = [&](auto&&... to) {
    return error_of([&] { load_weights(last, to...); }, ErrorKind::data);
  };
  EXPECT_EQ(load(network.slab), expected);
  EXPECT_EQ(load(network.learners()), expected);
  EXPECT_EQ(error_of([&] { load_checkpoint(last, network.learners()); }, ErrorKind::data),
            expected);
  Tensor variance = host_tensor({2}, DataType::f32);
  variance.data<float>()[0] = 1, variance.data<float>()[1] = -0.5F;
  write_safetensors(last + "/other.safetensors", {{"norm.running_var", variance}});
  EXPECT_EQ(error_of([&] { read_weights(last + "/other.safetensors"); }, ErrorKind::data),
            last + "/other.safetensors: 'norm.running_var' has a variance below 0");
}

TEST(Checkpoint, SeveralLearnersShareIt) {
  const std::string folder = fresh_folder() + "/last";
  const SavedNetwork critic(1, {3}, "critic"), generator(50, {5}, "generator", make_sgd({}));
  SavedNetwork other(100, {3}, "critic"), another(150, {5}, "generator", make_sgd({}));
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
  SavedNetwork alone(1, {3}, "critic");
  EXPECT_EQ(error_of([&] { load_checkpoint(folder, alone.learners()); }, ErrorKind::data)
                .find(folder + "/model.safetensors: these weights are of another network"),
            0u);
}

TEST(Checkpoint, WithoutExchangeOfFoldersTheOldOneIsFoundAgain) {
  const std::string folder = fresh_folder(), last = folder + "/last", fresh = folder + "/fresh";
  const SavedNetwork first(1), second(2);
  SavedNetwork loaded(3);
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
  EXPECT_TRUE(fs::exists(last + ".old"));  // who reads leaves it to the training that is writing
  save_checkpoint(last, first.learners(), some_state());
  load_checkpoint(last, loaded.learners());
  EXPECT_TRUE(loaded.text() == first.text());
  EXPECT_FALSE(fs::exists(last + ".old"));
}

TEST(Checkpoint, AKillLeavesOneThatIsWhole) {
  const std::string folder = fresh_folder(), last = folder + "/last";
  SavedNetwork network(0);
  save_checkpoint(last, network.learners(), some_state(0));
  int64_t reached = 0;
  for (uint64_t round = 0; round < 20 || reached < 10; ++round) {
    const pid_t child = in_child([&]() -> int {
      for (int64_t step = reached + 1;; ++step) {
        const SavedNetwork next(static_cast<double>(step));
        save_checkpoint(last, next.learners(), some_state(step));
      }
    });
    ::usleep(static_cast<useconds_t>(RandomKey{3}.below(40'000 + 1000 * round, round)));
    ::kill(child, SIGKILL);
    EXPECT_EQ(exit_code_of(child), -SIGKILL);
    SavedNetwork loaded(1000);
    const CheckpointState state = load_checkpoint(last, loaded.learners());
    EXPECT_GE(state.step, reached);
    EXPECT_TRUE(loaded.text() == SavedNetwork(static_cast<double>(state.step)).text());
    reached = state.step;
  }
}

TEST(Checkpoint, AFullDiskLeavesTheFormerOne) {
  const std::string folder = fresh_folder(), last = folder + "/last";
  const SavedNetwork first(1), second(2);
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
    SavedNetwork loaded(3);
    load_checkpoint(last, loaded.learners());
    EXPECT_TRUE(loaded.text() == first.text());
    EXPECT_EQ(std::distance(fs::directory_iterator(folder), {}), 1) << "something is left behind";
  }
}

}  // namespace
}  // namespace py4cast
