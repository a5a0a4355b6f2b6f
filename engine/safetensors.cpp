#include "engine/safetensors.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/error.h"
#include "engine/files.h"
#include "engine/json_survey.h"

namespace py4cast {
namespace {

static_assert(std::endian::native == std::endian::little, "files hold little-endian numbers");

using SortedJson = nlohmann::json;                // finds names without a search through all
constexpr uint64_t longest_header = 100'000'000;  // as in the Python library
constexpr int deepest_header = 3;                 // {"name": {"shape": [1]}}

// In the order in which the Python library writes them.
constexpr std::array<std::pair<DataType, const char*>, 6> type_names{{{DataType::i64, "I64"},
                                                                      {DataType::f64, "F64"},
                                                                      {DataType::f32, "F32"},
                                                                      {DataType::i32, "I32"},
                                                                      {DataType::bf16, "BF16"},
                                                                      {DataType::f16, "F16"}}};

size_t place_of_type(DataType type) {
  return static_cast<size_t>(std::find_if(type_names.begin(), type_names.end(),
                                          [&](const auto& entry) { return entry.first == type; }) -
                             type_names.begin());
}

struct Entry {
  std::string name;
  DataType type;
  Shape shape;
  uint64_t begin, end;  // in the data
};

class Reader {
 public:
  explicit Reader(const std::string& file) : file_(file), stream_(file, std::ios::binary) {
    std::error_code code;
    size_ = std::filesystem::file_size(file, code);
    if (code || !stream_)
      throw Error(ErrorKind::input_output, file, ": cannot be read",
                  code ? ": " + code.message() : "");
  }

  Safetensors read() {
    const SortedJson header = read_header();
    Safetensors result;
    std::vector<Entry> entries;
    for (const auto& [name, value] : header.items()) {
      if (name == "__metadata__")
        result.metadata = metadata(value);
      else
        entries.push_back(entry(name, value));
    }
    check_layout(entries);
    for (const Entry& entry : entries) {
      Tensor tensor = host_tensor(entry.shape, entry.type);
      read_bytes(reinterpret_cast<char*>(tensor.raw()), tensor.bytes());
      result.tensors.emplace(entry.name, std::move(tensor));
    }
    return result;
  }

 private:
  template <typename... Parts>
  Error bad(const Parts&... parts) const {
    return Error(ErrorKind::data, file_, ": ", parts...);
  }

  void read_bytes(char* to, size_t count) {
    if (!stream_.read(to, static_cast<std::streamsize>(count)))
      throw Error(ErrorKind::input_output, file_, ": cannot be read");
  }

  SortedJson read_header() {
    uint64_t length = 0;
    if (size_ < sizeof length + 2) throw bad("is not a safetensors file: it has ", size_, " bytes");
    read_bytes(reinterpret_cast<char*>(&length), sizeof length);
    if (length > longest_header || length < 2 || stream_.peek() != '{') {
      // A zip archive, or a pickle.
      const auto* magic = reinterpret_cast<const unsigned char*>(&length);
      if ((magic[0] == 'P' && magic[1] == 'K') || magic[0] == 0x80)
        throw bad(
            "is not a safetensors file but one of torch.save; Python's "
            "safetensors.torch.save_file(network.state_dict(), FILE) writes one");
      throw bad("is not a safetensors file: it does not begin with a JSON header");
    }
    if (length > size_ - sizeof length)
      throw bad("is truncated: it has ", size_, " bytes but its header alone ", length);
    data_size_ = size_ - sizeof length - length;
    std::string text(length, '\0');
    read_bytes(text.data(), text.size());
    const JsonSurvey survey = survey_json(text);
    if (survey.depth > deepest_header) throw bad("the JSON of its header is nested too deep");
    SortedJson header = SortedJson::parse(text, nullptr, false);
    if (header.is_discarded() || !header.is_object())
      throw bad("is not a safetensors file: its header is not a JSON object");
    if (!survey.twice.empty()) throw bad("'", survey.twice, "' stands in the header twice");
    return header;
  }

  std::map<std::string, std::string> metadata(const SortedJson& value) const {
    std::map<std::string, std::string> result;
    if (!value.is_object()) throw bad("__metadata__ in the header is not an object");
    for (const auto& [key, text] : value.items()) {
      if (!text.is_string()) throw bad("metadata '", key, "' in the header is not a string");
      result[key] = text.get<std::string>();
    }
    return result;
  }

