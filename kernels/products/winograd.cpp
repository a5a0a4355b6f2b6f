#include "kernels/products/winograd.h"

#include <omp.h>

#include <algorithm>
#include <utility>

#include "kernels/common/dispatch.h"
#include "kernels/products/winograd_kernels.h"

namespace py4cast {
namespace {

WinogradSizes sizes_of(const ConvolutionProblem& p, bool transposed) {
  WinogradSizes s{.images = p.batch * p.in[0],
                  .in_size = {p.in[1], p.in[2]},
                  .out_size = {p.out[1], p.out[2]},
                  .first = {-p.padding[1], -p.padding[2]},
                  .in = p.in_channels,
                  .out = p.out_channels};
  if (!transposed) return s;
  std::swap(s.in_size, s.out_size);
  std::swap(s.in, s.out);
  for (int64_t& first : s.first) first = -2 - first;
  return s;
}

}  // namespace

bool fits_winograd(const Context& context, const ConvolutionProblem& p, DataType type) {
  constexpr int64_t least_channels = 16, least_size = 4, least_tiles = 16;
  const bool by_pairs = type == DataType::bf16 && context.cpu_level > CpuLevel::avx512;
  bool fits = !by_pairs && p.groups == 1 && p.kernel[0] == 1 && p.padding[0] == 0 &&
              p.in_channels >= least_channels && p.out_channels >= least_channels;
  for (int axis = 0; axis < 3; ++axis) fits = fits && p.stride[axis] == 1;
  for (int axis = 1; axis < 3; ++axis)
    fits = fits && p.kernel[axis] == 3 && p.dilation[axis] == 1 && p.out[axis] >= least_size;
  return fits && sizes_of(p, false).tiles() >= least_tiles;
}

void winograd_product(Context& context, const ConvolutionProblem& p, bool transposed,
                      const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& y) {
  const WinogradSizes s = sizes_of(p, transposed);
  const DataType number = compute_type(x.type());
  // Large blocks read the weights less often, several blocks for each thread share out the work.
  constexpr int64_t least = winograd_least_block;
  const int64_t most_threads = s.large() ? std::max(omp_get_max_threads(), 1) : 1;
  const int64_t block =
      std::clamp(s.tiles() / (4 * most_threads) / least * least, least, winograd_most_block);
  const int64_t threads = std::min(most_threads, s.blocks(block));
  const Tensor packed = context.empty({winograd_packed(s)}, number);
  const Tensor scratch = context.empty({threads * winograd_block_size(s, block)}, number);
  on_cpu<float, double, bfloat16>(context, "convolution", x.type(),
                                  running<WinogradWeights>(s, transposed, weight, bias, packed));
  on_cpu<float, double, bfloat16>(
      context, "convolution", x.type(),
      running<WinogradProduct>(s, block, static_cast<int>(threads), x, packed, scratch, y));
}

void winograd_weight_gradient(Context& context, const ConvolutionProblem& p, const Tensor& x,
                              const Tensor& dy, const Tensor& dweight) {
  const WinogradSizes s = sizes_of(p, false);
  const Tensor scratch = context.empty({winograd_gradient_size(s)}, compute_type(x.type()));
  on_cpu<float, double, bfloat16>(context, "convolution_weight_gradient", x.type(),
                                  running<WinogradWeightGradient>(s, x, dy, scratch, dweight));
}

}  // namespace py4cast
