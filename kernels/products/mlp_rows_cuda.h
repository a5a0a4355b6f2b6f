// For mlp.cu: 16 rows in the registers of a warp, with all of at most 64 features or half of them, their
// products with weights in shared memory, their layer norm, and their sums at nodes.
#pragma once

#include "kernels/common/elementwise.h"
#include "kernels/products/mlp_cuda.h"
#include "kernels/products/product_tile.h"

namespace py4cast {
namespace {

constexpr int width = static_cast<int>(mlp_cuda_width);
static_assert(width == tile_size);
constexpr int warps = product_threads / 32, warp_rows = 16;
constexpr unsigned all_lanes = 0xffffffffu;
// Features of a row in shared memory lie together; rows are apart by row_pitch, those of weights by
// weight_pitch, so that what a warp reads together lies in different banks.
constexpr int row_pitch = tile_pitch;
template <typename T>
constexpr int weight_pitch = width + 16 / static_cast<int>(sizeof(T));
template <typename T>
constexpr int weight_elements = width* weight_pitch<T>;

__device__ inline int lane() {
  return static_cast<int>(threadIdx.x) % 32;
}
__device__ inline int warp() {
  return static_cast<int>(threadIdx.x) / 32;
}

// 16 rows of 8 tiles columns, as tensor cores give them: lane l, with g = l / 4 and t = l % 4, has in
// of[j][2 h + i] row g + 8 h and column 8 j + 2 t + i.
template <int tiles>
struct Values {
  float of[tiles][4];

