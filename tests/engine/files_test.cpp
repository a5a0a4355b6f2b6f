#include "engine/files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "tests/engine/error_of.h"

namespace py4cast {
namespace {

namespace fs = std::filesystem;

std::string place(const std::string& name) {
  const std::string file = testing::TempDir() + "files_" + name;
  fs::remove(file);
  return file;
}

// FNV-1a of Python: the size in decimal digits, then the pieces.
TEST(Files, AFingerprintIsOfSizeAndContent) {
  const std::string file = place("content");
  write_file(file, "abc");
  EXPECT_EQ(file_fingerprint(file), fingerprint("3abc"));
  write_file(file, "abd");
  EXPECT_EQ(file_fingerprint(file), fingerprint("3abd"));
  EXPECT_EQ(fingerprint("3abc"), "b7de2a00bfac2086");

  std::string large(3 << 20, 'a');
  write_file(file, large);
  const std::string before = file_fingerprint(file);
  for (const size_t at : {size_t{0}, large.size() - 1, (large.size() - (32 << 10)) * 3 / 7}) {
    large[at] = 'b';
    write_file(file, large);
    EXPECT_NE(file_fingerprint(file), before) << at;
    large[at] = 'a';
  }
  write_file(file, large);
  EXPECT_EQ(file_fingerprint(file), before);
  write_file(file, large + "a");
  EXPECT_NE(file_fingerprint(file), before);
  EXPECT_EQ(error_of([&] { file_fingerprint(file + "x"); }, ErrorKind::input_output),
            file + "x: cannot be read: No such file or directory");
}

TEST(Files, NothingIsAddedToWhatALinkOrAPipeLeadsTo) {
  const std::string link = place("link"), target = place("target"), pipe = place("pipe");
  write_file(target, "mine");
  fs::create_symlink(target, link);
  EXPECT_EQ(error_of([&] { open_for_appending(link); }, ErrorKind::input_output),
            link + ": is a symbolic link, which is not written to");
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(error_of([&] { open_for_appending(pipe); }, ErrorKind::input_output),
            pipe + ": is not a plain file");
  EXPECT_EQ(read_file(target), "mine");
}

TEST(Files, APipeWithoutAWriterDoesNotHang) {
  const std::string pipe = place("pipe");
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(read_file(pipe), "");
}

TEST(Files, APipeTakesWhatIsWrittenAndStays) {
  const std::string file = place("taker");
  ASSERT_EQ(::mkfifo(file.c_str(), 0600), 0);
  const int reader = ::open(file.c_str(), O_RDWR | O_NONBLOCK);
  ASSERT_GE(reader, 0);
  write_file(file, "abc");
  char text[4] = {};
  EXPECT_EQ(::read(reader, text, sizeof text), 3);
  EXPECT_STREQ(text, "abc");
  EXPECT_TRUE(fs::is_fifo(file));
  ::close(reader);
  fs::remove(file);
}
TEST(Files, AFolderIsNoFile) {
  EXPECT_EQ(error_of([&] { read_file("/dev/zero"); }, ErrorKind::input_output),
            "/dev/zero: is a device, not a file");
  EXPECT_EQ(error_of([&] { read_file(testing::TempDir()); }, ErrorKind::input_output),
            testing::TempDir() + ": cannot be read: Is a directory");
}

}  // namespace
}  // namespace py4cast
