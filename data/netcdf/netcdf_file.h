// netCDF files as metadata and numbers, packed or not, read through a bounded pool of open files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <mutex>
#include <set>
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
  // Why its numbers cannot be unpacked: an attribute such as scale_factor is a text, is not finite
  // or is 0. Empty: they can.
  std::string packing_problem() const;
  // Of NetcdfPool::read_stored. Error(data): see packing_problem.
  Packing packing() const;
  // The text of an attribute; empty if there is none.
  std::string text(const std::string& attribute) const;
  std::string describe_shape() const;  // "time 24 x latitude 33"
};

// What the root group of a file holds.
struct NetcdfMetadata {
  std::string path;
  std::map<std::string, size_t> dimensions;
  std::vector<NetcdfVariable> variables;
  std::map<std::string, NetcdfAttribute> attributes;
  std::vector<std::string> groups;  // below the root; what they hold is not read

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

  // Error(data): missing, foreign, locked or truncated file. Texts that are not UTF-8 are taken for
  // Latin-1.
  NetcdfMetadata describe(const std::string& path);

  // Reads the block of `count` values from `start` along each dimension, in the file's order:
  //   value = packed * scale_factor + add_offset
  // Missing values (_FillValue, missing_value, outside valid_min, valid_max or valid_range, or
  // never written) become NaN. _Unsigned is honoured. Error(data): what cannot be read, or is not what
  // `variable` describes any more because the file was replaced (a first dimension may have grown).
  // Source: CF conventions 1.8, sections 2.5.1 and 8.1; netCDF users guide, appendix A.
  void read(const std::string& path, const NetcdfVariable& variable,
            const std::vector<size_t>& start, const std::vector<size_t>& count, double* out);
  // The same block as it stands in the file, to be unpacked as variable.packing() says. What is
  // wider than four bytes, or has more kinds of missing values than a Packing can name, comes
  // unpacked as f32.
  void read_stored(const std::string& path, const NetcdfVariable& variable,
                   const std::vector<size_t>& start, const std::vector<size_t>& count, void* out);
  // The whole variable. Error(data): it has more values than a file of that length can hold.
  std::vector<double> read(const std::string& path, const NetcdfVariable& variable);
  // The rows of a text variable (NC_CHAR), without blanks and zeros at their ends.
  std::vector<std::string> read_texts(const std::string& path, const NetcdfVariable& variable);

  size_t capacity() const { return capacity_; }
  size_t open_files() const;
  // How often a file was opened so far.
  size_t opens() const;

 private:
  struct OpenFile {
    std::string path;
    int id = 0;
    std::set<std::string> checked;  // variables that are still as they were described
  };
  OpenFile& acquire(const std::string& path);
  void close(const OpenFile& file);
  template <typename Get>
  void with_variable(const std::string& path, const NetcdfVariable& variable, Get get);

  const size_t capacity_;
  MemoryLedger* const ledger_;
  std::list<OpenFile> files_;  // the one used last first
  size_t opens_ = 0;
};

// Error(data) if so many values (of at least a byte) cannot stem from the file, however well they are
// compressed: nothing of that size is allocated.
void check_fits_file(const std::string& path, const std::string& what,
                     const std::vector<size_t>& shape);

// Error(data) if a netCDF-3 file is shorter than its header says (the library would return fill
// values), or if its header has names, lengths or numbers that the library does not survive. Files of
// other formats pass: HDF5 checks itself.
void check_classic_header(const std::string& path);

}  // namespace py4cast
