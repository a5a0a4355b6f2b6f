#include "engine/files.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "engine/checksum.h"
#include "engine/error.h"
#include "engine/signs_of_life.h"

namespace py4cast {
namespace {

namespace fs = std::filesystem;

// Of what is read or written without a sign of life.
constexpr size_t largest_piece = size_t{64} << 20;

Error failure(const std::string& file, const char* what, int number = errno) {
  return Error(ErrorKind::input_output, file, ": ", what, ": ", std::strerror(number));
}

bool write_all(int descriptor, Bytes bytes) {
  while (!bytes.empty()) {
    const ssize_t written =
        ::write(descriptor, bytes.data(), std::min<size_t>(bytes.size(), largest_piece));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    show_life();
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return true;
}

// Makes names in the folder that holds `path` permanent. Some file systems cannot and need not.
void flush_names(const std::string& path) {
  const fs::path parent = fs::path(path).parent_path();
  Descriptor folder(::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY));
  if (folder) ::fsync(folder.number());
}

bool exchange_folders(const std::string& a, const std::string& b) {
  return ::syscall(SYS_renameat2, AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE) == 0;
}

void remove_folder(const std::string& folder) {
  std::error_code code;
  fs::remove_all(folder, code);
  if (code) throw failure(folder, "cannot be deleted", code.value());
}

}  // namespace

bool Descriptor::close() {
  const int number = std::exchange(number_, -1);
  return number < 0 || ::close(number) == 0;
}

Descriptor open_for_appending(const std::string& file) {
  Descriptor descriptor(::open(
      file.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666));
  if (!descriptor && errno == ELOOP)
    throw Error(ErrorKind::input_output, file, ": is a symbolic link, which is not written to");
  if (!descriptor) throw failure(file, "cannot be written");
  struct stat status {};
  if (::fstat(descriptor.number(), &status) != 0 || !S_ISREG(status.st_mode))
    throw Error(ErrorKind::input_output, file, ": is not a plain file");
  return descriptor;
}

Bytes bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

namespace {

// Less than `size` bytes at the end of the file alone.
size_t read_up_to(const Descriptor& descriptor, char* to, size_t size, const std::string& file) {
  size_t done = 0;
  while (done < size) {
    const ssize_t count =
        ::read(descriptor.number(), to + done, std::min(size - done, largest_piece));
    show_life();
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw failure(file, "cannot be read");
    if (count == 0) break;
    done += static_cast<size_t>(count);
  }
  return done;
}

std::string hexadecimal(uint64_t number) {
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(number));
  return digits;
}

// A device or a pipe takes what is written; nothing takes its place.
bool is_stream(const std::string& file) {
  struct stat status {};
  return ::stat(file.c_str(), &status) == 0 && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode);
}
void write_stream(const std::string& file, std::span<const Bytes> pieces) {
  Descriptor descriptor(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
  bool good = static_cast<bool>(descriptor);
  for (Bytes piece : pieces) good = good && write_all(descriptor.number(), piece);
  if (!good || !descriptor.close()) throw failure(file, "cannot be written");
}

}  // namespace

