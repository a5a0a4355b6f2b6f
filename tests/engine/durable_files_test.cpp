// Files survive a crash at any moment. fsync and rename of the C library are replaced in this program, so that the
// order in which the system is called can be seen.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <vector>

#include "engine/files.h"
#include "tests/engine/error_of.h"

namespace {

std::string content_of(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

struct Renaming {
  std::string from, content, replaced;
  bool on_disk;  // the content, before the names change
  bool operator==(const Renaming&) const = default;
};

struct {
  bool watched = false, fails = false;
  std::set<ino_t> flushed;
  std::vector<Renaming> renamings;
} seen;

}  // namespace

extern "C" int fsync(int descriptor) {
  struct stat status {};
  if (seen.watched && ::fstat(descriptor, &status) == 0) seen.flushed.insert(status.st_ino);
  return static_cast<int>(::syscall(SYS_fsync, descriptor));
}

extern "C" int rename(const char* from, const char* to) noexcept {
  struct stat status {};
  if (seen.watched && ::stat(from, &status) == 0)
    seen.renamings.push_back(
        {from, content_of(from), content_of(to), seen.flushed.contains(status.st_ino)});
  if (seen.watched && seen.fails) {
    errno = EIO;
    return -1;
  }
  return static_cast<int>(::syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}

namespace py4cast {
namespace {

namespace fs = std::filesystem;

class DurableFiles : public testing::Test {
 protected:
  DurableFiles() : folder_(testing::TempDir() + "durable_files") {
    fs::remove_all(folder_);
    fs::create_directory(folder_);
    write_file(file(), "before");
    seen = {.watched = true};
  }
  ~DurableFiles() override {
    seen = {};
    fs::remove_all(folder_);
  }
  std::string file() const { return folder_ + "/file"; }

  const std::string folder_;
};

TEST_F(DurableFiles, AreRenamedOnceTheyAreOnTheDiskAndNamesAreFlushedThen) {
  write_file(file(), "after");
  ASSERT_EQ(seen.renamings.size(), 1u);
  const Renaming& renaming = seen.renamings[0];
  EXPECT_EQ(fs::path(renaming.from).parent_path(), folder_);
  EXPECT_EQ(renaming.content, "after");
  EXPECT_EQ(renaming.replaced, "before");
  EXPECT_TRUE(renaming.on_disk);
  struct stat status {};
  ASSERT_EQ(::stat(folder_.c_str(), &status), 0);
  EXPECT_TRUE(seen.flushed.contains(status.st_ino));
  EXPECT_EQ(content_of(file()), "after");
}

TEST_F(DurableFiles, OneThatCannotBeRenamedLeavesTheFormerAndNothingElse) {
  seen.fails = true;
  EXPECT_EQ(error_of([&] { write_file(file(), "after"); }, ErrorKind::input_output),
            file() + ": cannot be written: Input/output error");
  EXPECT_EQ(content_of(file()), "before");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 1);
}

}  // namespace
}  // namespace py4cast
