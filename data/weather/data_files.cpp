#include "data/weather/data_files.h"

#include <glob.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <sstream>

#include "engine/error.h"
#include "engine/files.h"
#include "engine/signs_of_life.h"

namespace py4cast {
namespace {

namespace fs = std::filesystem;

// "size seconds.nanoseconds"
std::string size_and_time(const std::string& path) {
  struct stat status;
  if (stat(path.c_str(), &status) != 0)
    throw Error(ErrorKind::data, path, ": the file has vanished");
  std::ostringstream text;
  text << status.st_size << ' ' << status.st_mtim.tv_sec << '.' << status.st_mtim.tv_nsec;
  return text.str();
}

// Relative to the folder, sorted.
std::vector<std::string> files_below(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code code;
  for (fs::recursive_directory_iterator at(folder, code), end; !code && at != end;
       at.increment(code))
    if (at->is_regular_file(code)) names.push_back(at->path().lexically_relative(folder).string());
  if (code) throw Error(ErrorKind::data, folder, ": cannot be listed: ", code.message());
  std::ranges::sort(names);
  return names;
}

std::string content_of_folder(const std::string& folder) {
  const std::vector<std::string> names = files_below(folder);
  const size_t step = std::max<size_t>(1, names.size() / sampled_files);
  std::ostringstream text;
  for (size_t i = 0; i < names.size(); ++i) {
    const std::string path = folder + "/" + names[i];
    std::error_code code;
    text << names[i] << ' ' << fs::file_size(path, code);
    if (i % step == 0) text << ' ' << file_fingerprint(path);
    text << '\n';
  }
  return fingerprint(text.str());
}

std::string content_of(const std::string& path) {
  return fs::is_directory(path) ? content_of_folder(path) : file_fingerprint(path);
}

std::string size_and_times(const std::string& path) {
  if (!fs::is_directory(path)) return size_and_time(path);
  std::string text;
  for (const std::string& name : files_below(path)) text += size_and_time(path + "/" + name) + '\n';
  return fingerprint(text);
}

}  // namespace

bool is_index(const std::string& path) {
  if (!path.ends_with(".idx")) return false;
  const fs::path name = path.substr(0, path.size() - 4);
  std::error_code code;
  return fs::exists(name, code) || fs::exists(fs::path(name).replace_extension(), code);
}

std::vector<std::string> expand_patterns(const std::vector<std::string>& patterns) {
  std::vector<std::string> paths;
  std::set<std::string> known;
  for (const std::string& pattern : patterns) {
    std::error_code code;
    std::vector<std::string> names;
    if (fs::exists(pattern, code)) {
      names = {pattern};  // also one whose name contains brackets
    } else {
      glob_t matches;
      if (glob(pattern.c_str(), GLOB_TILDE, nullptr, &matches) == 0)
        names.assign(matches.gl_pathv, matches.gl_pathv + matches.gl_pathc);
      globfree(&matches);
    }
    if (names.empty() && pattern.find("://") != std::string::npos)
      throw Error(ErrorKind::data, pattern,
                  ": remote stores are not read; download it first and give the path of the copy");
    if (names.empty() && code) throw Error(ErrorKind::data, pattern, ": ", code.message());
    if (names.empty())
      throw Error(ErrorKind::data, pattern,
                  pattern.find_first_of("*?[") == std::string::npos ? ": there is no such file"
                                                                    : ": no file matches");
    for (const std::string& name : names) {
      const fs::path place = fs::weakly_canonical(name, code);
      if (code) throw Error(ErrorKind::data, name, ": ", code.message());
      if (known.insert(place.string()).second) paths.push_back(name);
    }
  }
  if (!std::ranges::all_of(paths, is_index)) std::erase_if(paths, is_index);
  if (paths.empty()) throw Error(ErrorKind::data, "no data files are given");
  return paths;
}

std::string first_and_more(const std::vector<std::string>& paths) {
  return paths.at(0) +
         (paths.size() > 1 ? " and " + std::to_string(paths.size() - 1) + " more" : "");
}

uint64_t bytes_on_disk(const std::string& path) {
  std::error_code code;
  uint64_t bytes = 0;
  if (fs::is_directory(path, code)) {
    for (const std::string& name : files_below(path)) bytes += bytes_on_disk(path + "/" + name);
    return bytes;
  }
  bytes = fs::file_size(path, code);
  show_life();
  return code ? 0 : bytes;
}

std::string fingerprint_of_files(const std::vector<std::string>& paths) {
  std::ostringstream text;
  for (const std::string& path : paths)
    text << fs::weakly_canonical(path).string() << ' ' << size_and_times(path) << ' '
         << content_of(path) << '\n';
  return text.str();
}

std::string content_of_files(const std::vector<std::string>& paths) {
  std::vector<std::string> contents;
  for (const std::string& path : paths) contents.push_back(content_of(path));
  std::ranges::sort(contents);
  std::string text;
  for (const std::string& content : contents) text += content + "\n";
  return text;
}

}  // namespace py4cast
