// The fields of a smeagol tree.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "data/netcdf/netcdf_file.h"
#include "data/smeagol/smeagol_settings.h"
#include "data/smeagol/smeagol_tree.h"
#include "data/weather/source.h"
#include "engine/device.h"

namespace py4cast {

// Runs are those that the tree has, leads the terms of the settings, members numbered as in the files.
// A file has dimensions step x [level] x Y x X with coordinates `step` [h] and `level`. A variable with a
// file of its own has levels; one of the surface files has the level 0. Constant fields are the planes
// of Mesh_and_SurfGeo.nc, which also has lat, lon [degrees], x and y [m].
//
// A field is there if its file, term and level are. Files are opened when they are first asked for.
// Error(data): a file that is damaged, or on another grid; names it.
class SmeagolSource : public FieldSource {
 public:
  // Members that the tree lacks, of those wanted, are gaps like any other missing file.
  SmeagolSource(const SmeagolSettings& settings, const std::vector<int64_t>& members,
                MemoryLedger* ledger = nullptr);

  const Grid& grid() const override { return grid_; }
  const TimeAxis& times() const override { return times_; }
  const std::vector<VariableInfo>& variables() const override { return variables_; }
  std::string place() const override { return tree_.folder; }
  void read(const FieldRequest& request, const Region& region, float* out) override;
  Packing read_stored(const FieldRequest& request, const Region& region, void* out) override;
  bool exists(const FieldRequest& request) const override;
  // 1 + level / 90 on model levels, 2 at the surface.
  double default_weight(const VariableInfo& info, double level) const override;
  std::vector<std::string> notes() const override;
  std::string file_of(const FieldRequest& request) const override;
  std::map<std::string, std::string> left_out() const override { return left_out_; }
  std::string fingerprint() const override;
  std::string content() const override;

 private:
  // What a file holds; most of one kind hold the same and share it.
  struct Contents {
    std::map<std::string, CfVariable> variables;
    std::vector<int> leads;      // of each lead of the axis, its index in the file or -1
    std::vector<double> levels;  // of the file
  };
  // The files of one name, by run and member: empty until they are asked for.
  struct Files {
    std::vector<std::shared_ptr<const Contents>> contents;
    std::vector<char> asked;
  };
  struct Found {
    std::string stem;                      // of the file; empty: the constants
    const CfVariable* variable = nullptr;  // null: the field is not there
    int lead = 0, level = 0;
  };

  void read_constants();
  void set_mapping();
  void add_variables();
  void add_variable(const std::string& stem, const CfVariable& v, std::vector<double> levels);
  std::vector<double> coordinate(const CfMetadata& metadata, const std::string& name) const;
  std::string problem_of(const CfVariable& v, const std::string& path) const;
  std::shared_ptr<const Contents> read_contents(const std::string& path) const;
  const Contents* contents(const std::string& stem, int64_t run, int64_t member) const;
  Found find(const FieldRequest& request) const;
  std::string path_of(const Found& found, const FieldRequest& request) const;

  const CpuLevel level_ = best_cpu_level();
  const SmeagolSettings settings_;
  const SmeagolTree tree_;
  mutable NetcdfPool pool_;
  Grid grid_;
  TimeAxis times_;
  std::vector<VariableInfo> variables_;
  std::map<std::string, std::string> stems_;  // of each variable
  std::map<std::string, CfVariable> constants_;
  std::map<std::string, std::string> left_out_;
  mutable std::mutex mutex_;
  mutable std::map<std::string, Files> files_;                            // by stem
  mutable std::map<std::string, std::shared_ptr<const Contents>> alike_;  // by what they hold
  mutable std::map<std::string, std::string>
      missing_;  // files that were asked for, and what they lack
};

}  // namespace py4cast
