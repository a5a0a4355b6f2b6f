#include "data/zarr/zarr_arrays.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <span>

#include "data/cf/cf_files.h"
#include "engine/error.h"
#include "engine/files.h"
#include "engine/signs_of_life.h"

namespace py4cast {
namespace {

using Lengths = std::vector<size_t>;

// An open file of chunks.
class ChunkFile {
 public:
  explicit ChunkFile(const std::string& path)
      : file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
    if (!file_ && (errno == ENOENT || errno == ENOTDIR)) return;
    struct stat status {};
    if (!file_ || ::fstat(file_.number(), &status) != 0)
      throw Error(ErrorKind::data, "the file cannot be read: ", std::strerror(errno));
    if (!S_ISREG(status.st_mode)) throw Error(ErrorKind::data, "it is not a plain file");
    size_ = static_cast<size_t>(status.st_size);
  }
  explicit operator bool() const { return static_cast<bool>(file_); }
  size_t size() const { return size_; }

  ByteBuffer read(size_t begin, size_t bytes) const {
    if (begin > size_ || bytes > size_ - begin)
      throw Error(ErrorKind::data, "it is truncated: ", bytes, " bytes from ", begin,
                  " are needed of a file of ", size_);
    ByteBuffer buffer(bytes);
    for (size_t done = 0; done < bytes;) {
      constexpr size_t largest_piece = size_t{64} << 20;
      const ssize_t count =
          ::pread(file_.number(), buffer.data.get() + done, std::min(bytes - done, largest_piece),
                  static_cast<off_t>(begin + done));
      show_life();
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) throw Error(ErrorKind::data, "the file cannot be read to its end");
      done += static_cast<size_t>(count);
    }
    return buffer;
  }

 private:
  Descriptor file_;
  size_t size_ = 0;
};

// The next place inside of [begin, end), the last axis first; false after the last one.
bool advance_place(Lengths& place, const Lengths& begin, const Lengths& end) {
  for (size_t d = place.size(); d-- > 0;) {
    if (++place[d] < end[d]) return true;
    place[d] = begin[d];
  }
  return false;
}

// Where elements lie: bytes from one to the next along each axis.
Lengths strides_of(const Lengths& lengths, const Lengths& order, size_t element) {
  Lengths strides(lengths.size());
  for (size_t k = lengths.size(); k-- > 0;) {
    strides[order[k]] = element;
    element *= lengths[order[k]];
  }
  return strides;
}

Lengths axes_in_order(size_t rank) {
  Lengths order(rank);
  for (size_t d = 0; d < rank; ++d) order[d] = d;
  return order;
}

template <size_t size>
void copy_row(size_t count, const std::byte* from, size_t step, std::byte* to, size_t to_step) {
  for (size_t i = 0; i < count; ++i) std::memcpy(to + i * to_step, from + i * step, size);
}

// A block between two layouts.
struct BlockCopy {
  size_t element;
  const Lengths &counts, &from_strides, &to_strides;

  void copy(size_t axis, const std::byte* from, std::byte* to) const {
    if (axis == counts.size()) {
      std::memcpy(to, from, element);
    } else if (axis + 1 < counts.size()) {
      for (size_t i = 0; i < counts[axis]; ++i)
        copy(axis + 1, from + i * from_strides[axis], to + i * to_strides[axis]);
    } else {
      row(counts[axis], from, from_strides[axis], to, to_strides[axis]);
    }
  }

  void row(size_t count, const std::byte* from, size_t step, std::byte* to, size_t to_step) const {
    if (step == element && to_step == element)
      std::memcpy(to, from, count * element);
    else if (element == 4)
      copy_row<4>(count, from, step, to, to_step);
    else if (element == 2)
      copy_row<2>(count, from, step, to, to_step);
    else if (element == 8)
      copy_row<8>(count, from, step, to, to_step);
    else
      for (size_t i = 0; i < count; ++i) std::memcpy(to + i * to_step, from + i * step, element);
  }
};

