#include "data/grib/grib_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "engine/error.h"
#include "engine/signs_of_life.h"

namespace py4cast {
namespace {

constexpr int64_t indicator_length[] = {0, 8, 16};  // of section 0, by edition
constexpr int64_t end_length = 4;                   // of "7777"

uint64_t big_endian(const std::string& bytes, size_t at, size_t count) {
  uint64_t value = 0;
  for (size_t i = at; i < at + count; ++i) value = value << 8 | static_cast<uint8_t>(bytes.at(i));
  return value;
}

// Ends a message and writes its length at a place in it.
void finish(std::string& message, size_t at, size_t count) {
  message += "7777";
  for (size_t i = 0; i < count; ++i)
    message[at + count - 1 - i] = static_cast<char>(message.size() >> (8 * i) & 0xff);
}

// A message of one file while it is taken apart.
class GribMessageScan {
 public:
  using Visit = std::function<void(const GribField&, const GribHeader&)>;

  GribMessageScan(const GribFile& file, int64_t offset) : file_(file), offset_(offset) {
    if (file.size() - offset < indicator_length[2]) cut_off(indicator_length[2]);
    const std::string indicator = file.read(offset, indicator_length[2]);
    edition_ = static_cast<int>(big_endian(indicator, 7, 1));
    if (edition_ != 1 && edition_ != 2)
      damaged("is of edition " + std::to_string(edition_) + "; 1 and 2 can be read");
    const uint64_t length =
        edition_ == 1 ? length_of_edition_1(indicator) : big_endian(indicator, 8, 8);
    if (length > static_cast<uint64_t>(file.size() - offset)) cut_off(length);
    length_ = static_cast<int64_t>(length);
    if (length_ < indicator_length[edition_] + end_length ||
        file.read(offset + length_ - end_length, end_length) != "7777")
      damaged("does not end with 7777 after its " + std::to_string(length) + " bytes");
  }

  int64_t length() const { return length_; }

  void visit(const Visit& visit) const {
    if (edition_ == 1)
      visit_edition_1(visit);
    else
      visit_edition_2(visit);
  }

 private:
  [[noreturn]] void damaged(const std::string& what) const {
    throw Error(ErrorKind::data, file_.path(), ": the message at byte ", offset_, " ", what);
  }
  [[noreturn]] void cut_off(uint64_t length) const {
    damaged("is cut off: of its " + std::to_string(length) + " bytes " +
            std::to_string(file_.size() - offset_) + " are there");
  }

  int64_t end() const { return offset_ + length_ - end_length; }

  // The length of a section of edition 1, which begins with it.
  int64_t section_length(int64_t at) const {
    return static_cast<int64_t>(big_endian(file_.read(at, 3), 0, 3));
  }

  // Messages beyond 8 MiB give their length in units of 120 bytes, less what the section of the numbers
  // says beyond that (a usage of ECMWF, which all readers know).
  uint64_t length_of_edition_1(const std::string& indicator) const {
    const uint64_t length = big_endian(indicator, 4, 3);
    if (!(length & 0x800000)) return length;
    int64_t at = offset_ + indicator_length[1];
    const uint64_t flags = big_endian(file_.read(at + 7, 1), 0, 1);
    at += section_length(at);
    for (const uint64_t flag : {0x80, 0x40})  // a grid, a bitmap
      if (flags & flag) at += section_length(at);
    const auto numbers = static_cast<uint64_t>(section_length(at));
    return numbers < 120 ? (length & 0x7fffff) * 120 - numbers + 4 : length;
  }

  void visit_edition_1(const Visit& visit) const {
    GribHeader header{.edition = 1};
    int64_t at = offset_ + indicator_length[1];
    const auto next = [&](int64_t least) {
      const int64_t length = at + least <= end() ? section_length(at) : 0;
      if (length < least || length > end() - at)
        damaged("is damaged: its sections do not fit in it");
      at += length;
      return file_.read(at - length, length);
    };
    std::string product = next(28);
    const uint64_t flags = big_endian(product, 7, 1);
    if (flags & 0x80) header.grid = next(6);
    header.message = file_.read(offset_, indicator_length[1]) + product + header.grid;
    header.message[static_cast<size_t>(indicator_length[1]) + 7] &= '\xbf';  // without a bitmap
    header.message += std::string("\0\0\x0c\0\0\0\0\0\0\0\0\0", 12);         // a constant
    finish(header.message, 4, 3);
    // Year of the century, month, day, hour, minute; and the century.
    std::array<int, 5> date;
    for (size_t i = 0; i < date.size(); ++i)
      date[i] = static_cast<int>(big_endian(product, 12 + i, 1));
    const auto century = static_cast<int64_t>(big_endian(product, 24, 1));
    if (date[1] != 255)
      header.date = {(century - 1) * 100 + date[0], date[1], date[2], date[3], date[4], 0};
    product.replace(12, 5, 5, '\0').replace(24, 1, 1, '\0');
    header.product = std::move(product);
    visit({.message = {offset_, length_}}, header);
  }

