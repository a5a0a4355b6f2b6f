#include "engine/communicator.h"

#include <algorithm>
#include <cstdlib>
#include <iostream>

namespace py4cast {
namespace {

class SingleProcess : public Communicator {
 public:
  using Communicator::broadcast;
  int rank() const override { return 0; }
  int size() const override { return 1; }
  std::string transport() const override { return "one process"; }
  void barrier() override {}
  void broadcast(std::span<std::byte>, int) override {}
  std::vector<Block> all_gather(std::span<const std::byte> block) override {
    return {Block(block.begin(), block.end())};
  }
  std::vector<Block> gather(std::span<const std::byte> block, int) override {
    return all_gather(block);
  }
  void sum_in_rank_order(std::span<float>) override {}
  void sum_in_rank_order(std::span<double>) override {}
  void abort(const std::string& message, int exit_code) override {
    std::cerr << "py4cast: " << message << std::endl;
    std::_Exit(exit_code);
  }
};

}  // namespace

std::string Communicator::broadcast(std::string text, int from) {
  text.resize(broadcast(text.size(), from));
  broadcast(std::as_writable_bytes(std::span(text.data(), text.size())), from);
  return text;
}

bool Communicator::any(bool flag) {
  return sum(flag ? 1 : 0) > 0;
}

double Communicator::min(double value) {
  const auto values = all_gather_values(value);
  return *std::min_element(values.begin(), values.end());
}

double Communicator::max(double value) {
  const auto values = all_gather_values(value);
  return *std::max_element(values.begin(), values.end());
}

int64_t Communicator::sum(int64_t value) {
  int64_t result = 0;
  for (int64_t term : all_gather_values(value)) result += term;
  return result;
}

std::unique_ptr<Communicator> single_process() {
  return std::make_unique<SingleProcess>();
}

bool started_by_mpi() {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK", "MV2_COMM_WORLD_RANK"})
    if (std::getenv(name)) return true;
  return false;
}

}  // namespace py4cast
