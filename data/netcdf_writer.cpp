#include "data/netcdf_writer.h"

#include <fcntl.h>
#include <netcdf.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "data/netcdf_file.h"
#include "engine/error.h"

namespace py4cast {
namespace {

int stored_type(NetcdfWriter::Type type) {
  switch (type) {
    case NetcdfWriter::Type::int8:
      return NC_BYTE;
    case NetcdfWriter::Type::int16:
      return NC_SHORT;
    case NetcdfWriter::Type::int32:
      return NC_INT;
    case NetcdfWriter::Type::int64:
      return NC_INT64;
    case NetcdfWriter::Type::float32:
      return NC_FLOAT;
    default:
      return NC_DOUBLE;
  }
}

}  // namespace

NetcdfWriter::NetcdfWriter(const std::string& path) : path_(path), partial_(path + ".partial") {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  if (!folder.empty() && !std::filesystem::is_directory(folder))
    throw Error(ErrorKind::input_output, path, ": there is no folder ", folder.string());
  if (std::filesystem::is_directory(path))
    throw Error(ErrorKind::input_output, path, ": is a folder, not a file");
  // The library's own message for a folder without permission is no help.
  const int descriptor = open(partial_.c_str(), O_CREAT | O_WRONLY | O_TRUNC, 0666);
  if (descriptor < 0)
    throw Error(ErrorKind::input_output, path, ": cannot be written (", std::strerror(errno), ")");
  close(descriptor);
  const std::lock_guard lock(netcdf_mutex());
  const int status = nc_create(partial_.c_str(), NC_NETCDF4 | NC_CLOBBER, &file_);
  open_ = status == NC_NOERR;
  check(status, "cannot be written");
}

NetcdfWriter::~NetcdfWriter() {
  const std::lock_guard lock(netcdf_mutex());
  discard();
}

void NetcdfWriter::discard() {
  if (open_) nc_close(file_);
  open_ = false;
  if (!partial_.empty()) std::remove(partial_.c_str());
}

void NetcdfWriter::check(int status, const std::string& what) {
  if (status == NC_NOERR) return;
  const int reason = errno;
  std::error_code code;
  const auto space = std::filesystem::space(std::filesystem::absolute(path_).parent_path(), code);
  discard();
  std::string cause = nc_strerror(status);
  if (status > 0) cause = std::strerror(status);
  if (!code && space.available < (1 << 20))
    cause = "the disk is full";
  else if (status == NC_EHDFERR && (reason == ENOSPC || reason == EFBIG || reason == EDQUOT))
    cause = std::strerror(reason);
  throw Error(ErrorKind::input_output, path_, ": ", what, " (", cause, ")");
}

int NetcdfWriter::dimension(const std::string& name, size_t length) {
  const std::lock_guard lock(netcdf_mutex());
  int id = 0;
  check(nc_def_dim(file_, name.c_str(), length, &id), "dimension '" + name + "' cannot be made");
  return id;
}

int NetcdfWriter::variable(const std::string& name, Type type, const std::vector<int>& dimensions,
                           const std::vector<size_t>& chunk) {
  const std::lock_guard lock(netcdf_mutex());
  const std::string what = "variable '" + name + "' cannot be made";
  int id = 0;
  check(nc_def_var(file_, name.c_str(), stored_type(type), static_cast<int>(dimensions.size()),
                   dimensions.data(), &id),
        what);
  if (dimensions.size() >= 2) {
    if (!chunk.empty()) check(nc_def_var_chunking(file_, id, NC_CHUNKED, chunk.data()), what);
    check(nc_def_var_deflate(file_, id, 1, 1, 1), what);
  }
  return id;
}

void NetcdfWriter::attribute(int variable, const std::string& name, const std::string& text) {
  if (text.empty()) return;
  const std::lock_guard lock(netcdf_mutex());
  check(nc_put_att_text(file_, variable, name.c_str(), text.size(), text.data()),
        "attribute '" + name + "' cannot be written");
}

void NetcdfWriter::attribute(int variable, const std::string& name, double value, Type type) {
  const std::lock_guard lock(netcdf_mutex());
  check(nc_put_att_double(file_, variable, name.c_str(), stored_type(type), 1, &value),
        "attribute '" + name + "' cannot be written");
}

void NetcdfWriter::write(int variable, const std::vector<size_t>& start,
                         const std::vector<size_t>& count, const float* values) {
  const std::lock_guard lock(netcdf_mutex());
  check(nc_put_vara_float(file_, variable, start.data(), count.data(), values),
        "cannot be written");
}

void NetcdfWriter::write(int variable, const std::vector<size_t>& start,
                         const std::vector<size_t>& count, const double* values) {
  const std::lock_guard lock(netcdf_mutex());
  check(nc_put_vara_double(file_, variable, start.data(), count.data(), values),
        "cannot be written");
}

void NetcdfWriter::write(int variable, const std::vector<size_t>& start,
                         const std::vector<size_t>& count, const int16_t* values) {
  const std::lock_guard lock(netcdf_mutex());
  check(nc_put_vara_short(file_, variable, start.data(), count.data(), values),
        "cannot be written");
}

void NetcdfWriter::finish() {
  const std::lock_guard lock(netcdf_mutex());
  errno = 0;
  check(nc_sync(file_), "cannot be written");
  open_ = false;
  check(nc_close(file_), "cannot be written");
  const int descriptor = open(partial_.c_str(), O_RDONLY);
  const bool synced = descriptor >= 0 && fsync(descriptor) == 0;
  if (descriptor >= 0) close(descriptor);
  if (!synced || std::rename(partial_.c_str(), path_.c_str()) != 0) {
    const int reason = errno;
    discard();
    throw Error(ErrorKind::input_output, path_, ": cannot be written (", std::strerror(reason),
                ")");
  }
  partial_.clear();
}

}  // namespace py4cast
