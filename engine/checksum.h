// Numbers that stand for bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace py4cast {

// CRC-32C (Castagnoli), as in RFC 3720, appendix B.4: of what other programs write and read.
uint32_t crc32c(std::span<const std::byte> bytes);

// FNV-1a, 64 bit (draft-eastlake-fnv): the same on every machine. Nothing against malice.
uint64_t fnv1a(std::string_view text);
constexpr uint64_t fnv_prime = 0x100000001b3u;

}  // namespace py4cast