  __device__ Pack<float, 2> pair(int j, int h) const { return {of[j][2 * h], of[j][2 * h + 1]}; }
  __device__ void set(int j, int h, const Pack<float, 2>& pair) {
    of[j][2 * h] = pair[0];
    of[j][2 * h + 1] = pair[1];
  }
};
// f(j, h, row, column) for each pair of neighbours that a lane has, from column `first` on.
template <int tiles, typename F>
__device__ void for_pairs(int first, F&& f) {
  const int row = lane() / 4, column = first + lane() % 4 * 2;
#pragma unroll
  for (int j = 0; j < tiles; ++j)
#pragma unroll
    for (int h = 0; h < 2; ++h) f(j, h, row + 8 * h, 8 * j + column);
}

// 1 / (1 + exp(-x)), within 5 ulp of 1: a fifth of the instructions of `logistic`, which count here.
__device__ inline float gate_of(float x) {
  return reciprocal(1.0f + power_of_two(-1.44269504f * x));
}

template <typename T>
__device__ Pack<T, 2> narrowed(float first, float second) {
  if constexpr (std::is_same_v<T, bfloat16>)
    return to_bf16(first, second);
  else
    return {{first, second}};
}

// Columns `column` and the next one of a row; zeros beyond the last column. `full`: there are `width`, and
// pairs are aligned.
template <bool full, typename T>
__device__ Pack<float, 2> read_pair(Global<const T> x, int64_t columns, int64_t row, int column) {
  if constexpr (full) {
    const auto v = load_vector<2>(x, row * width + column);
    return {widen<T>(v[0]), widen<T>(v[1])};
  } else {
    const int64_t at = row * columns + column;
    return {column < columns ? widen<T>(x[at]) : 0.0f,
            column + 1 < columns ? widen<T>(x[at + 1]) : 0.0f};
  }
}
// Four columns.
template <bool full, typename T>
__device__ Pack<float, 4> read_four(Global<const T> x, int64_t columns, int64_t row, int column) {
  Pack<float, 4> result;
  if constexpr (full) {
    const auto v = load_vector<4>(x, row * width + column);
    for (int i = 0; i < 4; ++i) result[i] = widen<T>(v[i]);
  } else {
    for (int i = 0; i < 4; ++i)
      result[i] = column + i < columns ? widen<T>(x[row * columns + column + i]) : 0.0f;
  }
  return result;
}
template <bool full, typename T>
__device__ void write_pair(Global<T> y, int64_t columns, int64_t row, int column,
                           const Pack<float, 2>& v) {
  const int64_t at = row * (full ? width : columns) + column;
  if constexpr (full) {
    store_vector<2>(y, at, narrowed<T>(v[0], v[1]));
  } else {
    if (column < columns) y[at] = narrow<T>(v[0]);
    if (column + 1 < columns) y[at + 1] = narrow<T>(v[1]);
  }
}

// To shared memory: to the rows from element `tile` on, their columns from `first` on.
template <typename T, int tiles>
__device__ void put(const Values<tiles>& v, int first, SharedView<T> memory, int tile) {
  for_pairs<tiles>(first, [&](int j, int h, int row, int column) {
    store_vector<2>(memory, tile + row * row_pitch + column,
                    narrowed<T>(v.of[j][2 * h], v.of[j][2 * h + 1]));
  });
}

__device__ inline float number_of(uint32_t bits) {
  return __builtin_bit_cast(float, bits);
}
__device__ inline uint32_t bits_of(float number) {
  return __builtin_bit_cast(uint32_t, number);
}

// A weight [rows, columns] to shared memory, with zeros around it, as products read it.
template <Multiply multiply, typename T>
__device__ void bring_weight(Global<const float> w, int64_t rows, int64_t columns,
                             SharedView<T> memory, int first) {
  if (rows == width && columns == width && reinterpret_cast<uintptr_t>(w.data) % 16 == 0) {
#pragma unroll
    for (int part = 0; part < width * width / 4; part += product_threads) {
      const int i = 4 * (part + static_cast<int>(threadIdx.x));
      auto values = load_vector<4>(w, i);
      for (float& value : values.values)
        if (multiply == Multiply::tf32) value = number_of(to_tf32(value));
      const int at = first + i / width * weight_pitch<T> + i % width;
      for (int k = 0; k < 4; k += 2)
        store_vector<2>(memory, at + k, narrowed<T>(values[k], values[k + 1]));
    }
    return;
  }
  for (int i = static_cast<int>(threadIdx.x); i < width * width; i += product_threads) {
    const int r = i / width, c = i % width;
    const float value = r < rows && c < columns ? w[r * columns + c] : 0.0f;
    memory[first + r * weight_pitch<T> + c] =
        narrow<T>(multiply == Multiply::tf32 ? number_of(to_tf32(value)) : value);
  }
}
// A bias, or factors of a norm, to row `row` of vectors [.., width].
__device__ inline void bring_vector(Global<const float> x, SharedView<float> vectors, int row) {
  for (int i = static_cast<int>(threadIdx.x); i < width; i += product_threads)
    vectors[row * width + i] = i < x.size ? x[i] : 0.0f;
}
// The same vector in every row, from column `first` on.
template <int tiles>
__device__ Values<tiles> repeated(int first, SharedView<float> vectors, int which) {
  Values<tiles> v;
  for_pairs<tiles>(first, [&](int j, int h, int, int column) {
    v.set(j, h, load_vector<2>(vectors, which * width + column));
  });
  return v;
}

// Whole steps of a product.
__device__ inline int depth_of(int features) {
  return (features + 15) / 16 * 16;
}

// d += the rows from element `tile` on, [16, depth], times the weight from element `weight` on, [depth,
// width], or the transpose of one; its columns from `first` on.
template <Multiply multiply, bool transposed, typename T, int tiles>
__device__ void multiply_add(Values<tiles>& d, int first, SharedView<T> memory, int tile,
                             int weight, int depth) {
  const int l = lane(), g = l / 4, t = l % 4;
  const auto weight_index = [&](int k, int column) {
    return weight + (transposed ? column * weight_pitch<T> + k : k * weight_pitch<T> + column);
  };
  if constexpr (multiply == Multiply::bf16) {
#pragma unroll 1
    for (int k = 0; k < depth; k += 16) {
      uint32_t left[4];
      load_matrices<false>(left, memory, tile + l % 16 * row_pitch + k + l / 16 * 8);
#pragma unroll
      for (int j = 0; j < tiles; j += 2) {
        // Matrices (k, 8 j), (k + 8, 8 j), (k, 8 j + 8), (k + 8, 8 j + 8) from `first` on.
        uint32_t right[4];
        if constexpr (transposed)
          load_matrices<false>(right, memory,
                               weight_index(k + l / 8 % 2 * 8, first + 8 * j + l / 16 * 8 + l % 8));
        else
          load_matrices<true>(right, memory,
                              weight_index(k + l / 8 % 2 * 8 + l % 8, first + 8 * j + l / 16 * 8));
        mma_bf16(d.of[j], left, {right[0], right[1]});
        mma_bf16(d.of[j + 1], left, {right[2], right[3]});
      }
    }
  } else if constexpr (multiply == Multiply::tf32) {
    // In which order a step takes its eight numbers is free: this one avoids conflicts of banks.
    const int k0 = transposed ? t : 2 * t, k1 = transposed ? t + 4 : 2 * t + 1;
#pragma unroll 1
    for (int k = 0; k < depth; k += 8) {
      uint32_t left[4];
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const T x = memory[tile + (g + i % 2 * 8) * row_pitch + k + (i / 2 ? k1 : k0)];
        left[i] = to_tf32(x);
      }
#pragma unroll
      for (int j = 0; j < tiles; ++j) {
        const T upper = memory[weight_index(k + k0, first + 8 * j + g)],
                lower = memory[weight_index(k + k1, first + 8 * j + g)];
        const uint32_t right[2] = {bits_of(upper), bits_of(lower)};
        mma_tf32(d.of[j], left, right);
      }
    }
  } else {
#pragma unroll 2
    for (int k = 0; k < depth; ++k) {
      const float upper = memory[tile + g * row_pitch + k],
                  lower = memory[tile + (g + 8) * row_pitch + k];
      for_pairs<tiles>(first, [&](int j, int h, int, int column) {
        const float x = h ? lower : upper;
#pragma unroll
        for (int i = 0; i < 2; ++i) {
          const float w = memory[weight_index(k, column + i)];
          d.of[j][2 * h + i] += x * w;
        }
      });
    }
  }
}

// Over so many neighbouring lanes, in each of them.
template <int lanes>
__device__ float lanes_total(float value) {
#pragma unroll
  for (int apart = 1; apart < lanes; apart *= 2) value += __shfl_xor_sync(all_lanes, value, apart);
  return value;
}

// Each row, whose columns beyond `columns` are zeros, minus its mean and over its deviation.
__device__ inline void normalise(Values<8>& v, int columns, float epsilon) {
  const float share = 1.0f / static_cast<float>(columns);
  float means[2] = {}, squares[2] = {};
  for_pairs<8>(0, [&](int j, int h, int, int) { means[h] += v.of[j][2 * h] + v.of[j][2 * h + 1]; });
  for (float& mean : means) mean = lanes_total<4>(mean) * share;
  for_pairs<8>(0, [&](int j, int h, int, int column) {
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      float& value = v.of[j][2 * h + i];
      value -= means[h];
      squares[h] += column + i < columns ? value * value : 0.0f;
    }
  });
  for (float& square : squares) square = 1.0f / sqrtf(lanes_total<4>(square) * share + epsilon);
  for_pairs<8>(0, [&](int j, int h, int, int) {
    for (int i = 0; i < 2; ++i) v.of[j][2 * h + i] *= squares[h];
  });
}

