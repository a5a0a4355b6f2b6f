// bf16: products of operands of eight significant bits are exact in fp32, sums are fp32. Compiled
// for processors with dot products of pairs (AVX-512 BF16), too: those add a pair of products at a
// time, and take denormal numbers for 0.
#include "kernels/products/convolution_tiles.h"
#include "kernels/products/convolution_weight_tiles.h"

namespace py4cast {

template struct PackWeights<bfloat16>;
template struct Correlate<bfloat16>;

namespace {

using Operand = PackedType<bfloat16, by_pairs<bfloat16>>::type;
constexpr int64_t together = pixels_together<Operand>, channel_block = 96;

struct Piece {
  int64_t row, begin, end;  // pixels of a row (batch and two outer axes) of dy
};

// Adds one piece's share to some columns of dw.
template <int V>
PY4CAST_INLINE void weight_piece(const Correlation& c, View<const bfloat16> x,
                                 View<const bfloat16> dy, const Piece& piece, int64_t group,
                                 int64_t column, int64_t first_tap, int64_t last_tap, float* sums) {
  constexpr int64_t width = V * lanes<float>, steps = piece_pixels / together;
  const int64_t depth = c.in_channels / c.groups, out = c.out_channels / c.groups;
  const int64_t valid = smaller<int64_t>(width, out - column), first = group * out + column;
  const int64_t pixels = piece.end - piece.begin;
  const int64_t blocks = (depth + channel_block - 1) / channel_block;
  const int64_t block = (depth + blocks * 6 - 1) / (blocks * 6) * 6;  // whole register tiles
  const int64_t count = (pixels + together - 1) / together;
  alignas(64) Operand g[steps * width], a[steps * channel_block];
  const bfloat16* const dy_row =
      dy.data + (piece.row * c.out[2] + piece.begin) * c.out_channels + first;
  gather_pixels([&](int64_t p) { return dy_row + p * c.out_channels; }, pixels, valid, g, width);
  const int64_t calls = (last_tap - first_tap) * depth / 6;
  Ahead next_dy(dy.data + (piece.row * c.out[2] + piece.end) * c.out_channels,
                pixels * c.out_channels, calls);
  Ahead next_x(
      x.data + newest_row(c, piece.row, last_tap) + piece.end * c.in_step[2] * c.in_channels,
      pixels * c.in_step[2] * c.in_channels, calls);
  for (int64_t t = first_tap; t < last_tap; ++t) {
    const Tap& tap = c.taps[t];
    const int64_t from = source_row(c, piece.row, tap);
    if (from < 0) continue;
    for (int64_t i = 0; i < depth; i += block) {
      const bfloat16* const x_row = x.data + from * c.in[2] * c.in_channels + group * depth + i;
      const int64_t channels = smaller(block, depth - i);
      gather_pixels(
          [&](int64_t p) {
            const int64_t at = (piece.begin + p) * c.in_step[2] + tap.offset[2];
            return inside(at, c.in[2]) ? x_row + at * c.in_channels : nullptr;
          },
          pixels, channels, a, block);
      all_channels<V>(a, block, channels, g, width, count,
                      sums + (tap.slab * depth + i) * c.out_channels + first, c.out_channels, valid,
                      [&] {
                        next_dy.fetch();
                        next_x.fetch();
                      });
    }
  }
}

}  // namespace

template <>
void ConvolutionWeightGradient<bfloat16>::run(Level) const {
  const int64_t rows = c.batch * c.out[0] * c.out[1], pieces = weight_pieces(rows, c.out[2]);
  const int64_t chunks = weight_chunks(pieces, piece_pixels, dw.size);
  const int64_t out = c.out_channels / c.groups, in_row = rows > 0 ? pieces / rows : 1;
  constexpr int64_t wide = widest_tile * lanes<float>;
  const int64_t wides = (out + wide - 1) / wide;
  // Small problems are also divided by taps; that changes no sum.
  const int64_t parts = chunks * c.groups * wides < 16 ? c.taps.size : 1;
#pragma omp parallel for schedule(static) if (chunks * dw.size > 65536)
  for (int64_t i = 0; i < chunks * dw.size; ++i) partial[i] = 0;
#pragma omp parallel for collapse(4) schedule(static) if (c.large())
  for (int64_t chunk = 0; chunk < chunks; ++chunk)
    for (int64_t group = 0; group < c.groups; ++group)
      for (int64_t w = 0; w < wides; ++w)
        for (int64_t part = 0; part < parts; ++part) {
          const int64_t end = chunk_begin(pieces, chunks, chunk + 1);
          for (int64_t i = chunk_begin(pieces, chunks, chunk); i < end; ++i) {
            const int64_t begin = i % in_row * piece_pixels;
            const Piece piece{i / in_row, begin, smaller(c.out[2], begin + piece_pixels)};
            for_column_tiles<float>(smaller(wide, out - w * wide), [&](auto tile, int64_t column) {
              weight_piece<decltype(tile)::vectors>(
                  c, x, dy, piece, group, w * wide + column, chunk_begin(c.taps.size, parts, part),
                  chunk_begin(c.taps.size, parts, part + 1), partial.data + chunk * dw.size);
            });
          }
        }
  add_in_order(View<const float>{partial.data, partial.size}, chunks, dw);
}

}  // namespace py4cast
