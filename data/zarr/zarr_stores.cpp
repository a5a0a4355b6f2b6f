#include "data/zarr/zarr_stores.h"

#include "data/weather/data_files.h"
#include "data/zarr/anemoi_layout.h"
#include "data/zarr/mllam_layout.h"
#include "data/zarr/zarr_arrays.h"
#include "engine/error.h"

namespace py4cast {
namespace {

CfMetadata metadata_of(const ZarrGroup& group) {
  CfMetadata metadata;
  metadata.path = group.path;
  metadata.attributes = zarr_attributes(group.attributes);
  metadata.groups = group.groups;
  for (const auto& [name, array] : group.arrays) {
    metadata.variables.push_back({.name = name,
                                  .dimensions = array.dimensions,
                                  .shape = array.shape,
                                  .type = array.type,
                                  .attributes = array.attributes,
                                  .unreadable = array.unreadable});
    for (size_t d = 0; d < array.shape.size(); ++d) {
      if (array.dimensions[d].empty()) continue;
      const auto [known, fresh] = metadata.dimensions.emplace(array.dimensions[d], array.shape[d]);
      if (known->second != array.shape[d])
        throw Error(ErrorKind::data, group.path, ": dimension '", known->first, "' has the length ",
                    known->second, ", but ", array.shape[d], " in array '", name, "'");
    }
  }
  if (metadata.dimensions.empty())
    for (const auto& [name, array] : group.arrays)
      if (!array.shape.empty())
        throw Error(
            ErrorKind::data, group.path, ": array '", name,
            "' has no names of its dimensions (_ARRAY_DIMENSIONS in Zarr 2, dimension_names "
            "in Zarr 3), and the others have none either; xarray's to_zarr writes them");
  return metadata;
}

// One store.
class ZarrStore : public CfFiles {
 public:
  ZarrStore(const std::string& path, ChunkCache& chunks)
      : chunks_(chunks),
        group_(read_zarr_group(path)),
        metadata_(metadata_of(group_)),
        bytes_(bytes_on_disk(path)) {
    const StoreContent content = {
        group_, metadata_, [&](const std::string& name) { return read(path, variable_of(name)); },
        [&](const std::string& name) { return read_texts(path, variable_of(name)); }};
    view_ = mllam_view(content);
    if (!view_) view_ = anemoi_view(content);
  }

  CfMetadata describe(const std::string&) override { return view_ ? view_->metadata : metadata_; }

  void read_block(const std::string&, const CfVariable& variable, const std::vector<size_t>& start,
                  const std::vector<size_t>& count, void* out) override {
    auto* bytes = static_cast<std::byte*>(out);
    if (!view_) return read_array(variable.name, start, count, bytes);
    if (const auto numbers = view_->numbers.find(variable.name); numbers != view_->numbers.end())
      return copy_dense_block(variable.shape, start, count, sizeof(double),
                              reinterpret_cast<const std::byte*>(numbers->second.data()), bytes);
    const auto feature = view_->features.find(variable.name);
    if (feature == view_->features.end()) return read_array(variable.name, start, count, bytes);
    const ZarrArray& array = array_of(feature->second.array);
    read_feature(
        *view_, feature->second, array.shape, array.element_size(), start, count,
        [&](const std::vector<size_t>& from, const std::vector<size_t>& lengths, std::byte* to) {
          read_zarr_block(chunks_, array, from, lengths, to);
        },
        bytes);
  }

  std::vector<std::string> read_texts(const std::string& path,
                                      const CfVariable& variable) override {
    check_fits(path, "variable '" + variable.name + "'", variable.shape);
    return read_zarr_texts(chunks_, array_of(variable.name));
  }

  uint64_t bytes(const std::string&) override { return bytes_; }

 private:
  const ZarrArray& array_of(const std::string& name) const {
    if (const ZarrArray* array = group_.find(name)) return *array;
    throw Error(ErrorKind::data, group_.path, ": there is no array '", name, "'");
  }
  const CfVariable& variable_of(const std::string& name) const {
    array_of(name);
    return *metadata_.find(name);
  }
  void read_array(const std::string& name, const std::vector<size_t>& start,
                  const std::vector<size_t>& count, std::byte* out) {
    read_zarr_block(chunks_, array_of(name), start, count, out);
  }

  ChunkCache& chunks_;
  const ZarrGroup group_;
  const CfMetadata metadata_;
  const uint64_t bytes_;
  std::optional<FeatureView> view_;  // none: the arrays are seen as they are
};

}  // namespace

CfFiles& ZarrStores::store(const std::string& path) {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<CfFiles>& store = stores_[path];
  if (!store) store = std::make_shared<ZarrStore>(path, chunks_);
  return *store;
}

CfMetadata ZarrStores::describe(const std::string& path) {
  return store(path).describe(path);
}

void ZarrStores::read_block(const std::string& path, const CfVariable& variable,
                            const std::vector<size_t>& start, const std::vector<size_t>& count,
                            void* out) {
  store(path).read_block(path, variable, start, count, out);
}

std::vector<std::string> ZarrStores::read_texts(const std::string& path,
                                                const CfVariable& variable) {
  return store(path).read_texts(path, variable);
}

uint64_t ZarrStores::bytes(const std::string& path) {
  return store(path).bytes(path);
}

}  // namespace py4cast
