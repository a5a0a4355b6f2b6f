#include "kernels/common/simd.h"
#include "kernels/ops/layer_norm_kernels.h"

namespace py4cast {

template <typename T>
void LayerNormForward<T>::run(Level) const {
  using C = Compute<T>;
  const int64_t rows = mean.size, channels = gamma.size;
#pragma omp parallel for schedule(static) if (x.size > 16384)
  for (int64_t r = 0; r < rows; ++r) {
    const T* in = x.data + r * channels;
    T* out = y.data + r * channels;
    C sum = 0, squares = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t c = 0; c < channels; ++c) sum += widen(in[c]);
    const C m = sum / static_cast<C>(channels);
#pragma omp simd reduction(+ : squares)
    for (int64_t c = 0; c < channels; ++c) squares += (widen(in[c]) - m) * (widen(in[c]) - m);
    const C inverse = 1 / (square_root(squares / static_cast<C>(channels) + inside) + outside);
#pragma omp simd
    for (int64_t c = 0; c < channels; ++c)
      out[c] = narrow<T>((widen(in[c]) - m) * inverse * gamma[c] + beta[c]);
    mean[r] = m;
    inverse_deviation[r] = inverse;
  }
}

template <typename T>
void LayerNormBackward<T>::run(Level) const {
  using C = Compute<T>;
  const int64_t rows = mean.size, channels = gamma.size, chunks = chunk_count(rows);
  C* const gamma_sums = partial.data;
  C* const beta_sums = partial.data + chunks * channels;
#pragma omp parallel for schedule(static) if (x.size > 16384)
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    C* const gammas = gamma_sums + chunk * channels;
    C* const betas = beta_sums + chunk * channels;
    for (int64_t c = 0; c < channels; ++c) gammas[c] = betas[c] = 0;
    const int64_t end = chunk_begin(rows, chunks, chunk + 1);
    for (int64_t r = chunk_begin(rows, chunks, chunk); r < end; ++r) {
      const T* const g = dy.data + r * channels;
      const T* const in = x.data + r * channels;
      T* const out = dx.data + r * channels;
      const C m = mean[r], inverse = inverse_deviation[r];
      C sum = 0, product = 0;
#pragma omp simd reduction(+ : sum, product)
      for (int64_t c = 0; c < channels; ++c) {
        const C h = (widen(in[c]) - m) * inverse, scaled = widen(g[c]) * gamma[c];
        sum += scaled;
        product += scaled * h;
      }
      sum /= static_cast<C>(channels);
      const C root = 1 / inverse - outside;
      product = root > 0 ? product / (root * static_cast<C>(channels)) : C(0);
#pragma omp simd
      for (int64_t c = 0; c < channels; ++c) {
        const C centered = widen(in[c]) - m, dy_c = widen(g[c]);
        gammas[c] += dy_c * centered * inverse;
        betas[c] += dy_c;
        out[c] = narrow<T>(inverse * (dy_c * gamma[c] - sum - centered * product));
      }
    }
  }
  for (int64_t c = 0; c < channels; ++c) {
    C gamma_total = 0, beta_total = 0;
    for (int64_t chunk = 0; chunk < chunks; ++chunk) {
      gamma_total += gamma_sums[chunk * channels + c];
      beta_total += beta_sums[chunk * channels + c];
    }
    dgamma[c] = gamma_total;
    dbeta[c] = beta_total;
  }
}

PY4CAST_KERNEL(LayerNormForward)
PY4CAST_KERNEL(LayerNormBackward)

}  // namespace py4cast
