// One array of a Zarr store, versions 2 and 3: what its metadata say.
// Source: Zarr core specification v2 and v3.1, with the codecs and data types that zarr-python writes.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "data/cf/cf_variable.h"
#include "engine/settings/json.h"

namespace py4cast {

// What makes fewer bytes of bytes (crc32c: four more, to be checked).
enum class ZarrCodec { blosc, zstd, gzip, crc32c };

// Several chunks in one file, with an index of places.
struct ZarrShards {
  std::vector<size_t> shape;            // chunks along each axis
  std::vector<ZarrCodec> index_codecs;  // in the order of encoding
  bool index_at_end = true;
};

// How texts lie in a chunk: so many bytes each, or 4-byte letters; or a length before each.
enum class ZarrText { none, bytes, utf32, variable };

struct ZarrArray {
  std::string name;
  std::string folder;  // of its chunks
  std::vector<size_t> shape, chunk;
  ElementType type = ElementType::other;  // as it is read: f16 as f32, bool as u8
  size_t stored_size = 0;                 // bytes of an element in a chunk
  bool big_endian = false;
  ZarrText text = ZarrText::none;
  std::vector<size_t> order;      // along the array's axis order[k] the chunk's axis k lies
  std::vector<ZarrCodec> codecs;  // in the order of encoding
  std::optional<ZarrShards> shards;
  std::string key_prefix, key_separator;
  std::vector<std::byte> fill;  // an element of a chunk that is not there, as it is read
  std::vector<std::string> dimensions;
  std::map<std::string, CfAttribute> attributes;
  std::string unreadable;  // why its chunks cannot be read; empty: they can

  bool half() const { return type == ElementType::f32 && stored_size == 2; }
  // Bytes of an element as it is read.
  size_t element_size() const { return text == ZarrText::none ? size_of(type) : stored_size; }
  // "c/0/3": the place of a chunk, or of a shard, in the folder.
  std::string key(const std::vector<size_t>& place) const;
};

// From the documents .zarray and .zattrs, or zarr.json; `where` begins errors. Error(data): what they say
// is impossible. What is possible but not known here is said by `unreadable`.
ZarrArray zarr_array_2(const std::string& where, const Json& array, const Json& attributes);
ZarrArray zarr_array_3(const std::string& where, const Json& array);

// Texts and numbers of a JSON object; what is neither is left out.
std::map<std::string, CfAttribute> zarr_attributes(const Json& json);

}  // namespace py4cast
