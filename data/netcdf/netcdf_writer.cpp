#include "data/netcdf/netcdf_writer.h"

#include <fcntl.h>
#include <hdf5.h>
#include <netcdf.h>
#include <netcdf_mem.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>

#include "data/netcdf/netcdf_file.h"
#include "engine/error.h"
#include "engine/files.h"

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

// Opens an empty netCDF-4 file in memory. nc_create_mem makes one as well, but without the order in which
// links are made, and netCDF opens no file without it for writing.
int open_in_memory(const std::string& name, int& file) {
  const hid_t created = H5Pcreate(H5P_FILE_CREATE), access = H5Pcreate(H5P_FILE_ACCESS);
  constexpr unsigned order = H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED;
  H5Pset_link_creation_order(created, order);
  H5Pset_attr_creation_order(created, order);
  H5Pset_obj_track_times(created, false);  // equal contents make equal files
  H5Pset_fapl_core(access, 4096, false);
  const hid_t empty = H5Fcreate(name.c_str(), H5F_ACC_TRUNC, created, access);
  H5Fflush(empty, H5F_SCOPE_GLOBAL);
  const ssize_t size = H5Fget_file_image(empty, nullptr, 0);
  void* const image = size > 0 ? std::malloc(static_cast<size_t>(size)) : nullptr;
  const bool good = image && H5Fget_file_image(empty, image, static_cast<size_t>(size)) == size;
  H5Fclose(empty);
  H5Pclose(access);
  H5Pclose(created);
  if (!good) {
    std::free(image);
    return NC_EHDFERR;
  }
  NC_memio memory = {static_cast<size_t>(size), image, 0};  // which is netCDF's from now on
  return open_without_leak([&] { return nc_open_memio(name.c_str(), NC_WRITE, &memory, &file); });
}

}  // namespace

NetcdfWriter::NetcdfWriter(const std::string& path, Kind kind)
    : path_(path), partial_(path + ".partial"), kind_(kind) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  if (!folder.empty() && !std::filesystem::is_directory(folder))
    throw Error(ErrorKind::input_output, path, ": there is no folder ", folder.string());
  if (std::filesystem::is_directory(path))
    throw Error(ErrorKind::input_output, path, ": is a folder, not a file");
  if (std::filesystem::exists(path) && !std::filesystem::is_regular_file(path))
    throw Error(ErrorKind::input_output, path, ": is not a plain file");
  descriptor_ = ::open(partial_.c_str(), O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor_ < 0)
    throw Error(ErrorKind::input_output, path, ": cannot be written (", std::strerror(errno), ")");
  const std::lock_guard lock(netcdf_mutex());
  const int status = kind == Kind::whole
                         ? open_in_memory(partial_, file_)
                         : nc_create(partial_.c_str(), NC_64BIT_OFFSET | NC_CLOBBER, &file_);
  open_ = status == NC_NOERR;
  check(status);
  int old_mode = 0;
  if (kind == Kind::streamed) check(nc_set_fill(file_, NC_NOFILL, &old_mode));
}

NetcdfWriter::~NetcdfWriter() {
  const std::lock_guard lock(netcdf_mutex());
  discard();
}

void NetcdfWriter::discard() {
  // When a write of netCDF-3 has failed, only nc_close gives its memory back.
  if (open_) kind_ == Kind::streamed ? nc_close(file_) : nc_abort(file_);
  open_ = false;
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  descriptor_ = -1;
  std::remove(partial_.c_str());
}

void NetcdfWriter::check(int status) {
  if (status == NC_NOERR) return;
  discard();
  throw Error(ErrorKind::input_output, path_, ": cannot be written (",
              status > 0 ? std::strerror(status) : nc_strerror(status), ")");
}

int NetcdfWriter::dimension(const std::string& name, size_t length) {
  const std::lock_guard lock(netcdf_mutex());
  int id = 0;
  check(nc_def_dim(file_, name.c_str(), length, &id));
  return id;
}

