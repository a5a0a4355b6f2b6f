#include "data/zarr/zarr_group.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "engine/error.h"
#include "engine/files.h"

namespace py4cast {
namespace {

namespace fs = std::filesystem;

// Consolidated metadata of stores of many arrays are longer than other JSON.
constexpr size_t longest_metadata = size_t{64} << 20;

// Python writes NaN, Infinity and -Infinity as they are, which is no JSON: they become texts.
std::string with_numbers_as_texts(const std::string& json) {
  std::string result;
  bool inside = false;
  for (size_t at = 0; at < json.size();) {
    size_t length = 1;
    if (inside && json[at] == '\\') length = 2;
    if (json[at] == '"') inside = !inside;
    if (!inside)
      for (const std::string_view word : {"NaN", "Infinity", "-Infinity"})
        if (json.compare(at, word.size(), word) == 0) length = word.size();
    const std::string piece = json.substr(at, length);
    result += !inside && length > 1 ? '"' + piece + '"' : piece;
    at += length;
  }
  return result;
}

// Nothing: there is no such file.
std::optional<Json> metadata_file(const std::string& path) {
  std::error_code code;
  if (!fs::is_regular_file(path, code)) return {};
  if (fs::file_size(path, code) > longest_metadata)
    throw Error(ErrorKind::data, path, ": metadata of more than ", longest_metadata, " bytes");
  Json json = parse_json(with_numbers_as_texts(read_file(path)), path, ErrorKind::data,
                         2 * longest_metadata);
  if (!json.is_object()) throw Error(ErrorKind::data, path, ": the metadata are no JSON object");
  return json;
}

// Null where there is none.
Json part_of(const Json& json, const std::string& key) {
  const auto found = json.is_object() ? json.find(key) : json.end();
  return json.is_object() && found != json.end() ? *found : Json();
}

class GroupReader {
 public:
  explicit GroupReader(const std::string& path) { group_.path = path; }

  ZarrGroup read() {
    if (const auto root = metadata_file(group_.path + "/zarr.json"))
      read_version_3(*root);
    else
      read_version_2();
    return std::move(group_);
  }

 private:
  std::string place(const std::string& name) const { return group_.path + "/" + name; }

  // A name that is no place inside of another group; such a group is named instead.
  bool is_here(const std::string& name) {
    if (name.empty() || name[0] == '.') return false;
    const size_t slash = name.find('/');
    if (slash == std::string::npos) return true;
    add_group(name.substr(0, slash));
    return false;
  }

  void add_group(const std::string& name) {
    if (std::ranges::find(group_.groups, name) == group_.groups.end())
      group_.groups.push_back(name);
  }

  void add(const std::string& name, ZarrArray array) {
    array.name = name;
    array.folder = place(name);
    group_.arrays[name] = std::move(array);
  }

  void add_version_3(const std::string& name, const std::string& where, const Json& node) {
    if (!is_here(name)) return;
    if (part_of(node, "node_type") == "array")
      add(name, zarr_array_3(where, node));
    else
      add_group(name);
  }

  void read_version_3(const Json& root) {
    const std::string file = place("zarr.json");
    if (part_of(root, "zarr_format") != 3)
      throw Error(ErrorKind::data, file, ": zarr_format is ",
                  on_one_line(part_of(root, "zarr_format")), "; versions 2 and 3 can be read");
    if (part_of(root, "node_type") != "group") refuse_array();
    group_.attributes = part_of(root, "attributes");
    const Json consolidated = part_of(part_of(root, "consolidated_metadata"), "metadata");
    if (consolidated.is_object()) {
      for (const auto& [name, node] : consolidated.items())
        add_version_3(name, file + ": '" + name + "'", node);
      return;
    }
    for (const std::string& name : folders())
      if (const auto node = metadata_file(place(name) + "/zarr.json"))
        add_version_3(name, place(name) + "/zarr.json", *node);
  }

  void read_version_2() {
    const auto consolidated = metadata_file(place(".zmetadata"));
    if (!consolidated && !fs::exists(place(".zgroup"))) {
      if (fs::exists(place(".zarray"))) refuse_array();
      throw Error(ErrorKind::data, group_.path,
                  ": this is no Zarr store (zarr.json, .zgroup or .zmetadata is missing)");
    }
    if (!consolidated) return read_folders();
    const Json documents = part_of(*consolidated, "metadata");
    group_.attributes = part_of(documents, ".zattrs");
    static const std::string ending = "/.zarray";
    if (!documents.is_object())
      throw Error(ErrorKind::data, place(".zmetadata"), ": there are no 'metadata' in it");
    for (const auto& [key, node] : documents.items()) {
      if (!key.ends_with(ending)) continue;
      const std::string name = key.substr(0, key.size() - ending.size());
      if (is_here(name))
        add(name, zarr_array_2(place(".zmetadata") + ": '" + name + "'", node,
                               part_of(documents, name + "/.zattrs")));
    }
  }

  void read_folders() {
    group_.attributes = metadata_file(place(".zattrs")).value_or(Json());
    for (const std::string& name : folders()) {
      const std::string file = place(name) + "/.zarray";
      if (const auto node = metadata_file(file))
        add(name,
            zarr_array_2(file, *node, metadata_file(place(name) + "/.zattrs").value_or(Json())));
      else if (fs::exists(place(name) + "/.zgroup"))
        add_group(name);
    }
  }

  std::vector<std::string> folders() const {
    std::vector<std::string> names;
    std::error_code code;
    for (const auto& entry : fs::directory_iterator(group_.path, code))
      if (entry.is_directory(code)) names.push_back(entry.path().filename().string());
    return names;
  }

  [[noreturn]] void refuse_array() const {
    throw Error(ErrorKind::data, group_.path,
                ": this is a single Zarr array; a group of arrays with coordinates is needed");
  }

  ZarrGroup group_;
};

}  // namespace

const ZarrArray* ZarrGroup::find(const std::string& name) const {
  const auto found = arrays.find(name);
  return found == arrays.end() ? nullptr : &found->second;
}

bool is_zarr(const std::string& path) {
  for (const char* name : {"zarr.json", ".zgroup", ".zmetadata", ".zarray"}) {
    std::error_code code;
    if (fs::is_regular_file(path + "/" + name, code)) return true;
  }
  return false;
}

ZarrGroup read_zarr_group(const std::string& path) {
  return GroupReader(path).read();
}

}  // namespace py4cast