// sums += the `count` rows from element `first` on: columns 2 lane and 2 lane + 1.
template <int count>
__device__ void add_rows(SharedView<float> memory, int first, float (&sums)[2]) {
#pragma unroll
  for (int i = 0; i < count; ++i) {
    const auto v = load_vector<2>(memory, first + i * row_pitch + 2 * lane());
    sums[0] += v[0];
    sums[1] += v[1];
  }
}

// Where rows come from: those of one sample, edges in the order of their receivers if there are nodes.
// `full`: the hidden layer and the results have `width` features, in aligned pairs.
template <typename T, bool full>
struct Rows {
  MlpSizes sizes;
  int64_t sender_rows;
  bool whole, whole_rows, mean;  // x comes in parts of 16 bytes; and has `width` features
  Global<const T> x, senders, receivers;
  Global<const int32_t> from, to, order, offsets;

  __device__ int in() const { return static_cast<int>(sizes.in); }
  __device__ int hidden() const { return full ? width : static_cast<int>(sizes.hidden); }
  __device__ int out() const { return full ? width : static_cast<int>(sizes.out); }
  __device__ int64_t results() const { return sizes.nodes ? sizes.nodes : sizes.rows; }
  __device__ int edge(int64_t place) const {
    return order.size ? order[place] : static_cast<int>(place);
  }
  __device__ float factor(int node) const {
    return mean ? 1.0f / static_cast<float>(offsets[node + 1] - offsets[node]) : 1.0f;
  }
};

// Of the results of a sample, with the places of their rows.
struct Part {
  int64_t sample;
  int first, last, place, end;

