// From the bytes of a chunk in a Zarr store to those of its elements.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "data/zarr/zarr_array.h"

namespace py4cast {

// Bytes that are written before they are read.
struct ByteBuffer {
  explicit ByteBuffer(size_t bytes = 0)
      : data(std::make_unique_for_overwrite<std::byte[]>(bytes)), size(bytes) {}
  std::span<const std::byte> span() const { return {data.get(), size}; }

  std::unique_ptr<std::byte[]> data;
  size_t size;
};

// Undoes the codecs, the last first. Error(data): the bytes are not what they have written, or not `size`
// bytes come out. Nothing much larger than `size` is allocated.
ByteBuffer decode_bytes(std::span<const std::byte> bytes, const std::vector<ZarrCodec>& codecs,
                        size_t size);

// The elements of a chunk as they are read, axis by axis as they are stored. Error(data): as decode_bytes.
ByteBuffer decode_chunk(const ZarrArray& array, std::span<const std::byte> bytes);
// Those of a chunk of texts of any length: for each its length (4 bytes, the lowest first) and UTF-8, after
// their number. Error(data): another number, lengths beyond the end.
std::vector<std::string> decode_texts(const ZarrArray& array, std::span<const std::byte> bytes);

// One element of ZarrText::bytes or utf32, without zeros and blanks at its end, as UTF-8.
std::string decode_text(const ZarrArray& array, const std::byte* element);

}  // namespace py4cast
