// The fields of GRIB files, before anything is made of them.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/grib/grib_file.h"
#include "data/grib/grib_grid.h"
#include "data/grib/grib_product.h"

namespace py4cast {

// A way in which the numbers of messages lie on a grid.
struct GribLayout {
  int64_t grid = -1;  // index into GribContents::grids; negative: it cannot be used
  GribOrder order;
  std::string description;  // "717 x 1121 points, regular_ll", or why it cannot be used
};

// One field of one file.
struct GribRecord {
  struct File {
    std::string path;
    int64_t size = 0, changed = 0;
  };
  std::shared_ptr<const File> file;
  GribField field;
  const GribProduct* product = nullptr;
  const GribLayout* layout = nullptr;
  std::optional<Time> run;  // reference time; none: the message has no date

  // "FILE: the message at byte 120"
  std::string place() const;
  // Error(data): the file has changed since it was added.
  std::string message() const;
  // The values of a part of the grid, NaN where missing; several threads may read. Error(data): as
  // message; ecCodes cannot decode it; it has not as many values as its grid.
  void read(const Region& region, float* out) const;
};

// The fields of files, without their values. Only headers are read: of a product or a grid that many
// messages share, once. Grids whose points lie within 0.001 degrees of each other are the same.
class GribContents {
 public:
  GribContents() = default;
  GribContents(const GribContents&) = delete;
  GribContents& operator=(const GribContents&) = delete;

  // The fields of one more file. Error(data): as scan_grib, read_grib_product; a date that does not exist.
  std::vector<GribRecord> add(const std::string& path);
  const std::deque<Grid>& grids() const { return grids_; }  // they stay where they are

 private:
  GribRecord record_of(const GribField& field, const GribHeader& header);
  const GribProduct* product_of(const GribHeader& header);
  const GribLayout* layout_of(const GribHeader& header);
  int64_t grid_like(Grid grid);

  std::map<std::string, GribProduct> products_;  // by their bytes
  std::map<std::string, GribLayout> layouts_;    // by the bytes of the grid's section
  std::deque<Grid> grids_;
};

// Whether a file begins as GRIB, perhaps after a bulletin's header; of a folder, whether one of its
// files does. Never an error.
bool is_grib(const std::string& path);
// The files that are meant: those given, and of a folder all GRIB files in it and below, by name.
// Error(data): a folder without any.
std::vector<std::string> grib_files(const std::vector<std::string>& paths);

}  // namespace py4cast
