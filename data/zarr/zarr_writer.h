// Writing Zarr stores.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "data/cf/cf_writer.h"
#include "data/weather/forecast.h"
#include "engine/settings/json.h"

namespace py4cast {

// Writes stores of version 2 as xarray writes and reads them: dimensions in _ARRAY_DIMENSIONS, _FillValue as
// fill_value, chunks compressed by blosc (lz4, shuffled) as zarr-python 2 does by default, consolidated
// metadata. Into "<path>.partial" beside the wanted folder, to which finish() gives its name. A store that is
// there already is replaced. Error(input_output): what is there is no store; nor is "<path>.partial" one that
// was begun.
// Source: Zarr storage specification version 2; xarray's "Zarr encoding specification".
class ZarrWriter : public CfWriter {
 public:
  explicit ZarrWriter(const std::string& path);
  ~ZarrWriter() override;
  ZarrWriter(const ZarrWriter&) = delete;
  ZarrWriter& operator=(const ZarrWriter&) = delete;

  int dimension(const std::string& name, size_t length) override;
  // Without `chunk` the variable is one.
  int variable(const std::string& name, Type type, const std::vector<int>& dimensions,
               const std::vector<size_t>& chunk = {}) override;
  void attribute(int variable, const std::string& name, const std::string& text) override;
  void attribute(int variable, const std::string& name, double value, Type type) override;
  void attribute(int variable, const std::string& name, const std::vector<double>& values) override;

  // The whole variable at once.
  void write(int variable, const std::vector<size_t>& start, const std::vector<size_t>& count,
             const float* values) override;
  void write(int variable, const std::vector<size_t>& start, const std::vector<size_t>& count,
             const double* values) override;

  void finish() override;

 private:
  struct Dimension {
    std::string name;
    size_t length;
  };
  struct Array {
    std::string name;
    Type type;
    std::vector<size_t> shape, chunk;
    Json metadata, attributes;
  };
  Json& attributes_of(int variable);
  template <typename T>
  void write_chunks(int variable, const std::vector<size_t>& count, const T* values);

  std::string path_, partial_;
  bool finished_ = false;
  std::vector<Dimension> dimensions_;
  std::vector<Array> arrays_;
  Json attributes_;
};

// As a name of a forecast: ".zarr".
bool is_zarr_name(const std::string& path);
// A store of it (data/cf/cf_forecast.h). It appears whole or not at all.
void write_zarr_forecast(const std::string& path, const ForecastFile& forecast);

}  // namespace py4cast
