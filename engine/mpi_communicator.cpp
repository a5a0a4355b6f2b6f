#include <algorithm>
#include <climits>
#include <cstring>
#include <exception>
#include <numeric>

#include "engine/communicator.h"
#include "engine/error.h"
#include "engine/signs_of_life.h"

#if PY4CAST_MPI

// Only the C interface.
#define OMPI_SKIP_MPICXX 1
#define MPICH_SKIP_MPICXX 1
#include <mpi.h>
#include <signal.h>
#include <unistd.h>

namespace py4cast {
namespace {

constexpr size_t staging_bytes = size_t{8} << 20;  // of sum_in_rank_order, on each rank
constexpr size_t longest_message = size_t{1} << 30;
constexpr unsigned abort_seconds = 30;

void check(int code, const char* call) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING];
  int length = 0;
  MPI_Error_string(code, text, &length);
  throw Error(ErrorKind::communication, call, " failed: ", std::string_view(text, length));
}

// MPI for the life of the process.
class Session {
 public:
  Session() {
    int provided = 0;
    check(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided), "MPI_Init_thread");
    if (provided < MPI_THREAD_FUNNELED) {
      MPI_Finalize();
      throw Error(ErrorKind::communication,
                  "this MPI library does not work beside threads (MPI_THREAD_FUNNELED)");
    }
    check(MPI_Comm_dup(MPI_COMM_WORLD, &world_), "MPI_Comm_dup");
    MPI_Comm_set_errhandler(world_, MPI_ERRORS_RETURN);
  }
  ~Session() {
    MPI_Comm_free(&world_);
    MPI_Finalize();
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  MPI_Comm world() const { return world_; }

 private:
  MPI_Comm world_ = MPI_COMM_NULL;
};

class MpiCommunicator : public Communicator {
 public:
  using Communicator::all_gather;
  using Communicator::broadcast;
  using Communicator::sum_in_rank_order;

  explicit MpiCommunicator(MemoryLedger& ledger)
      : ledger_(ledger), exceptions_(std::uncaught_exceptions()) {
    MPI_Comm_rank(session_.world(), &rank_);
    MPI_Comm_size(session_.world(), &size_);
  }
  ~MpiCommunicator() override {
    // An error leaves this rank while the others wait in a collective call that it will never make.
    if (size_ > 1 && std::uncaught_exceptions() > exceptions_)
      abort("an error ended this rank, so the run ends", static_cast<int>(ErrorKind::internal));
  }

  int rank() const override { return rank_; }
  int size() const override { return size_; }

  std::string transport() const override {
    char text[MPI_MAX_LIBRARY_VERSION_STRING];
    int length = 0;
    MPI_Get_library_version(text, &length);
    return text;
  }

  void barrier() override {
    ++signs_of_life().calls;
    check(MPI_Barrier(session_.world()), "MPI_Barrier");
  }

  void broadcast(std::span<std::byte> bytes, int from) override {
    ++signs_of_life().calls;
    while (!bytes.empty()) {
      const size_t count = std::min(bytes.size(), longest_message);
      check(MPI_Bcast(bytes.data(), static_cast<int>(count), MPI_BYTE, from, session_.world()),
            "MPI_Bcast");
      bytes = bytes.subspan(count);
    }
  }

  std::vector<Block> all_gather(std::span<const std::byte> block) override {
    ++signs_of_life().calls;
    const std::vector<uint64_t> sizes = sizes_of(block);
    std::vector<Block> result;
    for (uint64_t size : sizes) result.emplace_back(size);
    std::copy(block.begin(), block.end(), result[static_cast<size_t>(rank_)].begin());
    const uint64_t total = std::accumulate(sizes.begin(), sizes.end(), uint64_t{0});
    if (total > longest_message) {
      for (int from = 0; from < size_; ++from) broadcast(result[static_cast<size_t>(from)], from);
      return result;
    }
    const Pieces pieces(sizes);
    Block all(total);
    check(MPI_Allgatherv(block.data(), static_cast<int>(block.size()), MPI_BYTE, all.data(),
                         pieces.counts.data(), pieces.offsets.data(), MPI_BYTE, session_.world()),
          "MPI_Allgatherv");
    pieces.split(all, result);
    return result;
  }

