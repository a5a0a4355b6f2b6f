#include "kernels/common/elementwise.h"
#include "kernels/ops/arithmetic_kernels.h"
#include "kernels/ops/arithmetic_math.h"

namespace py4cast {
namespace {

template <Binary op>
struct Combined {
  template <typename C>
  __device__ C operator()(C a, C b) const {
    return combined<op>(a, b);
  }
};

template <Unary op, typename C>
struct Mapped {
  C p, q;
  __device__ C operator()(C x) const { return mapped<op>(x, p, q); }
};

// Blocks first[i] to first[i + 1] - 1 take the i-th pair, four elements a thread.
template <typename T>
struct Pairs {
  int count, first[most_pairs + 1];
  Global<T> sum[most_pairs];
  Global<const T> x[most_pairs];
};
constexpr int sums_each = 4;

template <typename T>
__global__ void __launch_bounds__(map_threads) add_many(Pairs<T> pairs) {
  after_earlier_work();
  const int block = static_cast<int>(blockIdx.x), own = own_of(pairs.first, pairs.count, block);
  const Global<T> sum = pairs.sum[own];
  const Global<const T> x = pairs.x[own];
  const int64_t i = (int64_t{block - pairs.first[own]} * map_threads + threadIdx.x) * sums_each;
  for (int64_t k = i; k < i + sums_each && k < sum.size; ++k) sum[k] = sum[k] + x[k];
}

}  // namespace

template <typename T>
void AddMany<T>::run(Cuda device) const {
  Pairs<T> all{};
  for (const auto& [sum, x] : pairs) {
    all.sum[all.count] = sum;
    all.x[all.count] = x;
    const auto blocks = static_cast<int>(blocks_for(sum.size, sums_each * map_threads));
    all.first[all.count + 1] = all.first[all.count] + blocks;
    ++all.count;
  }
  launch(device.stream, add_many<T>, static_cast<unsigned>(all.first[all.count]), map_threads, 0,
         all);
}
template struct AddMany<float>;
template struct AddMany<double>;

template <typename T>
void BinaryMap<T>::run(Cuda device) const {
  with_binary(op, [&]<Binary f>() { map(device, Combined<f>{}, y, a, b); });
}

template <typename T>
void UnaryMap<T>::run(Cuda device) const {
  using C = Compute<T>;
  with_unary(op, [&]<Unary f>() {
    map(device, Mapped<f, C>{static_cast<C>(p), static_cast<C>(q)}, y, x);
  });
}

PY4CAST_KERNEL(BinaryMap)
PY4CAST_KERNEL(UnaryMap)

}  // namespace py4cast
