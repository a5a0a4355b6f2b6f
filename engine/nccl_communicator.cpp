#include <algorithm>

#include "engine/communicator.h"
#include "engine/cuda.h"
#include "engine/error.h"

#if PY4CAST_NCCL

#if PY4CAST_CUDA_EMULATED
#include "engine/emulation/nccl_on_cpu.h"
#else
#include <nccl.h>
#endif

namespace py4cast {
namespace {

class NcclCommunicator : public Communicator {
 public:
  NcclCommunicator(std::unique_ptr<Communicator> host, const Context& context, AddInto add)
      : host_(std::move(host)), add_(add), stream_(context.device) {
    try {
      connect(context.device);
    } catch (const Error& error) {  // what ends the ranks in words goes with this object
      host_->abort(error.what(), error.exit_code());
    }
  }
  ~NcclCommunicator() override { ncclCommDestroy(comm_); }

  int rank() const override { return host_->rank(); }
  int size() const override { return host_->size(); }
  std::string transport() const override {
    int version = 0;
    ncclGetVersion(&version);
    return "NCCL " + std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) +
           "." + std::to_string(version % 100) + " between GPUs; " + host_->transport();
  }
  void barrier() override { host_->barrier(); }
  void broadcast(std::span<std::byte> bytes, int from) override { host_->broadcast(bytes, from); }
  std::vector<Block> all_gather(std::span<const std::byte> block) override {
    return host_->all_gather(block);
  }
  void sum_in_rank_order(std::span<float> values) override { host_->sum_in_rank_order(values); }
  void sum_in_rank_order(std::span<double> values) override { host_->sum_in_rank_order(values); }
  void abort(const std::string& message, int exit_code) override {
    host_->abort(message, exit_code);
  }

  Stream stream() const override { return stream_.get(); }

  // Rank r receives slice r of all ranks, adds them in rank order, and all gather the sums: into
  // `values` itself if the slices are equal.
  void sum_in_rank_order(const Context& context, const Tensor& values) override {
    const int64_t ranks = size(), count = values.numel(), slice = (count + ranks - 1) / ranks;
    const auto length = [&](int64_t r) {
      return static_cast<size_t>(std::min(slice, count - std::min(count, r * slice)));
    };
    const Tensor terms = staging(terms_, context, {ranks, slice}, values.type(), "terms");
    const bool direct = slice * ranks == count;
    const Tensor sums =
        direct ? values : staging(sums_, context, {ranks * slice}, values.type(), "sums");
    const ncclDataType_t type = values.type() == DataType::f64 ? ncclFloat64 : ncclFloat32;
    const auto stream = static_cast<cudaStream_t>(context.stream.handle);
    const auto part = [&](const Tensor& x, int64_t r) {
      return x.raw() + static_cast<size_t>(r * slice) * size_of(x.type());
    };
    check(ncclGroupStart(), "ncclGroupStart");
    for (int r = 0; r < ranks; ++r) {
      if (length(r))
        check(ncclSend(part(values, r), length(r), type, r, comm_, stream), "ncclSend");
      if (length(rank()))
        check(ncclRecv(part(terms, r), length(rank()), type, r, comm_, stream), "ncclRecv");
    }
    check(ncclGroupEnd(), "ncclGroupEnd");
    const auto term = [&](int64_t r) {
      return terms.viewed({static_cast<int64_t>(length(rank()))}, {1}, r * slice);
    };
    Context plain = context.without_tape();
    for (int64_t r = 1; r < ranks && length(rank()); ++r) add_(plain, term(0), term(r));
    check(ncclAllGather(terms.raw(), sums.raw(), static_cast<size_t>(slice), type, comm_, stream),
          "ncclAllGather");
    if (!direct)
      copy_async(sums.viewed(values.shape(), values.strides(), 0), values, context.stream);
  }

  void all_gather(const Context& context, const Tensor& own, const Tensor& all) override {
    check(ncclAllGather(own.raw(), all.raw(), own.bytes(), ncclInt8, comm_,
                        static_cast<cudaStream_t>(context.stream.handle)),
          "ncclAllGather");
  }

 private:
  void connect(Device device) {
    use_device(device);
    ncclUniqueId id{};
    if (root()) check(ncclGetUniqueId(&id), "ncclGetUniqueId");
    id = host_->broadcast(id);
    check(ncclCommInitRank(&comm_, size(), id, rank()), "ncclCommInitRank");
  }
  void check(ncclResult_t result, const char* call) const {
    if (result != ncclSuccess)
      throw Error(ErrorKind::communication, call, " failed: ", ncclGetErrorString(result), " (",
                  ncclGetLastError(comm_), ")");
  }
  static Tensor staging(std::shared_ptr<Storage>& storage, const Context& context,
                        const Shape& shape, DataType type, const char* name) {
    const size_t bytes = static_cast<size_t>(shape.numel()) * size_of(type);
    if (!storage || storage->bytes() < bytes) {
      storage.reset();
      storage = allocate_device(bytes, context.device, context.ledger, Owner::communication, name);
      fill_bytes(Tensor(storage, DataType::i32, {static_cast<int64_t>(bytes / 4)}), 0,
                 context.stream);
    }
    return Tensor(storage, type, shape);
  }

  std::unique_ptr<Communicator> host_;
  AddInto add_;
  CudaStream stream_;
  ncclComm_t comm_ = nullptr;
  std::shared_ptr<Storage> terms_, sums_;
};

}  // namespace

std::unique_ptr<Communicator> nccl_communicator(std::unique_ptr<Communicator> host,
                                                const Context& context, AddInto add) {
  return std::make_unique<NcclCommunicator>(std::move(host), context, add);
}

}  // namespace py4cast

#else

namespace py4cast {

std::unique_ptr<Communicator> nccl_communicator(std::unique_ptr<Communicator> host, const Context&,
                                                AddInto) {
  return host;
}

}  // namespace py4cast

#endif
