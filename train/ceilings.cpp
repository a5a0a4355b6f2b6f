#include "train/ceilings.h"

#include <immintrin.h>
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <functional>
#include <memory>

#include "engine/cuda.h"
#include "kernels/products/linear.h"

namespace py4cast {
namespace {

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

constexpr int repetitions = 8;
constexpr int64_t rounds = 1'000'000;
constexpr int chains = 12;  // independent sums hide the latency

// Multiply-adds on vectors of N floats in registers; the result keeps the compiler from leaving
// them out. A macro, since a function's target does not reach the templates it calls.
#define PY4CAST_MULTIPLY_ADDS(name, bytes, target)                                                 \
  target float name() {                                                                            \
    typedef float Vector __attribute__((vector_size(bytes)));                                      \
    Vector sums[chains], factor = {}, step = {};                                                   \
    factor += 0.75f;                                                                               \
    step += 0.5f;                                                                                  \
    for (int i = 0; i < chains; ++i) sums[i] = step * static_cast<float>(i);                       \
    for (int64_t r = 0; r < rounds; ++r) {                                                         \
      _Pragma("GCC unroll 12") for (int i = 0; i < chains; ++i) sums[i] = sums[i] * factor + step; \
    }                                                                                              \
    float total = 0;                                                                               \
    for (int i = 0; i < chains; ++i) total += sums[i][0];                                          \
    return total;                                                                                  \
  }
PY4CAST_MULTIPLY_ADDS(multiply_adds_baseline, 16, )
PY4CAST_MULTIPLY_ADDS(multiply_adds_avx2, 32, __attribute__((target("avx2,fma"))))
PY4CAST_MULTIPLY_ADDS(multiply_adds_avx512, 64, __attribute__((target("avx512f,fma"))))

// Products of pairs of bf16, added to floats: four operations in each of 16 lanes.
__attribute__((target("avx512f,avx512bf16"))) float pair_products() {
  const auto factor = reinterpret_cast<__m512bh>(_mm512_set1_epi16(0x3f40));  // 0.75
  __m512 sums[chains];
  for (int i = 0; i < chains; ++i) sums[i] = _mm512_set1_ps(static_cast<float>(i));
  for (int64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 12
    for (int i = 0; i < chains; ++i) sums[i] = _mm512_dpbf16_ps(sums[i], factor, factor);
  }
  float total = 0;
  for (int i = 0; i < chains; ++i) total += sums[i][0];
  return total;
}

// Products of tiles of 16 x 32 and 32 x 16 bf16, added to six tiles of floats.
constexpr int tiles = 6;
constexpr int64_t tile_rounds = 100'000;
float tile_products() {
  struct alignas(64) {
    uint8_t palette = 1, start_row = 0, reserved[14] = {};
    uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
  } configuration;
  asm volatile("ldtilecfg %0" ::"m"(configuration));
  for (int64_t r = 0; r < tile_rounds; ++r)
    asm volatile(
        "tdpbf16ps %tmm7, %tmm6, %tmm0\n\ttdpbf16ps %tmm7, %tmm6, %tmm1\n\t"
        "tdpbf16ps %tmm7, %tmm6, %tmm2\n\ttdpbf16ps %tmm7, %tmm6, %tmm3\n\t"
        "tdpbf16ps %tmm7, %tmm6, %tmm4\n\ttdpbf16ps %tmm7, %tmm6, %tmm5");
  asm volatile("tilerelease");
  return 0;
}

// Of all threads; `work`: operations of one run on one thread.
double best_flops(float (*run)(), double work) {
  double best = 0;
  for (int repetition = 0; repetition < repetitions; ++repetition) {
    const double start = seconds();
#pragma omp parallel
    {
      const float result = run();
      asm volatile("" : : "x"(result));  // used, as far as the compiler knows
    }
    best = std::max(best, work * omp_get_max_threads() / (seconds() - start));
  }
  return best;
}

double measure_flops(CpuLevel level) {
  const double multiply_adds = 2.0 * rounds * chains;
  if (level >= CpuLevel::avx512) return best_flops(multiply_adds_avx512, 16 * multiply_adds);
  if (level == CpuLevel::avx2) return best_flops(multiply_adds_avx2, 8 * multiply_adds);
  return best_flops(multiply_adds_baseline, 4 * multiply_adds);
}

// Where there is no instruction for bf16, its products are those of f32.
double measure_bf16_flops(CpuLevel level, double fp32) {
  if (level == CpuLevel::amx)
    return std::max(fp32, best_flops(tile_products, 2.0 * 16 * 16 * 32 * tiles * tile_rounds));
  if (level == CpuLevel::avx512_bf16)
    return std::max(fp32, best_flops(pair_products, 4.0 * 16 * chains * rounds));
  return fp32;
}

// Of the last cache, which the system tells in kB; the C library is wrong about some virtual machines.
int64_t cache_bytes() {
  int64_t kilobytes = 0;
  std::ifstream("/sys/devices/system/cpu/cpu0/cache/index3/size") >> kilobytes;
  return std::max<int64_t>(kilobytes, 0) << 10;
}

// Of three arrays that together are four times as large as the last cache, within bounds.
double measure_bytes() {
  const int64_t size =
      std::clamp<int64_t>(4 * cache_bytes(), 96 << 20, 576 << 20) / (3 * sizeof(float));
  const std::unique_ptr<float[]> a(new float[size]), b(new float[size]), c(new float[size]);
  float *const pa = a.get(), *const pb = b.get(), *const pc = c.get();
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < size; ++i) pa[i] = pb[i] = pc[i] = 1;
  double best = 0;
  for (int repetition = 0; repetition < repetitions; ++repetition) {
    const double start = seconds();
#pragma omp parallel for simd schedule(static)
    for (int64_t i = 0; i < size; ++i) pa[i] = pb[i] + 0.5f * pc[i];
    best = std::max(best, 3.0 * static_cast<double>(size * sizeof(float)) / (seconds() - start));
  }
  return best;
}

// Of `work` units; the first run plans.
double best_rate(Stream stream, double work, const std::function<void()>& run) {
  double best = 0;
  for (int repetition = 0; repetition < repetitions; ++repetition) {
    const double start = seconds();
    run();
    synchronize(stream);
    best = std::max(best, work / (seconds() - start));
  }
  return best;
}

Ceilings measure_gpu(Runtime& runtime, const std::vector<Precision>& precisions, int64_t side) {
  Context context = runtime.context();
  Ceilings result;
  const auto make = [&](int64_t rows, int64_t columns, DataType type) {
    const Tensor x(allocate(static_cast<size_t>(rows * columns) * size_of(type), context.device,
                            &runtime.ledger(), Owner::other, "ceilings"),
                   type, {rows, columns});
    fill_bytes(x, 0, context.stream);
    return x;
  };
  const int64_t n = 16 * side;
  for (const Precision precision : precisions) {
    context.precision = precision;
    const DataType weights = precision == Precision::fp64 ? DataType::f64 : DataType::f32;
    const Tensor x = make(n, n, precision == Precision::bf16 ? DataType::bf16 : weights),
                 weight = make(n, n, weights);
    StepArena arena(runtime.ledger(), StepArena::Mode::plan, 0, context.device);
    context.arena = &arena;
    const double cubed = static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(n);
    result.flops[precision] = best_rate(context.stream, 2 * cubed, [&] {
      arena.run("product", [&] { linear(context, x, weight); });
    });
    context.arena = nullptr;
  }
  const Tensor from = make(side, side * 1024, DataType::f32),
               to = make(side, side * 1024, DataType::f32);
  result.bytes = best_rate(context.stream, 2 * static_cast<double>(from.bytes()),
                           [&] { copy_async(from, to, context.stream); });
  return result;
}

// `single`: what was measured for f32, so that the ceilings of one run are in proportion.
double measure_cpu(Precision precision, CpuLevel level, double single) {
  switch (precision) {
    case Precision::bf16:
      return measure_bf16_flops(level, single);
    case Precision::fp64:
      return single / 2;  // half as many lanes
    default:
      return single;
  }
}

}  // namespace

Ceilings measure_ceilings(Runtime& runtime, const std::vector<Precision>& precisions,
                          int64_t side) {
  if (runtime.device().kind == DeviceKind::cuda) return measure_gpu(runtime, precisions, side);
  const CpuLevel level = runtime.cpu_level();
  const double single = measure_flops(level);
  Ceilings result;
  for (const Precision precision : precisions)
    result.flops[precision] = measure_cpu(precision, level, single);
  result.bytes = measure_bytes();
  return result;
}

}  // namespace py4cast
