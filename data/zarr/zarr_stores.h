// Zarr stores in local folders, versions 2 and 3, as files that the CF conventions describe.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "data/cf/cf_files.h"
#include "data/zarr/chunk_cache.h"

namespace py4cast {

// Stores are described once, at their first use. Chunks are decoded by the threads that want them and
// kept, up to `cache_bytes` of them.
class ZarrStores : public CfFiles {
 public:
  static constexpr size_t usual_cache_bytes = size_t{256} << 20;
  explicit ZarrStores(size_t cache_bytes = usual_cache_bytes) : chunks_(cache_bytes) {}

  // Of the root group, seen by its content (mllam_layout.h, anemoi_layout.h) or as it is. The fill value
  // of a version 2 array is its _FillValue, as xarray has it.
  CfMetadata describe(const std::string& path) override;
  void read_block(const std::string& path, const CfVariable& variable,
                  const std::vector<size_t>& start, const std::vector<size_t>& count,
                  void* out) override;
  std::vector<std::string> read_texts(const std::string& path, const CfVariable& variable) override;
  uint64_t bytes(const std::string& path) override;

  const ChunkCache& chunks() const { return chunks_; }

 private:
  CfFiles& store(const std::string& path);

  ChunkCache chunks_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<CfFiles>> stores_;
};

}  // namespace py4cast
