// The header of netCDF-3 files, read before the library sees the file: netCDF-C 4.9.0 trusts what
// stands there. Source: netCDF users guide, appendix "File format specifications".
#include <algorithm>
#include <cstdint>
#include <fstream>
#include <vector>

#include "data/netcdf/netcdf_file.h"
#include "engine/error.h"
#include "engine/settings/json.h"

namespace py4cast {
namespace {

// Of the library (netcdf.h): NC_MAX_NAME, NC_MAX_VAR_DIMS.
constexpr uint64_t longest_name = 256, highest_rank = 1024;

class ClassicHeader {
 public:
  explicit ClassicHeader(const std::string& path) : path_(path), file_(path, std::ios::binary) {
    file_.seekg(0, std::ios::end);
    left_ = length_ = static_cast<uint64_t>(std::max<std::streamoff>(file_.tellg(), 0));
    file_.seekg(0);
  }

  void check() {
    char magic[4] = {};
    file_.read(magic, 4);
    version_ = static_cast<unsigned char>(magic[3]);
    if (!file_ || magic[0] != 'C' || magic[1] != 'D' || magic[2] != 'F' ||
        (version_ != 1 && version_ != 2 && version_ != 5))
      return;
    left_ -= 4;
    records_ = number(count_bytes());
    if (records_ == (version_ == 5 ? UINT64_MAX : UINT32_MAX))
      fail("the program that wrote the file did not finish it: its number of times is not known");
    read_dimensions();
    skip_attributes();
    read_variables();
    const uint64_t needed = end_of_data();
    if (needed > length_)
      fail("the file is truncated: it has ", length_, " bytes but its header tells of ", needed);
  }

 private:
  struct Variable {
    std::string name;
    uint64_t bytes = 0, begin = 0;  // of one record, if it has records
    bool has_records = false;
  };

  template <typename... Parts>
  [[noreturn]] void fail(const Parts&... parts) const {
    throw Error(ErrorKind::data, path_, ": ", parts...);
  }
  template <typename... Parts>
  [[noreturn]] void damaged(const Parts&... parts) const {
    fail("the header of the file is damaged: ", parts...);
  }

  void take(uint64_t bytes) {
    if (bytes > left_) fail("the file is truncated in its header");
    left_ -= bytes;
  }
  uint64_t number(uint64_t bytes) {
    take(bytes);
    uint64_t value = 0;
    for (uint64_t i = 0; i < bytes; ++i)
      value = value << 8 | static_cast<uint64_t>(static_cast<unsigned char>(file_.get()));
    return value;
  }
  uint64_t count_bytes() const { return version_ == 5 ? 8 : 4; }
  // How many things of at least so many bytes follow.
  uint64_t count(uint64_t bytes_of_one) {
    const uint64_t value = number(count_bytes());
    if (value > left_ / bytes_of_one) fail("the file is truncated in its header");
    return value;
  }
  static uint64_t padded(uint64_t bytes) { return (bytes + 3) / 4 * 4; }
  uint64_t read_type() {
    static constexpr uint64_t sizes[] = {0, 1, 1, 2, 4, 4, 8, 1, 2, 4, 8, 8};
    const uint64_t type = number(4);
    if (type == 0 || type > (version_ == 5 ? 11 : 6)) damaged("there is no type ", type);
    return sizes[type];
  }
  void skip(uint64_t bytes) {
    take(bytes);
    file_.seekg(static_cast<std::streamoff>(bytes), std::ios::cur);
  }
  std::string read_name() {
    const uint64_t size = count(1);
    if (size == 0 || size > longest_name)
      damaged("a name has ", size, " bytes, not 1 to ", longest_name);
    std::string name(padded(size), '\0');
    take(name.size());
    file_.read(name.data(), static_cast<std::streamsize>(name.size()));
    name.resize(size);
    if (!is_utf8(name) || name.find('\0') != std::string::npos) damaged("a name is not UTF-8");
    return name;
  }
  // Of a list whose elements have at least so many bytes.
  uint64_t read_list(uint64_t tag, uint64_t bytes_of_one) {
    const uint64_t found = number(4), size = count(bytes_of_one);
    if (found != tag && (found != 0 || size != 0))
      damaged("a list begins with ", found, ", not ", tag);
    return size;
  }

  void read_dimensions() {
    for (uint64_t n = read_list(10, 2 * count_bytes()); n > 0; --n) {
      const std::string name = read_name();
      dimensions_.push_back(number(count_bytes()));
      if (dimensions_.back() > INT64_MAX)
        damaged("dimension '", name, "' has the length ", dimensions_.back());
    }
    if (std::ranges::count(dimensions_, 0u) > 1) damaged("it has two dimensions of times");
  }

  void skip_attributes() {
    for (uint64_t n = read_list(12, 2 * count_bytes() + 4); n > 0; --n) {
      read_name();
      const uint64_t size = read_type();
      skip(padded(count(size) * size));
    }
  }

  void read_variables() {
    for (uint64_t n = read_list(11, 4 * count_bytes() + 12); n > 0; --n) {
      Variable v{.name = read_name()};
      const uint64_t rank = count(count_bytes());
      if (rank > highest_rank)
        damaged("variable '", v.name, "' has ", rank, " dimensions, more than ", highest_rank);
      uint64_t values = 1;
      for (uint64_t d = 0; d < rank; ++d) {
        const uint64_t id = number(count_bytes());
        if (id >= dimensions_.size())
          damaged("variable '", v.name, "' has dimension ", id, " of ", dimensions_.size());
        if (d == 0 && dimensions_[id] == 0)
          v.has_records = true;
        else
          values = product(values, dimensions_[id], v);
      }
      skip_attributes();
      v.bytes = product(values, read_type(), v);
      number(count_bytes());  // vsize: redundant, and wrong for large variables
      v.begin = number(version_ == 1 ? 4 : 8);
      variables_.push_back(std::move(v));
    }
  }

  uint64_t product(uint64_t a, uint64_t b, const Variable& v) const {
    uint64_t result = 0;
    if (__builtin_mul_overflow(a, b, &result) || result > INT64_MAX - 3)
      damaged("variable '", v.name, "' has more bytes than a file can have");
    return result;
  }
  uint64_t sum(uint64_t a, uint64_t b, const Variable& v) const {
    uint64_t result = 0;
    if (__builtin_add_overflow(a, b, &result) || result > INT64_MAX - 3)
      damaged("variable '", v.name, "' lies behind the end of any file");
    return result;
  }

  // The offset of the last byte of data + 1.
  uint64_t end_of_data() const {
    const auto recorded = std::ranges::count(variables_, true, &Variable::has_records);
    uint64_t record_bytes = 0, end = 0;
    for (const Variable& v : variables_)
      if (v.has_records)
        record_bytes = sum(record_bytes, recorded == 1 ? v.bytes : padded(v.bytes), v);
    for (const Variable& v : variables_) {
      if (v.has_records && records_ == 0) continue;
      const uint64_t before = v.has_records ? product(records_ - 1, record_bytes, v) : 0;
      end = std::max(end, sum(sum(v.begin, before, v), v.bytes, v));
    }
    return end;
  }

  const std::string& path_;
  std::ifstream file_;
  uint64_t length_ = 0, left_ = 0;  // bytes: of the file, behind what was read
  uint64_t records_ = 0;
  int version_ = 0;
  std::vector<uint64_t> dimensions_;  // 0: the record dimension
  std::vector<Variable> variables_;
};

}  // namespace

void check_classic_header(const std::string& path) {
  ClassicHeader(path).check();
}

}  // namespace py4cast
