// One data set from one or many files that the CF conventions describe.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "data/cf/cf_files.h"
#include "data/cf/file_layout.h"
#include "data/weather/data_files.h"
#include "data/weather/source.h"
#include "engine/device.h"

namespace py4cast {

// The union of files. Files may split the data by time, run, member, level or variable; they must
// agree on the grid, the calendar and the units of each variable. A variable with a single time
// beside variables with many is constant (has_time = false) unless it is wanted: reanalyses store relief and land-sea
// mask so. A variable that one file cannot give, or of which two files hold different values of one field, is left out of all. One run alone, or one lead time alone, is a series over its validity times.
class CfSource : public FieldSource {
 public:
  // patterns: data/weather/data_files.h; wanted: as DatasetKind::open_source, describe_layout. Error(data):
  // missing, foreign or inconsistent files.
  CfSource(std::shared_ptr<CfFiles> files, const std::vector<std::string>& patterns,
           const std::vector<std::string>& wanted = {});

  const Grid& grid() const override { return grid_; }
  const TimeAxis& times() const override { return times_; }
  const std::vector<VariableInfo>& variables() const override { return variables_; }
  std::string place() const override { return first_and_more(paths_); }
  void read(const FieldRequest& request, const Region& region, float* out) override;
  Packing read_stored(const FieldRequest& request, const Region& region, void* out) override;
  bool exists(const FieldRequest& request) const override;
  std::string file_of(const FieldRequest& request) const override;
  std::map<std::string, std::string> left_out() const override { return left_out_; }
  std::string fingerprint() const override;
  std::string content() const override;

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
    size_t holder = 0;  // in Field::runs
  };

  void add_file(FileLayout layout);
  void leave_out_unusable();
  void check_grid(const FileLayout& layout) const;
  void check_heights(const std::string& name, const std::vector<Piece>& pieces) const;
  void check_units(const FieldLayout& first, const std::string& first_path,
                   const FieldLayout& other, const std::string& other_path) const;
  void find_constants(const std::vector<std::string>& wanted);
  void collect_times();
  void count_by_validity();
  void collect_levels();
  void index_pieces(Field& field, const VariableInfo& info);
  // Whether two files hold the same field, up to the steps of their packing.
  bool same_values(const Found& a, const Found& b) const;
  // Which files contradict each other about a field of the variable; empty: none.
  std::string doubt_about(const VariableInfo& info) const;
  // The first from that holder on; without a piece: none.
  Found find(const VariableInfo& info, const FieldRequest& request, size_t holder = 0) const;
  Found find(const FieldRequest& request) const;
  // Of versions of the same fields (expver: ERA5, ERA5T) the first that has a value.
  void read_merged(const Piece& piece, std::vector<size_t> start, const std::vector<size_t>& count,
                   float* out) const;
  // Error(data, shape): what cannot be read, as CfFiles; a region beyond the grid.
  Packing read_found(const Found& found, const Region& region, void* out) const;
  [[noreturn]] void refuse(const FieldRequest& request) const;

  const CpuLevel level_ = best_cpu_level();
  const std::shared_ptr<CfFiles> files_;
  std::vector<std::string> paths_;
  std::string grid_path_, calendar_path_;
  Grid grid_;
  TimeAxis times_;
  std::vector<double> members_;
  std::vector<VariableInfo> variables_;
  std::map<std::string, Field> fields_;
  std::map<std::string, std::string> left_out_;  // variable -> file and reason
  std::map<std::string, double>
      member_numbers_;              // of members that are texts: in the order in which they come
  std::set<std::string> unusable_;  // of them, those whose fields are on the grid
};

}  // namespace py4cast
