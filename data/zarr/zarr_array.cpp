#include "data/zarr/zarr_array.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>

#include "data/cf/unpacking.h"
#include "data/zarr/zarr_type.h"
#include "engine/error.h"

namespace py4cast {
namespace {

// Larger ones are no chunks of weather; nothing is allocated for them.
constexpr size_t largest_chunk = size_t{1} << 32;
constexpr size_t highest_rank = 32;

[[noreturn]] void refuse_metadata(const std::string& where, const std::string& what) {
  throw Error(ErrorKind::data, where, ": ", what);
}

// Null where there is none.
const Json& member(const Json& json, const char* key) {
  static const Json none;
  const auto found = json.is_object() ? json.find(key) : json.end();
  return json.is_object() && found != json.end() ? *found : none;
}

std::string text_member(const Json& json, const char* key, const std::string& otherwise = "") {
  const Json& value = member(json, key);
  return value.is_string() ? value.get<std::string>() : otherwise;
}

std::vector<size_t> lengths_of(const std::string& where, const Json& json, const char* key) {
  std::vector<size_t> result;
  if (!json.is_array()) refuse_metadata(where, "'" + std::string(key) + "' is no list of lengths");
  for (const Json& length : json) {
    if (!length.is_number_unsigned() || length.get<uint64_t>() > uint64_t{1} << 60)
      refuse_metadata(where, "'" + std::string(key) + "' holds " + on_one_line(length) +
                                 ", which is no length");
    result.push_back(length.get<size_t>());
  }
  return result;
}

// "delta" of {"id": "delta"} (version 2), {"name": "numcodecs.delta"} or "numcodecs.delta" (version 3).
std::string codec_name(const Json& codec) {
  std::string name = codec.is_string() ? codec.get<std::string>()
                                       : text_member(codec, "name", text_member(codec, "id"));
  // The crc32c of numcodecs is another one than that of version 3.
  if (name.starts_with("numcodecs.") && name != "numcodecs.crc32c")
    name.erase(0, std::string("numcodecs.").size());
  return name;
}

std::optional<ZarrCodec> codec_of(const std::string& name) {
  if (name == "blosc") return ZarrCodec::blosc;
  if (name == "zstd") return ZarrCodec::zstd;
  if (name == "gzip" || name == "zlib") return ZarrCodec::gzip;
  if (name == "crc32c") return ZarrCodec::crc32c;
  return {};
}

void set_unreadable(ZarrArray& array, const std::string& why) {
  if (array.unreadable.empty()) array.unreadable = why;
}

void refuse_codec(ZarrArray& array, const std::string& name) {
  set_unreadable(array, "it is stored with the codec '" + name +
                            "'; blosc, zstd, gzip, zlib, crc32c, bytes, transpose and "
                            "sharding_indexed can be read");
}

void set_type(ZarrArray& array, const ZarrType& type) {
  array.type = type.type;
  array.stored_size = type.size;
  array.big_endian = type.big_endian;
  array.text = type.text;
  if (type.type == ElementType::other)
    set_unreadable(array, "its elements are of the type " + type.name);
  if (type.units.empty()) return;
  array.attributes["units"] = {ElementType::text, type.units, {}};
  array.attributes["calendar"] = {ElementType::text, "proleptic_gregorian", {}};
  array.attributes["_FillValue"] = {
      ElementType::i64, "", {static_cast<double>(std::numeric_limits<int64_t>::min())}};
}

void check_ranks(ZarrArray& array, const std::string& where) {
  if (array.chunk.size() != array.shape.size() || array.shape.size() > highest_rank)
    refuse_metadata(where, "the array has " + std::to_string(array.shape.size()) +
                               " dimensions, its chunks have " +
                               std::to_string(array.chunk.size()));
  for (size_t d = 0; d < array.shape.size(); ++d) {
    if (array.chunk[d] == 0 && array.shape[d] > 0)
      refuse_metadata(where, "the length 0 of a chunk is impossible");
    array.chunk[d] = std::max<size_t>(array.chunk[d], 1);
  }
}

bool can_be_held(const std::vector<size_t>& lengths, size_t bytes) {
  for (const size_t length : lengths)
    if (__builtin_mul_overflow(bytes, length, &bytes) || bytes > largest_chunk) return false;
  return true;
}

void check_bytes(ZarrArray& array) {
  if (!can_be_held(array.chunk, std::max<size_t>(array.stored_size, 1)))
    set_unreadable(array, "its chunks are larger than 4 GiB");
  if (array.shards && !can_be_held(array.shards->shape, 16))
    set_unreadable(array, "its shards have too many chunks");
}

void set_fill(ZarrArray& array, const Json& value) {
  if (array.text != ZarrText::none)
    array.fill.assign(array.stored_size, std::byte{});
  else if (array.type != ElementType::other)
    array.fill = zarr_fill(array.type, array.half(), value);
  if (array.fill.empty() && array.text != ZarrText::variable)
    set_unreadable(array, "its fill_value is " + on_one_line(value));
}

std::vector<std::string> names_of(const Json& json) {
  std::vector<std::string> result;
  if (json.is_array())
    for (const Json& name : json)
      result.push_back(name.is_string() ? name.get<std::string>() : std::string());
  return result;
}

void set_dimensions(ZarrArray& array, const Json& names, const char* key) {
  array.dimensions = names_of(names);
  if (array.dimensions.size() == array.shape.size() &&
      std::ranges::find(array.dimensions, "") == array.dimensions.end())
    return;
  set_unreadable(array, "its dimensions have no names (" + std::string(key) + ")");
  array.dimensions.assign(array.shape.size(), "");
}

std::vector<size_t> counted(size_t rank) {
  std::vector<size_t> result(rank);
  std::iota(result.begin(), result.end(), size_t{0});
  return result;
}

void set_order(ZarrArray& array, const std::string& where, const Json& order) {
  const std::vector<size_t> given = lengths_of(where, order, "order");
  std::vector<size_t> sorted = given;
  std::ranges::sort(sorted);
  if (sorted != counted(array.shape.size()))
    refuse_metadata(where, "the order of the axes in 'transpose' is " + on_one_line(order));
  // A second one permutes what the first has made.
  std::vector<size_t> order_now;
  for (const size_t axis : given) order_now.push_back(array.order[axis]);
  array.order = order_now;
}

void set_codecs(ZarrArray& array, const std::string& where, const Json& codecs);

void set_shards(ZarrArray& array, const std::string& where, const Json& settings) {
  const std::vector<size_t> shard = array.chunk;
  array.chunk = lengths_of(where, member(settings, "chunk_shape"), "chunk_shape");
  check_ranks(array, where);
  ZarrShards shards;
  for (size_t d = 0; d < shard.size(); ++d) {
    if (shard[d] % array.chunk[d] != 0)
      refuse_metadata(where, "a shard is no whole number of chunks");
    shards.shape.push_back(shard[d] / array.chunk[d]);
  }
  shards.index_at_end = text_member(settings, "index_location", "end") == "end";
  for (const Json& codec : member(settings, "index_codecs")) {
    const std::string name = codec_name(codec);
    if (name == "bytes") {
      if (text_member(member(codec, "configuration"), "endian") == "big")
        refuse_codec(array, "bytes (big)");
    } else if (name == "crc32c") {
      shards.index_codecs.push_back(ZarrCodec::crc32c);
    } else {
      refuse_codec(array, name);  // an index has one size
    }
  }
  if (array.shards || !array.codecs.empty() || array.order != counted(array.shape.size()))
    return refuse_codec(array, "sharding_indexed inside of others");
  array.shards = shards;
  set_codecs(array, where, member(settings, "codecs"));
}

void set_codecs(ZarrArray& array, const std::string& where, const Json& codecs) {
  if (!codecs.is_array()) refuse_metadata(where, "'codecs' is no list");
  for (const Json& codec : codecs) {
    const std::string name = codec_name(codec);
    const Json& settings = member(codec, "configuration");
    if (name == "bytes") {
      array.big_endian = text_member(settings, "endian") == "big";
    } else if (name == "vlen-utf8") {
      if (array.text != ZarrText::variable) refuse_codec(array, name);
    } else if (name == "transpose") {
      set_order(array, where, member(settings, "order"));
    } else if (name == "sharding_indexed") {
      if (&codec != &codecs.back()) return refuse_codec(array, "sharding_indexed before others");
      set_shards(array, where, settings);
    } else if (const auto known = codec_of(name)) {
      array.codecs.push_back(*known);
    } else {
      refuse_codec(array, name);
    }
  }
}

}  // namespace

std::string ZarrArray::key(const std::vector<size_t>& place) const {
  std::string result = key_prefix;
  for (const size_t index : place)
    result += (result.empty() ? "" : key_separator) + std::to_string(index);
  return result.empty() ? "0" : result;
}

ZarrArray zarr_array_2(const std::string& where, const Json& json, const Json& attributes) {
  ZarrArray array;
  array.attributes = zarr_attributes(attributes);
  array.shape = lengths_of(where, member(json, "shape"), "shape");
  array.chunk = lengths_of(where, member(json, "chunks"), "chunks");
  set_type(array, zarr_type_2(member(json, "dtype")));
  check_ranks(array, where);
  check_bytes(array);
  array.order = counted(array.shape.size());
  if (text_member(json, "order", "C") == "F") std::ranges::reverse(array.order);
  array.key_separator = text_member(json, "dimension_separator", ".");
  for (const Json& filter : member(json, "filters"))
    if (codec_name(filter) == "vlen-utf8" && array.type == ElementType::other) {
      array.type = ElementType::text;
      array.text = ZarrText::variable;
      array.unreadable.clear();
    } else {
      refuse_codec(array, codec_name(filter));
    }
  if (const Json& compressor = member(json, "compressor"); !compressor.is_null()) {
    const auto known = codec_of(codec_name(compressor));
    if (known && known != ZarrCodec::crc32c)
      array.codecs = {*known};
    else
      refuse_codec(array, codec_name(compressor));
  }
  const Json& fill = member(json, "fill_value");
  set_fill(array, fill);
  // What was never written is missing.
  if (!fill.is_null() && array.text == ZarrText::none && !array.fill.empty() &&
      !array.attributes.contains("_FillValue"))
    with_element_type(array.type, [&]<typename T>(T value) {
      std::memcpy(&value, array.fill.data(), sizeof value);
      array.attributes["_FillValue"] = {array.type, "", {static_cast<double>(value)}};
    });
  set_dimensions(array, member(attributes, "_ARRAY_DIMENSIONS"), "_ARRAY_DIMENSIONS");
  return array;
}

ZarrArray zarr_array_3(const std::string& where, const Json& json) {
  ZarrArray array;
  array.attributes = zarr_attributes(member(json, "attributes"));
  array.shape = lengths_of(where, member(json, "shape"), "shape");
  const Json& grid = member(json, "chunk_grid");
  array.order = counted(array.shape.size());
  set_type(array, zarr_type_3(member(json, "data_type")));
  if (text_member(grid, "name") != "regular") {
    set_unreadable(array, "its chunks form no regular grid");
    array.chunk = array.shape;
  } else {
    array.chunk =
        lengths_of(where, member(member(grid, "configuration"), "chunk_shape"), "chunk_shape");
    check_ranks(array, where);
    set_codecs(array, where, member(json, "codecs"));
    check_bytes(array);
  }
  const Json& keys = member(json, "chunk_key_encoding");
  const bool slashes = codec_name(keys) != "v2";
  array.key_prefix = slashes ? "c" : "";
  array.key_separator =
      text_member(member(keys, "configuration"), "separator", slashes ? "/" : ".");
  if (!member(json, "storage_transformers").empty())
    set_unreadable(array, "its chunks are changed by a storage transformer");
  set_fill(array, member(json, "fill_value"));
  // xarray writes a floating-point _FillValue in base 64.
  if (const auto found = array.attributes.find("_FillValue");
      found != array.attributes.end() && found->second.type == ElementType::text)
    if (const auto value = double_of_base64(found->second.text))
      found->second = {ElementType::f64, "", {*value}};
  const Json& names = member(json, "dimension_names");
  set_dimensions(array, names, "dimension_names");
  return array;
}

std::map<std::string, CfAttribute> zarr_attributes(const Json& json) {
  std::map<std::string, CfAttribute> result;
  if (!json.is_object()) return result;
  for (const auto& [name, value] : json.items()) {
    const std::vector<Json> elements =
        value.is_array() ? std::vector<Json>(value.begin(), value.end()) : std::vector<Json>{value};
    CfAttribute attribute;
    attribute.type = ElementType::i64;
    bool texts = !elements.empty();
    for (const Json& element : elements) {
      if (element.is_number_float() || element.is_string()) attribute.type = ElementType::f64;
      texts &= element.is_string();
      if (const auto number = zarr_number(element)) attribute.numbers.push_back(*number);
    }
    const bool packing =
        std::ranges::find(packing_attributes, name) != std::end(packing_attributes);
    if (texts && !(packing && attribute.numbers.size() == elements.size())) {
      attribute = {ElementType::text, "", {}};
      for (const Json& element : elements)
        attribute.text += (attribute.text.empty() ? "" : " ") + element.get<std::string>();
    } else if (attribute.numbers.size() != elements.size()) {
      continue;
    }
    result[name] = attribute;
  }
  return result;
}

}  // namespace py4cast
