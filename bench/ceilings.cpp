#include "bench/ceilings.h"

#include <benchmark/benchmark.h>
#include <immintrin.h>
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>

#include "engine/cuda.h"
#include "kernels/products/linear.h"

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
constexpr int64_t tile_rounds = 400'000;
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
  for (int repetition = 0; repetition < 8; ++repetition) {
    const double start = seconds();
#pragma omp parallel
    benchmark::DoNotOptimize(run());
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
    return best_flops(tile_products, 2.0 * 16 * 16 * 32 * tiles * tile_rounds);
  if (level == CpuLevel::avx512_bf16)
    return std::max(fp32, best_flops(pair_products, 4.0 * 16 * chains * rounds));
  return fp32;
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

// Of `work` units; the first run plans.
double best_rate(Stream stream, double work, const std::function<void()>& run) {
  double best = 0;
  for (int repetition = 0; repetition < 8; ++repetition) {
    const double start = seconds();
    run();
    synchronize(stream);
    best = std::max(best, work / (seconds() - start));
  }
  return best;
}

Ceilings measure_gpu(Runtime& runtime, int64_t side) {
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
  for (const Precision precision : {Precision::fp32, Precision::tf32, Precision::bf16}) {
    context.precision = precision;
    const Tensor x = make(n, n, precision == Precision::bf16 ? DataType::bf16 : DataType::f32),
                 weight = make(n, n, DataType::f32);
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

}  // namespace

Ceilings measure_ceilings(Runtime& runtime, int64_t side) {
  if (runtime.device().kind == DeviceKind::cuda) return measure_gpu(runtime, side);
  const CpuLevel level = best_cpu_level();
  const double flops = measure_flops(level);
  return {{{Precision::fp32, flops}, {Precision::bf16, measure_bf16_flops(level, flops)}},
          measure_bytes()};
}

}  // namespace py4cast
