#include "data/zarr/zarr_writer.h"

#include <blosc.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <span>

#include "data/cf/cf_files.h"
#include "data/cf/cf_forecast.h"
#include "data/zarr/zarr_group.h"
#include "engine/error.h"
#include "engine/files.h"

namespace py4cast {
namespace {

namespace fs = std::filesystem;

struct ElementName {
  const char* dtype;
  size_t bytes;
};
ElementName element_name(CfWriter::Type type) {
  switch (type) {
    case CfWriter::Type::int8:
      return {"|i1", 1};
    case CfWriter::Type::int16:
      return {"<i2", 2};
    case CfWriter::Type::int32:
      return {"<i4", 4};
    case CfWriter::Type::int64:
      return {"<i8", 8};
    case CfWriter::Type::float32:
      return {"<f4", 4};
    default:
      return {"<f8", 8};
  }
}

// One number in the bytes of its type, of which the lowest comes first here.
template <typename T>
void append_as(T value, std::vector<std::byte>& bytes) {
  const auto* first = reinterpret_cast<const std::byte*>(&value);
  bytes.insert(bytes.end(), first, first + sizeof value);
}
void append_number(double value, CfWriter::Type type, std::vector<std::byte>& bytes) {
  switch (type) {
    case CfWriter::Type::int8:
      return append_as(static_cast<int8_t>(value), bytes);
    case CfWriter::Type::int16:
      return append_as(static_cast<int16_t>(value), bytes);
    case CfWriter::Type::int32:
      return append_as(static_cast<int32_t>(value), bytes);
    case CfWriter::Type::int64:
      return append_as(static_cast<int64_t>(value), bytes);
    case CfWriter::Type::float32:
      return append_as(static_cast<float>(value), bytes);
    default:
      return append_as(value, bytes);
  }
}

constexpr int blosc_level = 5;
constexpr const char* blosc_compressor = "lz4";

std::vector<std::byte> blosc(const std::vector<std::byte>& bytes, size_t element) {
  std::vector<std::byte> out(bytes.size() + BLOSC_MAX_OVERHEAD);
  const int size = blosc_compress_ctx(blosc_level, BLOSC_SHUFFLE, element, bytes.size(),
                                      bytes.data(), out.data(), out.size(), blosc_compressor, 0, 1);
  if (size <= 0) throw Error(ErrorKind::internal, "blosc: ", bytes.size(), " bytes, result ", size);
  out.resize(static_cast<size_t>(size));
  return out;
}

}  // namespace

ZarrWriter::ZarrWriter(const std::string& path) : path_(path), attributes_(Json::object()) {
  while (path_.size() > 1 && path_.ends_with('/')) path_.pop_back();
  partial_ = path_ + ".partial";
  const fs::path folder = fs::path(path_).parent_path();
  if (!folder.empty() && !fs::is_directory(folder))
    throw Error(ErrorKind::input_output, path_, ": there is no folder ", folder.string());
  if (fs::exists(path_) && !(fs::is_directory(path_) && is_zarr(path_)))
    throw Error(ErrorKind::input_output, path_,
                ": is no Zarr store, so no store is written in its place");
  if (fs::exists(partial_) && !is_zarr(partial_) && !fs::is_empty(partial_))
    throw Error(ErrorKind::input_output, partial_, ": is in the way and no store that was begun");
  fs::remove_all(partial_);
  make_folders(partial_);
  write_file(partial_ + "/.zgroup", Json{{"zarr_format", 2}}.dump());
}

ZarrWriter::~ZarrWriter() {
  std::error_code ignored;
  if (!finished_) fs::remove_all(partial_, ignored);
}

int ZarrWriter::dimension(const std::string& name, size_t length) {
  dimensions_.push_back({name, length});
  return static_cast<int>(dimensions_.size()) - 1;
}

int ZarrWriter::variable(const std::string& name, Type type, const std::vector<int>& dimensions,
                         const std::vector<size_t>& chunk) {
  Array array{.name = name, .type = type, .attributes = Json::object()};
  Json names = Json::array();
  for (const int id : dimensions) {
    const Dimension& dimension = dimensions_.at(static_cast<size_t>(id));
    array.shape.push_back(dimension.length);
    names.push_back(dimension.name);
  }
  array.chunk = chunk.empty() ? array.shape : chunk;
  array.attributes["_ARRAY_DIMENSIONS"] = names;
  array.metadata = {{"chunks", array.chunk},
                    {"compressor",
                     {{"blocksize", 0},
                      {"clevel", blosc_level},
                      {"cname", blosc_compressor},
                      {"id", "blosc"},
                      {"shuffle", BLOSC_SHUFFLE}}},
                    {"dtype", element_name(type).dtype},
                    {"fill_value", nullptr},
                    {"filters", nullptr},
                    {"order", "C"},
                    {"shape", array.shape},
                    {"zarr_format", 2}};
  arrays_.push_back(std::move(array));
  return static_cast<int>(arrays_.size()) - 1;
}

Json& ZarrWriter::attributes_of(int variable) {
  return variable == global ? attributes_ : arrays_.at(static_cast<size_t>(variable)).attributes;
}

void ZarrWriter::attribute(int variable, const std::string& name, const std::string& text) {
  if (!text.empty()) attributes_of(variable)[name] = text;
}

void ZarrWriter::attribute(int variable, const std::string& name, double value, Type) {
  if (name == "_FillValue")
    arrays_.at(static_cast<size_t>(variable)).metadata["fill_value"] = value;
  else
    attributes_of(variable)[name] = value;
}

void ZarrWriter::attribute(int variable, const std::string& name,
                           const std::vector<double>& values) {
  attributes_of(variable)[name] = values.size() == 1 ? Json(values[0]) : Json(values);
}

template <typename T>
void ZarrWriter::write_chunks(int variable, const std::vector<size_t>& count, const T* values) {
  const Array& array = arrays_.at(static_cast<size_t>(variable));
  if (count != array.shape)
    throw Error(ErrorKind::internal, path_, ": part of the variable '", array.name,
                "' is written; it must be the whole");
  const size_t axes = count.size(), element = element_name(array.type).bytes;
  const std::string folder = partial_ + "/" + array.name + "/";
  make_folders(folder);
  std::vector<size_t> chunk(axes, 0);  // its number along each axis
  for (;;) {
    // Chunks have one size, also where they jut out.
    std::vector<std::byte> bytes;
    std::vector<size_t> inside(axes, 0);
    for (size_t i = 0, size = product(array.chunk); i < size; ++i) {
      size_t place = 0;
      bool there = true;
      for (size_t axis = 0; axis < axes; ++axis) {
        const size_t at = chunk[axis] * array.chunk[axis] + inside[axis];
        there = there && at < array.shape[axis];
        place = place * array.shape[axis] + at;
      }
      append_number(there ? static_cast<double>(values[place]) : 0, array.type, bytes);
      for (size_t axis = axes; axis-- > 0 && ++inside[axis] == array.chunk[axis];) inside[axis] = 0;
    }
    std::string key;
    for (const size_t number : chunk) key += (key.empty() ? "" : ".") + std::to_string(number);
    const std::vector<std::byte> packed = blosc(bytes, element);
    write_file(folder + (key.empty() ? "0" : key),
               std::string_view(reinterpret_cast<const char*>(packed.data()), packed.size()));
    size_t axis = axes;
    while (axis > 0 && ++chunk[axis - 1] * array.chunk[axis - 1] >= array.shape[axis - 1])
      chunk[--axis] = 0;
    if (axis == 0) return;
  }
}

void ZarrWriter::write(int variable, const std::vector<size_t>&, const std::vector<size_t>& count,
                       const float* values) {
  write_chunks(variable, count, values);
}
void ZarrWriter::write(int variable, const std::vector<size_t>&, const std::vector<size_t>& count,
                       const double* values) {
  write_chunks(variable, count, values);
}

void ZarrWriter::finish() {
  const Json group = {{"zarr_format", 2}};
  Json all = {{".zattrs", attributes_}, {".zgroup", group}};
  for (const Array& array : arrays_) {
    all[array.name + "/.zarray"] = array.metadata;
    all[array.name + "/.zattrs"] = array.attributes;
    make_folders(partial_ + "/" + array.name);
  }
  constexpr int indent = 4;
  for (const auto& [name, content] : all.items())
    write_file(partial_ + "/" + name, content.dump(indent));
  const Json consolidated = {{"metadata", all}, {"zarr_consolidated_format", 1}};
  write_file(partial_ + "/.zmetadata", consolidated.dump(indent));
  replace_folder(partial_, path_);
  finished_ = true;
}

bool is_zarr_name(const std::string& path) {
  return path.ends_with(".zarr") || path.ends_with(".zarr/");
}

void write_zarr_forecast(const std::string& path, const ForecastFile& forecast) {
  ZarrWriter writer(path);
  write_forecast(writer, path, forecast);
  writer.finish();
}

}  // namespace py4cast
