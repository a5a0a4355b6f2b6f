#include "kernels/common/simd.h"
#include "kernels/training/loss_kernels.h"
#include "kernels/training/loss_math.h"

namespace py4cast {
namespace {

// sums[f], counts[f] += over points [begin, end). A few features: point by point in vectors, one
// feature after another.
template <bool squared, typename T>
PY4CAST_INLINE void add_few(const T* prediction, const T* target, const T* mask, int64_t begin,
                            int64_t end, int64_t features, double* sums, double* counts) {
  for (int64_t f = 0; f < features; ++f) {
    double sum = 0, count = 0;
#pragma omp simd reduction(+ : sum, count)
    for (int64_t s = begin; s < end; ++s) {
      const T p = prediction[s * features + f], t = target[s * features + f];
      const double m = t == t ? static_cast<double>(mask[s]) : 0.0;
      sum += m != 0 ? m * error<squared>(static_cast<double>(p - t)) : 0.0;
      count += m;
    }
    sums[f] += sum;
    counts[f] += count;
  }
}

template <bool squared, typename T>
PY4CAST_INLINE void add_points(const T* prediction, const T* target, const T* mask, int64_t begin,
                               int64_t end, int64_t features, double* sums, double* counts) {
  if (features < 8)
    return add_few<squared>(prediction, target, mask, begin, end, features, sums, counts);
  for (int64_t s = begin; s < end; ++s) {
    if (mask[s] == 0) continue;
    const auto m = static_cast<double>(mask[s]);
    const T *p = prediction + s * features, *t = target + s * features;
#pragma omp simd
    for (int64_t f = 0; f < features; ++f) {
      const bool valid = t[f] == t[f];
      sums[f] += valid ? m * error<squared>(static_cast<double>(p[f] - t[f])) : 0.0;
      counts[f] += valid ? m : 0.0;
    }
  }
}

template <bool squared, typename T>
void backward(View<const T> dloss, View<const T> prediction, View<const T> target,
              View<const T> mask, View<const T> factor, View<T> dprediction) {
  const int64_t items = dloss.size, points = mask.size, features = factor.size / items;
  if (features == 1) {
    for (int64_t l = 0; l < items; ++l) {
      const T *p = prediction.data + l * points, *t = target.data + l * points, *m = mask.data;
      T* out = dprediction.data + l * points;
      const T scale = dloss[l] * factor[l];
#pragma omp parallel for schedule(static) if (points > 16384)
      for (int64_t begin = 0; begin < points; begin += piece_size)
#pragma omp simd
        for (int64_t s = begin; s < smaller(begin + piece_size, points); ++s)
          out[s] = m[s] != 0 && t[s] == t[s] ? scale * m[s] * slope<squared>(p[s] - t[s]) : T(0);
    }
    return;
  }
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t l = 0; l < items; ++l)
    for (int64_t s = 0; s < points; ++s) {
      const int64_t row = (l * points + s) * features;
      const T *p = prediction.data + row, *t = target.data + row,
              *weight = factor.data + l * features;
      T* out = dprediction.data + row;
      const T scale = dloss[l] * mask[s];
      if (mask[s] == 0) {
        for (int64_t f = 0; f < features; ++f) out[f] = 0;
        continue;
      }
#pragma omp simd
      for (int64_t f = 0; f < features; ++f)
        out[f] = t[f] == t[f] ? scale * weight[f] * slope<squared>(p[f] - t[f]) : T(0);
    }
}

}  // namespace

template <typename T>
void WeightedLoss<T>::run(Level) const {
  const int64_t items = loss.size, points = mask.size, features = weights.size;
  const int64_t chunks = chunk_count(points);
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t l = 0; l < items; ++l)
    for (int64_t chunk = 0; chunk < chunks; ++chunk) {
      double* const sums = partial.data + (l * chunks + chunk) * 2 * features;
      for (int64_t f = 0; f < 2 * features; ++f) sums[f] = 0;
      const T *p = prediction.data + l * points * features,
              *t = target.data + l * points * features;
      const int64_t begin = chunk_begin(points, chunks, chunk),
                    end = chunk_begin(points, chunks, chunk + 1);
      if (squared)
        add_points<true>(p, t, mask.data, begin, end, features, sums, sums + features);
      else
        add_points<false>(p, t, mask.data, begin, end, features, sums, sums + features);
    }
  for (int64_t l = 0; l < items; ++l) {
    double total = 0;
    for (int64_t f = 0; f < features; ++f) {
      double sum = 0, count = 0;
      for (int64_t chunk = 0; chunk < chunks; ++chunk) {
        const double* const sums = partial.data + (l * chunks + chunk) * 2 * features;
        sum += sums[f];
        count += sums[features + f];
      }
      const double scale = count > 0 ? static_cast<double>(weights[f]) / count : 0;
      total += scale * sum;
      factor[l * features + f] = static_cast<T>(scale);
    }
    loss[l] = static_cast<T>(total);
  }
}

template <typename T>
void WeightedLossBackward<T>::run(Level) const {
  if (squared)
    backward<true>(dloss, prediction, target, mask, factor, dprediction);
  else
    backward<false>(dloss, prediction, target, mask, factor, dprediction);
}

template struct WeightedLoss<float>;
template struct WeightedLoss<double>;
template struct WeightedLossBackward<float>;
template struct WeightedLossBackward<double>;

}  // namespace py4cast
