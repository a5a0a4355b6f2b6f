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
#include <optional>
#include <utility>

#include "data/cf/unpacking.h"
#include "data/weather/data_files.h"
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

// The lists made since `first` that the application holds are closed; those that HDF5 itself holds are
// not counted by H5Iget_ref.
void close_leaked_lists(hid_t first) {
  const hid_t last = H5Pcreate(H5P_FILE_CREATE);
  for (hid_t id = first; id <= last; ++id) {
    if (H5Iis_valid(id) <= 0 || H5Iget_type(id) != H5I_GENPROP_LST || H5Iget_ref(id) != 1) continue;
    if (H5Pisa_class(id, H5P_FILE_CREATE) > 0) H5Pclose(id);
  }
}

// So many bytes from a place of a file; fewer where it ends.
std::string piece_of(const std::string& path, std::streamoff place, size_t bytes) {
  std::ifstream file(path, std::ios::binary);
  std::string piece(bytes, '\0');
  file.seekg(place);
  file.read(piece.data(), static_cast<std::streamsize>(bytes));
  piece.resize(static_cast<size_t>(file.gcount()));
  return piece;
}

// What other files begin with that are named .nc now and then.
void check_format(const std::string& path) {
  const std::string begin = piece_of(path, 0, 4);
  if (begin == "GRIB") fail(path, "this is GRIB, not netCDF");
  if (begin == "PK\x03\x04") fail(path, "this is a zip archive, not netCDF; unpack it");
  for (const auto& [mark, program] :
       {std::pair("\x1f\x8b", "gzip"), std::pair("BZh", "bzip2"), std::pair("\3757zX", "xz"),
        std::pair("\x28\xb5\x2f\xfd", "zstd")})
    if (begin.starts_with(mark))
      fail(path, std::string("this is compressed by ") + program + "; unpack it");
  // HDF5 takes the head of an archive for a block of the user's in front of the first file.
  if (piece_of(path, 257, 5) == "ustar")
    fail(path, "this is a tar archive; unpack it and give the files in it");
  if (begin == "<!DO" || begin == "<htm") fail(path, "this is a web page, not netCDF");
}

// What HDF5 cannot find is told by the status of a call, but it prints it, too: in each thread, until that
// thread forbids it. netCDF forbids it in the first one alone.
void silence_hdf5() {
  static thread_local const herr_t once = H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  static_cast<void>(once);
}

