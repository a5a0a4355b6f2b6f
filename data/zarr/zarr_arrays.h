// Blocks of the arrays of a Zarr store, chunk by chunk.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "data/zarr/chunk_cache.h"
#include "data/zarr/zarr_array.h"

namespace py4cast {

// The elements of a block of an array of numbers, or of texts of one length, in the array's order: of
// array.element_size() bytes each. What was never written is the fill value. Thread safe; no lock is held
// while a chunk is read and decoded but the chunk's own. Error(data): a file that is truncated, damaged or
// foreign, with the array and the chunk; array.unreadable.
void read_zarr_block(ChunkCache& cache, const ZarrArray& array, const std::vector<size_t>& start,
                     const std::vector<size_t>& count, std::byte* out);

// A block of an array that lies in memory in its order.
void copy_dense_block(const std::vector<size_t>& shape, const std::vector<size_t>& start,
                      const std::vector<size_t>& count, size_t element, const std::byte* array,
                      std::byte* out);

// All texts of an array of one dimension or none. Error(data): as read_zarr_block.
std::vector<std::string> read_zarr_texts(ChunkCache& cache, const ZarrArray& array);

}  // namespace py4cast