void write_file(const std::string& file, std::span<const Bytes> pieces) {
  if (is_stream(file)) return write_stream(file, pieces);
  const std::string temporary = file + ".new" + std::to_string(::getpid());
  Descriptor descriptor(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (!descriptor) throw failure(file, "cannot be written");
  bool good = true;
  for (Bytes piece : pieces) good = good && write_all(descriptor.number(), piece);
  good = good && ::fsync(descriptor.number()) == 0 && descriptor.close() &&
         ::rename(temporary.c_str(), file.c_str()) == 0;
  if (!good) {
    const int number = errno;
    ::unlink(temporary.c_str());
    throw failure(file, "cannot be written", number);
  }
  flush_names(file);
}

void write_file(const std::string& file, std::string_view text) {
  const Bytes piece = bytes_of(text);
  write_file(file, std::span(&piece, 1));
}

void check_output(const std::string& file, bool overwrite) {
  const std::filesystem::path folder = std::filesystem::path(file).parent_path();
  if (!folder.empty() && !std::filesystem::is_directory(folder))
    throw Error(ErrorKind::input_output, file, ": there is no folder ", folder.string());
  if (!overwrite && std::filesystem::exists(file))
    throw Error(ErrorKind::input_output, file, ": exists already; --overwrite replaces it");
}

std::string read_file(const std::string& file) {
  // To open a pipe without a writer would take for ever.
  Descriptor descriptor(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  if (!descriptor || ::fcntl(descriptor.number(), F_SETFL, 0) != 0 ||
      ::fstat(descriptor.number(), &status) != 0)
    throw failure(file, "cannot be read");
  if (S_ISCHR(status.st_mode) && ::isatty(descriptor.number()) == 0)
    throw Error(ErrorKind::input_output, file, ": is a device, not a file");  // it may never end
  std::string text(static_cast<size_t>(status.st_size), '\0');
  size_t size = 0;
  for (;;) {
    size += read_up_to(descriptor, text.data() + size, text.size() - size, file);
    if (size < text.size()) break;
    text.resize(size + 4096);  // it grew, or is not a plain file
  }
  text.resize(size);
  return text;
}

void make_folders(const std::string& folder) {
  std::error_code code;
  fs::create_directories(folder, code);
  if (code) throw failure(folder, "the folder cannot be made", code.value());
}

void replace_folder(const std::string& from, const std::string& to, bool exchange) {
  const std::string old = to + ".old";
  if (::syscall(SYS_renameat2, AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) ==
          0 ||
      (!fs::exists(to) && ::rename(from.c_str(), to.c_str()) == 0)) {
    flush_names(to);
    remove_folder(old);  // of a replacement that was cut short
    return;
  }
  if (exchange && exchange_folders(from, to)) {
    flush_names(to);
    remove_folder(from);
    return;
  }
  remove_folder(old);
  if (::rename(to.c_str(), old.c_str()) != 0) throw failure(to, "cannot be replaced");
  if (::rename(from.c_str(), to.c_str()) != 0) {
    const int number = errno;
    ::rename(old.c_str(), to.c_str());
    throw failure(to, "cannot be replaced", number);
  }
  flush_names(to);
  remove_folder(old);
}

std::string folder_or_old(const std::string& to) {
  std::error_code code;
  const std::string old = to + ".old";
  return !fs::exists(to, code) && fs::exists(old, code) ? old : to;
}

std::string file_fingerprint(const std::string& file) {
  constexpr uint64_t pieces = 8, piece = 32 << 10;
  Descriptor descriptor(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  if (!descriptor || ::fstat(descriptor.number(), &status) != 0)
    throw failure(file, "cannot be read");
  const auto size = static_cast<uint64_t>(status.st_size);
  std::string text = std::to_string(size), part(piece, '\0');
  for (uint64_t i = 0; i < pieces; ++i) {
    const uint64_t at = size <= pieces * piece ? i * piece : (size - piece) * i / (pieces - 1);
    const ssize_t count = ::pread(descriptor.number(), part.data(), piece, static_cast<off_t>(at));
    if (count < 0) throw failure(file, "cannot be read");
    show_life();
    text.append(part, 0, static_cast<size_t>(count));
  }
  return fingerprint(text);
}

std::string file_checksum(const std::string& file) {
  const Descriptor descriptor(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!descriptor) throw failure(file, "cannot be read");
  constexpr size_t word = sizeof(uint64_t), piece = size_t{4} << 20;
  std::vector<uint64_t> words(piece / word);
  uint64_t hash = fnv1a(""), bytes = 0;
  for (size_t filled = piece; filled == piece; bytes += filled) {
    std::ranges::fill(words, 0);
    filled = read_up_to(descriptor, reinterpret_cast<char*>(words.data()), piece, file);
    for (size_t i = 0; i < (filled + word - 1) / word; ++i) hash = (hash ^ words[i]) * fnv_prime;
  }
  return hexadecimal((hash ^ bytes) * fnv_prime);
}

std::string fingerprint(std::string_view text) {
  return hexadecimal(fnv1a(text));
}

}  // namespace py4cast
