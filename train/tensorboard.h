// Event files that TensorBoard reads: records of protobuf messages (train/tensorboard_events.proto)
// in TFRecord frames (length, masked CRC-32C of it, message, masked CRC-32C of it).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "engine/files.h"
#include "train/picture.h"

namespace py4cast {

// One file in the folder, whole after each call. Error(input_output): it cannot be written.
class TensorBoard {
 public:
  // `resumed`: the run goes on after a checkpoint, this is the first step to come; what earlier
  // files say of this step and later ones is void.
  explicit TensorBoard(const std::string& folder, std::optional<int64_t> resumed = {});

  void scalar(const std::string& tag, double value, int64_t step);
  void picture(const Picture& picture, int64_t step);
  void text(const std::string& tag, const std::string& markdown, int64_t step);

  const std::string& file() const { return file_; }

 private:
  void write(const std::string& message);

  std::string file_;
  Descriptor descriptor_;
};

// TFRecord's mask of a check (crc32c): a check of data that hold checks is no longer weak.
uint32_t masked(uint32_t check);

}  // namespace py4cast
