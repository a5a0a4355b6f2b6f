// Decoded chunks, the ones used last, up to a number of bytes.
#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "data/zarr/zarr_codecs.h"

namespace py4cast {

// Null: the store has no such chunk.
using SharedChunk = std::shared_ptr<const ByteBuffer>;

// Thread safe. A chunk that several threads want at once is decoded by one of them, while chunks of other
// names are decoded beside it. The chunk used last is kept whatever its size.
class ChunkCache {
 public:
  explicit ChunkCache(size_t capacity_bytes) : capacity_(capacity_bytes) {}
  // The chunk of that name; load() makes it where it is not known. What load() throws is passed on, and
  // the next one tries again.
  SharedChunk get(const std::string& name, const std::function<SharedChunk()>& load);
  size_t bytes() const;

 private:
  struct Entry {
    std::string name;
    std::mutex mutex;  // of what follows, while it is made
    bool made = false;
    SharedChunk chunk;
    size_t counted = 0;  // bytes, under the cache's mutex
  };
  std::shared_ptr<Entry> entry_of(const std::string& name);
  void count(const std::shared_ptr<Entry>& entry);

  const size_t capacity_;
  mutable std::mutex mutex_;
  size_t bytes_ = 0;
  std::list<std::shared_ptr<Entry>> entries_;  // the one used last first
  std::unordered_map<std::string, std::list<std::shared_ptr<Entry>>::iterator> places_;
};

}  // namespace py4cast