  // How many of `most` rows from `from` on there are.
  __device__ int left(int from, int most) const {
    const int rows = end - from;
    return rows < 0 ? 0 : rows < most ? rows : most;
  }
};
template <typename T, bool full>
__device__ Part part_of(const Rows<T, full>& rows, int64_t parts, int64_t number) {
  Part p;
  const int64_t i = split_off(number, parts);
  p.sample = number;
  p.first = static_cast<int>(quotient(rows.results() * i, parts));
  p.last = static_cast<int>(quotient(rows.results() * (i + 1), parts));
  p.place = rows.sizes.nodes ? rows.offsets[p.first] : p.first;
  p.end = rows.sizes.nodes ? rows.offsets[p.last] : p.last;
  return p;
}

// Sums of rows at their nodes in order, by a warp: a lane has two columns. What is complete is written.
template <typename T, bool full>
class NodeSums {
 public:
  __device__ NodeSums(const Rows<T, full>& rows, const Part& part, int columns, Global<T> y,
                      bool divided)
      : rows_(rows),
        y_(y),
        first_row_(part.sample * rows.sizes.nodes),
        columns_(columns),
        node_(part.first),
        divided_(divided) {}

  // The `count` rows from element `first` on, which are at `place` among all.
  __device__ void add(SharedView<float> memory, int first, int place, int count) {
    const int own = lane() < count ? rows_.to[rows_.edge(place + lane())] : 0;
#pragma unroll 4
    for (int i = 0; i < count; ++i) {
      reach(__shfl_sync(all_lanes, own, i));
      const auto v = load_vector<2>(memory, first + i * row_pitch + 2 * lane());
      sums_[0] += v[0];
      sums_[1] += v[1];
    }
  }
  // All nodes before this one are complete.
  __device__ void reach(int node) {
    for (; node_ < node; ++node_) {
      const bool edges = divided_ && rows_.offsets[node_ + 1] > rows_.offsets[node_];
      const float factor = edges ? rows_.factor(node_) : 1.0f;
      write_pair<full>(y_, columns_, first_row_ + node_, 2 * lane(),
                       {{sums_[0] * factor, sums_[1] * factor}});
      sums_[0] = sums_[1] = 0;
    }
  }

 private:
  const Rows<T, full>& rows_;
  Global<T> y_;
  int64_t first_row_;
  int columns_, node_;
  bool divided_;
  float sums_[2] = {};
};

// The same by a block of which all warps come with each tile: a warp takes every `warps`-th node. The sums
// of a node that goes on in the next tile wait in shared memory [2, width].
template <typename T, bool full>
class BlockNodeSums {
 public:
  __device__ BlockNodeSums(const Rows<T, full>& rows, const Part& part, int columns, Global<T> y,
                           SharedView<float> waiting)
      : rows_(rows),
        y_(y),
        waiting_(waiting),
        first_row_(part.sample * rows.sizes.nodes),
        columns_(columns),
        node_(part.first) {}

  // The `count` > 0 rows from element `first` on, which are at `place` among all. A barrier must come before
  // the next tile is added.
  __device__ void add(SharedView<float> memory, int first, int place, int count) {
    const int last = rows_.to[rows_.edge(place + count - 1)], end = place + count;
    const bool goes_on = rows_.offsets[last + 1] > end;
    for (int node = node_ + warp(); node <= last; node += warps) {
      int from = rows_.offsets[node] - place;
      const int until = node == last && goes_on ? count : rows_.offsets[node + 1] - place;
      Pack<float, 2> sum{};
      if (from < 0) {
        sum = load_vector<2>(waiting_, half_ * width + 2 * lane());
        from = 0;
      }
#pragma unroll 4
      for (int i = from; i < until; ++i) {
        const auto v = load_vector<2>(memory, first + i * row_pitch + 2 * lane());
        for (int k = 0; k < 2; ++k) sum[k] += v[k];
      }
      if (node == last && goes_on)
        store_vector<2>(waiting_, (1 - half_) * width + 2 * lane(), sum);
      else
        write_pair<full>(y_, columns_, first_row_ + node, 2 * lane(), sum);
    }
    node_ = goes_on ? last : last + 1;
    half_ = 1 - half_;
  }
  // Nodes before this one that were not reached have no edges.
  __device__ void reach(int node) {
    for (int i = node_ + warp(); i < node; i += warps)
      write_pair<full>(y_, columns_, first_row_ + i, 2 * lane(), {{0, 0}});
    node_ = node;
  }

 private:
  const Rows<T, full>& rows_;
  Global<T> y_;
  SharedView<float> waiting_;
  int64_t first_row_;
  int columns_, node_, half_ = 0;
};

}  // namespace
}  // namespace py4cast
