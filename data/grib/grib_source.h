// One data set from one or many GRIB files.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "data/grib/grib_contents.h"
#include "data/weather/data_files.h"
#include "data/weather/source.h"

namespace py4cast {

// The union of all messages. A variable is what shares name, type of level, type of step and what is
// derived of an ensemble (grib_product.h); where a name stands for several of them, what tells them apart
// is added to it ("t_isobaricInhPa", "t_heightAboveGround", "t2m_spread"), and so is the bottom of layers
// some of which share their top ("vucsh_to_6000"). Its levels (of layers, the tops) rise. A single level is
// one to choose only on pressure and model surfaces; elsewhere it is part of what the variable is (2 m, 10 m).
//
// Times: the reference time is the run, the end of the step (of an accumulation: of its time range) the
// lead. One run alone, or one lead alone, is a series over the times of validity. So are runs of which a
// variable has one lead only, as analyses beside which accumulations of the hours between are laid, as
// long as each field has a time of validity of its own. A variable with a single time beside variables
// with many is constant unless it is wanted; without a date it is in any case.
//
// Members are the distinct numbers of the messages; a message without a number counts for all.
//
// The grid is the one that most fields are on (of the wanted variables, if any are named); fields on
// others are left out with the reason, as are those on grids that are not read. So is a variable of which
// two messages give the same field differently, or whose units differ, or that has a date in some messages
// only.
class GribSource : public FieldSource {
 public:
  // patterns: data/weather/data_files.h; folders stand for the GRIB files in them. Error(data): as
  // GribContents; no field on a known grid, or no variable that is not left out, with the reason.
  explicit GribSource(const std::vector<std::string>& patterns,
                      const std::vector<std::string>& wanted = {});

  const Grid& grid() const override { return contents_.grids()[grid_]; }
  const TimeAxis& times() const override { return times_; }
  const std::vector<VariableInfo>& variables() const override { return variables_; }
  std::string place() const override { return first_and_more(given_); }
  // One message is read and decoded; threads do not wait for one another.
  void read(const FieldRequest& request, const Region& region, float* out) override;
  bool exists(const FieldRequest& request) const override { return find(request) != nullptr; }
  std::string file_of(const FieldRequest& request) const override;
  SourceMessage message(const FieldRequest& request) const override;
  std::map<std::string, std::string> left_out() const override { return left_out_; }
  std::string fingerprint() const override;
  std::string content() const override;

 private:
  // The records of one variable.
  struct Series {
    std::string name;
    std::vector<const GribRecord*> records;
    bool constant = false;
  };
  // A record by its indices: run, lead, member (-1: for all), level.
  struct Entry {
    std::array<int64_t, 4> place;
    const GribRecord* record;
  };

  std::vector<Series> collect_series() const;
  void choose_grid(const std::vector<Series>& series, const std::vector<std::string>& wanted);
  void keep_grid(std::vector<Series>& series);
  void leave_out_doubtful(std::vector<Series>& series);
  void find_constants(std::vector<Series>& series, const std::vector<std::string>& wanted) const;
  void set_times(const std::vector<Series>& series);
  bool is_by_validity(const std::vector<Series>& series) const;
  void add_variable(const Series& series);
  const GribRecord* find(const FieldRequest& request) const;

  std::vector<std::string> given_;  // files and folders
  std::vector<std::string> files_;
  GribContents contents_;
  std::vector<GribRecord> records_;
  size_t grid_ = 0;
  TimeAxis times_;
  bool by_validity_ = false;
  std::vector<int64_t> members_;
  std::vector<VariableInfo> variables_;
  std::map<std::string, std::vector<Entry>> entries_;  // by variable, sorted by place
  std::map<std::string, std::string> left_out_;
};

}  // namespace py4cast
