#include "train/programs/resumption.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/train/built_in.h"

namespace py4cast {
namespace {

Json changed(const Json& value) {
  if (value.is_boolean()) return !value.get<bool>();
  if (value.is_number()) return value.get<double>() + 1;
  return value.is_string() ? value.get<std::string>() + "x" : "x";
}

// Whatever a key is for: what may be another one when a run goes on is told one by one.
TEST(Continuation, EveryKeyMustBeTheSameButThose) {
  const std::set<std::string> free = {"device",
                                      "training.epochs",
                                      "training.patience",
                                      "training.num_workers",
                                      "training.prefetch_factor",
                                      "training.pin_memory",
                                      "dataset.files",
                                      "dataset.static_files",
                                      "dataset.boundary.files",
                                      "dataset.cache_bytes",
                                      "dataset.settings.root",
                                      "dataset.settings.original_file"};
  const Registries& registries = built_in().general;
  const Configuration whole =
      registries.resolve({.flags = {{"--dataset", "smeagol"}, {"--model", "halfunet"}}});
  const std::string fingerprint = continuation_fingerprint(registries, whole, 1);
  std::set<std::string> seen;
  const Json keys = whole.document.flatten();
  for (const auto& [pointer, value] : keys.items()) {
    std::string key = pointer.substr(1);
    std::ranges::replace(key, '/', '.');
    Configuration other = whole;
    other.document[Json::json_pointer(pointer)] = changed(value);
    const bool may = free.contains(key) || key.starts_with("run.");
    EXPECT_EQ(continuation_fingerprint(registries, other, 1) == fingerprint, may) << key;
    seen.insert(key);
  }
  for (const std::string& key : free) EXPECT_TRUE(seen.contains(key)) << key;
  for (const char* key :
       {"seed", "precision", "training.optimizer.lr", "model.settings.num_filters"})
    EXPECT_TRUE(seen.contains(key)) << key;
}

// Two ranks with one batch each make the steps of one rank with two.
TEST(Continuation, RanksMayShareTheBatchesOfAStep) {
  const auto fingerprint = [](int64_t ranks, const char* batches, const char* limit,
                              const char* embed_once = "false") {
    return continuation_fingerprint(
        built_in().general,
        built_in().general.resolve({.flags = {{"--dataset", "dummy"},
                                              {"--training.embed_once", embed_once},
                                              {"--accumulate_batches", batches},
                                              {"--limit_train_batches", limit}}}),
        ranks);
  };
  EXPECT_EQ(fingerprint(2, "1", "3"), fingerprint(1, "2", "6"));
  EXPECT_NE(fingerprint(2, "2", "3"), fingerprint(1, "2", "6"));
  EXPECT_NE(fingerprint(2, "1", "6"), fingerprint(1, "2", "6"));
  EXPECT_NE(fingerprint(2, "1", "3", "true"), fingerprint(1, "2", "6", "true"));
}

}  // namespace
}  // namespace py4cast
