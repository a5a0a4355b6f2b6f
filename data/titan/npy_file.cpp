#include "data/titan/npy_file.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <fstream>
#include <regex>
#include <sstream>

#include "engine/error.h"
#include "engine/signs_of_life.h"

namespace py4cast {
namespace {

constexpr size_t largest_header = 10000;  // as NumPy reads them

[[noreturn]] void refuse_npy(const std::string& path, const std::string& what) {
  throw Error(ErrorKind::data, path, ": ", what);
}

struct NpyHeader {
  char order = '<', kind = 'f';
  size_t size = 4;
  bool fortran = false;
  std::vector<int64_t> shape;
};

// The text after a key of the dictionary, or empty.
std::string entry(const std::string& text, const std::string& pattern) {
  std::smatch match;
  return std::regex_search(text, match, std::regex(pattern)) ? match[1].str() : "";
}

NpyHeader parse_npy_header(const std::string& path, const std::string& text) {
  NpyHeader header;
  const std::string type = entry(text, R"('descr':\s*'([<>|=][fiu][1248])')"),
                    fortran = entry(text, R"('fortran_order':\s*(True|False))");
  std::smatch shape;
  if (type.empty()) refuse_npy(path, "is no array of floats or integers: " + text.substr(0, 80));
  if (fortran.empty() ||
      !std::regex_search(text, shape, std::regex(R"('shape':\s*\(([0-9, ]*)\))")))
    refuse_npy(path, "the header of the array is damaged");
  header = {.order = type[0], .kind = type[1], .size = static_cast<size_t>(type[2] - '0')};
  header.fortran = fortran == "True";
  std::istringstream lengths(shape[1].str());
  for (std::string length; std::getline(lengths, length, ',');)
    if (const size_t digit = length.find_first_not_of(' '); digit != std::string::npos) {
      if (length.size() - digit > 18) refuse_npy(path, "the header of the array is damaged");
      header.shape.push_back(std::stoll(length));
    }
  return header;
}

template <typename T>
float number_at(const char* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return static_cast<float>(value);
}

using Reader = float (*)(const char*);
// By kind and size; null: there is no such type.
Reader reader_of(const NpyHeader& header) {
  switch (header.kind * 16 + static_cast<int>(header.size)) {
    case 'f' * 16 + 4:
      return number_at<float>;
    case 'f' * 16 + 8:
      return number_at<double>;
    case 'i' * 16 + 1:
      return number_at<int8_t>;
    case 'i' * 16 + 2:
      return number_at<int16_t>;
    case 'i' * 16 + 4:
      return number_at<int32_t>;
    case 'i' * 16 + 8:
      return number_at<int64_t>;
    case 'u' * 16 + 1:
      return number_at<uint8_t>;
    case 'u' * 16 + 2:
      return number_at<uint16_t>;
    case 'u' * 16 + 4:
      return number_at<uint32_t>;
    case 'u' * 16 + 8:
      return number_at<uint64_t>;
    default:
      return nullptr;
  }
}

// The places of the elements in the file, in the order in which they are given.
size_t place_in_fortran_order(size_t index, const std::vector<int64_t>& shape) {
  size_t place = 0, stride = 1;
  std::vector<size_t> indices(shape.size());
  for (size_t d = shape.size(); d-- > 0; index /= static_cast<size_t>(shape[d]))
    indices[d] = index % static_cast<size_t>(shape[d]);
  for (size_t d = 0; d < shape.size(); ++d) {
    place += indices[d] * stride;
    stride *= static_cast<size_t>(shape[d]);
  }
  return place;
}

}  // namespace

NpyArray read_npy(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) refuse_npy(path, "cannot be opened");
  show_life();
  const auto take = [&](size_t count) {
    std::string bytes(count, '\0');
    if (!file.read(bytes.data(), static_cast<std::streamsize>(count)))
      refuse_npy(path, "the file is cut off");
    return bytes;
  };
  const std::string magic = take(8);
  if (!magic.starts_with("\x93NUMPY") || magic[6] < 1 || magic[6] > 3)
    refuse_npy(path, "is no .npy file of version 1 to 3");
  size_t length = 0;
  const std::string lengths = take(magic[6] == 1 ? 2 : 4);
  for (size_t i = lengths.size(); i-- > 0;) length = length << 8 | static_cast<uint8_t>(lengths[i]);
  if (length > largest_header) refuse_npy(path, "the header of the array is damaged");
  const NpyHeader header = parse_npy_header(path, take(length));
  const Reader read = reader_of(header);
  if (!read) refuse_npy(path, "half precision is not read");
  const auto begin = file.tellg();
  file.seekg(0, std::ios::end);
  const auto there = static_cast<uint64_t>(file.tellg() - begin);
  file.seekg(begin);
  uint64_t bytes = header.size;
  for (const int64_t extent : header.shape)
    if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(extent), &bytes)) bytes = UINT64_MAX;
  if (bytes != there)
    refuse_npy(path, "the array needs " + std::to_string(bytes) + " bytes; " +
                         std::to_string(there) + " are there");
  std::string data = take(bytes);
  if (header.size > 1 && header.order != '=' &&
      (header.order == '<') != (std::endian::native == std::endian::little))
    for (size_t at = 0; at < data.size(); at += header.size)
      std::reverse(data.data() + at, data.data() + at + header.size);
  NpyArray array{.shape = header.shape};
  const size_t count = data.size() / header.size;
  array.values.reserve(count);
  for (size_t i = 0; i < count; ++i)
    array.values.push_back(
        read(data.data() +
             header.size * (header.fortran ? place_in_fortran_order(i, header.shape) : i)));
  return array;
}

}  // namespace py4cast
