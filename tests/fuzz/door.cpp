#include "tests/fuzz/door.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <vector>

#include "data/weather/source.h"

namespace py4cast {

namespace fs = std::filesystem;

Stranger::Stranger(const std::string& name)
    : path_(fs::temp_directory_path() /
            ("py4cast_fuzz_" + std::to_string(::getpid()) + "_" + name)) {
  fs::remove_all(path_);
}

Stranger::Stranger(const std::string& name, std::string_view content) : Stranger(name) {
  std::ofstream(path_, std::ios::binary)
      .write(content.data(), static_cast<std::streamsize>(content.size()));
}

Stranger::~Stranger() {
  std::error_code code;
  fs::remove_all(path_, code);
}

void walk(FieldSource& source, bool read) {
  const Grid& grid = source.grid();
  const TimeAxis& times = source.times();
  const Region region{0, std::min<int64_t>(grid.rows, 64), 0, std::min<int64_t>(grid.columns, 64)};
  std::vector<float> values(static_cast<size_t>(region.rows() * region.columns()));
  std::vector<double> stored(values.size());  // room for any type
  for (const VariableInfo& info : source.variables()) {
    FieldRequest last{.variable = info.name};
    last.level = std::max<int64_t>(static_cast<int64_t>(info.levels.size()), 1) - 1;
    if (info.has_time) {
      last.run = static_cast<int64_t>(times.runs.size()) - 1;
      last.lead = static_cast<int64_t>(times.leads.size()) - 1;
      last.member = times.members - 1;
    }
    for (const FieldRequest& request : {FieldRequest{.variable = info.name}, last}) {
      if (!source.exists(request) || !read) continue;
      source.read(request, region, values.data());
      source.read_stored(request, region, stored.data());
    }
  }
  source.fingerprint();
}

}  // namespace py4cast