[[noreturn]] void refuse_chunk_of(const ZarrArray& array, const std::string& key,
                                  const std::string& why) {
  throw Error(ErrorKind::data, array.folder, ": chunk ", key, " of array '", array.name,
              "' cannot be read: ", why);
}

// The bytes of a chunk as they are stored; none where the store does not have it.
class StoredChunk {
 public:
  StoredChunk(ChunkCache& cache, const ZarrArray& array, const Lengths& place)
      : cache_(cache), array_(array), place_(place), key_(array.key(shard_of(place))) {}

  // "c/0/1", "c/0/1 (chunk 0, 3 of the shard)"
  std::string name() const {
    if (!array_.shards) return key_;
    std::string inside;
    for (size_t d = 0; d < place_.size(); ++d)
      inside += (d ? ", " : "") + std::to_string(place_[d] % array_.shards->shape[d]);
    return key_ + " (chunk " + inside + " of the shard)";
  }

  std::optional<ByteBuffer> read() const {
    const ChunkFile file(array_.folder + "/" + key_);
    if (!file) return {};
    if (array_.shards) return read_of_shard(file);
    return read_piece(file, 0, file.size());
  }

 private:
  Lengths shard_of(const Lengths& place) const {
    if (!array_.shards) return place;
    Lengths result = place;
    for (size_t d = 0; d < place.size(); ++d) result[d] /= array_.shards->shape[d];
    return result;
  }

  // Pairs of begin and length of the chunks in a shard, all bits 1 where there is none.
  SharedChunk index(const ChunkFile& file) const {
    const ZarrShards& shards = *array_.shards;
    return cache_.get(array_.folder + "/" + key_ + " index", [&] {
      const size_t bytes = 16 * product(shards.shape);
      const size_t stored =
          bytes + 4 * shards.index_codecs.size();  // crc32c is all that is allowed
      if (stored > file.size()) throw Error(ErrorKind::data, "it is truncated (index of a shard)");
      const ByteBuffer raw = file.read(shards.index_at_end ? file.size() - stored : 0, stored);
      return std::make_shared<const ByteBuffer>(
          decode_bytes(raw.span(), shards.index_codecs, bytes));
    });
  }

  std::optional<ByteBuffer> read_of_shard(const ChunkFile& file) const {
    const ZarrShards& shards = *array_.shards;
    size_t number = 0;
    for (size_t d = 0; d < place_.size(); ++d)
      number = number * shards.shape[d] + place_[d] % shards.shape[d];
    uint64_t entry[2];
    std::memcpy(entry, index(file)->data.get() + 16 * number, sizeof entry);
    if (entry[0] == UINT64_MAX && entry[1] == UINT64_MAX) return {};
    return read_piece(file, entry[0], entry[1]);
  }

  ByteBuffer read_piece(const ChunkFile& file, size_t begin, size_t bytes) const {
    const size_t decoded = product(array_.chunk) * std::max<size_t>(array_.stored_size, 1);
    constexpr size_t spare = size_t{64} << 20;  // for texts and what codecs add
    if (bytes > 2 * decoded + spare)
      throw Error(ErrorKind::data, "it has ", bytes, " bytes for ", decoded, " of numbers");
    return file.read(begin, bytes);
  }

  ChunkCache& cache_;
  const ZarrArray& array_;
  const Lengths& place_;
  const std::string key_;
};

void check_readable(const ZarrArray& array) {
  if (!array.unreadable.empty())
    throw Error(ErrorKind::data, array.folder, ": array '", array.name,
                "' cannot be read: ", array.unreadable);
}

// make(bytes) of a chunk that is there.
template <typename Make>
auto of_chunk(ChunkCache& cache, const ZarrArray& array, const Lengths& place, Make make)
    -> std::optional<decltype(make(std::span<const std::byte>()))> {
  const StoredChunk chunk(cache, array, place);
  try {
    const std::optional<ByteBuffer> bytes = chunk.read();
    if (!bytes) return {};
    return make(bytes->span());
  } catch (const Error& error) {
    refuse_chunk_of(array, chunk.name(), error.what());
  }
}

