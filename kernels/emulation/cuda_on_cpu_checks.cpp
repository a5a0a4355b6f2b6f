#if PY4CAST_CUDA_EMULATED
#include <sstream>

#include "engine/error.h"
#include "kernels/emulation/cuda_on_cpu_grid.h"

namespace py4cast::emulation {
namespace {

constexpr unsigned max_threads = 1024;

}  // namespace

std::string shortened(const char* function) {
  std::string name = function;
  const auto arguments = name.find(" [with");
  const auto open = name.find('(');
  std::string types = arguments == std::string::npos ? "" : name.substr(arguments);
  if (open != std::string::npos) name = name.substr(0, open);
  const auto space = name.rfind(' ');
  if (space != std::string::npos) name = name.substr(space + 1);
  return name + types;
}

std::string file_and_line(Place place) {
  std::string file = place.file_name();
  const auto folder = file.rfind('/', file.rfind('/') - 1);
  return (folder == std::string::npos ? file : file.substr(folder + 1)) + ":" +
         std::to_string(place.line());
}

std::string describe(const Thread& thread) {
  std::ostringstream text;
  const auto add = [&](const char* what, const uint3& index) {
    text << what << " (" << index.x << ", " << index.y << ", " << index.z << ")";
  };
  add("block", grid().block.index);
  add(", thread", thread.index);
  return text.str();
}

std::string describe_launch() {
  return "kernel launched by " + shortened(grid().launched.function_name()) + " at " +
         file_and_line(grid().launched);
}

void fault(const std::string& what, Place place) {
  grid().problem = what + ", in " + shortened(place.function_name()) + " (" + file_and_line(place) +
                   "), " + describe(grid().self().thread);
  throw Fault{};
}

void leaves_view(int64_t index, int64_t size, Place place) {
  fault("index " + std::to_string(index) + " of a global view of " + std::to_string(size) +
            " elements",
        place);
}

void misaligned_vector(size_t bytes, Place place) {
  fault("a vector of " + std::to_string(bytes) + " bytes at an address that is no multiple of that",
        place);
}

void check_device_memory(const void* data, size_t bytes, Place launched) {
  const size_t there = device_bytes_from(data);
  if (there < bytes)
    throw Error(ErrorKind::internal, "emulated device: a view of ", bytes, " bytes ",
                there ? "leaves its allocation of device memory" : "is not in device memory",
                ", kernel launched by ", shortened(launched.function_name()), " at ",
                file_and_line(launched));
}

void check_launch(dim3 size, dim3 block, size_t shared_bytes, size_t argument_bytes,
                  Place launched) {
  const auto refuse = [&](const auto&... parts) {
    throw Error(ErrorKind::internal, "emulated device: ", parts..., ", kernel launched by ",
                shortened(launched.function_name()), " at ", file_and_line(launched));
  };
  const uint64_t threads = uint64_t{block.x} * block.y * block.z;
  if (threads == 0 || threads > max_threads || block.z > 64)
    refuse("a block of ", block.x, " x ", block.y, " x ", block.z,
           " threads; at most 1024 x 1024 x 64, and 1024 in all");
  if (size.x > 0x7fffffffu || size.y > 65535 || size.z > 65535)
    refuse("a grid of ", size.x, " x ", size.y, " x ", size.z,
           " blocks; at most 2147483647 x 65535 x 65535");
  if (shared_bytes > max_shared_bytes)
    refuse(shared_bytes, " bytes of shared memory; at most ", max_shared_bytes);
  if (argument_bytes > max_argument_bytes)
    refuse(argument_bytes, " bytes of arguments; at most ", max_argument_bytes);
}

}  // namespace py4cast::emulation
#endif
