// bare_hdf5 FILE
//
// What libnetcdf and libhdf5 do with a netCDF-4 file without us: it is opened, everything is asked for, and the first and the last
// number of each variable are read. Ends with 0 unless a library crashes: `run` tells by it whose fault it is that an input ended a
// door. Files of netCDF-3 are left alone, since we must refuse what libnetcdf cannot bear there.
#include <netcdf.h>

#include <fstream>
#include <string>
#include <vector>

namespace {

// Room for so many of a type; none if a file claims too much.
std::vector<char> room(int file, nc_type type, size_t length) {
  size_t size = 0;
  if (nc_inq_type(file, type, nullptr, &size) != NC_NOERR || size == 0 ||
      length > (size_t{1} << 24) / size)
    return {};
  return std::vector<char>(size * length);
}

void read_attributes(int file, int variable, int count) {
  for (int a = 0; a < count; ++a) {
    static char name[1 << 17];  // longer than an input
    nc_type type = NC_NAT;
    size_t length = 0;
    if (nc_inq_attname(file, variable, a, name) != NC_NOERR ||
        nc_inq_att(file, variable, name, &type, &length) != NC_NOERR)
      continue;
    std::vector<char> values = room(file, type, length);
    if (!values.empty()) nc_get_att(file, variable, name, values.data());
  }
}

void read_variable(int file, int variable) {
  nc_type type = NC_NAT;
  int rank = 0, ids[NC_MAX_VAR_DIMS], attributes = 0, storage = 0;
  if (nc_inq_var(file, variable, nullptr, &type, &rank, ids, &attributes) != NC_NOERR) return;
  read_attributes(file, variable, attributes);
  size_t first[NC_MAX_VAR_DIMS] = {}, last[NC_MAX_VAR_DIMS] = {}, chunk[NC_MAX_VAR_DIMS] = {};
  nc_inq_var_chunking(file, variable, &storage, chunk);
  for (int d = 0; d < rank; ++d) {
    size_t length = 0;
    nc_inq_dimlen(file, ids[d], &length);
    last[d] = length > 0 ? length - 1 : 0;
  }
  std::vector<char> value = room(file, type, 1);
  if (value.empty()) return;
  nc_get_var1(file, variable, first, value.data());
  nc_get_var1(file, variable, last, value.data());
}

}  // namespace

int main(int count, char** words) {
  int file = 0, variables = 0, attributes = 0;
  std::string begin(3, ' ');
  if (count == 2) std::ifstream(words[1], std::ios::binary).read(begin.data(), 3);
  if (count != 2 || begin == "CDF" || nc_open(words[1], NC_NOWRITE, &file) != NC_NOERR) return 0;
  nc_inq(file, nullptr, &variables, &attributes, nullptr);
  read_attributes(file, NC_GLOBAL, attributes);
  for (int v = 0; v < variables; ++v) read_variable(file, v);
  nc_close(file);
  return 0;
}
