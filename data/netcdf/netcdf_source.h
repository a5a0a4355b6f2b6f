// One data set from one or many CF netCDF files (see open_netcdf in data/netcdf/netcdf_dataset.h).
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "data/netcdf/netcdf_layout.h"
#include "data/weather/source.h"
#include "engine/device.h"

namespace py4cast {

// The existing files that names and shell patterns stand for, sorted within a pattern, without
// repetition. Error(data): a name or a pattern that stands for nothing.
std::vector<std::string> expand_patterns(const std::vector<std::string>& patterns);

// The union of files. Files may split the data by time, run, member, level or variable; they must
// agree on the grid, the calendar and the units of each variable. A variable with a single time
// beside variables with many is constant (has_time = false): reanalyses store relief and land-sea
// mask so. One run alone, or one lead time alone, is a series over its validity times.
class NetcdfSource : public FieldSource {
 public:
  explicit NetcdfSource(const std::vector<std::string>& patterns, size_t open_files = 128,
                        MemoryLedger* ledger = nullptr);

  const Grid& grid() const override { return grid_; }
  const TimeAxis& times() const override { return times_; }
  const std::vector<VariableInfo>& variables() const override { return variables_; }
  const VariableInfo& variable(const std::string& name) const override;
  void read(const FieldRequest& request, const Region& region, float* out) override;
  Packing read_stored(const FieldRequest& request, const Region& region, void* out) override;
  bool exists(const FieldRequest& request) const override;
  std::string file_of(const FieldRequest& request) const override;
  std::map<std::string, std::string> left_out() const override { return left_out_; }
  std::string fingerprint() const override;
  std::string content() const override;

  const NetcdfPool& pool() const { return pool_; }

 private:
  // One variable of one file and where its indices lie in the data set (-1: not there).
  struct Piece {
    std::string path;
    FieldLayout layout;
    Packing packing;
    std::vector<int> leads, members, levels;
  };
  struct Field {
    std::vector<Piece> pieces;
    // For each run, the pieces that hold it and the index therein.
    std::vector<std::vector<std::pair<int, int>>> runs;
  };
  struct Found {
    const Piece* piece = nullptr;
    int run = 0, lead = 0, member = 0, level = 0;
  };

  void add_file(FileLayout layout);
  void check_grid(const FileLayout& layout) const;
  void check_units(const FieldLayout& first, const std::string& first_path,
                   const FieldLayout& other, const std::string& other_path) const;
  void find_constants();
  void collect_times();
  void count_by_validity();
  void collect_levels();
  void index_pieces(Field& field, const VariableInfo& info);
  void check_overlaps(const Field& field) const;
  Found find(const FieldRequest& request) const;
  [[noreturn]] void refuse(const FieldRequest& request) const;
  std::string describe(const FieldRequest& request) const;

  const CpuLevel level_ = best_cpu_level();
  NetcdfPool pool_;
  std::vector<std::string> paths_;
  std::string grid_path_, calendar_path_;
  Grid grid_;
  TimeAxis times_;
  std::vector<double> members_;
  std::vector<VariableInfo> variables_;
  std::map<std::string, Field> fields_;
  std::map<std::string, std::string> left_out_;  // variable -> file and reason
};

}  // namespace py4cast
