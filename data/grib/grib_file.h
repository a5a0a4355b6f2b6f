// Where the fields of a GRIB file lie: its messages and their sections, by their lengths alone.
// Source: WMO Manual on Codes, volume I.2, FM 92 GRIB, editions 1 and 2.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "data/weather/calendar.h"
#include "engine/files.h"

namespace py4cast {

// An open file, to be read from several threads.
class GribFile {
 public:
  // Error(data): it cannot be opened, or is no plain file.
  explicit GribFile(std::string path);
  const std::string& path() const { return path_; }
  int64_t size() const { return size_; }
  int64_t changed() const { return changed_; }  // time of the last change [ns]
  // Error(data): fewer bytes are there.
  std::string read(int64_t offset, int64_t length) const;

 private:
  std::string path_;
  Descriptor descriptor_;
  int64_t size_ = 0, changed_ = 0;
};

// One field: a message, or some sections of a message of edition 2 that has several fields.
struct GribField {
  struct Piece {
    int64_t offset = 0, length = 0;
  };
  Piece message;
  std::vector<Piece> sections;  // 0 to 7, those that are there; empty: the message has one field
};

// What stands before the numbers of a field.
struct GribHeader {
  int edition = 2;
  std::optional<DateTime> date;  // reference time; none: all its parts are missing (255)
  std::string product;           // the bytes that say what the field is, without the reference time
  std::string grid;              // the bytes of the grid's section; empty: there is none
  std::string message;           // the beginning of the message up to the bitmap
};

// Visits all fields in their order. Bytes between messages are skipped (bulletin headers, padding). A
// field whose bitmap is an earlier one of its message is given that one. Error(data): no message, what
// the file is instead as far as that can be seen; a message that is cut off, that does not end with
// "7777", whose sections do not fill it, of another edition.
void scan_grib(const GribFile& file,
               const std::function<void(const GribField&, const GribHeader&)>& visit);

// The field as a message of its own.
std::string read_grib_message(const GribFile& file, const GribField& field);

}  // namespace py4cast
