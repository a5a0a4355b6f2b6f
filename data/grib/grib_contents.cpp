#include "data/grib/grib_contents.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>

#include "engine/error.h"

namespace py4cast {
namespace {

namespace fs = std::filesystem;

// Coordinates closer than this are the same point [degrees].
constexpr double same_grib_point = 1e-3;

bool same_points(const Grid& a, const Grid& b) {
  const auto near = [](const std::vector<double>& x, const std::vector<double>& y, double turn) {
    return std::ranges::equal(x, y, [turn](double p, double q) {
      return std::abs(turn > 0 ? std::remainder(p - q, turn) : p - q) < same_grib_point;
    });
  };
  return a.rows == b.rows && a.columns == b.columns && near(a.latitude, b.latitude, 0) &&
         near(a.longitude, b.longitude, 360);
}

std::string at_byte(const std::string& path, const GribField& field) {
  return path + ": the message at byte " + std::to_string(field.message.offset);
}

// Stands for missing values in what ecCodes decodes; no float32.
constexpr double undecoded_value = 1e300;

}  // namespace

std::string GribRecord::place() const {
  return at_byte(file->path, field);
}

std::string GribRecord::message() const {
  const GribFile opened(file->path);
  if (opened.size() != file->size || opened.changed() != file->changed)
    throw Error(ErrorKind::data, file->path, ": the file has changed since it was opened");
  return read_grib_message(opened, field);
}

void GribRecord::read(const Region& region, float* out) const {
  const std::string bytes = message();
  const GribOrder& order = layout->order;
  try {
    GribHandle handle(bytes);
    handle.set("missingValue", undecoded_value);
    const std::vector<double> values = handle.numbers("values");
    if (static_cast<int64_t>(values.size()) != order.rows * order.columns)
      throw Error(ErrorKind::data, "it has ", values.size(), " values for ", order.rows, " x ",
                  order.columns, " points");
    for (int64_t row = region.row_begin; row < region.row_end; ++row)
      for (int64_t column = region.column_begin; column < region.column_end; ++column) {
        const double value = values[static_cast<size_t>(order.place(row, column))];
        *out++ = value == undecoded_value ? std::numeric_limits<float>::quiet_NaN()
                                          : static_cast<float>(value);
      }
  } catch (const Error& error) {
    throw Error(error.kind(), place(), ": ", error.what());
  }
}

std::vector<GribRecord> GribContents::add(const std::string& path) {
  const GribFile opened(path);
  const auto file = std::make_shared<const GribRecord::File>(
      GribRecord::File{path, opened.size(), opened.changed()});
  std::vector<GribRecord> records;
  scan_grib(opened, [&](const GribField& field, const GribHeader& header) {
    try {
      records.push_back(record_of(field, header));
      records.back().file = file;
    } catch (const Error& error) {
      throw Error(error.kind(), at_byte(path, field), ": ", error.what());
    }
  });
  return records;
}

GribRecord GribContents::record_of(const GribField& field, const GribHeader& header) {
  GribRecord record{.field = field};
  record.product = product_of(header);
  record.layout = layout_of(header);
  if (header.date) record.run = to_time(Calendar::standard, *header.date);
  return record;
}

const GribProduct* GribContents::product_of(const GribHeader& header) {
  if (const auto known = products_.find(header.product); known != products_.end())
    return &known->second;
  GribHandle handle(header.message);
  return &products_.emplace(header.product, read_grib_product(handle, header.edition))
              .first->second;
}

const GribLayout* GribContents::layout_of(const GribHeader& header) {
  const auto [found, fresh] = layouts_.try_emplace(header.grid);
  GribLayout& layout = found->second;
  if (!fresh) return &layout;
  try {
    if (header.grid.empty())
      throw Error(ErrorKind::data, std::string("the message has no description of its grid"));
    GribGrid read = read_grib_grid(GribHandle(header.message));
    layout.order = read.order;
    layout.description = std::to_string(read.order.rows) + " x " +
                         std::to_string(read.order.columns) + " points, " + read.type;
    layout.grid = grid_like(std::move(read.grid));
  } catch (const Error& error) {
    layout.description = error.what();
  }
  return &layout;
}

int64_t GribContents::grid_like(Grid grid) {
  const auto known =
      std::ranges::find_if(grids_, [&](const Grid& other) { return same_points(grid, other); });
  const int64_t index = known - grids_.begin();
  if (known == grids_.end()) grids_.push_back(std::move(grid));
  return index;
}

bool is_grib(const std::string& path) {
  std::error_code code;
  if (fs::is_directory(path, code)) {
    for (fs::recursive_directory_iterator at(path, code), end; !code && at != end;
         at.increment(code))
      if (at->is_regular_file(code) && is_grib(at->path().string())) return true;
    return false;
  }
  if (!fs::is_regular_file(path, code)) return false;
  std::string beginning(512, '\0');
  std::ifstream(path, std::ios::binary)
      .read(beginning.data(), static_cast<std::streamsize>(beginning.size()));
  const size_t found = beginning.find("GRIB");
  return found != std::string::npos && found + 7 < beginning.size() &&
         (beginning[found + 7] == 1 || beginning[found + 7] == 2);
}

std::vector<std::string> grib_files(const std::vector<std::string>& paths) {
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    if (!fs::is_directory(path)) {
      files.push_back(path);
      continue;
    }
    const auto first = static_cast<std::ptrdiff_t>(files.size());
    std::error_code code;
    for (fs::recursive_directory_iterator at(path, code), end; !code && at != end;
         at.increment(code))
      if (at->is_regular_file(code) && is_grib(at->path().string()))
        files.push_back(at->path().string());
    if (code) throw Error(ErrorKind::data, path, ": cannot be listed: ", code.message());
    if (first == static_cast<std::ptrdiff_t>(files.size()))
      throw Error(ErrorKind::data, path, ": there is no GRIB file in the folder");
    std::sort(files.begin() + first, files.end());
  }
  return files;
}

}  // namespace py4cast
