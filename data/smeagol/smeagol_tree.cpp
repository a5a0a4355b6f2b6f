#include "data/smeagol/smeagol_tree.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <optional>

#include "data/weather/calendar.h"
#include "engine/error.h"

namespace py4cast {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code code;
  for (fs::directory_iterator entry(folder, code), end; !code && entry != end;
       entry.increment(code))
    names.push_back(entry->path().filename().string());
  if (code) throw Error(ErrorKind::data, folder, ": cannot be listed: ", code.message());
  std::ranges::sort(names);
  return names;
}

// "20220806H03"
std::optional<Time> run_of(const std::string& name) {
  int year = 0, month = 0, day = 0, hour = 0, end = 0;
  if (std::sscanf(name.c_str(), "%4d%2d%2dH%2d%n", &year, &month, &day, &hour, &end) != 4 ||
      name.size() != 11 || end != 11)
    return {};
  try {
    return to_time(Calendar::standard, {year, month, day, hour});
  } catch (const Error&) {
    return {};  // no day of the calendar
  }
}

// "mb_004_TEMPERATURE.nc": the member, and where its variable begins.
std::optional<std::pair<int64_t, std::string>> member_of(const std::string& name) {
  int member = 0, end = 0;
  if (std::sscanf(name.c_str(), "mb_%3d_%n", &member, &end) != 1 || end != 7 || member < 0 ||
      !name.ends_with(".nc") || name.size() < 11)
    return {};
  return std::pair(member, name.substr(7, name.size() - 10));
}

// Goes down to `name`.
std::string inner(const std::string& folder, const std::string& name) {
  const std::string path = folder + "/" + name;
  if (fs::is_directory(path)) return path;
  throw Error(ErrorKind::data, path, ": there is no such folder; the nearest is '",
              nearest_name(name, names_in(folder)), "'");
}

}  // namespace

std::string SmeagolPlace::folder() const {
  return root + "/nc/" + domain + "/" + model + "_" + geometry;
}

std::string smeagol_constants(const std::string& folder) {
  return folder + "/constant/Mesh_and_SurfGeo.nc";
}

std::string smeagol_file(const std::string& folder, Time run, int64_t member,
                         const std::string& stem) {
  const DateTime date = to_date(Calendar::standard, run);
  char text[64];
  std::snprintf(text, sizeof text, "/%04d%02d%02dH%02d/mb_%03d_", static_cast<int>(date.year),
                date.month, date.day, date.hour, static_cast<int>(member));
  return folder + text + stem + ".nc";
}

std::string SmeagolTree::path(const std::string& stem, int64_t run, int64_t member) const {
  return smeagol_file(folder, runs[static_cast<size_t>(run)], member, stem);
}

SmeagolTree list_smeagol_tree(const SmeagolPlace& place) {
  if (!fs::is_directory(place.root))
    throw Error(ErrorKind::data, place.root,
                ": there is no such folder (dataset.settings.root, or the environment variable "
                "PY4CAST_SMEAGOL_PATH)");
  const std::string domain = inner(inner(place.root, "nc"), place.domain);
  SmeagolTree tree{.folder = inner(domain, place.model + "_" + place.geometry)};
  for (const std::string& name : names_in(tree.folder)) {
    const auto time = run_of(name);
    if (!time) continue;
    const auto run = static_cast<int64_t>(tree.runs.size());
    tree.runs.push_back(*time);
    for (const std::string& file : names_in(tree.folder + "/" + name))
      if (const auto found = member_of(file)) {
        tree.files[found->second].emplace(run, found->first);
        tree.members = std::max(tree.members, found->first + 1);
      }
  }
  if (tree.files.empty())
    throw Error(ErrorKind::data, tree.folder,
                ": has no runs; their folders and files are named as "
                "20220806H03/mb_000_TEMPERATURE.nc");
  return tree;
}

}  // namespace py4cast