  void sum_in_rank_order(std::span<float> values) override { sum(values, MPI_FLOAT); }
  void sum_in_rank_order(std::span<double> values) override { sum(values, MPI_DOUBLE); }

  void abort(const std::string& message, int exit_code) override {
    // An error that all ranks meet (a key, a file) is said once: rank 0 ends the others meanwhile.
    if (rank_ > 0) ::sleep(1);
    tell_error(message + " [rank " + std::to_string(rank_) + " of " + std::to_string(size_) + "]");
    // Another thread may call while this one waits inside the library, which may then wait for it.
    ::signal(SIGALRM, SIG_DFL);
    ::alarm(abort_seconds);
    MPI_Abort(session_.world(), exit_code);
    std::_Exit(exit_code);
  }

 private:
  // Blocks of several ranks one behind another.
  struct Pieces {
    explicit Pieces(const std::vector<uint64_t>& sizes) {
      int offset = 0;
      for (uint64_t size : sizes) {
        counts.push_back(static_cast<int>(size));
        offsets.push_back(offset);
        offset += static_cast<int>(size);
      }
    }
    void split(const Block& all, std::vector<Block>& blocks) const {
      for (size_t i = 0; i < blocks.size(); ++i)
        std::copy_n(all.begin() + offsets[i], counts[i], blocks[i].begin());
    }
    std::vector<int> counts, offsets;
  };

  std::vector<uint64_t> sizes_of(std::span<const std::byte> block) {
    std::vector<uint64_t> sizes(static_cast<size_t>(size_));
    const uint64_t own = block.size();
    check(MPI_Allgather(&own, 1, MPI_UINT64_T, sizes.data(), 1, MPI_UINT64_T, session_.world()),
          "MPI_Allgather");
    return sizes;
  }

  // Part by part, so that the staging memory is bounded: rank r receives slice r of the part from
  // all ranks, adds them in rank order, and all gather the sums.
  template <typename T>
  void sum(std::span<T> values, MPI_Datatype type) {
    if (size_ == 1) return;
    ++signs_of_life().calls;
    const auto ranks = static_cast<size_t>(size_), own = static_cast<size_t>(rank_);
    if (!staging_) staging_ = allocate_host(staging_bytes, &ledger_, Owner::communication, "sum");
    T* staging = reinterpret_cast<T*>(staging_->data());
    const size_t part = staging_bytes / sizeof(T) / ranks * ranks;
    for (; !values.empty(); values = values.subspan(std::min(part, values.size()))) {
      const size_t count = std::min(part, values.size()), slice = (count + ranks - 1) / ranks;
      std::vector<uint64_t> slices;
      for (size_t r = 0; r < ranks; ++r)
        slices.push_back(std::min(slice, count - std::min(count, r * slice)));
      const Pieces out(slices), in(std::vector<uint64_t>(ranks, slices[own]));
      check(MPI_Alltoallv(values.data(), out.counts.data(), out.offsets.data(), type, staging,
                          in.counts.data(), in.offsets.data(), type, session_.world()),
            "MPI_Alltoallv");
      add(staging, slices[own]);
      check(MPI_Allgatherv(staging, in.counts[own], type, values.data(), out.counts.data(),
                           out.offsets.data(), type, session_.world()),
            "MPI_Allgatherv");
    }
  }

  // terms[i] = (terms[i] + terms[count + i]) + terms[2 count + i] ...
  template <typename T>
  void add(T* terms, size_t count) const {
    for (size_t r = 1; r < static_cast<size_t>(size_); ++r) {
      const T* term = terms + r * count;
#pragma omp simd
      for (size_t i = 0; i < count; ++i) terms[i] += term[i];
    }
  }

  Session session_;
  MemoryLedger& ledger_;
  int exceptions_;
  int rank_ = 0, size_ = 1;
  std::shared_ptr<Storage> staging_;
};

}  // namespace

std::unique_ptr<Communicator> mpi_communicator(MemoryLedger& ledger) {
  return std::make_unique<MpiCommunicator>(ledger);
}

}  // namespace py4cast

#else

namespace py4cast {

std::unique_ptr<Communicator> mpi_communicator(MemoryLedger&) {
  throw Error(ErrorKind::communication,
              "started by mpirun, but this program was built without MPI (PY4CAST_MPI=OFF)");
}

}  // namespace py4cast

#endif
