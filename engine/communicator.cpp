#include "engine/communicator.h"

#include <cstdlib>

#include "engine/cuda.h"
#include "engine/parameters.h"

namespace py4cast {
namespace {

class SingleProcess : public Communicator {
 public:
  using Communicator::all_gather;
  using Communicator::broadcast;
  void sum_in_rank_order(const Context&, const Tensor&) override {}
  void all_gather(const Context& context, const Tensor& own, const Tensor& all) override {
    copy(context, own, all.viewed(own.shape()));
  }
  int rank() const override { return 0; }
  int size() const override { return 1; }
  std::string transport() const override { return "one process"; }
  void barrier() override {}
  void broadcast(std::span<std::byte>, int) override {}
  std::vector<Block> all_gather(std::span<const std::byte> block) override {
    return {Block(block.begin(), block.end())};
  }
  void sum_in_rank_order(std::span<float>) override {}
  void sum_in_rank_order(std::span<double>) override {}
  void abort(const std::string& message, int exit_code) override {
    tell_error(message);
    std::_Exit(exit_code);
  }
};

}  // namespace

Tensor Communicator::staging(const Context& context, const Shape& shape, DataType type) {
  const size_t bytes = static_cast<size_t>(shape.numel()) * size_of(type);
  if (!staging_ || staging_->bytes() < bytes) {
    staging_.reset();
    staging_ = allocate_pinned(bytes, context.ledger, Owner::communication, "staging");
  }
  return Tensor(staging_, type, shape);
}

void Communicator::sum_in_rank_order(const Context& context, const Tensor& values) {
  const bool there = context.device.kind != DeviceKind::cpu;
  const Tensor host = there ? staging(context, values.shape(), values.type()) : values;
  if (there) {
    copy_async(values, host, context.stream);
    synchronize(context.stream);
  }
  if (values.type() == DataType::f64)
    sum_in_rank_order(host.span<double>());
  else
    sum_in_rank_order(host.span<float>());
  if (there) {  // the memory is free for the next call when this one returns
    copy_async(host, values, context.stream);
    synchronize(context.stream);
  }
}

void Communicator::all_gather(const Context& context, const Tensor& own, const Tensor& all) {
  const Tensor here = on_host(own);
  const std::vector<Block> blocks =
      all_gather(std::span<const std::byte>(here.raw(), here.bytes()));
  const bool there = context.device.kind != DeviceKind::cpu;
  const Tensor host = there ? staging(context, all.shape(), all.type()) : all;
  std::byte* to = host.raw();
  for (const Block& block : blocks) to = std::copy(block.begin(), block.end(), to);
  if (there) {
    copy_async(host, all, context.stream);
    synchronize(context.stream);
  }
}

std::string Communicator::broadcast(std::string text, int from) {
  text.resize(broadcast(text.size(), from));
  broadcast(std::as_writable_bytes(std::span(text.data(), text.size())), from);
  return text;
}

bool Communicator::any(bool flag) {
  return sum(flag ? 1 : 0) > 0;
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