// Whether another program holds the lock that HDF5 takes for writing.
bool is_locked(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  return file && ::flock(file.number(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

// How the netCDF files in a folder are named together, or the Zarr stores.
std::string pattern_hint(const std::string& folder) {
  namespace fs = std::filesystem;
  std::error_code code;
  bool any = false, all_nc = true;
  for (fs::directory_iterator at(folder, code), end; !code && at != end; at.increment(code)) {
    if (at->is_directory() && !any &&
        (fs::exists(at->path() / ".zgroup") || fs::exists(at->path() / "zarr.json")))
      return "'" + folder + "/*' names the Zarr stores in it";
    if (!is_netcdf(at->path().string())) continue;
    any = true;
    all_nc &= at->path().extension() == ".nc";
  }
  if (!any) return "there is no netCDF file in it";
  return "'" + folder + (all_nc ? "/*.nc" : "/*") + "' names the files in it";
}

int open_file(const std::string& path) {
  struct stat status;
  if (stat(path.c_str(), &status) != 0) fail(path, "there is no such file");
  if (S_ISDIR(status.st_mode)) fail(path, "is a folder, not a file; " + pattern_hint(path));
  if (!S_ISREG(status.st_mode)) fail(path, "is not a plain file");
  if (access(path.c_str(), R_OK) != 0) fail(path, "cannot be read: permission denied");
  if (status.st_size == 0) fail(path, "the file is empty");
  check_format(path);
  check_classic_header(path);
  int id = 0;
  const int result = open_without_leak([&] { return nc_open(path.c_str(), NC_NOWRITE, &id); });
  show_life();
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

ElementType element_type(int type) {
  static constexpr std::pair<int, ElementType> types[] = {
      {NC_BYTE, ElementType::i8},   {NC_CHAR, ElementType::text},  {NC_SHORT, ElementType::i16},
      {NC_INT, ElementType::i32},   {NC_FLOAT, ElementType::f32},  {NC_DOUBLE, ElementType::f64},
      {NC_UBYTE, ElementType::u8},  {NC_USHORT, ElementType::u16}, {NC_UINT, ElementType::u32},
      {NC_INT64, ElementType::i64}, {NC_UINT64, ElementType::u64}, {NC_STRING, ElementType::text}};
  for (const auto& [known, result] : types)
    if (known == type) return result;
  return ElementType::other;
}

// What was never written; of bytes every value is valid.
std::optional<double> default_fill(int type) {
  switch (type) {
    case NC_SHORT:
      return NC_FILL_SHORT;
    case NC_USHORT:
      return NC_FILL_USHORT;
    case NC_INT:
      return NC_FILL_INT;
    case NC_UINT:
      return NC_FILL_UINT;
    case NC_INT64:
      return static_cast<double>(NC_FILL_INT64);
    case NC_UINT64:
      return static_cast<double>(NC_FILL_UINT64);
    case NC_FLOAT:
      return NC_FILL_FLOAT;
    case NC_DOUBLE:
      return NC_FILL_DOUBLE;
    default:
      return {};
  }
}

CfAttribute read_attribute(int file, int variable, const char* name, const std::string& path) {
  CfAttribute attribute;
  int type = 0;
  size_t length = 0;
  check_status(nc_inq_att(file, variable, name, &type, &length), path, "damaged attribute");
  attribute.type = element_type(type);
  if (type == NC_CHAR) {
    attribute.text.resize(length);
    check_status(nc_get_att_text(file, variable, name, attribute.text.data()), path,
                 "damaged attribute");
    attribute.text.resize(std::min(length, attribute.text.find('\0')));
    attribute.text = as_utf8(attribute.text);
  } else if (type == NC_STRING) {
    std::vector<char*> strings(length);
    check_status(nc_get_att_string(file, variable, name, strings.data()), path,
                 "damaged attribute");
    for (size_t i = 0; i < length; ++i) {
      if (i > 0) attribute.text += ' ';
      if (strings[i]) attribute.text += strings[i];
    }
    nc_free_string(length, strings.data());
    attribute.text = as_utf8(attribute.text);
  } else if (type <= NC_UINT64) {
    attribute.numbers.resize(length);
    check_status(nc_get_att_double(file, variable, name, attribute.numbers.data()), path,
                 "damaged attribute");
  }
  return attribute;
}

std::map<std::string, CfAttribute> read_attributes(int file, int variable, int count,
                                                   const std::string& path) {
  std::map<std::string, CfAttribute> attributes;
  for (int i = 0; i < count; ++i) {
    char name[NC_MAX_NAME + 1] = {};
    check_status(nc_inq_attname(file, variable, i, name), path, "damaged attribute");
    attributes[name] = read_attribute(file, variable, name, path);
  }
  return attributes;
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

CfVariable read_variable(int file, int id, const std::string& path) {
  char name[NC_MAX_NAME + 1] = {};
  int type = 0, dimensions = 0, attributes = 0, ids[NC_MAX_VAR_DIMS];
  CfVariable variable;
  check_status(nc_inq_var(file, id, name, &type, &dimensions, ids, &attributes), path,
               "the description of a variable is damaged");
  variable.name = name;
  variable.type = element_type(type);
  variable.default_fill = default_fill(type);
  if (type == NC_CHAR) --dimensions;  // the last one counts the letters of a text
  for (int d = 0; d < dimensions; ++d) {
    char dimension[NC_MAX_NAME + 1] = {};
    size_t length = 0;
    check_status(nc_inq_dim(file, ids[d], dimension, &length), path, "a dimension is damaged");
    variable.dimensions.push_back(dimension);
    variable.shape.push_back(length);
  }
  variable.attributes = read_attributes(file, id, attributes, path);
  variable.unreadable = missing_filter(file, id);
  return variable;
}

// The length of the texts of a variable of letters.
size_t letters_of(int file, int variable) {
  int rank = 0, ids[NC_MAX_VAR_DIMS];
  size_t length = 1;
  nc_inq_varndims(file, variable, &rank);
  nc_inq_vardimid(file, variable, ids);
  if (rank > 0) nc_inq_dimlen(file, ids[rank - 1], &length);
  return length;
}

// All texts of a variable of strings.
int read_strings(int file, int variable, size_t count, std::vector<std::string>& texts) {
  std::vector<char*> strings(count);
  const int status = count > 0 ? nc_get_var_string(file, variable, strings.data()) : NC_NOERR;
  if (status != NC_NOERR) return status;
  for (const char* text : strings) texts.push_back(text ? as_utf8(text) : "");
  return nc_free_string(count, strings.data());
}

// Limits the memory of the chunk cache: chunks that span several fields are kept for the next field
// as long as they are not huge; chunks of one field are not. Where a variable with several dimensions has the
// name of one, the call breaks that dimension in netCDF-C 4.9.0: it keeps the library's own cache.
void set_chunk_cache(int file, int variable) {
  constexpr size_t limit = size_t{32} << 20;
  int storage = 0, rank = 0, ids[NC_MAX_VAR_DIMS];
  size_t chunk[NC_MAX_VAR_DIMS] = {}, type_size = 0;
  int type = 0;
  char name[NC_MAX_NAME + 1] = {};
  if (nc_inq_varndims(file, variable, &rank) != NC_NOERR || rank == 0) return;
  if (rank > 1 && nc_inq_varname(file, variable, name) == NC_NOERR &&
      nc_inq_dimid(file, name, nullptr) == NC_NOERR)
    return;
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

// A file that was opened again may be another one by now.
void check_unchanged(const CfVariable& before, const CfVariable& now, const std::string& path) {
  const auto grown = [&] {
    return now.shape.size() == before.shape.size() && !now.shape.empty() &&
           now.shape[0] >= before.shape[0] &&
           std::equal(now.shape.begin() + 1, now.shape.end(), before.shape.begin() + 1);
  };
  if (now.type != before.type || (now.shape != before.shape && !grown()))
    fail(path, "the file was replaced: variable '" + before.name + "' was " +
                   before.describe_shape() + " of " + name_of(before.type) + " and is " +
                   now.describe_shape() + " of " + name_of(now.type));
  const auto same = [](double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); };
  for (const char* name : packing_attributes)
    if (!std::ranges::equal(numbers_of(now, name), numbers_of(before, name), same) ||
        now.text(name) != before.text(name))
      fail(path, "the file was replaced: variable '" + before.name + "' has another " + name);
}

}  // namespace

int open_without_leak(const std::function<int()>& open) {
  const hid_t first = H5Pcreate(H5P_FILE_CREATE);
  const int status = open();
  close_leaked_lists(first);
  return status;
}

bool is_netcdf(const std::string& path) {
  std::error_code code;
  if (!std::filesystem::is_regular_file(path, code)) return false;
  const std::string begin = piece_of(path, 0, 4);
  if (begin.starts_with("CDF") && begin.size() == 4 &&
      std::string_view("\1\2\5").find(begin[3]) != std::string_view::npos)
    return true;
  // HDF5 may begin behind a block of the user's, whose length is a power of two.
  for (std::streamoff place = 0; place <= 1 << 20; place = place ? 2 * place : 512)
    if (piece_of(path, place, 8) == "\x89HDF\r\n\x1a\n") return true;
  return false;
}

std::mutex& netcdf_mutex() {
  static std::mutex mutex;
  return mutex;
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

NetcdfPool::FileIdentity NetcdfPool::identity_of(const std::string& path) {
  struct stat status = {};
  if (stat(path.c_str(), &status) != 0) return {};
  return {status.st_ino, status.st_size};
}

NetcdfPool::OpenFile& NetcdfPool::acquire(const std::string& path) {
  silence_hdf5();
  const auto found = std::find_if(files_.begin(), files_.end(),
                                  [&](const OpenFile& file) { return file.path == path; });
  if (found != files_.end()) {
    files_.splice(files_.begin(), files_, found);
    return files_.front();
  }
  const int id = open_file(path);
  ++opens_;
  files_.push_front({path, id, identity_of(path), {}});
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

CfMetadata NetcdfPool::describe(const std::string& path) {
  const std::lock_guard lock(netcdf_mutex());
  const int file = acquire(path).id;
  CfMetadata metadata;
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
void NetcdfPool::with_variable(const std::string& path, const CfVariable& variable, Get get) {
  const std::lock_guard lock(netcdf_mutex());
  OpenFile& file = acquire(path);
  int id = 0;
  if (nc_inq_varid(file.id, variable.name.c_str(), &id) != NC_NOERR)
    fail(path, "the file was replaced by one that has no variable '" + variable.name + "'");
  if (file.checked.insert(variable.name).second)
    check_unchanged(variable, read_variable(file.id, id, path), path);
  const int status = get(file.id, id);
  // HDF5 gives zeros beyond the end of a file that was cut where it lies.
  const FileIdentity now = identity_of(path);
  if (now.inode == file.identity.inode && now.bytes < file.identity.bytes)
    fail(path, "the file was cut from " + std::to_string(file.identity.bytes) + " to " +
                   std::to_string(now.bytes) + " bytes while it was read");
  if (status == NC_NOERR) return;
  const std::string filter = missing_filter(file.id, id);
  check_status(status, path,
               "variable '" + variable.name + "' cannot be read: " +
                   (filter.empty() ? "the file is truncated or damaged" : filter));
}

void NetcdfPool::read_block(const std::string& path, const CfVariable& variable,
                            const std::vector<size_t>& start, const std::vector<size_t>& count,
                            void* out) {
  with_variable(path, variable, [&](int file, int id) {
    return nc_get_vara(file, id, start.data(), count.data(), out);
  });
}

uint64_t NetcdfPool::bytes(const std::string& path) {
  return bytes_on_disk(path);
}

std::vector<std::string> NetcdfPool::read_texts(const std::string& path,
                                                const CfVariable& variable) {
  std::vector<size_t> shape = variable.shape;
  std::vector<std::string> texts;
  std::string letters;
  with_variable(path, variable, [&](int file, int id) {
    int type = 0;
    nc_inq_vartype(file, id, &type);
    if (type != NC_STRING) shape.push_back(letters_of(file, id));
    check_fits(path, "variable '" + variable.name + "'", shape);
    if (type == NC_STRING) return read_strings(file, id, product(shape), texts);
    letters.resize(product(shape));
    const std::vector<size_t> start(shape.size(), 0);
    return letters.empty() ? NC_NOERR
                           : nc_get_vara_text(file, id, start.data(), shape.data(), letters.data());
  });
  for (size_t at = 0; at < letters.size(); at += shape.back()) {
    const std::string text = letters.substr(at, shape.back());
    texts.push_back(text.substr(0, text.find_last_not_of(std::string_view(" \0", 2)) + 1));
  }
  return texts;
}

}  // namespace py4cast
