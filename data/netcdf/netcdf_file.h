// netCDF files as metadata and numbers, packed or not, read through a bounded pool of open files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "kernels/fields/field_plane.h"

namespace py4cast {

class MemoryLedger;

// netCDF-C and HDF5 are not thread safe: whoever calls them holds this lock.
std::mutex& netcdf_mutex();

struct NetcdfAttribute {
  int type = 0;                 // nc_type
  std::string text;             // of a text attribute
  std::vector<double> numbers;  // of a numeric attribute
};

struct NetcdfVariable {
  std::string name;
  std::vector<std::string> dimensions;
  std::vector<size_t> shape;
  int type = 0;  // nc_type
  std::map<std::string, NetcdfAttribute> attributes;

  bool is_numeric() const;
  // Of NetcdfPool::read_stored.
  Packing packing() const;
  // The text of an attribute; empty if there is none.
  std::string text(const std::string& attribute) const;
};

// What the root group of a file holds.
struct NetcdfMetadata {
  std::string path;
  std::map<std::string, size_t> dimensions;
  std::vector<NetcdfVariable> variables;
  std::map<std::string, NetcdfAttribute> attributes;

  const NetcdfVariable* find(const std::string& name) const;  // null if there is none
};

// Keeps at most `capacity` files open and closes the one used longest ago. Files are opened on
// their first use. All functions may be called from several threads. The ledger, if there is one,
// counts the open files.
class NetcdfPool {
 public:
  explicit NetcdfPool(size_t capacity = 128, MemoryLedger* ledger = nullptr);
  ~NetcdfPool();
  NetcdfPool(const NetcdfPool&) = delete;
  NetcdfPool& operator=(const NetcdfPool&) = delete;

  // Error(data): missing, foreign or truncated file.
  NetcdfMetadata describe(const std::string& path);

  // Reads the block of `count` values from `start` along each dimension, in the file's order:
  //   value = packed * scale_factor + add_offset
  // Missing values (_FillValue, missing_value, outside valid_min, valid_max or valid_range, or
  // never written) become NaN. _Unsigned is honoured. Error(data): what cannot be read. Source: CF
  // conventions 1.8, sections 2.5.1 and 8.1; netCDF users guide, appendix A.
  void read(const std::string& path, const NetcdfVariable& variable,
            const std::vector<size_t>& start, const std::vector<size_t>& count, double* out);
  // The same block as it stands in the file, to be unpacked as variable.packing() says. What is
  // wider than four bytes, or has more kinds of missing values than a Packing can name, comes
  // unpacked as f32.
  void read_stored(const std::string& path, const NetcdfVariable& variable,
                   const std::vector<size_t>& start, const std::vector<size_t>& count, void* out);
  // The whole variable.
  std::vector<double> read(const std::string& path, const NetcdfVariable& variable);

  size_t capacity() const { return capacity_; }
  size_t open_files() const;
  // How often a file was opened so far.
  size_t opens() const;

 private:
  struct OpenFile {
    std::string path;
    int id = 0;
  };
  int acquire(const std::string& path);
  void close(const OpenFile& file);
  template <typename Get>
  void with_variable(const std::string& path, const NetcdfVariable& variable, Get get);

  const size_t capacity_;
  MemoryLedger* const ledger_;
  std::list<OpenFile> files_;  // the one used last first
  size_t opens_ = 0;
};

// Error(data) if a netCDF-3 file is shorter than its header says (the library would return fill
// values). Files of other formats pass: HDF5 checks their length itself.
void check_classic_length(const std::string& path);

}  // namespace py4cast
