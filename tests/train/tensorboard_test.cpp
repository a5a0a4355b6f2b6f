#include "train/tensorboard.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <set>

#include "engine/checksum.h"
#include "train/tensorboard_events.pb.h"

namespace py4cast {
namespace {

namespace fs = std::filesystem;

std::string board_folder(const std::string& name) {
  const std::string folder = testing::TempDir() + "tensorboard_" + name;
  fs::remove_all(folder);
  return folder;
}

// The messages of a file, frame by frame.
std::vector<tensorboard::Event> events_of(const std::string& file) {
  const std::string text = read_file(file);
  std::vector<tensorboard::Event> events;
  for (size_t at = 0; at < text.size();) {
    uint64_t length = 0;
    uint32_t check_of_length = 0, check_of_message = 0;
    std::memcpy(&length, text.data() + at, 8);
    std::memcpy(&check_of_length, text.data() + at + 8, 4);
    const std::string message = text.substr(at + 12, length);
    std::memcpy(&check_of_message, text.data() + at + 12 + length, 4);
    EXPECT_EQ(check_of_length, masked(crc32c(bytes_of(text).subspan(at, 8))));
    EXPECT_EQ(check_of_message, masked(crc32c(bytes_of(message))));
    EXPECT_TRUE(events.emplace_back().ParseFromString(message));
    EXPECT_GT(events.back().wall_time(), 1.7e9);
    at += length + 16;
  }
  return events;
}

TEST(TensorBoard, KnownMask) {
  EXPECT_EQ(masked(0), 0xa282ead8u);
}

TEST(TensorBoard, ScalarsAndTextsAreThereAtOnce) {
  TensorBoard board(board_folder("scalars"));
  board.scalar("val_mean_loss", 0.1, 7);
  board.scalar("train_loss_step", -3e10, 8);
  board.text("config", "a **b**", 0);
  const auto events = events_of(board.file());
  ASSERT_EQ(events.size(), 4u);
  EXPECT_EQ(events[0].file_version(), "brain.Event:2");
  EXPECT_EQ(events[1].step(), 7);
  EXPECT_EQ(events[1].summary().values(0).tag(), "val_mean_loss");
  EXPECT_EQ(events[1].summary().values(0).scalar(), 0.1f);
  EXPECT_EQ(events[2].summary().values(0).scalar(), -3e10f);
  const auto& text = events[3].summary().values(0);
  EXPECT_EQ(text.tag(), "config/text_summary");
  EXPECT_EQ(text.metadata().plugin().name(), "text");
  EXPECT_EQ(text.tensor().type(), 7);
  EXPECT_EQ(text.tensor().shape().axes(0).size(), 1);
  EXPECT_EQ(text.tensor().values(0), "a **b**");
}

// Numbers of fields are the contract with TensorBoard: step 3 (field 2), a summary (5) of one value
// (1) with tag (1) "t" and a float (2) 1.
TEST(TensorBoard, BytesOfAScalar) {
  TensorBoard board(board_folder("bytes"));
  board.scalar("t", 1, 3);
  tensorboard::Event event = events_of(board.file())[1];
  event.set_wall_time(0);
  EXPECT_EQ(event.SerializeAsString(),
            std::string("\x10\x03\x2a\x0a\x0a\x08\x0a\x01t\x15\0\0\x80\x3f", 14));
}

// Field 4 of a value: height (1), width (2), colours (3), the PNG (4).
TEST(TensorBoard, BytesOfAPicture) {
  TensorBoard board(board_folder("pictures"));
  board.picture({"a", 2, 3, "PNG"}, 7);
  const auto events = events_of(board.file());
  EXPECT_EQ(events[1].step(), 7);
  EXPECT_EQ(events[1].summary().SerializeAsString(),
            std::string("\x0a\x10\x0a\x01"
                        "a\x22\x0b\x08\x02\x10\x03\x18\x03\x22\x03PNG",
                        18));
}

TEST(TensorBoard, AResumedRunVoidsWhatComesAgain) {
  const std::string folder = board_folder("resumed");
  std::set<std::string> names;
  std::string last;
  for (int i = 0; i < 3; ++i) {
    TensorBoard board(folder, i ? std::optional<int64_t>(40 + i) : std::nullopt);
    EXPECT_LT(last, board.file()) << "files are read in the order of their names";
    last = board.file();
    for (int64_t step = i ? 40 + i : 39; step < 45; ++step) board.scalar("loss", i, step);
    EXPECT_TRUE(names.insert(last).second);
    const auto events = events_of(last);
    ASSERT_EQ(events.size(), i ? 2u + 5 - i : 7u);
    if (i == 0) continue;
    EXPECT_EQ(events[1].session_log().status(), tensorboard::SessionLog::START);
    EXPECT_EQ(events[1].step(), 40 + i);
  }
}

}  // namespace
}  // namespace py4cast
