// Files that appear whole or not at all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace py4cast {

using Bytes = std::span<const std::byte>;
Bytes bytes_of(std::string_view text);

// Owns an open file of the system.
class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  ~Descriptor() { close(); }
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  explicit operator bool() const { return number_ >= 0; }
  int number() const { return number_; }
  bool close();  // false: what was written may be lost

 private:
  int number_;  // -1: none
};

// Opens a file for adding to its end. Error(input_output): as the system says; it is a symbolic link,
// which might lead anywhere, or not a plain file.
Descriptor open_for_appending(const std::string& file);

// Writes the pieces one after another to a temporary name beside `file`, waits until they are on
// the disk and renames. Error(input_output): the folder is missing or not writable, the disk is
// full; then nothing is left behind and a former file of that name is untouched. A device or a pipe takes what
// is written.
void write_file(const std::string& file, std::span<const Bytes> pieces);
void write_file(const std::string& file, std::string_view text);

// Before what is written there is made. Error(input_output): the folder is missing; there is such a file already, which is
// not to be overwritten.
void check_output(const std::string& file, bool overwrite);

// The whole file, or what comes through a pipe that somebody writes to. Error(input_output): it is
// missing, is a folder or a device other than a terminal, or cannot be read.
std::string read_file(const std::string& file);

// Makes the folder and those above it. Error(input_output).
void make_folders(const std::string& folder);

// Gives the folder `from` the name `to` in one step: whoever looks sees the former `to` or the new
// one, also after a crash. A former `to` is deleted. Where the file system cannot exchange two
// folders (or `exchange` is false) there is a moment at which only `to`.old exists: see `folder_or_old`.
// Error(input_output).
void replace_folder(const std::string& from, const std::string& to, bool exchange = true);
// Where the folder is to be read: `to`, or `to`.old while only that exists.
std::string folder_or_old(const std::string& to);

// A short name of a text, the same on every machine: 16 hexadecimal digits (fnv1a).
std::string fingerprint(std::string_view text);
// Of the content of a file: its size and 8 pieces of 32 KiB, evenly spread from its beginning to its
// end; the whole of a file that is no larger. Error(input_output).
std::string file_fingerprint(const std::string& file);
// Of the whole of it: any word of it that changes alone changes the result. Error(input_output).
std::string file_checksum(const std::string& file);

}  // namespace py4cast
