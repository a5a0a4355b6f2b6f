// Tensors of the harness, and where they are compared.
#include <cmath>
#include <limits>

#include "engine/cuda.h"
#include "engine/parameters.h"
#include "tests/kernels/op_check.h"

namespace py4cast::testing {

Device test_device() {
  std::string why;
  if (cuda_devices(&why).empty()) throw Error(ErrorKind::configuration, "no GPU to test: ", why);
  return {DeviceKind::cuda, 0};
}

Tensor host_copy(const Tensor& x) {
  if (!x.defined()) return x;
  Tensor result = host_tensor(x.shape(), x.type());
  copy(x, result);
  return result;
}

Tensor to_device(const Tensor& x, Device device) {
  Tensor result = device.kind == DeviceKind::cpu
                      ? host_tensor(x.shape(), x.type())
                      : Tensor(allocate_device(x.bytes(), device, nullptr, Owner::other, "test"),
                               x.type(), x.shape());
  copy(x, result);
  return result;
}

Tensor tensor_of(const Shape& shape, const std::vector<double>& values) {
  Tensor result = host_tensor(shape, DataType::f64);
  if (static_cast<int64_t>(values.size()) != result.numel())
    throw Error(ErrorKind::internal, values.size(), " values for a tensor ", shape);
  std::copy(values.begin(), values.end(), result.data<double>());
  return result;
}

Tensor random_tensor(const Shape& shape, DataType type, uint64_t stream, double low, double high) {
  Tensor result = host_tensor(shape, DataType::f64);
  const RandomKey key{1234, stream};
  for (uint64_t i = 0; double& element : result.span<double>())
    element = low + (high - low) * key.uniform(i++);
  return type == DataType::f64 ? result : converted(result, type);
}

std::vector<CpuLevel> cpu_levels(DataType type) {
  std::vector<CpuLevel> levels;
  for (CpuLevel level :
       {CpuLevel::baseline, CpuLevel::avx2, CpuLevel::avx512, CpuLevel::avx512_bf16, CpuLevel::amx})
    if (has_cpu_level(level) && level <= best_cpu_level() &&
        (level <= CpuLevel::avx512 || type == DataType::bf16))
      levels.push_back(level);
  if (type == DataType::bf16 && best_cpu_level() >= CpuLevel::avx512)
    levels.push_back(CpuLevel::amx_emulated);
  return levels;
}

double difference(const Tensor& a, const Tensor& b) {
  if (!a.defined() || !b.defined() || a.shape() != b.shape())
    return std::numeric_limits<double>::infinity();
  const Tensor x = converted(a, DataType::f64), y = converted(b, DataType::f64);
  double largest = 0, scale = 0;
  for (size_t i = 0; i < x.span<double>().size(); ++i) {
    const double d = std::abs(x.span<double>()[i] - y.span<double>()[i]);
    if (std::isnan(d)) return std::numeric_limits<double>::infinity();
    largest = std::max(largest, d);
    scale = std::max(scale, std::abs(y.span<double>()[i]));
  }
  return scale > 0 ? largest / scale : largest;
}

std::string error_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

}  // namespace py4cast::testing