  Entry entry(const std::string& name, const SortedJson& value) const {
    const auto member = [&](const char* key) -> const SortedJson& {
      const auto found = value.find(key);
      if (found == value.end()) throw bad("tensor '", name, "' has no ", key, " in the header");
      return *found;
    };
    if (!value.is_object() || value.size() != 3)
      throw bad("tensor '", name, "' is not described by dtype, shape and data_offsets");
    const std::string type = member("dtype").is_string() ? member("dtype").get<std::string>() : "?";
    const auto known = std::find_if(type_names.begin(), type_names.end(),
                                    [&](const auto& pair) { return pair.second == type; });
    if (known == type_names.end())
      throw bad("tensor '", name, "' has the type ", type, ", not one of F64 F32 F16 BF16 I32 I64");
    const std::vector<uint64_t> sizes = numbers(name, "shape", member("shape")),
                                offsets = numbers(name, "data_offsets", member("data_offsets"));
    if (sizes.size() > Shape::max_rank)
      throw bad("tensor '", name, "' has ", sizes.size(), " axes, more than ", Shape::max_rank);
    if (offsets.size() != 2 || offsets[0] > offsets[1])
      throw bad("tensor '", name, "' has no range as data_offsets");
    // Strides must be representable, too, so an axis of size 0 does not excuse the others.
    uint64_t extent = size_of(known->first);
    for (uint64_t size : sizes)
      if (__builtin_mul_overflow(extent, std::max<uint64_t>(size, 1), &extent) ||
          extent > uint64_t{1} << 62)
        throw bad("tensor '", name, "' has an impossible shape");
    const uint64_t bytes = std::ranges::count(sizes, 0u) ? 0 : extent;
    const std::vector<int64_t> axes(sizes.begin(), sizes.end());
    const Shape shape{std::span<const int64_t>(axes)};
    if (bytes != offsets[1] - offsets[0])
      throw bad("tensor '", name, "' of type ", type, " and shape ", shape, " has ", bytes,
                " bytes but its data_offsets hold ", offsets[1] - offsets[0]);
    return {name, known->first, shape, offsets[0], offsets[1]};
  }

  std::vector<uint64_t> numbers(const std::string& name, const char* key,
                                const SortedJson& value) const {
    const auto is_count = [](const SortedJson& item) {
      return item.is_number_unsigned() && item.get<uint64_t>() <= INT64_MAX;
    };
    if (!value.is_array() || !std::ranges::all_of(value, is_count))
      throw bad("tensor '", name, "' has a ", key, " that is not a list of counts");
    return value.get<std::vector<uint64_t>>();
  }

  // The tensors follow one another without gaps up to the end of the file.
  void check_layout(std::vector<Entry>& entries) const {
    std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
      return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
    });
    uint64_t end = 0;
    std::string last = "the header";
    for (const Entry& entry : entries) {
      if (entry.begin != end)
        throw bad("tensor '", entry.name,
                  entry.begin < end ? "' overlaps " : "' leaves a gap after ", last);
      end = entry.end;
      last = "'" + entry.name + "'";
    }
    if (end > data_size_)
      throw bad("is truncated: ", end, " bytes of tensors are announced, ", data_size_,
                " are there");
    if (end < data_size_) throw bad("has ", data_size_ - end, " bytes behind the last tensor");
  }

  std::string file_;
  std::ifstream stream_;
  uint64_t size_ = 0, data_size_ = 0;
};

}  // namespace

Safetensors read_safetensors(const std::string& file) {
  return Reader(file).read();
}

void write_safetensors(const std::string& file,
                       const std::vector<std::pair<std::string, Tensor>>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::vector<const std::pair<std::string, Tensor>*> order;
  for (const auto& entry : tensors) order.push_back(&entry);
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return std::pair(place_of_type(a->second.type()), a->first) <
           std::pair(place_of_type(b->second.type()), b->first);
  });
  std::string text = "{";
  const auto add = [&](const std::string& name, const nlohmann::ordered_json& value) {
    text += (text.size() > 1 ? "," : "") + nlohmann::ordered_json(name).dump() + ":" + value.dump();
  };
  if (!metadata.empty()) add("__metadata__", metadata);
  std::set<std::string> names;
  std::vector<Bytes> pieces(2);
  uint64_t offset = 0;
  for (const auto* entry : order) {
    const auto& [name, tensor] = *entry;
    if (tensor.device().kind != DeviceKind::cpu || !tensor.contiguous() ||
        !names.insert(name).second)
      throw Error(ErrorKind::internal, file, ": tensor '", name,
                  "' is not contiguous in host memory, or its name is taken");
    add(name, {{"dtype", type_names[place_of_type(tensor.type())].second},
               {"shape", std::vector<int64_t>(tensor.shape().begin(), tensor.shape().end())},
               {"data_offsets", {offset, offset + tensor.bytes()}}});
    offset += tensor.bytes();
    pieces.push_back({tensor.raw(), tensor.bytes()});
  }
  text += "}";
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const uint64_t length = text.size();
  pieces[0] = std::as_bytes(std::span(&length, 1));
  pieces[1] = bytes_of(text);
  write_file(file, pieces);
}

}  // namespace py4cast
