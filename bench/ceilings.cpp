#include "bench/ceilings.h"

#include <benchmark/benchmark.h>
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <memory>

#include "engine/device.h"

namespace py4cast {
namespace {

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

constexpr int64_t rounds = 4'000'000;
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

double measure_flops() {
  const CpuLevel level = best_cpu_level();
  float (*const run)() = level >= CpuLevel::avx512 ? multiply_adds_avx512
                         : level == CpuLevel::avx2 ? multiply_adds_avx2
                                                   : multiply_adds_baseline;
  const int lanes = level >= CpuLevel::avx512 ? 16 : level == CpuLevel::avx2 ? 8 : 4;
  const int threads = omp_get_max_threads();
  double best = 0;
  for (int repetition = 0; repetition < 8; ++repetition) {
    const double start = seconds();
#pragma omp parallel
    benchmark::DoNotOptimize(run());
    best = std::max(best, 2.0 * rounds * chains * lanes * threads / (seconds() - start));
  }
  return best;
}

double measure_bytes() {
  constexpr int64_t size = 48 << 20;
  const std::unique_ptr<float[]> a(new float[size]), b(new float[size]), c(new float[size]);
  float *const pa = a.get(), *const pb = b.get(), *const pc = c.get();
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < size; ++i) pa[i] = pb[i] = pc[i] = 1;
  double best = 0;
  for (int repetition = 0; repetition < 8; ++repetition) {
    const double start = seconds();
#pragma omp parallel for simd schedule(static)
    for (int64_t i = 0; i < size; ++i) pa[i] = pb[i] + 0.5f * pc[i];
    best = std::max(best, 3.0 * size * sizeof(float) / (seconds() - start));
  }
  return best;
}

}  // namespace

const Ceilings& ceilings() {
  static const Ceilings measured{measure_flops(), measure_bytes()};
  return measured;
}

}  // namespace py4cast
