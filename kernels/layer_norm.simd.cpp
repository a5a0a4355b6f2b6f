#include "kernels/layer_norm_kernels.h"
#include "kernels/simd.h"

namespace py4cast {

template <CpuLevel level, typename T>
void layer_norm_kernel(Cpu<level>, View<const T> x, View<const T> gamma, View<const T> beta,
                       T epsilon, View<T> y, View<T> mean, View<T> inverse_deviation) {
  const int64_t rows = mean.size, channels = gamma.size;
#pragma omp parallel for schedule(static)
  for (int64_t r = 0; r < rows; ++r) {
    const T* in = x.data + r * channels;
    T* out = y.data + r * channels;
    T sum = 0, squares = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t c = 0; c < channels; ++c) sum += in[c];
    const T m = sum / static_cast<T>(channels);
#pragma omp simd reduction(+ : squares)
    for (int64_t c = 0; c < channels; ++c) squares += (in[c] - m) * (in[c] - m);
    const T inverse = 1 / square_root(squares / static_cast<T>(channels) + epsilon);
#pragma omp simd
    for (int64_t c = 0; c < channels; ++c) out[c] = (in[c] - m) * inverse * gamma[c] + beta[c];
    mean[r] = m;
    inverse_deviation[r] = inverse;
  }
}

template <CpuLevel level, typename T>
void layer_norm_backward_kernel(Cpu<level>, View<const T> dy, View<const T> x, View<const T> gamma,
                                View<const T> mean, View<const T> inverse_deviation, View<T> dx,
                                View<T> dgamma, View<T> dbeta, View<T> partial) {
  const int64_t rows = mean.size, channels = gamma.size, chunks = chunk_count(rows);
  T* const gamma_sums = partial.data;
  T* const beta_sums = partial.data + chunks * channels;
#pragma omp parallel for schedule(static)
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    T* const gammas = gamma_sums + chunk * channels;
    T* const betas = beta_sums + chunk * channels;
    for (int64_t c = 0; c < channels; ++c) gammas[c] = betas[c] = 0;
    const int64_t end = chunk_begin(rows, chunks, chunk + 1);
    for (int64_t r = chunk_begin(rows, chunks, chunk); r < end; ++r) {
      const T* const g = dy.data + r * channels;
      const T* const in = x.data + r * channels;
      T* const out = dx.data + r * channels;
      const T m = mean[r], inverse = inverse_deviation[r];
      T sum = 0, product = 0;
#pragma omp simd reduction(+ : sum, product)
      for (int64_t c = 0; c < channels; ++c) {
        const T h = (in[c] - m) * inverse, scaled = g[c] * gamma[c];
        sum += scaled;
        product += scaled * h;
      }
      sum /= static_cast<T>(channels);
      product /= static_cast<T>(channels);
#pragma omp simd
      for (int64_t c = 0; c < channels; ++c) {
        const T h = (in[c] - m) * inverse;
        gammas[c] += g[c] * h;
        betas[c] += g[c];
        out[c] = inverse * (g[c] * gamma[c] - sum - h * product);
      }
    }
  }
  for (int64_t c = 0; c < channels; ++c) {
    T gamma_total = 0, beta_total = 0;
    for (int64_t chunk = 0; chunk < chunks; ++chunk) {
      gamma_total += gamma_sums[chunk * channels + c];
      beta_total += beta_sums[chunk * channels + c];
    }
    dgamma[c] = gamma_total;
    dbeta[c] = beta_total;
  }
}

#define PY4CAST_INSTANTIATE(T)                                                                    \
  template void layer_norm_kernel(Level, View<const T>, View<const T>, View<const T>, T, View<T>, \
                                  View<T>, View<T>);                                              \
  template void layer_norm_backward_kernel(Level, View<const T>, View<const T>, View<const T>,    \
                                           View<const T>, View<const T>, View<T>, View<T>,        \
                                           View<T>, View<T>);
PY4CAST_INSTANTIATE(float)
PY4CAST_INSTANTIATE(double)

}  // namespace py4cast
