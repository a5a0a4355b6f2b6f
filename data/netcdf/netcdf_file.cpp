#include "data/netcdf/netcdf_file.h"

#include <fcntl.h>
#include <hdf5.h>
#include <netcdf.h>
#include <netcdf_filter.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <numeric>

#include "data/netcdf/unpacking.h"
#include "engine/error.h"
#include "engine/files.h"
#include "engine/memory.h"
#include "engine/settings/json.h"
#include "engine/signs_of_life.h"

namespace py4cast {
namespace {

[[noreturn]] void fail(const std::string& path, const std::string& what) {
  throw Error(ErrorKind::data, path, ": ", what);
}

void check_status(int status, const std::string& path, const std::string& what) {
  if (status != NC_NOERR) fail(path, what + " (" + nc_strerror(status) + ")");
}

// Debian's netCDF 4.9.0 leaves one file creation property list behind at each open. The lists made
// since `first` that the application holds are closed; those that HDF5 itself holds are not counted
// by H5Iget_ref.
void close_leaked_lists(hid_t first) {
  const hid_t last = H5Pcreate(H5P_FILE_CREATE);
  for (hid_t id = first; id <= last; ++id) {
    if (H5Iis_valid(id) <= 0 || H5Iget_type(id) != H5I_GENPROP_LST || H5Iget_ref(id) != 1) continue;
    if (H5Pisa_class(id, H5P_FILE_CREATE) > 0) H5Pclose(id);
  }
}

// What other files begin with that are named .nc now and then.
void check_format(const std::string& path) {
  char magic[4] = {};
  std::ifstream(path, std::ios::binary).read(magic, sizeof magic);
  const std::string_view begin(magic, sizeof magic);
  if (begin == "GRIB")
    fail(path, "this is GRIB, not netCDF; convert it (grib_to_netcdf, cdo -f nc4 copy)");
  if (begin == "PK\x03\x04") fail(path, "this is a zip archive, not netCDF; unpack it");
  if (begin.starts_with("\x1f\x8b")) fail(path, "this is compressed by gzip; unpack it");
  if (begin == "<!DO" || begin == "<htm") fail(path, "this is a web page, not netCDF");
}

// Whether another program holds the lock that HDF5 takes for writing.
bool is_locked(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  return file && ::flock(file.number(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

int open_file(const std::string& path) {
  struct stat status;
  if (stat(path.c_str(), &status) != 0) fail(path, "there is no such file");
  if (S_ISDIR(status.st_mode)) fail(path, "is a folder, not a file");
  if (!S_ISREG(status.st_mode)) fail(path, "is not a plain file");
  if (access(path.c_str(), R_OK) != 0) fail(path, "cannot be read: permission denied");
  if (status.st_size == 0) fail(path, "the file is empty");
  check_format(path);
  check_classic_header(path);
  int id = 0;
  const hid_t first = H5Pcreate(H5P_FILE_CREATE);
  const int result = nc_open(path.c_str(), NC_NOWRITE, &id);
  show_life();
  close_leaked_lists(first);
  if (result != NC_NOERR && is_locked(path))
    fail(path, "the file is locked: another program is writing it");
  if (result == NC_EHDFERR) fail(path, "the file is truncated or damaged (HDF5 cannot open it)");
  if (result == NC_ENOTNC) fail(path, "this is not a netCDF file");
  check_status(result, path, "the file cannot be opened");
  return id;
}

// JSON and terminals need UTF-8.
std::string as_utf8(const std::string& text) {
  if (is_utf8(text)) return text;
  std::string result;
  for (const char letter : text) {
    const auto byte = static_cast<unsigned char>(letter);
    if (byte < 0x80) {
      result += letter;
    } else {
      result += static_cast<char>(0xc0 | byte >> 6);
      result += static_cast<char>(0x80 | (byte & 0x3f));
    }
  }
  return result;
}

NetcdfAttribute read_attribute(int file, int variable, const char* name, const std::string& path) {
  NetcdfAttribute attribute;
  size_t length = 0;
  check_status(nc_inq_att(file, variable, name, &attribute.type, &length), path,
               "damaged attribute");
  if (attribute.type == NC_CHAR) {
    attribute.text.resize(length);
    check_status(nc_get_att_text(file, variable, name, attribute.text.data()), path,
                 "damaged attribute");
    attribute.text.resize(std::min(length, attribute.text.find('\0')));
    attribute.text = as_utf8(attribute.text);
  } else if (attribute.type == NC_STRING) {
    std::vector<char*> strings(length);
    check_status(nc_get_att_string(file, variable, name, strings.data()), path,
                 "damaged attribute");
    for (size_t i = 0; i < length; ++i) {
      if (i > 0) attribute.text += ' ';
      if (strings[i]) attribute.text += strings[i];
    }
    nc_free_string(length, strings.data());
    attribute.text = as_utf8(attribute.text);
  } else if (attribute.type <= NC_UINT64) {
    attribute.numbers.resize(length);
    check_status(nc_get_att_double(file, variable, name, attribute.numbers.data()), path,
                 "damaged attribute");
  }
  return attribute;
}

std::map<std::string, NetcdfAttribute> read_attributes(int file, int variable, int count,
                                                       const std::string& path) {
  std::map<std::string, NetcdfAttribute> attributes;
  for (int i = 0; i < count; ++i) {
    char name[NC_MAX_NAME + 1] = {};
    check_status(nc_inq_attname(file, variable, i, name), path, "damaged attribute");
    attributes[name] = read_attribute(file, variable, name, path);
  }
  return attributes;
}

NetcdfVariable read_variable(int file, int id, const std::string& path) {
  char name[NC_MAX_NAME + 1] = {};
  int dimensions = 0, attributes = 0, ids[NC_MAX_VAR_DIMS];
  NetcdfVariable variable;
  check_status(nc_inq_var(file, id, name, &variable.type, &dimensions, ids, &attributes), path,
               "the description of a variable is damaged");
  variable.name = name;
  for (int d = 0; d < dimensions; ++d) {
    char dimension[NC_MAX_NAME + 1] = {};
    size_t length = 0;
    check_status(nc_inq_dim(file, ids[d], dimension, &length), path, "a dimension is damaged");
    variable.dimensions.push_back(dimension);
    variable.shape.push_back(length);
  }
  variable.attributes = read_attributes(file, id, attributes, path);
  return variable;
}

// Limits the memory of the chunk cache: chunks that span several fields are kept for the next field
// as long as they are not huge; chunks of one field are not.
void set_chunk_cache(int file, int variable) {
  constexpr size_t limit = size_t{32} << 20;
  int storage = 0, rank = 0, ids[NC_MAX_VAR_DIMS];
  size_t chunk[NC_MAX_VAR_DIMS] = {}, type_size = 0;
  int type = 0;
  if (nc_inq_varndims(file, variable, &rank) != NC_NOERR || rank == 0) return;
  if (nc_inq_var_chunking(file, variable, &storage, chunk) != NC_NOERR || storage != NC_CHUNKED)
    return;
  nc_inq_vardimid(file, variable, ids);
  nc_inq_vartype(file, variable, &type);
  nc_inq_type(file, type, nullptr, &type_size);
  size_t bytes = type_size;
  for (int d = 0; d < rank; ++d) {
    size_t length = 0;
    nc_inq_dimlen(file, ids[d], &length);
    const size_t chunks = d < rank - 2 ? 1 : (length + chunk[d] - 1) / chunk[d];
    bytes *= chunk[d] * std::max<size_t>(chunks, 1);
  }
  nc_set_var_chunk_cache(file, variable, std::min(bytes, limit), 521, 0.75f);
}

// The variable's unpacking; the file is named where it has none.
Unpacking unpacking_of(const std::string& path, const NetcdfVariable& v) {
  if (!v.is_numeric()) fail(path, "variable '" + v.name + "' is not numeric");
  try {
    return Unpacking(v);
  } catch (const Error& error) {
    fail(path, error.what());
  }
}

size_t product(const std::vector<size_t>& count) {
  return std::accumulate(count.begin(), count.end(), size_t{1}, std::multiplies<>());
}

std::string type_name(int type) {
  static constexpr const char* names[] = {"none",   "byte",  "char",   "short", "int",   "float",
                                          "double", "ubyte", "ushort", "uint",  "int64", "uint64"};
  return type > 0 && type <= NC_UINT64 ? names[type] : "another type";
}

// A file that was opened again may be another one by now.
void check_unchanged(const NetcdfVariable& before, const NetcdfVariable& now,
                     const std::string& path) {
  const auto grown = [&] {
    return now.shape.size() == before.shape.size() && !now.shape.empty() &&
           now.shape[0] >= before.shape[0] &&
           std::equal(now.shape.begin() + 1, now.shape.end(), before.shape.begin() + 1);
  };
  if (now.type != before.type || (now.shape != before.shape && !grown()))
    fail(path, "the file was replaced: variable '" + before.name + "' was " +
                   before.describe_shape() + " of " + type_name(before.type) + " and is " +
                   now.describe_shape() + " of " + type_name(now.type));
  const auto same = [](double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); };
  for (const char* name : packing_attributes)
    if (!std::ranges::equal(numbers_of(now, name), numbers_of(before, name), same) ||
        now.text(name) != before.text(name))
      fail(path, "the file was replaced: variable '" + before.name + "' has another " + name);
}

// Says which compression HDF5 does not know here; empty: none of the variable's.
std::string missing_filter(int file, int variable) {
  size_t count = 0;
  if (nc_inq_var_filter_ids(file, variable, &count, nullptr) != NC_NOERR || count == 0) return "";
  std::vector<unsigned> ids(count);
  if (nc_inq_var_filter_ids(file, variable, &count, ids.data()) != NC_NOERR) return "";
  for (const unsigned id : ids)
    if (H5Zfilter_avail(static_cast<H5Z_filter_t>(id)) <= 0)
      return "it is compressed by filter " + std::to_string(id) +
             ", which this HDF5 does not have (HDF5_PLUGIN_PATH names the folder of its plug-ins)";
  return "";
}

}  // namespace

std::mutex& netcdf_mutex() {
  static std::mutex mutex;
  return mutex;
}

bool NetcdfVariable::is_numeric() const {
  return type != NC_CHAR && type >= NC_BYTE && type <= NC_UINT64;
}

std::string NetcdfVariable::text(const std::string& attribute) const {
  const auto found = attributes.find(attribute);
  return found == attributes.end() ? std::string() : found->second.text;
}

const NetcdfVariable* NetcdfMetadata::find(const std::string& name) const {
  for (const NetcdfVariable& variable : variables)
    if (variable.name == name) return &variable;
  return nullptr;
}

std::string NetcdfVariable::describe_shape() const {
  std::string result;
  for (size_t d = 0; d < shape.size(); ++d)
    result += (d ? " x " : "") + dimensions[d] + " " + std::to_string(shape[d]);
  return result.empty() ? "a single value" : result;
}

NetcdfPool::NetcdfPool(size_t capacity, MemoryLedger* ledger)
    : capacity_(std::max<size_t>(capacity, 1)), ledger_(ledger) {}

NetcdfPool::~NetcdfPool() {
  const std::lock_guard lock(netcdf_mutex());
  for (const OpenFile& file : files_) close(file);
}

void NetcdfPool::close(const OpenFile& file) {
  nc_close(file.id);
  if (ledger_) ledger_->count(Resource::file, "netcdf", -1);
}

size_t NetcdfPool::open_files() const {
  const std::lock_guard lock(netcdf_mutex());
  return files_.size();
}

size_t NetcdfPool::opens() const {
  const std::lock_guard lock(netcdf_mutex());
  return opens_;
}

NetcdfPool::OpenFile& NetcdfPool::acquire(const std::string& path) {
  const auto found = std::find_if(files_.begin(), files_.end(),
                                  [&](const OpenFile& file) { return file.path == path; });
  if (found != files_.end()) {
    files_.splice(files_.begin(), files_, found);
    return files_.front();
  }
  const int id = open_file(path);
  ++opens_;
  files_.push_front({path, id, {}});
  if (ledger_) ledger_->count(Resource::file, "netcdf", 1);
  if (files_.size() > capacity_) {
    close(files_.back());
    files_.pop_back();
  }
  int variables = 0;
  nc_inq_nvars(id, &variables);
  for (int v = 0; v < variables; ++v) set_chunk_cache(id, v);
  return files_.front();
}

NetcdfMetadata NetcdfPool::describe(const std::string& path) {
  const std::lock_guard lock(netcdf_mutex());
  const int file = acquire(path).id;
  NetcdfMetadata metadata;
  metadata.path = path;
  int dimensions = 0, variables = 0, attributes = 0;
  check_status(nc_inq(file, &dimensions, &variables, &attributes, nullptr), path,
               "cannot be described");
  std::vector<int> ids(static_cast<size_t>(dimensions));
  check_status(nc_inq_dimids(file, &dimensions, ids.data(), 0), path, "cannot be described");
  for (int id : ids) {
    char name[NC_MAX_NAME + 1] = {};
    size_t length = 0;
    check_status(nc_inq_dim(file, id, name, &length), path, "a dimension is damaged");
    metadata.dimensions[name] = length;
  }
  for (int v = 0; v < variables; ++v) metadata.variables.push_back(read_variable(file, v, path));
  metadata.attributes = read_attributes(file, NC_GLOBAL, attributes, path);
  int groups = 0;
  check_status(nc_inq_grps(file, &groups, nullptr), path, "cannot be described");
  std::vector<int> group_ids(static_cast<size_t>(groups));
  check_status(nc_inq_grps(file, &groups, group_ids.data()), path, "cannot be described");
  for (int group : group_ids) {
    char name[NC_MAX_NAME + 1] = {};
    check_status(nc_inq_grpname(group, name), path, "a group is damaged");
    metadata.groups.push_back(name);
  }
  return metadata;
}

// get(file, id) returns the library's status.
template <typename Get>
void NetcdfPool::with_variable(const std::string& path, const NetcdfVariable& variable, Get get) {
  const std::lock_guard lock(netcdf_mutex());
  OpenFile& file = acquire(path);
  int id = 0;
  if (nc_inq_varid(file.id, variable.name.c_str(), &id) != NC_NOERR)
    fail(path, "the file was replaced by one that has no variable '" + variable.name + "'");
  if (file.checked.insert(variable.name).second)
    check_unchanged(variable, read_variable(file.id, id, path), path);
  const int status = get(file.id, id);
  if (status == NC_NOERR || status == NC_ERANGE) return;
  const std::string filter = missing_filter(file.id, id);
  check_status(status, path,
               "variable '" + variable.name + "' cannot be read: " +
                   (filter.empty() ? "the file is truncated or damaged" : filter));
}

void check_fits_file(const std::string& path, const std::string& what,
                     const std::vector<size_t>& shape) {
  // Deflate shrinks 1032 times at best.
  constexpr uint64_t shrinks = 4096;
  std::error_code code;
  const uint64_t bytes = std::filesystem::file_size(path, code);
  uint64_t values = 1;
  for (size_t length : shape)
    if (__builtin_mul_overflow(values, length, &values)) values = UINT64_MAX;
  if (code || values <= std::max(bytes, uint64_t{1024}) * shrinks) return;
  std::string sizes;
  for (size_t length : shape) sizes += (sizes.empty() ? "" : " x ") + std::to_string(length);
  fail(path,
       what + " has " + sizes + " values, but the file only " + std::to_string(bytes) + " bytes");
}

void NetcdfPool::read(const std::string& path, const NetcdfVariable& variable,
                      const std::vector<size_t>& start, const std::vector<size_t>& count,
                      double* out) {
  const Unpacking unpack = unpacking_of(path, variable);
  with_variable(path, variable, [&](int file, int id) {
    return nc_get_vara_double(file, id, start.data(), count.data(), out);
  });
  std::transform(out, out + product(count), out, unpack);
}

void NetcdfPool::read_stored(const std::string& path, const NetcdfVariable& variable,
                             const std::vector<size_t>& start, const std::vector<size_t>& count,
                             void* out) {
  if (unpacking_of(path, variable).packing()) {
    with_variable(path, variable, [&](int file, int id) {
      return nc_get_vara(file, id, start.data(), count.data(), out);
    });
    return;
  }
  std::vector<double> values(product(count));
  read(path, variable, start, count, values.data());
  std::ranges::transform(values, static_cast<float*>(out),
                         [](double value) { return static_cast<float>(value); });
}

std::vector<double> NetcdfPool::read(const std::string& path, const NetcdfVariable& variable) {
  check_fits_file(path, "variable '" + variable.name + "'", variable.shape);
  std::vector<double> out(product(variable.shape));
  if (!out.empty())
    read(path, variable, std::vector<size_t>(variable.shape.size(), 0), variable.shape, out.data());
  return out;
}

std::vector<std::string> NetcdfPool::read_texts(const std::string& path,
                                                const NetcdfVariable& variable) {
  check_fits_file(path, "variable '" + variable.name + "'", variable.shape);
  std::string letters(product(variable.shape), '\0');
  const size_t length = variable.shape.empty() ? 1 : variable.shape.back();
  if (letters.empty()) return {};
  with_variable(path, variable, [&](int file, int id) {
    const std::vector<size_t> start(variable.shape.size(), 0);
    return nc_get_vara_text(file, id, start.data(), variable.shape.data(), letters.data());
  });
  std::vector<std::string> texts;
  for (size_t at = 0; at < letters.size(); at += length) {
    const std::string text = letters.substr(at, length);
    texts.push_back(text.substr(0, text.find_last_not_of(std::string_view(" \0", 2)) + 1));
  }
  return texts;
}

}  // namespace py4cast
