#include "train/tensorboard.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "engine/checksum.h"
#include "engine/error.h"
#include "train/tensorboard_events.pb.h"

namespace py4cast {
namespace {

using tensorboard::Event;

constexpr const char* prefix = "events.out.tfevents.";
constexpr int string_type = 7;  // of TensorFlow's tensors

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

Event event_at(int64_t step) {
  Event event;
  event.set_wall_time(now());
  event.set_step(step);
  return event;
}

// TensorBoard reads the files of a folder in the order of their names, so a new one needs a later
// time than all there are.
int64_t time_of_file(const std::string& folder) {
  auto time = static_cast<int64_t>(now());
  std::error_code code;
  for (std::filesystem::directory_iterator at(folder, code), end; !code && at != end;
       at.increment(code)) {
    const std::string name = at->path().filename();
    if (name.starts_with(prefix))
      time = std::max<int64_t>(time, std::atoll(name.c_str() + std::strlen(prefix)) + 1);
  }
  if (code) throw Error(ErrorKind::input_output, folder, ": cannot be listed: ", code.message());
  return time;
}

template <typename T>
void append(std::string& text, T number) {
  text.append(reinterpret_cast<const char*>(&number), sizeof number);
}

}  // namespace

uint32_t masked(uint32_t check) {
  return ((check >> 15) | (check << 17)) + 0xa282ead8u;
}

TensorBoard::TensorBoard(const std::string& folder, std::optional<int64_t> resumed) {
  make_folders(folder);
  char host[256] = "", time[16];
  ::gethostname(host, sizeof host - 1);
  std::snprintf(time, sizeof time, "%010lld", static_cast<long long>(time_of_file(folder)));
  file_ = folder + "/" + prefix + time + "." + host + "." + std::to_string(::getpid());
  descriptor_ = open_for_appending(file_);
  Event version = event_at(0);
  version.set_file_version("brain.Event:2");
  write(version.SerializeAsString());
  if (!resumed) return;
  Event start = event_at(*resumed);
  start.mutable_session_log()->set_status(tensorboard::SessionLog::START);
  write(start.SerializeAsString());
}

void TensorBoard::scalar(const std::string& tag, double value, int64_t step) {
  Event event = event_at(step);
  auto* entry = event.mutable_summary()->add_values();
  entry->set_tag(tag);
  entry->set_scalar(static_cast<float>(value));
  write(event.SerializeAsString());
}

void TensorBoard::picture(const Picture& picture, int64_t step) {
  Event event = event_at(step);
  auto* entry = event.mutable_summary()->add_values();
  entry->set_tag(picture.tag);
  entry->mutable_image()->set_height(static_cast<int32_t>(picture.height));
  entry->mutable_image()->set_width(static_cast<int32_t>(picture.width));
  entry->mutable_image()->set_colors(3);
  entry->mutable_image()->set_png(picture.png);
  write(event.SerializeAsString());
}

void TensorBoard::text(const std::string& tag, const std::string& markdown, int64_t step) {
  Event event = event_at(step);
  auto* entry = event.mutable_summary()->add_values();
  entry->set_tag(tag + "/text_summary");
  entry->mutable_metadata()->mutable_plugin()->set_name("text");
  entry->mutable_tensor()->set_type(string_type);
  entry->mutable_tensor()->mutable_shape()->add_axes()->set_size(1);
  entry->mutable_tensor()->add_values(markdown);
  write(event.SerializeAsString());
}

void TensorBoard::write(const std::string& message) {
  std::string frame;
  append(frame, static_cast<uint64_t>(message.size()));
  append(frame, masked(crc32c(bytes_of(frame))));
  frame += message;
  append(frame, masked(crc32c(bytes_of(message))));
  const ssize_t written = ::write(descriptor_.number(), frame.data(), frame.size());
  if (written != static_cast<ssize_t>(frame.size()))
    throw Error(ErrorKind::input_output, file_,
                ": cannot be written: ", std::strerror(written < 0 ? errno : ENOSPC));
}

}  // namespace py4cast
