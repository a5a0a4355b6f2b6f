// Files of one format (netCDF, Zarr) as metadata and numbers, packed or not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "data/cf/cf_variable.h"

namespace py4cast {

// What a format must be able to do, and what follows from it. All functions may be called from
// several threads. A block is `count` values from `start` along each dimension, in the file's order.
class CfFiles {
 public:
  virtual ~CfFiles() = default;

  // Error(data): missing, foreign, damaged file.
  virtual CfMetadata describe(const std::string& path) = 0;
  // A block of a numeric variable as it stands in the file, of the variable's type. Error(data): what
  // cannot be read, or is not what `variable` describes any more because the file was replaced (a first
  // dimension may have grown).
  virtual void read_block(const std::string& path, const CfVariable& variable,
                          const std::vector<size_t>& start, const std::vector<size_t>& count,
                          void* out) = 0;
  // The values of a text variable, without blanks and zeros at their ends. Error(data).
  virtual std::vector<std::string> read_texts(const std::string& path,
                                              const CfVariable& variable) = 0;
  // On the disk.
  virtual uint64_t bytes(const std::string& path) = 0;

  // A block as values:
  //   value = packed * scale_factor + add_offset
  // Missing values (_FillValue, missing_value, outside valid_min, valid_max or valid_range, or
  // never written) become NaN. _Unsigned is honoured. Error(data): as read_block; a text; attributes of
  // packing that are no numbers.
  // Source: CF conventions 1.8, sections 2.5.1 and 8.1; netCDF users guide, appendix A.
  void read(const std::string& path, const CfVariable& variable, const std::vector<size_t>& start,
            const std::vector<size_t>& count, double* out);
  // A block to be unpacked as variable.packing() says: as it stands in the file. What is wider than
  // four bytes, or has more kinds of missing values than a Packing can name, comes unpacked as f32.
  void read_stored(const std::string& path, const CfVariable& variable,
                   const std::vector<size_t>& start, const std::vector<size_t>& count, void* out);
  // The whole variable. Error(data): it has more values than a file of that length can hold.
  std::vector<double> read(const std::string& path, const CfVariable& variable);

  // Error(data) if so many values (of at least a byte) cannot stem from the file, however well they
  // are compressed: nothing of that size is allocated.
  void check_fits(const std::string& path, const std::string& what,
                  const std::vector<size_t>& shape);
};

// Of a shape or the count of a block.
size_t product(const std::vector<size_t>& lengths);

}  // namespace py4cast
