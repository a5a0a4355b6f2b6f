#include "data/netcdf/netcdf_file.h"

#include <hdf5.h>
#include <netcdf.h>
#include <sys/stat.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <limits>
#include <numeric>
#include <optional>

#include "engine/error.h"
#include "engine/memory.h"

namespace py4cast {
namespace {

[[noreturn]] void fail(const std::string& path, const std::string& what) {
  throw Error(ErrorKind::data, path, ": ", what);
}

void check(int status, const std::string& path, const std::string& what) {
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

int open_file(const std::string& path) {
  struct stat status;
  if (stat(path.c_str(), &status) != 0) fail(path, "there is no such file");
  if (S_ISDIR(status.st_mode)) fail(path, "is a folder, not a file");
  if (status.st_size == 0) fail(path, "the file is empty");
  check_classic_length(path);
  int id = 0;
  const hid_t first = H5Pcreate(H5P_FILE_CREATE);
  const int result = nc_open(path.c_str(), NC_NOWRITE, &id);
  close_leaked_lists(first);
  if (result == NC_EHDFERR) fail(path, "the file is truncated or damaged (HDF5 cannot open it)");
  if (result == NC_ENOTNC) fail(path, "this is not a netCDF file");
  check(result, path, "the file cannot be opened");
  return id;
}

NetcdfAttribute read_attribute(int file, int variable, const char* name, const std::string& path) {
  NetcdfAttribute attribute;
  size_t length = 0;
  check(nc_inq_att(file, variable, name, &attribute.type, &length), path, "damaged attribute");
  if (attribute.type == NC_CHAR) {
    attribute.text.resize(length);
    check(nc_get_att_text(file, variable, name, attribute.text.data()), path, "damaged attribute");
    attribute.text.resize(std::min(length, attribute.text.find('\0')));
  } else if (attribute.type == NC_STRING) {
    std::vector<char*> strings(length);
    check(nc_get_att_string(file, variable, name, strings.data()), path, "damaged attribute");
    for (size_t i = 0; i < length; ++i) {
      if (i > 0) attribute.text += ' ';
      if (strings[i]) attribute.text += strings[i];
    }
    nc_free_string(length, strings.data());
  } else if (attribute.type <= NC_UINT64) {
    attribute.numbers.resize(length);
    check(nc_get_att_double(file, variable, name, attribute.numbers.data()), path,
          "damaged attribute");
  }
  return attribute;
}

std::map<std::string, NetcdfAttribute> read_attributes(int file, int variable, int count,
                                                       const std::string& path) {
  std::map<std::string, NetcdfAttribute> attributes;
  for (int i = 0; i < count; ++i) {
    char name[NC_MAX_NAME + 1] = {};
    check(nc_inq_attname(file, variable, i, name), path, "damaged attribute");
    attributes[name] = read_attribute(file, variable, name, path);
  }
  return attributes;
}

NetcdfVariable read_variable(int file, int id, const std::string& path) {
  char name[NC_MAX_NAME + 1] = {};
  int dimensions = 0, attributes = 0, ids[NC_MAX_VAR_DIMS];
  NetcdfVariable variable;
  check(nc_inq_var(file, id, name, &variable.type, &dimensions, ids, &attributes), path,
        "the description of a variable is damaged");
  variable.name = name;
  for (int d = 0; d < dimensions; ++d) {
    char dimension[NC_MAX_NAME + 1] = {};
    size_t length = 0;
    check(nc_inq_dim(file, ids[d], dimension, &length), path, "a dimension is damaged");
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

double integer_range(int type) {
  switch (type) {
    case NC_BYTE:
      return 0x1p8;
    case NC_SHORT:
      return 0x1p16;
    case NC_INT:
      return 0x1p32;
    case NC_INT64:
      return 0x1p64;
    default:
      return 0;
  }
}

double default_fill(int type) {
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
      return std::numeric_limits<double>::quiet_NaN();  // bytes: every value is valid
  }
}

// How raw numbers of a variable become physical values.
struct Unpacking {
  explicit Unpacking(const NetcdfVariable& v) {
    const auto numbers = [&](const char* name) -> std::vector<double> {
      const auto found = v.attributes.find(name);
      return found == v.attributes.end() ? std::vector<double>() : found->second.numbers;
    };
    const std::string unsigned_text = v.text("_Unsigned");
    if (unsigned_text == "true" || unsigned_text == "True") wrap = integer_range(v.type);
    if (const auto n = numbers("scale_factor"); !n.empty()) scale = n[0];
    if (const auto n = numbers("add_offset"); !n.empty()) offset = n[0];
    packed = scale != 1 || offset != 0;
    for (const char* name : {"_FillValue", "missing_value"})
      for (double value : numbers(name)) add_missing(raw(as_stored(value, v.type)));
    if (numbers("_FillValue").empty()) add_missing(raw(default_fill(v.type)));
    set_range(v, "valid_min", 0, minimum);
    set_range(v, "valid_max", 0, maximum);
    set_range(v, "valid_range", 0, minimum);
    set_range(v, "valid_range", 1, maximum);
  }

  double operator()(double stored) const {
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    const double value = raw(stored);
    for (double m : missing)
      if (value == m) return nan;
    if (value < minimum || value > maximum) return nan;
    return value * scale + offset;
  }

  double scale = 1, offset = 0, wrap = 0;
  double minimum = -std::numeric_limits<double>::infinity();
  double maximum = std::numeric_limits<double>::infinity();
  bool packed = false;
  std::vector<double> missing;

 private:
  void add_missing(double value) {
    if (!std::isnan(value) && std::ranges::find(missing, value) == missing.end())
      missing.push_back(value);
  }
  double raw(double value) const { return wrap != 0 && value < 0 ? value + wrap : value; }
  static double as_stored(double value, int type) {
    return type == NC_FLOAT ? static_cast<double>(static_cast<float>(value)) : value;
  }
  // Limits have the type of the packed numbers; those of a packed variable that are written as
  // floating-point numbers are limits of the physical values.
  void set_range(const NetcdfVariable& v, const char* name, size_t index, double& limit) {
    const auto found = v.attributes.find(name);
    if (found == v.attributes.end() || found->second.numbers.size() <= index) return;
    const double value = found->second.numbers[index];
    const bool floating = found->second.type == NC_FLOAT || found->second.type == NC_DOUBLE;
    const bool physical = packed && floating && v.type != NC_FLOAT && v.type != NC_DOUBLE;
    limit = physical ? (value - offset) / scale : raw(as_stored(value, v.type));
  }
};

// The type of the numbers in memory, if they can stay as they are stored.
std::optional<NumberType> number_type(int type, bool wrap) {
  switch (type) {
    case NC_BYTE:
      return wrap ? NumberType::u8 : NumberType::i8;
    case NC_UBYTE:
      return NumberType::u8;
    case NC_SHORT:
      return wrap ? NumberType::u16 : NumberType::i16;
    case NC_USHORT:
      return NumberType::u16;
    case NC_INT:
      return wrap ? NumberType::u32 : NumberType::i32;
    case NC_UINT:
      return NumberType::u32;
    case NC_FLOAT:
      return NumberType::f32;
    default:
      return {};
  }
}

// None: the numbers are unpacked when they are read.
std::optional<Packing> packing_of(const Unpacking& unpack, int type) {
  const auto stored = number_type(type, unpack.wrap != 0);
  Packing packing{.scale = unpack.scale,
                  .offset = unpack.offset,
                  .minimum = unpack.minimum,
                  .maximum = unpack.maximum};
  if (!stored || unpack.missing.size() > std::size(packing.missing)) return {};
  packing.type = *stored;
  std::ranges::copy(unpack.missing, packing.missing);
  return packing;
}

size_t product(const std::vector<size_t>& count) {
  return std::accumulate(count.begin(), count.end(), size_t{1}, std::multiplies<>());
}

}  // namespace

std::mutex& netcdf_mutex() {
  static std::mutex mutex;
  return mutex;
}

bool NetcdfVariable::is_numeric() const {
  return type != NC_CHAR && type >= NC_BYTE && type <= NC_UINT64;
}

Packing NetcdfVariable::packing() const {
  return packing_of(Unpacking(*this), type).value_or(Packing{});
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

int NetcdfPool::acquire(const std::string& path) {
  const auto found = std::find_if(files_.begin(), files_.end(),
                                  [&](const OpenFile& file) { return file.path == path; });
  if (found != files_.end()) {
    files_.splice(files_.begin(), files_, found);
    return files_.front().id;
  }
  const int id = open_file(path);
  ++opens_;
  files_.push_front({path, id});
  if (ledger_) ledger_->count(Resource::file, "netcdf", 1);
  if (files_.size() > capacity_) {
    close(files_.back());
    files_.pop_back();
  }
  int variables = 0;
  nc_inq_nvars(id, &variables);
  for (int v = 0; v < variables; ++v) set_chunk_cache(id, v);
  return id;
}

NetcdfMetadata NetcdfPool::describe(const std::string& path) {
  const std::lock_guard lock(netcdf_mutex());
  const int file = acquire(path);
  NetcdfMetadata metadata;
  metadata.path = path;
  int dimensions = 0, variables = 0, attributes = 0;
  check(nc_inq(file, &dimensions, &variables, &attributes, nullptr), path, "cannot be described");
  std::vector<int> ids(static_cast<size_t>(dimensions));
  check(nc_inq_dimids(file, &dimensions, ids.data(), 0), path, "cannot be described");
  for (int id : ids) {
    char name[NC_MAX_NAME + 1] = {};
    size_t length = 0;
    check(nc_inq_dim(file, id, name, &length), path, "a dimension is damaged");
    metadata.dimensions[name] = length;
  }
  for (int v = 0; v < variables; ++v) metadata.variables.push_back(read_variable(file, v, path));
  metadata.attributes = read_attributes(file, NC_GLOBAL, attributes, path);
  return metadata;
}

// get(file, id) returns the library's status.
template <typename Get>
void NetcdfPool::with_variable(const std::string& path, const NetcdfVariable& variable, Get get) {
  if (!variable.is_numeric()) fail(path, "variable '" + variable.name + "' is not numeric");
  const std::lock_guard lock(netcdf_mutex());
  const int file = acquire(path);
  int id = 0;
  int status = nc_inq_varid(file, variable.name.c_str(), &id);
  if (status == NC_NOERR) status = get(file, id);
  if (status != NC_ERANGE)
    check(status, path,
          "variable '" + variable.name + "' cannot be read: the file is truncated or damaged");
}

void NetcdfPool::read(const std::string& path, const NetcdfVariable& variable,
                      const std::vector<size_t>& start, const std::vector<size_t>& count,
                      double* out) {
  with_variable(path, variable, [&](int file, int id) {
    return nc_get_vara_double(file, id, start.data(), count.data(), out);
  });
  const Unpacking unpack(variable);
  std::transform(out, out + product(count), out, unpack);
}

void NetcdfPool::read_stored(const std::string& path, const NetcdfVariable& variable,
                             const std::vector<size_t>& start, const std::vector<size_t>& count,
                             void* out) {
  if (packing_of(Unpacking(variable), variable.type)) {
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
  std::vector<double> out(product(variable.shape));
  if (!out.empty())
    read(path, variable, std::vector<size_t>(variable.shape.size(), 0), variable.shape, out.data());
  return out;
}

}  // namespace py4cast
