#include "data/zarr/zarr_codecs.h"

#include <blosc.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "data/cf/cf_files.h"
#include "data/zarr/zarr_type.h"
#include "engine/checksum.h"
#include "engine/data_type.h"
#include "engine/error.h"

namespace py4cast {
namespace {

using ByteSpan = std::span<const std::byte>;

[[noreturn]] void refuse_chunk(const std::string& what) {
  throw Error(ErrorKind::data, "it is truncated or damaged (", what, ")");
}

ByteBuffer from_blosc(ByteSpan in, size_t limit) {
  size_t size = 0;
  if (blosc_cbuffer_validate(in.data(), in.size(), &size) != 0 || size > limit)
    refuse_chunk("blosc's header does not fit");
  ByteBuffer out(size);
  const int result = blosc_decompress_ctx(in.data(), out.data.get(), size, 1);
  if (result == -5 || !blosc_cbuffer_complib(in.data()))
    throw Error(ErrorKind::data, "this build's blosc does not know its compressor (it knows ",
                blosc_list_compressors(), ")");
  if (result < 0 || static_cast<size_t>(result) != size) refuse_chunk("blosc");
  return out;
}

ByteBuffer from_zstd(ByteSpan in, size_t limit) {
  const unsigned long long said = ZSTD_getFrameContentSize(in.data(), in.size());
  if (said == ZSTD_CONTENTSIZE_ERROR) refuse_chunk("this is no zstd");
  if (said != ZSTD_CONTENTSIZE_UNKNOWN && said > limit)
    refuse_chunk("zstd says " + std::to_string(said) + " bytes");
  ByteBuffer out(limit);
  const size_t size = ZSTD_decompress(out.data.get(), limit, in.data(), in.size());
  if (ZSTD_isError(size)) refuse_chunk("zstd: " + std::string(ZSTD_getErrorName(size)));
  out.size = size;
  return out;
}

// Of gzip and of zlib.
ByteBuffer from_gzip(ByteSpan in, size_t limit) {
  ByteBuffer out(limit);
  z_stream stream{};
  constexpr int either = 15 + 32;
  if (inflateInit2(&stream, either) != Z_OK) throw Error(ErrorKind::memory, "no memory for zlib");
  // zlib counts in 32 bits.
  constexpr size_t piece = std::numeric_limits<uInt>::max();
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(in.data()));
  stream.next_out = reinterpret_cast<Bytef*>(out.data.get());
  int status = Z_OK;
  size_t unread = in.size(), unwritten = limit;
  while (status == Z_OK) {
    stream.avail_in = static_cast<uInt>(std::min(unread, piece));
    stream.avail_out = static_cast<uInt>(std::min(unwritten, piece));
    const size_t read = stream.avail_in, written = stream.avail_out;
    status = inflate(&stream, Z_NO_FLUSH);
    unread -= read - stream.avail_in;
    unwritten -= written - stream.avail_out;
  }
  inflateEnd(&stream);
  if (status != Z_STREAM_END) refuse_chunk("gzip or zlib");
  out.size = limit - unwritten;
  return out;
}

ByteBuffer from_crc32c(ByteSpan in) {
  if (in.size() < 4) refuse_chunk("crc32c");
  const ByteSpan content = in.first(in.size() - 4);
  uint32_t said = 0;
  std::memcpy(&said, in.data() + content.size(), 4);
  if (said != crc32c(content)) refuse_chunk("its checksum crc32c differs");
  ByteBuffer out(content.size());
  std::ranges::copy(content, out.data.get());
  return out;
}

// Turns the bytes of each number around.
void swap_bytes(ByteBuffer& buffer, size_t size) {
  for (size_t at = 0; at + size <= buffer.size; at += size)
    std::reverse(buffer.data.get() + at, buffer.data.get() + at + size);
}

ByteBuffer from_halves(const ByteBuffer& halves) {
  ByteBuffer out(2 * halves.size);
  for (size_t i = 0; i < halves.size / 2; ++i) {
    uint16_t bits;
    std::memcpy(&bits, halves.data.get() + 2 * i, 2);
    const float value = float_of_half(bits);
    std::memcpy(out.data.get() + 4 * i, &value, 4);
  }
  return out;
}

void add_letter(std::string& text, uint32_t letter) {
  const auto put = [&](uint32_t byte) { text += static_cast<char>(byte); };
  if (letter < 0x80) {
    put(letter);
  } else if (letter < 0x800) {
    put(0xc0 | letter >> 6);
    put(0x80 | (letter & 0x3f));
  } else if (letter < 0x10000) {
    put(0xe0 | letter >> 12);
    put(0x80 | (letter >> 6 & 0x3f));
    put(0x80 | (letter & 0x3f));
  } else {
    put(0xf0 | letter >> 18);
    put(0x80 | (letter >> 12 & 0x3f));
    put(0x80 | (letter >> 6 & 0x3f));
    put(0x80 | (letter & 0x3f));
  }
}

std::string without_end(const std::string& text) {
  return text.substr(0, text.find_last_not_of(std::string_view(" \0", 2)) + 1);
}

// Undoes one codec; `limit` bounds what comes out.
ByteBuffer decode_one(ZarrCodec codec, ByteSpan in, size_t limit) {
  switch (codec) {
    case ZarrCodec::blosc:
      return from_blosc(in, limit);
    case ZarrCodec::zstd:
      return from_zstd(in, limit);
    case ZarrCodec::gzip:
      return from_gzip(in, limit);
    case ZarrCodec::crc32c:
      return from_crc32c(in);
  }
  return ByteBuffer();
}

// What a codec may have added to bytes that it could not make fewer.
size_t with_overhead(size_t size) {
  return size + size / 64 + 4096;
}

ByteBuffer decode_all(ByteSpan bytes, const std::vector<ZarrCodec>& codecs, size_t limit) {
  ByteBuffer result(codecs.empty() ? bytes.size() : 0);
  if (codecs.empty()) std::ranges::copy(bytes, result.data.get());
  for (size_t left = codecs.size(); left > 0; --left) {
    const size_t at_most = left == 1 ? limit : with_overhead(limit);
    ByteBuffer decoded = decode_one(codecs[left - 1], bytes, at_most);
    result = std::move(decoded);
    bytes = result.span();
  }
  return result;
}

}  // namespace

