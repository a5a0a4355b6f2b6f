// What the system and the libraries know of the memory of this process and of what else it holds.
#pragma once

#include <map>
#include <string>

#include "engine/device.h"

namespace py4cast {

// Bytes of the live blocks of malloc (mallinfo2: uordblks + hblkhd).
double live_heap();

// By name, in bytes: heap (live_heap), rss and pss (the pages in memory after malloc has given back those
// that it keeps for later, and those with shared ones divided among their users: smaps_rollup), cgroup
// (everything of the control group, other processes and the file cache included; where it can be read),
// device (in use on the GPU, by all processes; on a GPU). In numbers: descriptors, threads, hdf5_objects
// (open files, data sets, groups, types and attributes).
//
// Whoever calls it holds netcdf_mutex() (data/netcdf/netcdf_file.h).
std::map<std::string, double> process_memory(Device device);

}  // namespace py4cast
