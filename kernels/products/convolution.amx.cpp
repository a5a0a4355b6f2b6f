// Convolutions in bf16 by matrix tiles: 32 pixels by 32 output channels, or for weight gradients 64
// output channels by 16 input channels, stay in the tile registers. Sums are fp32; denormal numbers
// count as 0.
#include "kernels/products/convolution_pixels.h"
#include "kernels/products/matrix_tiles.h"

namespace py4cast {
namespace {

constexpr int64_t block_pixels = 128;
constexpr int64_t weights_of_tile = tile_depth * tile_columns;

PY4CAST_INLINE int64_t rounded_up(int64_t n, int64_t unit) {
  return (n + unit - 1) / unit * unit;
}

// Two tiles of pixels, some of which may be outside: 32 channels of each.
struct Pixels {
  const Correlation& c;
  const bfloat16* x;  // the group's first channel
  int64_t depth;      // channels of a group
  Pixel first;
  int64_t count;
  bool in_row;  // all 32 lie in one row, and every tap stays in it

  // Where they are for a tap and the channels from k on: in x, or copied to `buffer`.
  struct Rows {
    const bfloat16* at;
    int64_t stride;
  };
  PY4CAST_INLINE Rows rows(const Tap& tap, int64_t k, bfloat16* buffer) const {
    if (in_row && depth - k >= tile_depth) {
      const int64_t from = source(c, first, tap);
      return from < 0 ? Rows{nullptr, 0}
                      : Rows{x + from * c.in_channels + k, c.in_step[2] * c.in_channels};
    }
    bool any = false;
    Pixel pixel = first;
    const int64_t channels = smaller<int64_t>(tile_depth, depth - k);
    for (int64_t p = 0; p < 2 * tile_rows; ++p) {
      bfloat16* const to = buffer + p * tile_depth;
      const int64_t from = p < count ? source(c, pixel, tap) : -1;
      __builtin_memset(to, 0, tile_depth * sizeof(bfloat16));
      if (from >= 0)
        __builtin_memcpy(to, x + from * c.in_channels + k,
                         static_cast<size_t>(channels) * sizeof(bfloat16));
      any |= from >= 0;
      if (p + 1 < count) advance(c, pixel, 1);
    }
    return any ? Rows{buffer, tile_depth} : Rows{nullptr, 0};
  }
};

// 32 pixels, 32 columns: weights [tap's slab, tile of depth, tile of columns].
struct Weights {
  const bfloat16* at;
  int64_t depth_tiles, column_tiles;
  const float* bias;
  int64_t columns;  // valid ones
};

[[gnu::noinline]] void multiply_block(Tiles& tiles, const Pixels& pixels, const Weights& w,
                                      bfloat16* y) {
  const Correlation& c = pixels.c;
  alignas(64) bfloat16 buffer[2 * tile_rows * tile_depth];
  alignas(64) float sums[2 * tile_rows][2 * tile_columns];
  const bool two = w.columns > tile_columns;
  tiles.zero<0>();
  tiles.zero<1>();
  tiles.zero<2>();
  tiles.zero<3>();
  for (int64_t t = 0; t < c.taps.size; ++t)
    for (int64_t k = 0; k < w.depth_tiles; ++k) {
      const Pixels::Rows rows = pixels.rows(c.taps[t], k * tile_depth, buffer);
      if (!rows.at) break;
      const int64_t stride = rows.stride * static_cast<int64_t>(sizeof(bfloat16));
      const bfloat16* const weights =
          w.at + (c.taps[t].slab * w.depth_tiles + k) * w.column_tiles * weights_of_tile;
      tiles.load<4>(rows.at, stride);
      tiles.load<5>(rows.at + tile_rows * rows.stride, stride);
      tiles.load<6>(weights, 64);
      tiles.multiply<0, 4, 6>();
      tiles.multiply<2, 5, 6>();
      if (!two) continue;
      tiles.load<7>(weights + weights_of_tile, 64);
      tiles.multiply<1, 4, 7>();
      tiles.multiply<3, 5, 7>();
    }
  tiles.store<0>(sums[0], sizeof sums[0]);
  tiles.store<1>(sums[0] + tile_columns, sizeof sums[0]);
  tiles.store<2>(sums[tile_rows], sizeof sums[0]);
  tiles.store<3>(sums[tile_rows] + tile_columns, sizeof sums[0]);
  const Strip<2, float> bias_strip{w.columns};
  const Strip<2, bfloat16> strip{w.columns};
  Vector<float> bias[2];
  bias_strip.read(bias, w.bias);
  Pixel pixel = pixels.first;
  for (int64_t p = 0; p < pixels.count; ++p) {
    Vector<float> result[2];
    for (int v = 0; v < 2; ++v) result[v] = bias[v] + load(sums[p] + v * tile_columns);
    strip.write(y + target(c, pixel) * c.out_channels, result);
    if (p + 1 < pixels.count) advance(c, pixel, 1);
  }
}

}  // namespace

template <>
void PackWeights<bfloat16>::run(Level) const {
  const int64_t depth = rounded_up(sizes.in, tile_depth), columns = packed_columns(sizes.out);
  const int64_t slab_size = sizes.in * sizes.out * sizes.groups;
#pragma omp parallel for collapse(2) schedule(static) if (sizes.slabs * slab_size > 16384)
  for (int64_t g = 0; g < sizes.groups; ++g)
    for (int64_t slab = 0; slab < sizes.slabs; ++slab) {
      bfloat16* const to =
          reinterpret_cast<bfloat16*>(packed.data) + (g * sizes.slabs + slab) * depth * columns;
      const float* const from =
          weight.data + (sizes.transposed ? sizes.slabs - 1 - slab : slab) * slab_size;
      for (int64_t i = 0; i < depth; ++i)
        for (int64_t o = 0; o < columns; ++o) {
          float value = 0;
          if (i < sizes.in && o < sizes.out)
            value = sizes.transposed ? from[o * sizes.in * sizes.groups + g * sizes.in + i]
                                     : from[i * sizes.out * sizes.groups + g * sizes.out + o];
          const int64_t tile = i / tile_depth * (columns / tile_columns) + o / tile_columns;
          to[tile * weights_of_tile + i % tile_depth / 2 * 2 * tile_columns + o % tile_columns * 2 +
             i % 2] = narrow<bfloat16>(value);
        }
    }
  float* const start = packed.data + packed_zeros(sizes) + packed_columns(sizes.in);
  for (int64_t o = 0; o < sizes.groups * sizes.out; ++o) start[o] = bias.size ? bias[o] : 0.0f;
}

template <>
void Correlate<bfloat16>::run(Level) const {
  const int64_t pixels = c.batch * c.out[0] * c.out[1] * c.out[2];
  const int64_t blocks = (pixels + block_pixels - 1) / block_pixels;
  const int64_t depth = rounded_up(sizes.in, tile_depth), columns = packed_columns(sizes.out);
  const auto* const weights = reinterpret_cast<const bfloat16*>(packed.data);
  const float* const bias = packed.data + packed_zeros(sizes) + packed_columns(sizes.in);
  int64_t low = 0, high = 0;
  for (int64_t t = 0; t < c.taps.size; ++t) {
    low = smaller(low, c.taps[t].offset[2]);
    high = larger(high, c.taps[t].offset[2]);
  }
#pragma omp parallel for collapse(2) schedule(static) if (blocks * sizes.groups > 1)
  for (int64_t g = 0; g < sizes.groups; ++g)
    for (int64_t b = 0; b < blocks; ++b) {
      Tiles tiles;
      const int64_t end = smaller(pixels, (b + 1) * block_pixels);
      for (int64_t o = 0; o < sizes.out; o += 2 * tile_columns) {
        const Weights w{
            weights + g * sizes.slabs * depth * columns + o / tile_columns * weights_of_tile,
            depth / tile_depth, columns / tile_columns, bias + g * sizes.out + o,
            smaller<int64_t>(2 * tile_columns, sizes.out - o)};
        for (int64_t p = b * block_pixels; p < end; p += 2 * tile_rows) {
          const Pixel first = pixel_at(c, p);
          const int64_t at = first.at[3], last = at + 2 * tile_rows - 1;
          const bool in_row = last < c.out[2] && p + 2 * tile_rows <= end &&
                              at * c.in_step[2] + low >= 0 && last * c.in_step[2] + high < c.in[2];
          multiply_block(tiles,
                         {c, x.data + g * sizes.in, sizes.in, first,
                          smaller<int64_t>(2 * tile_rows, end - p), in_row},
                         w, y.data + g * sizes.out + o);
        }
      }
    }
}

namespace {

constexpr int64_t run_pixels = 4 * piece_pixels;  // at most, of a row
constexpr int64_t out_tiles = 4;                  // tiles of output channels at a time

// Tiles of `tiles_of_out` x 16 output channels by 16 input channels: sums [output, input] += the
// products over pixels, output [channel, pixel], input [pair of pixels, channel].
template <int n>
PY4CAST_INLINE void multiply_pixels(Tiles& tiles, const bfloat16* output, const uint32_t* input,
                                    int64_t pixels, float* sums, int64_t pitch) {
  const int64_t stride = pitch * static_cast<int64_t>(sizeof(float));
  constexpr int64_t output_stride = run_pixels * static_cast<int64_t>(sizeof(bfloat16));
  float* const at[4] = {sums, sums + 16 * pitch, sums + 32 * pitch, sums + 48 * pitch};
  tiles.load<0>(at[0], stride);
  if constexpr (n > 1) tiles.load<1>(at[1], stride);
  if constexpr (n > 2) tiles.load<2>(at[2], stride);
  if constexpr (n > 3) tiles.load<3>(at[3], stride);
  for (int64_t p = 0; p < pixels; p += tile_depth, output += tile_depth) {
    tiles.load<6>(input + p / 2 * tile_columns, 64);
    tiles.load<4>(output, output_stride);
    tiles.multiply<0, 4, 6>();
    if constexpr (n > 1) {
      tiles.load<5>(output + 16 * run_pixels, output_stride);
      tiles.multiply<1, 5, 6>();
    }
    if constexpr (n > 2) {
      tiles.load<4>(output + 32 * run_pixels, output_stride);
      tiles.multiply<2, 4, 6>();
    }
    if constexpr (n > 3) {
      tiles.load<5>(output + 48 * run_pixels, output_stride);
      tiles.multiply<3, 5, 6>();
    }
  }
  tiles.store<0>(at[0], stride);
  if constexpr (n > 1) tiles.store<1>(at[1], stride);
  if constexpr (n > 2) tiles.store<2>(at[2], stride);
  if constexpr (n > 3) tiles.store<3>(at[3], stride);
}

// A run of pixels of one row, for 64 output channels at most.
[[gnu::noinline]] void weight_run(Tiles& tiles, const Correlation& c, View<const bfloat16> x,
                                  View<const bfloat16> dy, int64_t row, int64_t begin, int64_t end,
                                  int64_t group, int64_t o, float* sums) {
  const int64_t depth = c.in_channels / c.groups, out = c.out_channels / c.groups;
  const int64_t pitch = packed_columns(depth), pixels = end - begin;
  const int64_t whole = rounded_up(pixels, tile_depth);
  const int64_t outputs = smaller<int64_t>(out_tiles * 16, out - o);
  alignas(64) uint32_t output[out_tiles * 16 * run_pixels / 2],
      input[run_pixels / 2 * tile_columns];
  const bfloat16* const g = dy.data + (row * c.out[2] + begin) * c.out_channels + group * out + o;
  for (int64_t i = 0; i < outputs; i += tile_columns) {
    gather_pixels([&](int64_t p) { return p < pixels ? g + p * c.out_channels + i : nullptr; },
                  whole, smaller<int64_t>(tile_columns, outputs - i), input, tile_columns);
    for (int64_t channel = 0; channel < tile_columns; ++channel)
      for (int64_t pair = 0; pair < whole / 2; ++pair)
        output[(i + channel) * run_pixels / 2 + pair] = input[pair * tile_columns + channel];
  }
  const auto* const turned = reinterpret_cast<const bfloat16*>(output);
  for (int64_t t = 0; t < c.taps.size; ++t) {
    const Tap& tap = c.taps[t];
    const int64_t from = source_row(c, row, tap);
    if (from < 0) continue;
    for (int64_t i = 0; i < depth; i += tile_columns) {
      const bfloat16* const x_row = x.data + from * c.in[2] * c.in_channels + group * depth + i;
      gather_pixels(
          [&](int64_t p) {
            const int64_t at = (begin + p) * c.in_step[2] + tap.offset[2];
            return p < pixels && inside(at, c.in[2]) ? x_row + at * c.in_channels : nullptr;
          },
          whole, smaller<int64_t>(tile_columns, depth - i), input, tile_columns);
      float* const to = sums + (tap.slab * packed_columns(out) + o) * pitch + i;
      switch ((outputs + 15) / 16) {
        case 1:
          multiply_pixels<1>(tiles, turned, input, whole, to, pitch);
          break;
        case 2:
          multiply_pixels<2>(tiles, turned, input, whole, to, pitch);
          break;
        case 3:
          multiply_pixels<3>(tiles, turned, input, whole, to, pitch);
          break;
        default:
          multiply_pixels<4>(tiles, turned, input, whole, to, pitch);
      }
    }
  }
}

}  // namespace

// Partial sums are [chunk, group, slab, output channel, input channel], padded to whole tiles.
template <>
void ConvolutionWeightGradient<bfloat16>::run(Level) const {
  const int64_t rows = c.batch * c.out[0] * c.out[1], pieces = weight_pieces(rows, c.out[2]);
  const int64_t chunks = weight_chunks(pieces, piece_pixels, dw.size);
  const int64_t depth = c.in_channels / c.groups, out = c.out_channels / c.groups;
  const int64_t pitch = packed_columns(depth), slabs = c.taps.size;
  const int64_t group_size = slabs * packed_columns(out) * pitch,
                chunk_size = c.groups * group_size;
  const int64_t in_row = rows > 0 ? pieces / rows : 1;
#pragma omp parallel for schedule(static) if (chunks * chunk_size > 65536)
  for (int64_t i = 0; i < chunks * chunk_size; ++i) partial[i] = 0;
#pragma omp parallel for collapse(3) schedule(static) if (c.large())
  for (int64_t chunk = 0; chunk < chunks; ++chunk)
    for (int64_t group = 0; group < c.groups; ++group)
      for (int64_t o = 0; o < out; o += out_tiles * 16) {
        Tiles tiles;
        float* const sums = partial.data + chunk * chunk_size + group * group_size;
        const int64_t last = chunk_begin(pieces, chunks, chunk + 1);
        for (int64_t piece = chunk_begin(pieces, chunks, chunk); piece < last;) {
          const int64_t row = piece / in_row, begin = piece % in_row * piece_pixels;
          const int64_t end =
              smaller(c.out[2], begin + smaller(run_pixels, (last - piece) * piece_pixels));
          weight_run(tiles, c, x, dy, row, begin, end, group, o, sums);
          piece += (end - begin + piece_pixels - 1) / piece_pixels;
        }
      }
#pragma omp parallel for schedule(static)
  for (int64_t row = 0; row < slabs * depth; ++row)
    for (int64_t group = 0; group < c.groups; ++group)
      for (int64_t o = 0; o < out; ++o) {
        const float* at = partial.data + group * group_size +
                          (row / depth * packed_columns(out) + o) * pitch + row % depth;
        float total = 0;
        for (int64_t chunk = 0; chunk < chunks; ++chunk, at += chunk_size) total += *at;
        dw[row * c.out_channels + group * out + o] = total;
      }
}

}  // namespace py4cast
