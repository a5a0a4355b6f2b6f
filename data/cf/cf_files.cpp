#include "data/cf/cf_files.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include "data/cf/unpacking.h"

namespace py4cast {
namespace {

// The variable's unpacking; the file is named where it has none.
Unpacking unpacking_of(const std::string& path, const CfVariable& v) {
  if (!v.is_numeric())
    throw Error(ErrorKind::data, path, ": variable '", v.name, "' is not numeric",
                v.unreadable.empty() ? "" : ": ", v.unreadable);
  try {
    return Unpacking(v);
  } catch (const Error& error) {
    throw Error(ErrorKind::data, path, ": ", error.what());
  }
}

}  // namespace

size_t product(const std::vector<size_t>& lengths) {
  return std::accumulate(lengths.begin(), lengths.end(), size_t{1}, std::multiplies<>());
}

void CfFiles::check_fits(const std::string& path, const std::string& what,
                         const std::vector<size_t>& shape) {
  // Deflate shrinks 1032 times at best.
  constexpr uint64_t shrinks = 4096;
  uint64_t values = 1;
  for (size_t length : shape)
    if (__builtin_mul_overflow(values, length, &values)) values = UINT64_MAX;
  const uint64_t stored = bytes(path);
  if (values / shrinks <= std::max(stored, uint64_t{1024})) return;
  std::string sizes;
  for (size_t length : shape) sizes += (sizes.empty() ? "" : " x ") + std::to_string(length);
  throw Error(ErrorKind::data, path, ": ", what, " has ", sizes, " values, but the file only ",
              stored, " bytes");
}

void CfFiles::read(const std::string& path, const CfVariable& variable,
                   const std::vector<size_t>& start, const std::vector<size_t>& count,
                   double* out) {
  const Unpacking unpack = unpacking_of(path, variable);
  const size_t values = product(count);
  with_element_type(variable.type, [&]<typename T>(T) {
    std::vector<T> block(values);
    read_block(path, variable, start, count, block.data());
    std::ranges::transform(block, out, [&](T value) { return unpack(static_cast<double>(value)); });
  });
}

void CfFiles::read_stored(const std::string& path, const CfVariable& variable,
                          const std::vector<size_t>& start, const std::vector<size_t>& count,
                          void* out) {
  if (unpacking_of(path, variable).packing()) {
    read_block(path, variable, start, count, out);
    return;
  }
  std::vector<double> values(product(count));
  read(path, variable, start, count, values.data());
  std::ranges::transform(values, static_cast<float*>(out),
                         [](double value) { return static_cast<float>(value); });
}

std::vector<double> CfFiles::read(const std::string& path, const CfVariable& variable) {
  check_fits(path, "variable '" + variable.name + "'", variable.shape);
  std::vector<double> out(product(variable.shape));
  if (!out.empty())
    read(path, variable, std::vector<size_t>(variable.shape.size(), 0), variable.shape, out.data());
  return out;
}

}  // namespace py4cast