SharedChunk chunk_at(ChunkCache& cache, const ZarrArray& array, const Lengths& place) {
  std::string name = array.folder;
  for (const size_t index : place) name += '.' + std::to_string(index);
  return cache.get(name, [&]() -> SharedChunk {
    auto decoded = of_chunk(cache, array, place, [&](std::span<const std::byte> bytes) {
      return decode_chunk(array, bytes);
    });
    return decoded ? std::make_shared<const ByteBuffer>(std::move(*decoded)) : nullptr;
  });
}

}  // namespace

void read_zarr_block(ChunkCache& cache, const ZarrArray& array, const Lengths& start,
                     const Lengths& count, std::byte* out) {
  check_readable(array);
  const size_t rank = array.shape.size();
  for (size_t d = 0; d < rank; ++d)
    if (start[d] > array.shape[d] || count[d] > array.shape[d] - start[d])
      throw Error(ErrorKind::data, array.folder, ": array '", array.name, "' ends at ",
                  array.shape[d], " along axis ", d, ", but ", start[d] + count[d], " is wanted");
  if (product(count) == 0) return;
  const size_t element = array.element_size();
  const Lengths to_strides = strides_of(count, axes_in_order(rank), element),
                chunk_strides = strides_of(array.chunk, array.order, element), no_strides(rank, 0);
  Lengths first(rank), end(rank);
  for (size_t d = 0; d < rank; ++d) {
    first[d] = start[d] / array.chunk[d];
    end[d] = (start[d] + count[d] - 1) / array.chunk[d] + 1;
  }
  Lengths place = first, counts(rank);
  do {
    const SharedChunk chunk = chunk_at(cache, array, place);
    const Lengths& from_strides = chunk ? chunk_strides : no_strides;
    const std::byte* from = chunk ? chunk->data.get() : array.fill.data();
    std::byte* to = out;
    for (size_t d = 0; d < rank; ++d) {
      const size_t chunk_begin = place[d] * array.chunk[d];
      const size_t begin = std::max(start[d], chunk_begin);
      counts[d] = std::min(start[d] + count[d], chunk_begin + array.chunk[d]) - begin;
      from += (begin - chunk_begin) * from_strides[d];
      to += (begin - start[d]) * to_strides[d];
    }
    BlockCopy{element, counts, from_strides, to_strides}.copy(0, from, to);
  } while (advance_place(place, first, end));
}

void copy_dense_block(const Lengths& shape, const Lengths& start, const Lengths& count,
                      size_t element, const std::byte* array, std::byte* out) {
  const Lengths order = axes_in_order(shape.size()),
                from_strides = strides_of(shape, order, element),
                to_strides = strides_of(count, order, element);
  for (size_t d = 0; d < shape.size(); ++d) array += start[d] * from_strides[d];
  BlockCopy{element, count, from_strides, to_strides}.copy(0, array, out);
}

std::vector<std::string> read_zarr_texts(ChunkCache& cache, const ZarrArray& array) {
  check_readable(array);
  std::vector<std::string> texts;
  const size_t count = product(array.shape);
  if (array.text != ZarrText::variable) {
    std::vector<std::byte> elements(count * array.stored_size);
    read_zarr_block(cache, array, Lengths(array.shape.size(), 0), array.shape, elements.data());
    for (size_t i = 0; i < count; ++i)
      texts.push_back(decode_text(array, elements.data() + i * array.stored_size));
    return texts;
  }
  if (array.shape.size() > 1)
    throw Error(ErrorKind::data, array.folder, ": array '", array.name,
                "' of texts has more than one dimension");
  for (size_t number = 0; texts.size() < count; ++number) {
    const auto decoded =
        of_chunk(cache, array, Lengths(array.shape.size(), number),
                 [&](std::span<const std::byte> bytes) { return decode_texts(array, bytes); });
    const size_t chunk = product(array.chunk);
    for (size_t i = 0; i < chunk && texts.size() < count; ++i)
      texts.push_back(decoded ? (*decoded)[i] : std::string());
  }
  return texts;
}

}  // namespace py4cast
