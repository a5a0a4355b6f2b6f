#include "kernels/products/mlp_rows_cuda.h"

namespace py4cast {
namespace {

// Undefined ones have no elements.
struct Layers {
  Global<const float> first, first_bias, last, last_bias, gamma, beta;
  float epsilon;
};
// Rows of `vectors`; of what parts sum, too.
enum Vector { first_bias, last_bias, gamma_factors, beta_terms };
constexpr int vector_count = 4;

// Rows that a block has at a time: the forward pass 16 for each warp, the backward pass 16 for each pair
// of warps, which have half of the columns each.
constexpr int forward_rows = warps * warp_rows, block_rows = forward_rows / 2, half = width / 2;
// In shared memory: the first weight, the last one, tiles.
template <typename T>
constexpr int last_weight = weight_elements<T>;
template <typename T>
constexpr int first_tile = 2 * weight_elements<T>;
constexpr int block_tile = block_rows * row_pitch;

template <Multiply multiply, typename T>
__device__ void bring_layers(const MlpSizes& sizes, const Layers& layers, SharedView<T> memory,
                             SharedView<float> vectors) {
  if (sizes.in) bring_weight<multiply, T>(layers.first, sizes.in, sizes.hidden, memory, 0);
  bring_weight<multiply, T>(layers.last, sizes.hidden, sizes.out, memory, last_weight<T>);
  bring_vector(layers.first_bias, vectors, first_bias);
  bring_vector(layers.last_bias, vectors, last_bias);
  bring_vector(layers.gamma, vectors, gamma_factors);
  bring_vector(layers.beta, vectors, beta_terms);
  __syncthreads();
}

// Of 16 rows from `place` on, those that this lane has. In the place of rows beyond the last one that
// is read.
template <typename T, bool full>
struct Own {
  int64_t sample;
  int edge[2], to[2];
  bool exists[2];

