// The folder of a run:
//
//   <root>/<campaign>/<folders of the task, as dataset/model>/<run_name>_<version>/
//     config.json  environment.json  log.txt  metrics.jsonl  speed.jsonl  scores.json  tensorboard/
//     checkpoints/last  checkpoints/best  checkpoints/initial
//
// Errors: Error(input_output), naming the folder or file, when the disk refuses.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "engine/communicator.h"
#include "engine/files.h"
#include "engine/log.h"
#include "train/checkpoint.h"

namespace py4cast {

// Made by all ranks together; rank 0 alone touches the disk, the others' calls do nothing.
class RunFolder {
 public:
  struct Place {
    std::string root, campaign;
    std::vector<std::string> folders;  // below the campaign: {data set, network}
    std::string run_name;
    std::string path = {};  // not empty: the folder itself, instead of all these
  };
  // A new folder with the next free version, also when several runs start at once. One that is named by
  // its path may be there if it is empty or was left by a start that came to no checkpoint.
  // Error(configuration): a name is empty or has a '/'; the path is another folder.
  RunFolder(const Place& place, Communicator& communicator, Logger& log);
  // An existing one: from now on no other process changes it.
  RunFolder(const std::string& run, Communicator& communicator);
  // `state` is the checkpoint's: metrics.jsonl is cut to its length there, so that a resumed run ends with
  // the same file as an uninterrupted one. log.txt goes on.
  void go_on_from(const CheckpointState& state, Logger& log);

  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  std::string checkpoint(const std::string& name) const { return file("checkpoints/" + name); }

  // What follows throws Error(input_output) if the folder is not the one any more that this process
  // has locked: removed, moved, replaced. Then nothing is written.

  // "config.json", "environment.json", "scores.json".
  void write_json(const std::string& name, const nlohmann::ordered_json& content) const;
  // Adds one line. No times, nothing that differs between two equal runs.
  void append_metrics(const nlohmann::ordered_json& line);
  // Adds one line to another file: "speed.jsonl".
  void append_json(const std::string& name, const nlohmann::ordered_json& line) const;
  // save_checkpoint into checkpoints/<name>.
  void save(const std::string& name, Learners learners, CheckpointState state);

 private:
  void own();
  void check_owned() const;

  bool root_;
  std::string path_;
  Descriptor metrics_;  // locked, so that two processes cannot train in one folder
};

}  // namespace py4cast
