#include "kernels/common/cuda_tile.h"
#include "kernels/fields/error_sums_kernels.h"

namespace py4cast {
namespace {

constexpr int threads = tile_threads;

// Block (chunk of points, features, sample).
template <typename T>
__global__ void __launch_bounds__(threads)
    chunk_sums(ThreadTile tile, Global<const T> prediction, Global<const T> target,
               Global<const T> mask, Global<double> partial) {
  after_earlier_work();
  const int64_t chunks = gridDim.x, chunk = blockIdx.x, sample = blockIdx.z, f = tile.vector(),
                features = tile.vectors;
  double sums[4] = {};
  if (f < features) {
    const int64_t end = chunk_begin(tile.rows, chunks, chunk + 1);
    for (int64_t point = chunk_begin(tile.rows, chunks, chunk) + tile.row(); point < end;
         point += tile.steps()) {
      if (mask[point] == 0) continue;
      const int64_t at = (sample * tile.rows + point) * features + f;
      const T truth = target[at];
      if (truth != truth) continue;
      const double error = static_cast<double>(prediction[at]) - static_cast<double>(truth);
      sums[0] += error * error;
      sums[1] += error < 0 ? -error : error;
      sums[2] += error;
      sums[3] += 1;
    }
  }
  combine_rows(tile, sums, AddRows{});
  if (tile.row() != 0 || f >= features) return;
  for (int k = 0; k < 4; ++k) partial[((sample * chunks + chunk) * features + f) * 4 + k] = sums[k];
}

// The tile is of chunks x numbers of a sample.
__global__ void __launch_bounds__(threads)
    add_chunks(ThreadTile tile, Global<const double> partial, Global<double> result) {
  after_earlier_work();
  const int64_t chunks = tile.rows, numbers = tile.vectors, sample = blockIdx.z, i = tile.vector();
  double sum[1] = {};
  if (i < numbers)
    for (int64_t chunk = tile.row(); chunk < chunks; chunk += tile.steps())
      sum[0] += partial[(sample * chunks + chunk) * numbers + i];
  combine_rows(tile, sum, AddRows{});
  if (tile.row() == 0 && i < numbers) result[sample * numbers + i] = sum[0];
}

}  // namespace

template <typename T>
void ErrorSums<T>::run(Cuda device) const {
  if (batch == 0) return;
  const int64_t chunks = partial.size / (batch * features * 4);
  const ThreadTile tile(mask.size, features);
  launch(device.stream, chunk_sums<T>, tile.grid(chunks, batch), threads, 0, tile, prediction,
         target, mask, partial);
  const ThreadTile second = chunk_tile(chunks, features * 4);
  launch(device.stream, add_chunks, second.grid(1, batch), threads, 0, second, partial, result);
}

template struct ErrorSums<float>;
template struct ErrorSums<double>;

}  // namespace py4cast
