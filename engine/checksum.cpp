#include "engine/checksum.h"

#include <array>

namespace py4cast {

uint32_t crc32c(std::span<const std::byte> bytes) {
  static constexpr auto table = [] {
    std::array<uint32_t, 256> result{};
    for (uint32_t i = 0; i < 256; ++i) {
      uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit) value = value >> 1 ^ (value & 1 ? 0x82f63b78u : 0u);
      result[i] = value;
    }
    return result;
  }();
  uint32_t value = ~0u;
  for (const std::byte byte : bytes)
    value = value >> 8 ^ table[(value ^ static_cast<uint32_t>(byte)) & 0xff];
  return ~value;
}

uint64_t fnv1a(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const unsigned char letter : text) hash = (hash ^ letter) * fnv_prime;
  return hash;
}

}  // namespace py4cast
