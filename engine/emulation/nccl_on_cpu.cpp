#if PY4CAST_CUDA_EMULATED && PY4CAST_NCCL
#include "engine/emulation/nccl_on_cpu.h"

// Only the C interface.
#define OMPI_SKIP_MPICXX 1
#define MPICH_SKIP_MPICXX 1
#include <mpi.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "engine/emulation/cuda_emulation.h"

struct ncclComm {
  MPI_Comm world;
  int rank, ranks;
};

namespace {

struct Message {
  bool send;
  void* data;
  size_t bytes;
  int peer;
};
struct Group {
  bool open = false;
  ncclComm_t comm = nullptr;
  cudaStream_t stream = nullptr;
  std::vector<Message> messages;
};
Group& group() {
  thread_local Group instance;
  return instance;
}

std::string& last_error() {
  thread_local std::string text;
  return text;
}

size_t bytes_of_elements(size_t count, ncclDataType_t type) {
  return count * (type == ncclFloat64 ? 8 : type == ncclFloat32 ? 4 : 1);
}

bool on_device(const void* data, size_t bytes) {
  return bytes == 0 || py4cast::emulation::device_bytes_from(data) >= bytes;
}

// All messages at once, through host memory: MPI cannot touch device memory.
void exchange(ncclComm_t comm, const std::vector<Message>& messages) {
  std::vector<std::vector<char>> buffers;
  std::vector<MPI_Request> requests;
  for (const Message& message : messages) {
    std::vector<char>& buffer = buffers.emplace_back(message.bytes);
    if (message.send && message.bytes)
      std::memcpy(buffer.data(), py4cast::emulation::device_bytes(message.data), message.bytes);
  }
  for (size_t i = 0; i < messages.size(); ++i) {
    const auto& [send, data, bytes, peer] = messages[i];
    MPI_Request& request = requests.emplace_back();
    if (send)
      MPI_Isend(buffers[i].data(), static_cast<int>(bytes), MPI_BYTE, peer, 0, comm->world,
                &request);
    else
      MPI_Irecv(buffers[i].data(), static_cast<int>(bytes), MPI_BYTE, peer, 0, comm->world,
                &request);
  }
  std::vector<MPI_Status> statuses(requests.size());
  MPI_Waitall(static_cast<int>(requests.size()), requests.data(), statuses.data());
  for (size_t i = 0; i < messages.size(); ++i) {
    if (messages[i].send) continue;
    int received = 0;
    MPI_Get_count(&statuses[i], MPI_BYTE, &received);
    if (static_cast<size_t>(received) != messages[i].bytes)
      MPI_Abort(comm->world, 1);  // NCCL would wait for ever
    if (received)
      std::memcpy(py4cast::emulation::device_bytes(messages[i].data), buffers[i].data(),
                  messages[i].bytes);
  }
}

ncclResult_t transfer(bool send, void* data, size_t count, ncclDataType_t type, int peer,
                      ncclComm_t comm, cudaStream_t stream) {
  Group& g = group();
  const size_t bytes = bytes_of_elements(count, type);
  if (!g.open || (g.comm && (g.comm != comm || g.stream != stream))) return ncclInvalidUsage;
  if (!on_device(data, bytes) || peer < 0 || peer >= comm->ranks) return ncclInvalidArgument;
  g.comm = comm;
  g.stream = stream;
  g.messages.push_back({send, data, bytes, peer});
  return ncclSuccess;
}

}  // namespace

ncclResult_t ncclGetVersion(int* version) {
  *version = 22809;
  return ncclSuccess;
}
ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  *id = {};
  return ncclSuccess;
}
const char* ncclGetErrorString(ncclResult_t result) {
  return result == ncclSuccess           ? "no error"
         : result == ncclInvalidArgument ? "invalid argument"
                                         : "invalid usage";
}
const char* ncclGetLastError(ncclComm_t) {
  return last_error().c_str();
}
ncclResult_t ncclCommInitRank(ncclComm_t* comm, int ranks, ncclUniqueId, int rank) {
  std::vector<int> devices(static_cast<size_t>(ranks));
  int own = 0;
  cudaGetDevice(&own);
  MPI_Allgather(&own, 1, MPI_INT, devices.data(), 1, MPI_INT, MPI_COMM_WORLD);
  if (std::count(devices.begin(), devices.end(), own) > 1) {
    last_error() = "Duplicate GPU detected";
    return ncclInvalidUsage;
  }
  *comm = new ncclComm{MPI_COMM_NULL, rank, ranks};
  MPI_Comm_dup(MPI_COMM_WORLD, &(*comm)->world);
  return ncclSuccess;
}
ncclResult_t ncclCommDestroy(ncclComm_t comm) {
  MPI_Comm_free(&comm->world);
  delete comm;
  return ncclSuccess;
}
ncclResult_t ncclGroupStart() {
  group() = {};
  group().open = true;
  return ncclSuccess;
}
ncclResult_t ncclGroupEnd() {
  Group g = std::move(group());
  group() = {};
  if (g.comm)
    py4cast::emulation::enqueue(
        g.stream, "ncclGroup",
        [comm = g.comm, messages = std::move(g.messages)] { exchange(comm, messages); });
  return ncclSuccess;
}
ncclResult_t ncclSend(const void* from, size_t count, ncclDataType_t type, int peer,
                      ncclComm_t comm, cudaStream_t stream) {
  return transfer(true, const_cast<void*>(from), count, type, peer, comm, stream);
}
ncclResult_t ncclRecv(void* to, size_t count, ncclDataType_t type, int peer, ncclComm_t comm,
                      cudaStream_t stream) {
  return transfer(false, to, count, type, peer, comm, stream);
}
ncclResult_t ncclAllGather(const void* from, void* to, size_t count, ncclDataType_t type,
                           ncclComm_t comm, cudaStream_t stream) {
  const size_t bytes = bytes_of_elements(count, type);
  if (!on_device(from, bytes) || !on_device(to, bytes * static_cast<size_t>(comm->ranks)))
    return ncclInvalidArgument;
  std::vector<Message> messages;
  for (int rank = 0; rank < comm->ranks; ++rank) {
    messages.push_back({true, const_cast<void*>(from), bytes, rank});
    messages.push_back(
        {false, static_cast<char*>(to) + bytes * static_cast<size_t>(rank), bytes, rank});
  }
  py4cast::emulation::enqueue(stream, "ncclAllGather", [=] { exchange(comm, messages); });
  return ncclSuccess;
}
#endif
