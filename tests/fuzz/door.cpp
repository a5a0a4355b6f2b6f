#include "tests/fuzz/door.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <vector>

#include "data/weather/source.h"

namespace py4cast {

namespace fs = std::filesystem;

namespace {

// Below the folder, and there only.
bool harmless(const fs::path& name) {
  if (name.empty() || name.is_absolute() || name.string().size() > 200) return false;
  for (const auto& part : name)
    if (part == ".." || part.string().find('\0') != std::string::npos) return false;
  return name.has_filename();
}

}  // namespace

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

void unpack_folder(std::string_view input, const std::string& folder) {
  constexpr std::string_view mark = "=== ";
  fs::create_directory(folder);
  while (input.starts_with(mark)) {
    const size_t line = std::min(input.find('\n'), input.size()),
                 end = std::min(input.find("\n=== ", line), input.size());
    const fs::path name(input.substr(mark.size(), line - mark.size()));
    std::error_code code;
    if (harmless(name)) {
      const fs::path file = fs::path(folder) / name;
      fs::create_directories(file.parent_path(), code);
      const size_t begin = std::min(line + 1, end);
      std::ofstream(file, std::ios::binary) << input.substr(begin, end - begin);
    }
    input.remove_prefix(std::min(end + 1, input.size()));
  }
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
