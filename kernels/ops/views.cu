#include "kernels/common/elementwise.h"
#include "kernels/ops/views_kernels.h"

namespace py4cast {
namespace {

constexpr int threads = 256, max_parts = 64, max_axes = 10, tile = 32;

using Words16 = Pack<uint32_t, 4>;

// Parts of a row in words; part p has columns [ends[p - 1], ends[p]) of the row.
template <typename W>
struct Parts {
  const W* data[max_parts];
  int64_t pitch[max_parts], ends[max_parts];
  int count;
};

// The columns [first, first + the last end) of y's rows.
template <typename W>
__global__ void __launch_bounds__(threads)
    join_rows(Parts<W> parts, int64_t rows, int64_t first, int64_t pitch, Global<W> y) {
  after_earlier_work();
  const int64_t width = parts.ends[parts.count - 1];
  for (int64_t i = global_index(); i < rows * width; i += grid_stride()) {
    int64_t row = i, begin = 0;
    const int64_t column = split_off(row, width);
    int p = 0;
    for (; column >= parts.ends[p]; ++p) begin = parts.ends[p];
    W word{};
    if (parts.data[p]) word = parts.data[p][row * parts.pitch[p] + column - begin];
    y[row * pitch + first + column] = word;
  }
}

template <typename W>
void join_words(Cuda device, const RowPart* from, int64_t count, int64_t rows, View<std::byte> y) {
  constexpr int64_t bytes = sizeof(W);
  const int64_t pitch = y.size / rows / bytes;
  int64_t first = 0;
  for (int64_t begin = 0; begin < count; begin += max_parts) {
    Parts<W> parts{};
    parts.count = static_cast<int>(std::min<int64_t>(count - begin, max_parts));
    int64_t end = 0;
    for (int p = 0; p < parts.count; ++p) {
      const RowPart& part = from[begin + p];
      parts.data[p] = kernel_pointer(reinterpret_cast<const W*>(part.data));
      parts.pitch[p] = part.pitch / bytes;
      parts.ends[p] = end += part.width / bytes;
    }
    launch(device.stream, join_rows<W>, blocks_for(rows * end, threads), threads, 0, parts, rows,
           first, pitch, View<W>{reinterpret_cast<W*>(y.data), y.size / bytes});
    first += end;
  }
}

// Axes of y: sizes, and steps in x from one index to the next.
struct Axes {
  int64_t sizes[max_axes], steps[max_axes];
  int count;
};

// Without axes of size 1; neighbours that x keeps together become one axis.
Axes merged(const int64_t* sizes, const int64_t* strides, int rank) {
  Axes axes{};
  for (int axis = 0; axis < rank; ++axis) {
    if (sizes[axis] == 1) continue;
    const int last = axes.count - 1;
    if (last >= 0 && axes.steps[last] == sizes[axis] * strides[axis]) {
      axes.sizes[last] *= sizes[axis];
      axes.steps[last] = strides[axis];
    } else {
      axes.sizes[axes.count] = sizes[axis];
      axes.steps[axes.count++] = strides[axis];
    }
  }
  return axes;
}

// For a last axis that stays the last one: word by word.
template <typename W>
__global__ void __launch_bounds__(threads) permute_rows(Axes axes, Global<const W> x, Global<W> y) {
  after_earlier_work();
  for (int64_t i = global_index(); i < y.size; i += grid_stride()) {
    int64_t rest = i, from = 0;
    for (int axis = axes.count - 1; axis > 0; --axis)
      from += split_off(rest, axes.sizes[axis]) * axes.steps[axis];
    if (axes.count > 0) from += rest * axes.steps[0];
    y[i] = x[from];
  }
}

// Tiles of y's last axis and of the axis along which x is contiguous, `lines`: read along the
// latter, written along the former.
template <typename W>
__global__ void __launch_bounds__(threads)
    permute_tiles(Axes axes, int lines, int64_t pitch, Global<const W> x, Global<W> y) {
  after_earlier_work();
  PY4CAST_SHARED(W, words, tile * (tile + 1));
  const int64_t width = axes.sizes[axes.count - 1], step = axes.steps[axes.count - 1],
                height = axes.sizes[lines];
  int64_t rest = blockIdx.x;
  const int64_t column = split_off(rest, (width + tile - 1) / tile) * tile;
  const int64_t line = split_off(rest, (height + tile - 1) / tile) * tile;
  int64_t from = 0, to = 0, size = width;
  for (int axis = axes.count - 2; axis >= 0; --axis) {
    if (axis != lines) {
      const int64_t index = split_off(rest, axes.sizes[axis]);
      from += index * axes.steps[axis];
      to += index * size;
    }
    size *= axes.sizes[axis];
  }
  const int lane = static_cast<int>(threadIdx.x) % tile,
            first = static_cast<int>(threadIdx.x) / tile;
  for (int c = first; c < tile; c += threads / tile)
    if (column + c < width && line + lane < height)
      words[c * (tile + 1) + lane] = x[from + line + lane + (column + c) * step];
  __syncthreads();
  for (int l = first; l < tile; l += threads / tile)
    if (line + l < height && column + lane < width)
      y[to + (line + l) * pitch + column + lane] = words[lane * (tile + 1) + l];
}

// Rows that stay whole: counts in the widest words that fit instead of elements. Returns the bytes
// of a word.
int64_t widen_rows(Axes& axes, int64_t bytes, View<const std::byte> x, View<std::byte> y) {
  const int last = axes.count - 1;
  if (last < 0) return bytes;
  auto bits = static_cast<uint64_t>(axes.sizes[last] * bytes);
  for (int axis = 0; axis < last; ++axis) bits |= static_cast<uint64_t>(axes.steps[axis] * bytes);
  bits |= reinterpret_cast<uintptr_t>(x.data) | reinterpret_cast<uintptr_t>(y.data);
  for (; bytes < 16 && bits % static_cast<uint64_t>(2 * bytes) == 0; bytes *= 2) {
    axes.sizes[last] /= 2;
    for (int axis = 0; axis < last; ++axis) axes.steps[axis] /= 2;
  }
  return bytes;
}

template <typename W>
View<W> in_words(View<std::byte> y) {
  return {reinterpret_cast<W*>(y.data), y.size / static_cast<int64_t>(sizeof(W))};
}
template <typename W>
View<const W> in_words(View<const std::byte> x) {
  return {reinterpret_cast<const W*>(x.data), x.size / static_cast<int64_t>(sizeof(W))};
}

template <typename W>
void permute_whole_rows(Cuda device, const Axes& axes, View<const std::byte> x, View<std::byte> y) {
  const View<W> to = in_words<W>(y);
  launch(device.stream, permute_rows<W>, blocks_for(to.size, threads), threads, 0, axes,
         in_words<W>(x), to);
}

template <typename W>
void permute_by_tiles(Cuda device, const Axes& axes, View<const std::byte> x, View<std::byte> y) {
  int lines = 0;
  while (axes.steps[lines] != 1) ++lines;
  int64_t pitch = 1, blocks = 1;
  for (int axis = 0; axis < axes.count; ++axis) {
    if (axis > lines) pitch *= axes.sizes[axis];
    const bool tiled = axis == lines || axis + 1 == axes.count;
    blocks *= tiled ? (axes.sizes[axis] + tile - 1) / tile : axes.sizes[axis];
  }
  launch(device.stream, permute_tiles<W>, blocks_for(blocks, 1), threads, 0, axes, lines, pitch,
         in_words<W>(x), in_words<W>(y));
}

template <typename To>
struct Cast {
  template <typename C>
  __device__ Compute<To> operator()(C x) const {
    return static_cast<Compute<To>>(x);
  }
};

}  // namespace

void JoinRows::run(Cuda device) const {
  if (y.size == 0) return;
  uint64_t bits = reinterpret_cast<uintptr_t>(y.data);  // of all numbers that words must divide
  for (int64_t p = 0; p < count; ++p)
    bits |= reinterpret_cast<uintptr_t>(parts[p].data) | static_cast<uint64_t>(parts[p].pitch) |
            static_cast<uint64_t>(parts[p].width);
  if (bits % 16 == 0) return join_words<Words16>(device, parts, count, rows, y);
  if (bits % 8 == 0) return join_words<uint64_t>(device, parts, count, rows, y);
  if (bits % 4 == 0) return join_words<uint32_t>(device, parts, count, rows, y);
  join_words<uint16_t>(device, parts, count, rows, y);
}

void Permute::run(Cuda device) const {
  if (y.size == 0) return;
  Axes axes = merged(sizes, strides, rank);
  if (axes.count > 0 && axes.steps[axes.count - 1] != 1) {
    if (element_bytes == 2) return permute_by_tiles<uint16_t>(device, axes, x, y);
    if (element_bytes == 4) return permute_by_tiles<uint32_t>(device, axes, x, y);
    return permute_by_tiles<uint64_t>(device, axes, x, y);
  }
  const int64_t bytes = widen_rows(axes, element_bytes, x, y);
  if (bytes == 16) return permute_whole_rows<Words16>(device, axes, x, y);
  if (bytes == 8) return permute_whole_rows<uint64_t>(device, axes, x, y);
  if (bytes == 4) return permute_whole_rows<uint32_t>(device, axes, x, y);
  permute_whole_rows<uint16_t>(device, axes, x, y);
}

template <typename From, typename To>
void CastMap<From, To>::run(Cuda device) const {
  map(device, Cast<To>{}, y, x);
}

template struct CastMap<float, double>;
template struct CastMap<float, bfloat16>;
template struct CastMap<double, float>;
template struct CastMap<double, bfloat16>;
template struct CastMap<bfloat16, float>;
template struct CastMap<bfloat16, double>;

}  // namespace py4cast
