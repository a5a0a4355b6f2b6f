#include "train/run_folder.h"

#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "engine/error.h"
#include "engine/files.h"

namespace py4cast {
namespace {

namespace fs = std::filesystem;

Error failure(const std::string& file, const char* what) {
  return Error(ErrorKind::input_output, file, ": ", what, ": ", std::strerror(errno));
}

void check_name(const char* key, const std::string& name) {
  if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos)
    throw Error(ErrorKind::configuration, key, " '", name,
                "' cannot be the name of a folder: it is empty, dots, or has a '/'");
}

void append_line(const Descriptor& file, const std::string& path,
                 const nlohmann::ordered_json& line) {
  const std::string text = line.dump() + "\n";
  const ssize_t written = ::write(file.number(), text.data(), text.size());
  if (written == static_cast<ssize_t>(text.size())) return;
  if (written >= 0) errno = ENOSPC;
  throw failure(path, "cannot be written");
}

// One more than the highest version of <prefix>_<version> in the folder.
int64_t next_version(const std::string& folder, const std::string& prefix) {
  int64_t next = 0;
  std::error_code code;
  for (const auto& entry : fs::directory_iterator(folder, code)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with(prefix + "_")) continue;
    const std::string digits = name.substr(prefix.size() + 1);
    if (!digits.empty() && digits.size() < 10 &&
        digits.find_first_not_of("0123456789") == std::string::npos)
      next = std::max(next, static_cast<int64_t>(std::stoll(digits)) + 1);
  }
  if (code) throw Error(ErrorKind::input_output, folder, ": cannot be read: ", code.message());
  return next;
}

// The folder of that path, which may be left from a start that came to no checkpoint.
std::string make_given(const std::string& path) {
  std::error_code code;
  if (fs::exists(path, code) && !fs::is_empty(path, code) && !fs::exists(path + "/checkpoints"))
    throw Error(ErrorKind::configuration, path,
                ": is neither empty nor the folder of a run, so no run is begun in it");
  make_folders(path);
  return path;
}

// Of writes and exchanges that were cut: "config.json.new4711", "last.new".
void clear_leftovers(const std::string& folder) {
  std::error_code code;
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(folder, code)) {
    const std::string name = entry.path().filename();
    const size_t at = name.rfind(".new");
    if (at != std::string::npos && at > 0 &&
        name.find_first_not_of("0123456789", at + 4) == std::string::npos)
      found.push_back(entry.path());
  }
  for (const fs::path& path : found) fs::remove_all(path, code);
}

std::string make_run(const RunFolder::Place& place) {
  if (!place.path.empty()) return make_given(place.path);
  check_name("run.campaign_name", place.campaign);
  check_name("run.run_name", place.run_name);
  std::string parent = place.root + "/" + place.campaign;
  for (const std::string& folder : place.folders) {
    check_name("the folder", folder);
    parent += "/" + folder;
  }
  make_folders(parent);
  for (;;) {
    const std::string path =
        parent + "/" + place.run_name + "_" + std::to_string(next_version(parent, place.run_name));
    if (::mkdir(path.c_str(), 0777) == 0) return path;
    if (errno != EEXIST) throw failure(path, "the folder cannot be made");
  }
}

// Lines of epochs that are done again.
void drop_later_epochs(const std::string& path, int64_t epochs) {
  if (!fs::exists(path)) return;
  std::istringstream lines(read_file(path));
  std::string kept;
  for (std::string line; std::getline(lines, line);)
    if (const Json json = Json::parse(line, nullptr, false);
        json.is_object() && json.value("epoch", int64_t{0}) <= epochs)
      kept += line + "\n";
  write_file(path, kept);
}

}  // namespace

RunFolder::RunFolder(const Place& place, Communicator& communicator, Logger& log)
    : root_(communicator.root()) {
  if (root_) path_ = make_run(place);
  path_ = communicator.broadcast(path_);
  if (!root_) return;
  make_folders(file("checkpoints"));
  own();
  log.open(file("log.txt"));
}

RunFolder::RunFolder(const std::string& run, Communicator& communicator)
    : root_(communicator.root()), path_(run) {
  if (root_) own();
  communicator.barrier();
}

void RunFolder::go_on_from(const CheckpointState& state, Logger& log) {
  if (!root_) return;
  log.open(file("log.txt"));
  struct stat status {};
  if (::fstat(metrics_.number(), &status) != 0)
    throw failure(file("metrics.jsonl"), "cannot be read");
  if (status.st_size < state.metrics_bytes)
    log.warning(file("metrics.jsonl"), " has ", status.st_size, " bytes, but had ",
                state.metrics_bytes, " at the checkpoint: lines are missing");
  else if (::ftruncate(metrics_.number(), state.metrics_bytes) != 0)
    throw failure(file("metrics.jsonl"), "cannot be cut to the checkpoint");
  drop_later_epochs(file("speed.jsonl"), state.epoch);
}

// Opens metrics.jsonl, whose lock says that the folder is this process's.
void RunFolder::own() {
  metrics_ = open_for_appending(file("metrics.jsonl"));
  // File systems without locks answer otherwise; then nobody is warned.
  if (::flock(metrics_.number(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
    throw Error(ErrorKind::input_output, path_, ": another process is training in this run folder");
  clear_leftovers(path_);
  clear_leftovers(file("checkpoints"));
}

// While metrics.jsonl is open, no other file has its device and inode.
void RunFolder::check_owned() const {
  struct stat own {
  }, there{};
  if (::fstat(metrics_.number(), &own) == 0 && ::stat(file("metrics.jsonl").c_str(), &there) == 0 &&
      own.st_dev == there.st_dev && own.st_ino == there.st_ino)
    return;
  throw Error(ErrorKind::input_output, path_,
              ": the run folder was removed, moved or replaced during the run; nothing more is "
              "written to it");
}

void RunFolder::write_json(const std::string& name, const nlohmann::ordered_json& content) const {
  if (!root_) return;
  check_owned();
  write_file(file(name), content.dump(2) + "\n");
}

void RunFolder::append_metrics(const nlohmann::ordered_json& line) {
  if (!root_) return;
  check_owned();
  append_line(metrics_, file("metrics.jsonl"), line);
}

void RunFolder::append_json(const std::string& name, const nlohmann::ordered_json& line) const {
  if (!root_) return;
  check_owned();
  append_line(open_for_appending(file(name)), file(name), line);
}

void RunFolder::save(const std::string& name, Learners learners, CheckpointState state) {
  if (!root_) return;
  check_owned();
  const off_t end = ::lseek(metrics_.number(), 0, SEEK_END);
  if (end < 0 || ::fsync(metrics_.number()) != 0)
    throw failure(file("metrics.jsonl"), "cannot be written");
  state.metrics_bytes = end;
  save_checkpoint(checkpoint(name), learners, state);
}

}  // namespace py4cast
