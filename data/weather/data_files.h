// The files of a data set: names from patterns, and what identifies their content. A data set may also
// be made of folders (stores); all the files in it are meant then.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace py4cast {

// The existing files that names and shell patterns stand for, sorted within a pattern, without
// repetition. A name that is there is no pattern. Indexes beside other files are left out. Error(data): a name or a pattern that stands for nothing.
std::vector<std::string> expand_patterns(const std::vector<std::string>& patterns);

// Whether a file is the index that cfgrib ("a.grib2.5b7b6.idx") or wgrib2 ("a.grib2.idx") keeps of the file beside it.
bool is_index(const std::string& path);

// "a.nc and 3 more".
std::string first_and_more(const std::vector<std::string>& paths);

// Of a file, or of all files of a folder; 0 where there is none.
uint64_t bytes_on_disk(const std::string& path);

// FieldSource::fingerprint and FieldSource::content of files. Of a folder all names, sizes and times are
// looked at, and the content of `sampled_files` of them. Error(data): a file has vanished.
std::string fingerprint_of_files(const std::vector<std::string>& paths);
// In any order: the names decide which file comes first.
std::string content_of_files(const std::vector<std::string>& paths);
constexpr size_t sampled_files = 64;

}  // namespace py4cast