ByteBuffer decode_bytes(ByteSpan bytes, const std::vector<ZarrCodec>& codecs, size_t size) {
  ByteBuffer result = decode_all(bytes, codecs, size);
  if (result.size != size)
    refuse_chunk(std::to_string(result.size) + " bytes, where " + std::to_string(size) +
                 " are needed");
  return result;
}

ByteBuffer decode_chunk(const ZarrArray& array, ByteSpan bytes) {
  ByteBuffer result = decode_bytes(bytes, array.codecs, product(array.chunk) * array.stored_size);
  if (array.big_endian && array.text != ZarrText::bytes)
    swap_bytes(result, array.text == ZarrText::utf32 ? 4 : array.stored_size);
  if (array.half()) return from_halves(result);
  return result;
}

std::vector<std::string> decode_texts(const ZarrArray& array, ByteSpan bytes) {
  const size_t count = product(array.chunk);
  constexpr size_t most_bytes = size_t{64} << 20;
  const ByteBuffer all = decode_all(bytes, array.codecs, most_bytes);
  ByteSpan left = all.span();
  const auto number = [&] {
    if (left.size() < 4) refuse_chunk("texts end early");
    uint32_t value = 0;
    std::memcpy(&value, left.data(), 4);
    left = left.subspan(4);
    return value;
  };
  if (number() != count) refuse_chunk("another number of texts");
  std::vector<std::string> texts;
  for (size_t i = 0; i < count; ++i) {
    const size_t length = number();
    if (length > left.size()) refuse_chunk("texts end early");
    texts.emplace_back(reinterpret_cast<const char*>(left.data()), length);
    left = left.subspan(length);
  }
  return texts;
}

std::string decode_text(const ZarrArray& array, const std::byte* element) {
  std::string text;
  if (array.text == ZarrText::bytes) {
    text.assign(reinterpret_cast<const char*>(element), array.stored_size);
    return without_end(text);
  }
  for (size_t at = 0; at < array.stored_size; at += 4) {
    uint32_t letter = 0;
    std::memcpy(&letter, element + at, 4);
    add_letter(text, std::min(letter, uint32_t{0x10ffff}));
  }
  return without_end(text);
}

}  // namespace py4cast