  __device__ Own(const Rows<T, full>& rows, const Part& part, int place) : sample(part.sample) {
    for (int h = 0; h < 2; ++h) {
      const int row = place + lane() / 4 + 8 * h;
      exists[h] = row < part.end;
      edge[h] = rows.edge(exists[h] ? row : part.end - 1);
      to[h] = rows.sizes.nodes ? rows.to[edge[h]] : edge[h];
    }
  }
  __device__ int64_t row(const Rows<T, full>& rows, int h) const {
    return sample * rows.sizes.rows + edge[h];
  }
  __device__ int64_t result(const Rows<T, full>& rows, int h) const {
    return sample * rows.results() + to[h];
  }
};

// x of `count` rows from `place` on to shared memory, with zeros beyond; a barrier must follow.
template <int count, typename T, bool full>
__device__ void bring_rows(const Rows<T, full>& rows, const Part& part, int place,
                           SharedView<T> memory, int tile) {
  constexpr int size = 16 / static_cast<int>(sizeof(T)), sizes = width / size;
  const int in = rows.in(), exist = part.left(place, count);
#pragma unroll 4
  for (int i = lane(); i < count * sizes; i += 32) {
    const int row = i / sizes, column = i % sizes * size;
    const int edge = row < exist ? rows.edge(place + row) : 0;
    load_part<T>(memory, tile + row * row_pitch + column, rows.x,
                 (part.sample * rows.sizes.rows + edge) * in + column,
                 row < exist ? in - column : 0, rows.whole);
  }
  copy_commit();
  copy_wait<0>();
}

// What comes to the activation, in columns from `first` on: with a first layer x lies in the tile.
template <Multiply multiply, int tiles, typename T, bool full>
__device__ Values<tiles> first_layer(int first, const Rows<T, full>& rows, const Own<T, full>& own,
                                     SharedView<T> memory, int tile, SharedView<float> vectors) {
  Values<tiles> z;
  if (rows.in()) {
    z = repeated<tiles>(first, vectors, first_bias);
    multiply_add<multiply, false, T>(z, first, memory, tile, 0, depth_of(rows.in()));
  } else {
    for_pairs<tiles>(first, [&](int j, int h, int, int column) {
      z.set(j, h, read_pair<full>(rows.x, rows.hidden(), own.row(rows, h), column));
    });
  }
  if (!rows.sizes.nodes) {
    if (rows.receivers.size)
      for_pairs<tiles>(first, [&](int j, int h, int, int column) {
        const auto a = read_pair<full>(rows.receivers, rows.hidden(), own.row(rows, h), column);
        for (int i = 0; i < 2; ++i) z.of[j][2 * h + i] += a[i];
      });
    return z;
  }
  int64_t from[2];
  for (int h = 0; h < 2; ++h) from[h] = own.sample * rows.sender_rows + rows.from[own.edge[h]];
  for_pairs<tiles>(first, [&](int j, int h, int, int column) {
    const auto a = read_pair<full>(rows.senders, rows.hidden(), from[h], column);
    const auto b = read_pair<full>(rows.receivers, rows.hidden(), own.result(rows, h), column);
    for (int i = 0; i < 2; ++i) z.of[j][2 * h + i] += a[i] + b[i];
  });
  return z;
}

template <Multiply multiply, int tiles, typename T>
__device__ Values<tiles> last_layer(int first, int hidden, SharedView<T> memory, int tile,
                                    SharedView<float> vectors) {
  Values<tiles> m = repeated<tiles>(first, vectors, last_bias);
  multiply_add<multiply, false, T>(m, first, memory, tile, last_weight<T>, depth_of(hidden));
  return m;
}

// Numbers of f32 that wait for sums over rows lie in a tile, if its elements are f32, else apart.
template <typename T>
constexpr bool has_staging = !std::is_same_v<T, float>;
template <typename T>
__device__ SharedView<float> staging(SharedView<T> memory, SharedView<float> apart) {
  if constexpr (has_staging<T>)
    return apart;
  else
    return memory;
}

// Each warp makes a part of the results.
template <typename T, Multiply multiply, bool full>
__global__ void __launch_bounds__(product_threads, 2)
    forward(Rows<T, full> rows, Layers layers, int64_t parts, int64_t all_parts,
            Global<const T> base, Global<T> updated, Global<T> y) {
  after_earlier_work();
  PY4CAST_DYNAMIC_SHARED(T, memory);
  PY4CAST_SHARED(float, vectors, vector_count* width);
  PY4CAST_SHARED(float, apart, has_staging<T> ? forward_rows* row_pitch : 1);
  bring_layers<multiply, T>(rows.sizes, layers, memory, vectors);
  const int64_t number = int64_t{blockIdx.x} * warps + warp();
  if (number >= all_parts) return;
  const Part part = part_of(rows, parts, number);
  const int own_rows = warp() * warp_rows * row_pitch, tile = first_tile<T> + own_rows;
  const int staged = has_staging<T> ? own_rows : tile;
  NodeSums<T, full> sums(rows, part, rows.out(), y, rows.mean);
#pragma unroll 1
  for (int place = part.place; place < part.end; place += warp_rows) {
    const Own<T, full> own(rows, part, place);
    if (rows.in()) {
      bring_rows<warp_rows>(rows, part, place, memory, tile);
      __syncwarp();
    }
    Values<8> h = first_layer<multiply, 8>(0, rows, own, memory, tile, vectors);
    for_pairs<8>(0, [&](int j, int row, int, int) {
      for (int i = 0; i < 2; ++i) h.of[j][2 * row + i] *= gate_of(h.of[j][2 * row + i]);
    });
    __syncwarp();
    put<T>(h, 0, memory, tile);
    __syncwarp();
    Values<8> m = last_layer<multiply, 8, T>(0, rows.hidden(), memory, tile, vectors);
    if (layers.gamma.size) {
      normalise(m, rows.out(), layers.epsilon);
      for_pairs<8>(0, [&](int j, int row, int, int column) {
        const auto scale = load_vector<2>(vectors, gamma_factors * width + column),
                   shift = load_vector<2>(vectors, beta_terms * width + column);
        for (int i = 0; i < 2; ++i)
          m.of[j][2 * row + i] = m.of[j][2 * row + i] * scale[i] + shift[i];
      });
    }
    __syncwarp();
    if (updated.size)
      for_pairs<8>(0, [&](int j, int row, int, int column) {
        if (!own.exists[row]) return;
        auto sum = m.pair(j, row);
        if (base.size) {
          const auto b = read_pair<full>(base, rows.out(), own.row(rows, row), column);
          for (int i = 0; i < 2; ++i) sum[i] += b[i];
        }
        write_pair<full>(updated, rows.out(), own.row(rows, row), column, sum);
      });
    if (!y.size) continue;
    put<float>(m, 0, staging<T>(memory, apart), staged);
    __syncwarp();
    sums.add(staging<T>(memory, apart), staged, place, part.left(place, warp_rows));
    __syncwarp();
  }
  if (y.size) sums.reach(part.last);
}

// Where gradients of rows are made, two at a time by a warp, a lane has four columns.
constexpr int lane_columns = 4;
__device__ inline int lane_column() {
  return lane() % 16 * lane_columns;
}
// What they add to the gradients of a bias, gamma and beta.
struct RowSums {
  float bias[lane_columns] = {}, gamma[lane_columns] = {}, beta[lane_columns] = {};
};

// The gradients of the results of the last layer, which lie from element `staged` on if there is a norm:
// as the operand of products, from element `tile` on, which may be the same.
template <typename T, bool full>
__device__ void last_gradient(const Rows<T, full>& rows, const Layers& layers, const Part& part,
                              int first_place, Global<const T> dy, Global<const T> drows,
                              SharedView<float> vectors, SharedView<float> memory, int staged,
                              SharedView<T> operands, int tile, RowSums& sums) {
  const int out = rows.out(), column = lane_column();
  const float share = 1.0f / static_cast<float>(out);
  const auto scale = load_vector<lane_columns>(vectors, gamma_factors * width + column);
#pragma unroll 2
  for (int row = 8 * warp() + lane() / 16; row < 8 * warp() + 8; row += 2) {
    const int place = first_place + row, at = row * row_pitch + column;
    const bool exists = place < part.end;
    const int edge = rows.edge(exists ? place : part.end - 1);
    const int result = rows.sizes.nodes ? rows.to[edge] : edge;
    Pack<float, lane_columns> slopes{};
    if (dy.size) {
      slopes = read_four<full>(dy, out, part.sample * rows.results() + result, column);
      const float factor = rows.factor(result);
#pragma unroll
      for (int i = 0; i < lane_columns; ++i) slopes[i] *= factor;
    }
    if (drows.size) {
      const auto own = read_four<full>(drows, out, part.sample * rows.sizes.rows + edge, column);
#pragma unroll
      for (int i = 0; i < lane_columns; ++i) slopes[i] += own[i];
    }
#pragma unroll
    for (int i = 0; i < lane_columns; ++i) slopes[i] = exists ? slopes[i] : 0.0f;
    if (layers.gamma.size) {
      auto normal = load_vector<lane_columns>(memory, staged + at);
      const float mean = lanes_total<16>((normal[0] + normal[1]) + (normal[2] + normal[3])) * share;
      float square = 0, total = 0, product = 0;
#pragma unroll
      for (int i = 0; i < lane_columns; ++i) {
        normal[i] -= mean;
        square += column + i < out ? normal[i] * normal[i] : 0.0f;
      }
      const float inverse = 1.0f / sqrtf(lanes_total<16>(square) * share + layers.epsilon);
#pragma unroll
      for (int i = 0; i < lane_columns; ++i) {
        normal[i] *= inverse;
        sums.beta[i] += slopes[i];
        sums.gamma[i] += slopes[i] * normal[i];
        slopes[i] *= scale[i];
        total += slopes[i];
        product += slopes[i] * normal[i];
      }
      total = lanes_total<16>(total) * share;
      product = lanes_total<16>(product) * share;
#pragma unroll
      for (int i = 0; i < lane_columns; ++i)
        slopes[i] = inverse * (slopes[i] - total - normal[i] * product);
    }
#pragma unroll
    for (int i = 0; i < lane_columns; ++i) sums.bias[i] += slopes[i];
#pragma unroll
    for (int i = 0; i < lane_columns; i += 2)
      store_vector<2>(operands, tile + at + i, narrowed<T>(slopes[i], slopes[i + 1]));
  }
}

// The sums over the warps of rows [warps, width], to a row of `partial`.
__device__ inline void store_total(SharedView<float> of_warps, Global<float> partial,
                                   int64_t first) {
  __syncthreads();
  const int column = static_cast<int>(threadIdx.x);
  if (column < width) {
    float total = 0;
    for (int i = 0; i < warps; ++i) total += static_cast<float>(of_warps[i * width + column]);
    partial[first + column] = total;
  }
  __syncthreads();
}
// Of what the lanes have.
__device__ inline void store(const float (&own)[lane_columns], SharedView<float> of_warps,
                             Global<float> partial, int64_t first) {
#pragma unroll
  for (int i = 0; i < lane_columns; ++i) {
    const float both = own[i] + __shfl_xor_sync(all_lanes, own[i], 16);
    if (lane() < 16) of_warps[warp() * width + lane_column() + i] = both;
  }
  store_total(of_warps, partial, first);
}
// The sums of a product to rows of `partial`.
template <typename Tile>
__device__ void store(const Tile& sums, Global<float> partial, int64_t first) {
  sums.for_each(
      [&](int row, int column, float sum) { partial[first + row * width + column] = sum; });
}

// Each block takes the rows of a part through all layers again, 64 at a time, and back, and sums the
// gradients of the weights.
template <typename T, Multiply multiply, bool full>
__global__ void __launch_bounds__(product_threads, 2)
    backward(Rows<T, full> rows, Layers layers, int64_t parts, Global<const T> dy,
             Global<const T> drows, Global<T> dx, Global<T> dz, Global<T> dreceivers,
             Global<float> partial) {
  after_earlier_work();
  using Tile = ProductTile<T, multiply, false>;
  PY4CAST_DYNAMIC_SHARED(T, memory);
  PY4CAST_SHARED(float, vectors, vector_count* width);
  PY4CAST_SHARED(float, apart, has_staging<T> ? block_tile : 1);
  PY4CAST_SHARED(float, of_warps, warps* width);
  PY4CAST_SHARED(float, waiting, 2 * width);
  const MlpSizes& s = rows.sizes;
  bring_layers<multiply, T>(s, layers, memory, vectors);
  const Part part = part_of(rows, parts, int64_t{blockIdx.x});
  // x; the hidden layer, then the gradients of what comes to it; those of the last layer.
  constexpr int x_tile = first_tile<T>, hidden_tile = x_tile + block_tile,
                last_tile = hidden_tile + block_tile;
  const int first = warp() % 2 * half, own_rows = warp() / 2 * warp_rows * row_pitch;
  const auto add_weight_gradient = [&](Tile& sums, int inputs, int slopes) {
    for (int k = 0; k < block_rows; k += Tile::depth)
      sums.multiply_add(memory, inputs + k * row_pitch, memory, slopes + k * row_pitch);
  };
  Tile last_sums, first_sums;
  RowSums row_sums;
  float first_bias_sums[2] = {};
  BlockNodeSums<T, full> sums(rows, part, rows.hidden(), dreceivers, waiting);
#pragma unroll 1
  for (int place = part.place; place < part.end; place += block_rows) {
    const Own<T, full> own(rows, part, place + warp() / 2 * warp_rows);
    if (s.in) {
      bring_rows<8>(rows, part, place + 8 * warp(), memory, x_tile + 8 * warp() * row_pitch);
      __syncthreads();
    }
    Values<4> z = first_layer<multiply, 4>(first, rows, own, memory, x_tile + own_rows, vectors);
    Values<4> m;
    // z becomes the slope of the activation.
    for_pairs<4>(first, [&](int j, int h, int, int) {
      for (int i = 0; i < 2; ++i) {
        float& value = z.of[j][2 * h + i];
        const float gate = gate_of(value), active = value * gate;
        m.of[j][2 * h + i] = active;
        value = gate + active * (1 - gate);
      }
    });
    put<T>(m, first, memory, hidden_tile + own_rows);
    __syncthreads();
    if (layers.gamma.size) {
      m = last_layer<multiply, 4, T>(first, rows.hidden(), memory, hidden_tile + own_rows, vectors);
      put<float>(m, first, staging<T>(memory, apart), (has_staging<T> ? 0 : last_tile) + own_rows);
      __syncthreads();
    }
    last_gradient(rows, layers, part, place, dy, drows, vectors, staging<T>(memory, apart),
                  has_staging<T> ? 0 : last_tile, memory, last_tile, row_sums);
    __syncthreads();
    m = {};
    multiply_add<multiply, true, T>(m, first, memory, last_tile + own_rows, last_weight<T>,
                                    depth_of(rows.out()));
    for_pairs<4>(first, [&](int j, int h, int, int column) {
      for (int i = 0; i < 2; ++i) z.of[j][2 * h + i] *= own.exists[h] ? m.of[j][2 * h + i] : 0.0f;
      if (dz.size && own.exists[h])
        write_pair<full>(dz, rows.hidden(), own.row(rows, h), column, z.pair(j, h));
    });
    add_weight_gradient(last_sums, hidden_tile, last_tile);
    __syncthreads();
    const int staged = has_staging<T> ? 0 : hidden_tile;
    put<T>(z, first, memory, hidden_tile + own_rows);
    if constexpr (has_staging<T>) put<float>(z, first, apart, own_rows);
    __syncthreads();
    if (s.in) {
      if (dx.size) {
        m = {};
        multiply_add<multiply, true, T>(m, first, memory, hidden_tile + own_rows, 0,
                                        depth_of(rows.hidden()));
        for_pairs<4>(first, [&](int j, int h, int, int column) {
          if (!own.exists[h]) return;
          auto sum = m.pair(j, h);
          if (s.nodes && drows.size) {
            const auto own_row = read_pair<full>(drows, rows.out(), own.row(rows, h), column);
            for (int i = 0; i < 2; ++i) sum[i] += own_row[i];
          }
          if (rows.whole_rows)
            write_pair<true>(dx, width, own.row(rows, h), column, sum);
          else
            write_pair<false>(dx, rows.in(), own.row(rows, h), column, sum);
        });
      }
      add_weight_gradient(first_sums, x_tile, hidden_tile);
      add_rows<8>(staging<T>(memory, apart), staged + 8 * warp() * row_pitch, first_bias_sums);
    }
    if (dreceivers.size)
      sums.add(staging<T>(memory, apart), staged, place, part.left(place, block_rows));
    __syncthreads();
  }
  if (dreceivers.size) sums.reach(part.last);
  const int64_t begin = int64_t{blockIdx.x} * mlp_part_rows(s) * width;
  const auto vector = [&](Vector which) { return begin + (mlp_part_vectors + which) * width; };
  store(last_sums, partial, begin);
  store(row_sums.bias, of_warps, partial, vector(last_bias));
  store(row_sums.gamma, of_warps, partial, vector(gamma_factors));
  store(row_sums.beta, of_warps, partial, vector(beta_terms));
  if (!s.in) return;
  store_vector<2>(of_warps, warp() * width + 2 * lane(),
                  Pack<float, 2>{{first_bias_sums[0], first_bias_sums[1]}});
  store_total(of_warps, partial, vector(first_bias));
  store(first_sums, partial, begin + mlp_part_first * width);
}

// f(multiply, rows) with what both kernels read, from the arguments of either struct; `others` are
// read and written in pairs, too.
template <typename T, typename Arguments, typename F, typename... Others>
void with_rows(const Arguments& a, F&& f, const Others&... others) {
  constexpr int part = 16 / static_cast<int>(sizeof(T));
  const MlpSizes& s = a.sizes;
  const bool whole = s.in % part == 0 && aligned_for<part>(a.x);
  const auto run = [&](auto full) {
    const Rows<T, full.value> rows{
        s,         s.nodes && s.batch ? a.senders.size / (s.batch * s.hidden) : 0,
        whole,     whole && s.in == width && (aligned_for<2>(others) && ...),
        a.mean,    a.x,
        a.senders, a.receivers,
        a.from,    a.to,
        a.order,   a.offsets};
    with_multiply<T>(a.tf32, [&](auto multiply) { f(multiply, rows); });
  };
  if (s.hidden == width && s.out == width && aligned_for<2>(a.x) && aligned_for<2>(a.senders) &&
      aligned_for<2>(a.receivers) && (aligned_for<4>(others) && ...))
    run(std::true_type());
  else
    run(std::false_type());
}

// Of the weights and so many rows.
template <typename T>
size_t shared_bytes(int rows) {
  return static_cast<size_t>(first_tile<T> + rows * row_pitch) * sizeof(T);
}

}  // namespace

template <typename T>
void MlpCudaForward<T>::run(Cuda device) const {
  const int64_t parts = mlp_result_parts(sizes), all_parts = parts * sizes.batch;
  const Layers layers{first, first_bias, last, last_bias, gamma, beta, epsilon};
  with_rows<T>(
      *this,
      [&]<bool full>(auto multiply, const Rows<T, full>& read) {
        launch(device.stream, forward<T, multiply.value, full>, blocks_for(all_parts, warps),
               product_threads, shared_bytes<T>(forward_rows), read, layers, parts, all_parts, base,
               rows, y);
      },
      base, rows, y);
}

template <typename T>
void MlpCudaBackward<T>::run(Cuda device) const {
  const int64_t parts = mlp_gradient_parts(sizes), all_parts = parts * sizes.batch;
  const Layers layers{first,  first_bias, last, last_bias, gamma, View<const float>{nullptr, 0},
                      epsilon};
  with_rows<T>(
      *this,
      [&]<bool full>(auto multiply, const Rows<T, full>& rows) {
        launch(device.stream, backward<T, multiply.value, full>, checked_blocks(all_parts),
               product_threads, shared_bytes<T>(3 * block_rows), rows, layers, parts, dy, drows, dx,
               dz, dreceivers, partial);
      },
      dy, drows, dx, dz, dreceivers);
}

template struct MlpCudaForward<float>;
template struct MlpCudaForward<bfloat16>;
template struct MlpCudaBackward<float>;
template struct MlpCudaBackward<bfloat16>;

}  // namespace py4cast
