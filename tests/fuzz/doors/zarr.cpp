// A Zarr store as a data set. The input is its files, one after another: a line "=== NAME", the content, a line break.
#include <filesystem>
#include <fstream>

#include "data/zarr/zarr_dataset.h"
#include "tests/fuzz/door.h"

namespace {

// Below the folder, and there only.
bool harmless(const std::filesystem::path& name) {
  if (name.empty() || name.is_absolute() || name.string().size() > 200) return false;
  for (const auto& part : name)
    if (part == ".." || part.string().find('\0') != std::string::npos) return false;
  return name.has_filename();
}

}  // namespace

void py4cast::enter(std::string_view input) {
  namespace fs = std::filesystem;
  constexpr std::string_view mark = "=== ";
  const Stranger store("store.zarr");
  fs::create_directory(store.path());
  while (input.starts_with(mark)) {
    const size_t line = std::min(input.find('\n'), input.size()),
                 end = std::min(input.find("\n=== ", line), input.size());
    const fs::path name(input.substr(mark.size(), line - mark.size()));
    std::error_code code;
    if (harmless(name)) {
      const fs::path file = fs::path(store.path()) / name;
      fs::create_directories(file.parent_path(), code);
      const size_t begin = std::min(line + 1, end);
      std::ofstream(file, std::ios::binary) << input.substr(begin, end - begin);
    }
    input.remove_prefix(std::min(end + 1, input.size()));
  }
  walk(*open_zarr({store.path()}));
}