int NetcdfWriter::variable(const std::string& name, Type type, const std::vector<int>& dimensions,
                           const std::vector<size_t>& chunk) {
  const std::lock_guard lock(netcdf_mutex());
  int id = 0;
  check(nc_def_var(file_, name.c_str(), stored_type(type), static_cast<int>(dimensions.size()),
                   dimensions.data(), &id));
  if (dimensions.size() >= 2 && kind_ == Kind::whole) {
    if (!chunk.empty()) check(nc_def_var_chunking(file_, id, NC_CHUNKED, chunk.data()));
    check(nc_def_var_deflate(file_, id, 1, 1, 1));
  }
  return id;
}

void NetcdfWriter::attribute(int variable, const std::string& name, const std::string& text) {
  if (text.empty()) return;
  const std::lock_guard lock(netcdf_mutex());
  check(nc_put_att_text(file_, variable, name.c_str(), text.size(), text.data()));
}

void NetcdfWriter::attribute(int variable, const std::string& name, double value, Type type) {
  const std::lock_guard lock(netcdf_mutex());
  check(nc_put_att_double(file_, variable, name.c_str(), stored_type(type), 1, &value));
}

void NetcdfWriter::attribute(int variable, const std::string& name,
                             const std::vector<double>& values) {
  const std::lock_guard lock(netcdf_mutex());
  check(nc_put_att_double(file_, variable, name.c_str(), NC_DOUBLE, values.size(), values.data()));
}

void NetcdfWriter::write(int variable, const std::vector<size_t>& start,
                         const std::vector<size_t>& count, const float* values) {
  const std::lock_guard lock(netcdf_mutex());
  start_data();
  check(nc_put_vara_float(file_, variable, start.data(), count.data(), values));
}

void NetcdfWriter::write(int variable, const std::vector<size_t>& start,
                         const std::vector<size_t>& count, const double* values) {
  const std::lock_guard lock(netcdf_mutex());
  start_data();
  check(nc_put_vara_double(file_, variable, start.data(), count.data(), values));
}

void NetcdfWriter::write(int variable, const std::vector<size_t>& start,
                         const std::vector<size_t>& count, const int16_t* values) {
  const std::lock_guard lock(netcdf_mutex());
  start_data();
  check(nc_put_vara_short(file_, variable, start.data(), count.data(), values));
}

void NetcdfWriter::write(int variable, const std::vector<size_t>& start,
                         const std::vector<size_t>& count, const int32_t* values) {
  const std::lock_guard lock(netcdf_mutex());
  start_data();
  check(nc_put_vara_int(file_, variable, start.data(), count.data(), values));
}

// netCDF-3 wants to know when its header is complete.
void NetcdfWriter::start_data() {
  if (kind_ == Kind::whole || defined_) return;
  check(nc_enddef(file_));
  defined_ = true;
}

void NetcdfWriter::write_image() {
  NC_memio image = {};
  check(nc_close_memio(file_, &image));
  open_ = false;
  const std::unique_ptr<void, decltype(&std::free)> owner(image.memory, &std::free);
  const char* bytes = static_cast<const char*>(image.memory);
  for (size_t done = 0; done < image.size;) {
    const ssize_t written = ::write(descriptor_, bytes + done, image.size - done);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) check(errno);
    done += static_cast<size_t>(written);
  }
}

void NetcdfWriter::finish() {
  const std::lock_guard lock(netcdf_mutex());
  if (kind_ == Kind::whole) {
    write_image();
  } else {
    start_data();
    open_ = false;
    check(nc_close(file_));
  }
  if (fsync(descriptor_) != 0) check(errno);
  if (std::rename(partial_.c_str(), path_.c_str()) != 0) check(errno);
  ::close(descriptor_);
  descriptor_ = -1;
  // The name, too, is to be on the disk (engine/files.cpp). Some file systems cannot and need not.
  const std::filesystem::path parent = std::filesystem::path(path_).parent_path();
  const Descriptor folder(::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY));
  if (folder) ::fsync(folder.number());
}

}  // namespace py4cast
