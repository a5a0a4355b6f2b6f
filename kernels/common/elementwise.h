// For .cu files: y[i] = f(x[i], ...) over the elements of tensors, and divisions of indices.
#pragma once

#include <algorithm>

#include "kernels/common/cuda.h"

namespace py4cast {
namespace {

constexpr int map_threads = 256;

template <int N, typename F, typename T, typename... P>
__device__ void map_pack(const F& f, Pack<T, N>& y, const P&... x) {
  for (int k = 0; k < N; ++k) y[k] = narrow<T>(f(widen(x[k])...));
}

template <int N, typename F, typename T, typename... X>
__global__ void __launch_bounds__(map_threads, 2)
    map_kernel(F f, bool vectors, Global<T> y, Global<const X>... x) {
  after_earlier_work();
  for (int64_t i = global_index() * N; i < y.size; i += grid_stride() * N) {
    if (vectors && i + N <= y.size) {
      Pack<T, N> result;
      map_pack(f, result, load_vector<N>(x, i)...);
      store_vector(y, i, result);
    } else {
      for (int64_t k = i; k < i + N && k < y.size; ++k) y[k] = narrow<T>(f(widen<X>(x[k])...));
    }
  }
}

// y[i] = f(x[i], ...) in Compute<> of the types; f is a function object of plain values. y may be
// one of x.
template <typename F, typename T, typename... X>
void map(Cuda device, F f, View<T> y, View<const X>... x) {
  constexpr int N = 16 / static_cast<int>(std::max({sizeof(T), sizeof(X)...}));
  const bool vectors = aligned_for<N>(y) && (aligned_for<N>(x) && ...);
  launch(device.stream, map_kernel<N, F, T, X...>, blocks_for(y.size, N * map_threads), map_threads,
         0, f, vectors, y, x...);
}

template <int N, typename T>
bool in_packs(View<T> x) {
  return aligned_for<N>(x);
}
template <int N, typename T>
bool in_packs(const T&) {
  return true;  // no tensor
}
// A thread for each pack of neighbouring channels of y: wide (N channels) where the packs fit into
// the channels and all tensors, else single (1 channel). Arguments: the others, then y.
template <int N, typename... P, typename T, typename... A>
void launch_by_channels(Cuda device, void (*wide)(P...), void (*single)(P...), int64_t channels,
                        View<T> y, const A&... others) {
  const bool packs = channels % N == 0 && in_packs<N>(y) && (in_packs<N>(others) && ...);
  launch(device.stream, packs ? wide : single, blocks_for(packs ? y.size / N : y.size, map_threads),
         map_threads, 0, others..., y);
}

// n / d for n >= 0, d > 0; in 32 bits, which is far cheaper, where both fit. Else bit by bit: the
// library's routine is a call, and kernels would put registers in memory for it.
__device__ inline int64_t quotient(int64_t n, int64_t d) {
  if (((n | d) >> 32) == 0)
    return static_cast<int64_t>(static_cast<uint32_t>(n) / static_cast<uint32_t>(d));
  int64_t result = 0, bit = 1;
  while (d <= n / 2) {
    d *= 2;
    bit *= 2;
  }
  for (; bit > 0; bit /= 2, d /= 2)
    if (n >= d) {
      n -= d;
      result += bit;
    }
  return result;
}
// n becomes n / d; returns the remainder.
__device__ inline int64_t split_off(int64_t& n, int64_t d) {
  const int64_t whole = quotient(n, d), rest = n - whole * d;
  n = whole;
  return rest;
}

}  // namespace
}  // namespace py4cast
