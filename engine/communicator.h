// What the ranks of a run say to each other. Every call but rank, size and abort is collective: all
// ranks make the same calls in the same order, from the thread that made the communicator.
//
// Errors: Error(communication) when the transport fails.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "engine/context.h"
#include "engine/memory.h"

namespace py4cast {

class Communicator {
 public:
  using Block = std::vector<std::byte>;

  virtual ~Communicator() = default;

  virtual int rank() const = 0;
  virtual int size() const = 0;
  bool root() const { return rank() == 0; }
  virtual std::string transport() const = 0;  // "one process", or the MPI library

  virtual void barrier() = 0;
  // The bytes of rank `from` go to all; all give the same size.
  virtual void broadcast(std::span<std::byte> bytes, int from = 0) = 0;
  // Blocks of any size, by rank.
  virtual std::vector<Block> all_gather(std::span<const std::byte> block) = 0;

  // values = ((values of rank 0 + values of rank 1) + values of rank 2) ... on every rank, element
  // by element in this order, so the bits do not depend on how it travels. Same size on all ranks.
  virtual void sum_in_rank_order(std::span<float> values) = 0;
  virtual void sum_in_rank_order(std::span<double> values) = 0;

  // The same of tensors in the memory of the context's device (f32, f64; contiguous), in order with
  // the work of its stream. This way goes through pinned host memory and waits for the stream.
  virtual void sum_in_rank_order(const Context& context, const Tensor& values);
  // all [ranks, ...]: the r-th part is `own` of rank r. Likewise in order with the stream.
  virtual void all_gather(const Context& context, const Tensor& own, const Tensor& all);

  // True if these two are work of the stream, for which the call does not wait. Then stream() is
  // one of the communicator's own, for doing so beside other work; it lives as long as the
  // communicator, which may know the streams that it has used to its end.
  bool asynchronous() const { return stream().handle != nullptr; }
  virtual Stream stream() const { return {}; }

  // Ends the process of every rank; the message goes to standard error.
  [[noreturn]] virtual void abort(const std::string& message, int exit_code) = 0;

  // The text of rank `from`, of any length.
  std::string broadcast(std::string text, int from = 0);
  template <typename T>
  requires std::is_trivially_copyable_v<T> T broadcast(T value, int from = 0) {
    broadcast(std::as_writable_bytes(std::span(&value, 1)), from);
    return value;
  }
  // One value of each rank, by rank.
  template <typename T>
  requires std::is_trivially_copyable_v<T> std::vector<T> all_gather_values(const T& value) {
    std::vector<T> result(static_cast<size_t>(size()));
    const auto blocks = all_gather(std::as_bytes(std::span(&value, 1)));
    for (size_t i = 0; i < blocks.size(); ++i) std::memcpy(&result[i], blocks[i].data(), sizeof(T));
    return result;
  }
  bool any(bool flag);
  int64_t sum(int64_t value);

 private:
  // Pinned host memory of that size; kept.
  Tensor staging(const Context& context, const Shape& shape, DataType type);
  std::shared_ptr<Storage> staging_;
};

// One process: nothing travels.
std::unique_ptr<Communicator> single_process();

// Between GPUs by NCCL: tensors on the stream of `context`, in rank order (each rank adds a slice
// with `add`, sum += x on the device); everything else as `host` does. Every rank has a GPU of its
// own. `host` itself in a build without NCCL. Where NCCL does not start, all ranks end with its
// reason.
using AddInto = void (*)(Context&, const Tensor& sum, const Tensor& x);
std::unique_ptr<Communicator> nccl_communicator(std::unique_ptr<Communicator> host,
                                                const Context& context, AddInto add);

// True if this process was started by an MPI launcher (mpirun, srun), by its environment.
bool started_by_mpi();
// MPI_Init_thread (FUNNELED) on construction, MPI_Finalize on destruction: one in a process.
// Buffers are known to the ledger. Error(communication): no such support in this build, or MPI
// fails to start.
std::unique_ptr<Communicator> mpi_communicator(MemoryLedger& ledger);

}  // namespace py4cast
