// Checks of bytes that other programs write and read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace py4cast {

// CRC-32C (Castagnoli), as in RFC 3720, appendix B.4.
uint32_t crc32c(std::span<const std::byte> bytes);

}  // namespace py4cast
