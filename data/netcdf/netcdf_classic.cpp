// The header of netCDF-3 files. Source: netCDF users guide, appendix "File format specifications".
#include <algorithm>
#include <cstdint>
#include <fstream>
#include <vector>

#include "data/netcdf/netcdf_file.h"
#include "engine/error.h"

namespace py4cast {
namespace {

class ClassicHeader {
 public:
  explicit ClassicHeader(const std::string& path) : path_(path), file_(path, std::ios::binary) {
    file_.seekg(0, std::ios::end);
    length_ = static_cast<uint64_t>(file_.tellg());
    file_.seekg(0);
  }

  void check() {
    char magic[4] = {};
    file_.read(magic, 4);
    version_ = static_cast<unsigned char>(magic[3]);
    if (!file_ || magic[0] != 'C' || magic[1] != 'D' || magic[2] != 'F' ||
        (version_ != 1 && version_ != 2 && version_ != 5))
      return;
    records_ = count();
    const bool streaming = records_ == (version_ == 5 ? UINT64_MAX : UINT32_MAX);
    read_dimensions();
    skip_attributes();
    const uint64_t needed = read_variables(streaming ? 0 : records_);
    if (needed > length_)
      throw Error(ErrorKind::data, path_, ": the file is truncated: it has ", length_,
                  " bytes but its header tells of ", needed);
  }

 private:
  uint64_t number(int bytes) {
    uint64_t value = 0;
    for (int i = 0; i < bytes; ++i)
      value = value << 8 | static_cast<uint64_t>(static_cast<unsigned char>(file_.get()));
    if (!file_) throw Error(ErrorKind::data, path_, ": the file is truncated in its header");
    return value;
  }
  uint64_t count() { return number(version_ == 5 ? 8 : 4); }
  static uint64_t padded(uint64_t bytes) { return (bytes + 3) / 4 * 4; }
  static uint64_t size_of(uint64_t type) {
    static constexpr uint64_t sizes[] = {0, 1, 1, 2, 4, 4, 8, 1, 2, 4, 8, 8};
    return type < 12 ? sizes[type] : 0;
  }
  void skip(uint64_t bytes) { file_.seekg(static_cast<std::streamoff>(bytes), std::ios::cur); }
  void skip_name() { skip(padded(count())); }

  void read_dimensions() {
    number(4);  // tag
    for (uint64_t n = count(); n > 0; --n) {
      skip_name();
      dimensions_.push_back(count());
    }
  }

  void skip_attributes() {
    number(4);
    for (uint64_t n = count(); n > 0; --n) {
      skip_name();
      const uint64_t type = number(4);
      skip(padded(count() * size_of(type)));
    }
  }

  // The offset of the last byte of data + 1.
  uint64_t read_variables(uint64_t records) {
    struct Variable {
      uint64_t bytes = 0, begin = 0;  // of one record, if it has records
      bool has_records = false;
    };
    std::vector<Variable> variables;
    number(4);
    for (uint64_t n = count(); n > 0; --n) {
      Variable v;
      uint64_t values = 1;
      skip_name();
      const uint64_t rank = count();
      for (uint64_t d = 0; d < rank; ++d) {
        const uint64_t id = count();
        const uint64_t length = id < dimensions_.size() ? dimensions_[id] : 1;
        if (d == 0 && length == 0)
          v.has_records = true;
        else
          values *= length;
      }
      skip_attributes();
      v.bytes = values * size_of(number(4));
      count();  // vsize: redundant, and wrong for large variables
      v.begin = number(version_ == 1 ? 4 : 8);
      variables.push_back(v);
    }
    const auto recorded = std::count_if(variables.begin(), variables.end(),
                                        [](const Variable& v) { return v.has_records; });
    uint64_t record_bytes = 0, end = 0;
    for (const Variable& v : variables)
      if (v.has_records) record_bytes += recorded == 1 ? v.bytes : padded(v.bytes);
    for (const Variable& v : variables) {
      if (!v.has_records)
        end = std::max(end, v.begin + v.bytes);
      else if (records > 0)
        end = std::max(end, v.begin + (records - 1) * record_bytes + v.bytes);
    }
    return end;
  }

  const std::string& path_;
  std::ifstream file_;
  uint64_t length_ = 0, records_ = 0;
  int version_ = 0;
  std::vector<uint64_t> dimensions_;  // 0: the record dimension
};

}  // namespace

void check_classic_length(const std::string& path) {
  ClassicHeader(path).check();
}

}  // namespace py4cast
