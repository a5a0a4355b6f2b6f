#include "kernels/products/convolution_cuda.h"
#include "kernels/products/pixel_map_cuda.h"
#include "kernels/products/product_tile.h"

namespace py4cast {
namespace {

constexpr int threads = 256;

// For i = 0 ... count - 1: use(i % 2), while `load(i + 1, stage)` brings the next tiles to the other stage.
template <typename Load, typename Use>
__device__ void pipeline(int64_t count, Load&& load, Use&& use) {
  if (count == 0) return;
  load(int64_t{0}, 0);
  copy_commit();
  for (int64_t i = 0; i < count; ++i) {
    const int stage = static_cast<int>(i % 2);
    if (i + 1 < count) load(i + 1, 1 - stage);
    copy_commit();
    copy_wait<1>();
    __syncthreads();
    use(stage);
    __syncthreads();
  }
}

// A block makes 64 pixels of y in 64 channels of a group.
template <typename T, Multiply multiply>
__global__ void __launch_bounds__(product_threads, 1)
    gathered_product(PixelMap map, GroupedWeights weights, bool whole_x, bool whole_w,
                     Global<const T> x, Global<const T> w, Global<const Compute<T>> bias,
                     Global<T> y) {
  after_earlier_work();
  using Tile = ProductTile<T, multiply, true>;
  PY4CAST_SHARED(T, a, 2 * Tile::a_elements);
  PY4CAST_SHARED(T, b, 2 * Tile::b_elements);
  const int64_t column_tiles = (weights.columns + tile_size - 1) / tile_size;
  int64_t block = blockIdx.x;
  const int64_t column = split_off(block, column_tiles) * tile_size;
  const int64_t group = split_off(block, weights.groups), row = block * tile_size;
  const int64_t pixels = map.batch * map.to[0] * map.to[1] * map.to[2];
  const int64_t parts_of_depth = (weights.depth + Tile::depth - 1) / Tile::depth;
  const int thread = static_cast<int>(threadIdx.x);

  // Each thread always brings parts of the same rows.
  constexpr int row_parts = Tile::depth / Tile::part, rows = product_threads / row_parts;
  constexpr int passes = tile_size / rows;
  Pixel own[passes];
  for (int i = 0; i < passes; ++i) {
    const int64_t pixel = row + thread / row_parts + i * rows;
    own[i] = pixel_at(map, pixel < pixels ? pixel : 0);
  }

  const auto load = [&](int64_t step, int stage) {
    int64_t slab = step;
    const int64_t first = split_off(slab, parts_of_depth) * Tile::depth;
    const KernelElement element = kernel_element(map, slab);
    for (int i = 0; i < passes; ++i) {
      const int tile_row = thread / row_parts + i * rows, k = thread % row_parts * Tile::part;
      const int64_t from = row + tile_row < pixels ? source(map, own[i], element) : -1;
      load_part<T>(a, stage * Tile::a_elements + Tile::a_index(tile_row, k), x,
                   (from * weights.groups + group) * weights.depth + first + k,
                   from < 0 ? 0 : weights.depth - first - k, whole_x);
    }
    const int64_t w_first = slab * weights.slab + group * weights.group;
    if (whole_w) {
      constexpr int column_parts = tile_size / Tile::part;
      for (int i = thread; i < Tile::depth * column_parts; i += product_threads) {
        const int k = i / column_parts, n = i % column_parts * Tile::part;
        load_part<T>(b, stage * Tile::b_elements + Tile::b_index(k, n), w,
                     w_first + (first + k) * weights.depth_step + column + n,
                     first + k < weights.depth ? weights.columns - column - n : 0, true);
      }
      return;
    }
    const bool columns_first = weights.column_step == 1;  // as they lie in memory
    for (int i = thread; i < Tile::depth * tile_size; i += product_threads) {
      const int k = columns_first ? i / tile_size : i % Tile::depth;
      const int n = columns_first ? i % tile_size : i / Tile::depth;
      const bool inside = first + k < weights.depth && column + n < weights.columns;
      b[stage * Tile::b_elements + Tile::b_index(k, n)] =
          inside
              ? w[w_first + (first + k) * weights.depth_step + (column + n) * weights.column_step]
              : T(0);
    }
  };
  Tile sums;
  const int64_t slabs = map.kernel[0] * map.kernel[1] * map.kernel[2];
  pipeline(slabs * parts_of_depth, load, [&](int stage) {
    sums.multiply_add(a, stage * Tile::a_elements, b, stage * Tile::b_elements);
  });
  sums.for_each([&](int r, int c, Compute<T> sum) {
    if (row + r >= pixels || column + c >= weights.columns) return;
    const int64_t channel = group * weights.columns + column + c;
    y[(row + r) * weights.groups * weights.columns + channel] =
        narrow<T>(bias.size ? sum + bias[channel] : sum);
  });
}

// What a block of the weight gradient makes.
struct WeightTiles {
  int64_t groups, in, out, chunks;  // channels of one group
};

// A block sums one chunk of pixels for 64 x 64 weights of one element of the kernel.
template <typename T, Multiply multiply>
__global__ void __launch_bounds__(product_threads, 1)
    gathered_weight_gradient(PixelMap map, WeightTiles tiles, bool whole_x, bool whole_dy,
                             Global<const T> x, Global<const T> dy, Global<Compute<T>> sums_of) {
  after_earlier_work();
  using Tile = ProductTile<T, multiply, false>;
  PY4CAST_SHARED(T, a, 2 * Tile::a_elements);
  PY4CAST_SHARED(T, b, 2 * Tile::b_elements);
  const int64_t slabs = map.kernel[0] * map.kernel[1] * map.kernel[2];
  int64_t chunk = blockIdx.x;  // what is left of it in the end
  const int64_t out_first = split_off(chunk, (tiles.out + tile_size - 1) / tile_size) * tile_size;
  const int64_t in_first = split_off(chunk, (tiles.in + tile_size - 1) / tile_size) * tile_size;
  const int64_t slab = split_off(chunk, slabs), group = split_off(chunk, tiles.groups);
  const KernelElement element = kernel_element(map, slab);
  const int64_t pixels = map.batch * map.to[0] * map.to[1] * map.to[2];
  const int64_t begin = chunk_begin(pixels, tiles.chunks, chunk),
                end = chunk_begin(pixels, tiles.chunks, chunk + 1);

  constexpr int row_parts = tile_size / Tile::part;
  const auto load = [&](int64_t step, int stage) {
    for (int i = static_cast<int>(threadIdx.x); i < Tile::depth * row_parts; i += product_threads) {
      const int k = i / row_parts, c = i % row_parts * Tile::part;
      const int64_t pixel = begin + step * Tile::depth + k;
      const int64_t from = pixel < end ? source(map, pixel_at(map, pixel), element) : -1;
      load_part<T>(a, stage * Tile::a_elements + Tile::a_index(c, k), x,
                   (from * tiles.groups + group) * tiles.in + in_first + c,
                   from < 0 ? 0 : tiles.in - in_first - c, whole_x);
      load_part<T>(b, stage * Tile::b_elements + Tile::b_index(k, c), dy,
                   (pixel * tiles.groups + group) * tiles.out + out_first + c,
                   from < 0 ? 0 : tiles.out - out_first - c, whole_dy);
    }
  };
  Tile sums;
  pipeline((end - begin + Tile::depth - 1) / Tile::depth, load, [&](int stage) {
    sums.multiply_add(a, stage * Tile::a_elements, b, stage * Tile::b_elements);
  });
  sums.for_each([&](int i, int o, Compute<T> sum) {
    if (in_first + i >= tiles.in || out_first + o >= tiles.out) return;
    const int64_t row = (chunk * slabs + slab) * tiles.in + in_first + i;
    sums_of[(row * tiles.groups + group) * tiles.out + out_first + o] = sum;
  });
}

template <typename C>
__global__ void add_chunks(int64_t chunks, Global<const C> partial, Global<C> total) {
  after_earlier_work();
  for (int64_t i = global_index(); i < total.size; i += grid_stride()) {
    C sum = 0;
    for (int64_t chunk = 0; chunk < chunks; ++chunk) sum += partial[chunk * total.size + i];
    total[i] = sum;
  }
}

constexpr int transposed_tile = 32;
template <typename From, typename To>
__global__ void transpose(int64_t rows, int64_t columns, Global<const From> from, Global<To> to) {
  after_earlier_work();
  constexpr int pitch = transposed_tile + 1;
  PY4CAST_SHARED(From, tile, transposed_tile * pitch);
  const int64_t across = (columns + transposed_tile - 1) / transposed_tile,
                down = (rows + transposed_tile - 1) / transposed_tile;
  int64_t block = blockIdx.x;  // what is left of it in the end: the number of the matrix
  const int64_t column = split_off(block, across) * transposed_tile,
                row = split_off(block, down) * transposed_tile, matrix = block * rows * columns;
  const int lane = static_cast<int>(threadIdx.x) % 32, first = static_cast<int>(threadIdx.x) / 32;
  for (int i = first; i < transposed_tile; i += threads / 32)
    if (row + i < rows && column + lane < columns)
      tile[i * pitch + lane] = from[matrix + (row + i) * columns + column + lane];
  __syncthreads();
  for (int i = first; i < transposed_tile; i += threads / 32)
    if (column + i < columns && row + lane < rows) {
      const From value = tile[lane * pitch + i];
      to[matrix + (column + i) * rows + row + lane] = To(value);
    }
}

struct Same {
  template <typename C>
  __device__ C operator()(C x) const {
    return x;
  }
};

template <int N>
__global__ void add_per_channel(int64_t channels, Global<const float> bias, Global<float> y) {
  after_earlier_work();
  for (int64_t i = global_index(); i * N < y.size; i += grid_stride()) {
    int64_t pixel = i;
    const auto term = load_vector<N>(bias, split_off(pixel, channels / N) * N);
    auto value = load_vector<N>(y, i * N);
    for (int n = 0; n < N; ++n) value[n] += term[n];
    store_vector<N>(y, i * N, value);
  }
}

int64_t tiles_of(int64_t size) {
  return (size + tile_size - 1) / tile_size;
}
template <typename T>
bool whole_parts(View<T> x, int64_t channels) {
  constexpr int part = 16 / static_cast<int>(sizeof(T));
  return channels % part == 0 && aligned_for<part>(x);
}

}  // namespace

template <typename T>
void GatheredProduct<T>::run(Cuda device) const {
  const int64_t blocks = tiles_of(map.pixels()) * weights.groups * tiles_of(weights.columns);
  const bool whole_w = weights.column_step == 1 && whole_parts(w, weights.columns);
  with_multiply<T>(tf32, [&](auto multiply) {
    launch(device.stream, gathered_product<T, multiply>, checked_blocks(blocks), product_threads, 0,
           map, weights, whole_parts(x, weights.depth), whole_w, x, w, bias, y);
  });
}

template <typename T>
void GatheredWeightGradient<T>::run(Cuda device) const {
  const WeightTiles tiles{groups, in_channels / groups, out_channels / groups, chunks};
  const int64_t blocks = chunks * groups * map.slabs() * tiles_of(tiles.in) * tiles_of(tiles.out);
  with_multiply<T>(tf32, [&](auto multiply) {
    launch(device.stream, gathered_weight_gradient<T, multiply>, checked_blocks(blocks),
           product_threads, 0, map, tiles, whole_parts(x, tiles.in), whole_parts(dy, tiles.out), x,
           dy, chunks == 1 ? dw : partial);
  });
  AddWeightChunks<Compute<T>>{chunks, {partial.data, partial.size}, dw}.run(device);
}

template <typename T>
void AddWeightChunks<T>::run(Cuda device) const {
  if (chunks == 1) return;
  launch(device.stream, add_chunks<T>, blocks_for(total.size, threads), threads, 0, chunks, partial,
         total);
}

template <typename T>
void TransposeWeights<T>::run(Cuda device) const {
  const auto tiles = [](int64_t size) { return (size + transposed_tile - 1) / transposed_tile; };
  launch(device.stream, transpose<float, T>, checked_blocks(count * tiles(rows) * tiles(columns)),
         threads, 0, rows, columns, from, to);
}

template <typename From, typename To>
void Convert<From, To>::run(Cuda device) const {
  map(device, Same{}, to, from);
}

void AddBias::run(Cuda device) const {
  constexpr int N = pack_size<float>;
  launch_by_channels<N>(device, add_per_channel<N>, add_per_channel<1>, bias.size, y, bias.size,
                        bias);
}

PY4CAST_KERNEL(GatheredProduct)
PY4CAST_KERNEL(GatheredWeightGradient)
template struct AddWeightChunks<float>;
template struct AddWeightChunks<double>;
template struct TransposeWeights<float>;
template struct TransposeWeights<bfloat16>;
template struct Convert<float, bfloat16>;
template struct Convert<bfloat16, float>;

}  // namespace py4cast