  void visit_edition_2(const Visit& visit) const {
    GribHeader header;
    std::array<std::optional<GribField::Piece>, 8> sections;
    sections[0] = GribField::Piece{offset_, indicator_length[2]};
    std::vector<GribField> fields;
    std::vector<GribHeader> headers;
    for (int64_t at = offset_ + indicator_length[2]; at < end();) {
      const std::string beginning = file_.read(at, 6);
      const auto length = static_cast<int64_t>(big_endian(beginning, 0, 4));
      const uint64_t number = big_endian(beginning, 4, 1);
      if (length < 5 || length > end() - at || number < 1 || number > 7)
        damaged("is damaged: its sections do not fit in it");
      const bool earlier_bitmap = number == 6 && big_endian(beginning, 5, 1) == 254;
      if (!earlier_bitmap) sections[number] = GribField::Piece{at, length};
      at += length;
      if (number < 7) continue;
      for (const size_t needed : {1, 3, 4, 5, 6})
        if (!sections[needed]) damaged("is damaged: it lacks section " + std::to_string(needed));
      headers.push_back(header_of(sections));
      GribField& field = fields.emplace_back();
      field.message = {offset_, length_};
      for (const auto& section : sections)
        if (section) field.sections.push_back(*section);
    }
    if (fields.empty()) damaged("is damaged: it has no field");
    if (fields.size() == 1) fields[0].sections.clear();
    for (size_t i = 0; i < fields.size(); ++i) visit(fields[i], headers[i]);
  }

  GribHeader header_of(const std::array<std::optional<GribField::Piece>, 8>& sections) const {
    std::array<std::string, 6> bytes;
    for (size_t i = 0; i < bytes.size(); ++i)
      if (sections[i]) bytes[i] = file_.read(sections[i]->offset, sections[i]->length);
    GribHeader header;
    for (const std::string& section : bytes) header.message += section;
    header.message += std::string("\0\0\0\6\6\xff\0\0\0\5\7", 11);  // no bitmap, no numbers
    finish(header.message, 8, 8);
    header.grid = bytes[3];
    std::string& source = bytes[1];
    if (source.size() < 21) damaged("is damaged: its section 1 is too short");
    const auto part = [&](size_t at) { return static_cast<int>(big_endian(source, at, 1)); };
    if (part(14) != 255)
      header.date = {static_cast<int64_t>(big_endian(source, 12, 2)),
                     part(14),
                     part(15),
                     part(16),
                     part(17),
                     part(18)};
    source.replace(12, 7, 7, '\0');
    header.product = bytes[0].substr(6, 2) + source + bytes[2] + bytes[4];
    return header;
  }

  const GribFile& file_;
  int64_t offset_, length_ = 0;
  int edition_ = 0;
};

// The place of the next "GRIB", or -1.
int64_t next_message(const GribFile& file, int64_t from) {
  constexpr int64_t block = 1 << 16, word = 4;
  int64_t length = word;  // messages mostly follow one another
  for (int64_t at = from; at + word <= file.size(); at += length - word + 1, length = block) {
    length = std::min(length, file.size() - at);
    if (const size_t found = file.read(at, length).find("GRIB"); found != std::string::npos)
      return at + static_cast<int64_t>(found);
  }
  return -1;
}

[[noreturn]] void refuse_foreign(const GribFile& file) {
  const std::string beginning = file.read(0, std::min<int64_t>(file.size(), 8));
  const bool netcdf = beginning.starts_with("CDF") || beginning.starts_with("\x89HDF");
  throw Error(ErrorKind::data, file.path(), ": ",
              beginning.empty() ? "the file is empty"
              : netcdf          ? "the file is netCDF or HDF5, not GRIB (dataset.name: netcdf)"
                                : "there is no GRIB message in the file");
}

}  // namespace

GribFile::GribFile(std::string path)
    : path_(std::move(path)), descriptor_(open(path_.c_str(), O_RDONLY | O_CLOEXEC)) {
  struct stat status = {};
  if (!descriptor_ || fstat(descriptor_.number(), &status) != 0)
    throw Error(ErrorKind::data, path_, ": cannot be opened: ", std::strerror(errno));
  if (!S_ISREG(status.st_mode)) throw Error(ErrorKind::data, path_, ": is not a plain file");
  size_ = status.st_size;
  changed_ = status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec;
}

std::string GribFile::read(int64_t offset, int64_t length) const {
  std::string bytes;
  if (offset >= 0 && length >= 0 && offset <= size_ && length <= size_ - offset)
    bytes.resize(static_cast<size_t>(length));
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count = pread(descriptor_.number(), bytes.data() + done, bytes.size() - done,
                                offset + static_cast<int64_t>(done));
    if (count <= 0) break;
    done += static_cast<size_t>(count);
  }
  show_life();
  if (static_cast<int64_t>(done) != length)
    throw Error(ErrorKind::data, path_, ": ", length, " bytes at byte ", offset,
                " cannot be read; the file has ", size_);
  return bytes;
}

void scan_grib(const GribFile& file,
               const std::function<void(const GribField&, const GribHeader&)>& visit) {
  bool any = false;
  for (int64_t at = 0; (at = next_message(file, at)) >= 0;) {
    const GribMessageScan message(file, at);
    message.visit(visit);
    at += message.length();
    any = true;
  }
  if (!any) refuse_foreign(file);
}

std::string read_grib_message(const GribFile& file, const GribField& field) {
  if (field.sections.empty()) return file.read(field.message.offset, field.message.length);
  std::string bytes;
  for (const GribField::Piece& section : field.sections)
    bytes += file.read(section.offset, section.length);
  finish(bytes, 8, 8);
  return bytes;
}

}  // namespace py4cast
