// netCDF files, read through a bounded pool of open files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "data/cf/cf_files.h"

namespace py4cast {

class MemoryLedger;

// netCDF-C and HDF5 are not thread safe: whoever calls them holds this lock.
std::mutex& netcdf_mutex();

// The status of a call that opens a file, without the property list of HDF5 that Debian's netCDF 4.9.0 leaves
// behind at each of them.
int open_without_leak(const std::function<int()>& open);

// Whether a file begins as those of netCDF-3 or HDF5 do.
bool is_netcdf(const std::string& path);

// Keeps at most `capacity` files open and closes the one used longest ago. Files are opened on
// their first use. All functions may be called from several threads. The ledger, if there is one,
// counts the open files.
class NetcdfPool : public CfFiles {
 public:
  explicit NetcdfPool(size_t capacity = 128, MemoryLedger* ledger = nullptr);
  ~NetcdfPool() override;
  NetcdfPool(const NetcdfPool&) = delete;
  NetcdfPool& operator=(const NetcdfPool&) = delete;

  // Of the root group. Texts that are not UTF-8 are taken for Latin-1. A variable of letters is one of
  // texts, without its last dimension. Error(data): also a locked file.
  CfMetadata describe(const std::string& path) override;
  void read_block(const std::string& path, const CfVariable& variable,
                  const std::vector<size_t>& start, const std::vector<size_t>& count,
                  void* out) override;
  std::vector<std::string> read_texts(const std::string& path, const CfVariable& variable) override;
  uint64_t bytes(const std::string& path) override;

  size_t capacity() const { return capacity_; }
  size_t open_files() const;
  // How often a file was opened so far.
  size_t opens() const;

 private:
  struct FileIdentity {
    uint64_t inode = 0;
    int64_t bytes = 0;
  };
  static FileIdentity identity_of(const std::string& path);
  struct OpenFile {
    std::string path;
    int id = 0;
    FileIdentity identity;          // when it was opened
    std::set<std::string> checked;  // variables that are still as they were described
  };
  OpenFile& acquire(const std::string& path);
  void close(const OpenFile& file);
  template <typename Get>
  void with_variable(const std::string& path, const CfVariable& variable, Get get);

  const size_t capacity_;
  MemoryLedger* const ledger_;
  std::list<OpenFile> files_;  // the one used last first
  size_t opens_ = 0;
};

// Error(data) if a netCDF-3 file is shorter than its header says (the library would return fill
// values), or if its header has names, lengths or numbers that the library does not survive. Files of
// other formats pass: HDF5 checks itself.
void check_classic_header(const std::string& path);

}  // namespace py4cast
