#include "engine/checksum.h"

#include <gtest/gtest.h>

#include <string>

#include "engine/files.h"

namespace py4cast {
namespace {

TEST(Checksum, KnownValues) {
  EXPECT_EQ(crc32c(bytes_of("123456789")), 0xe3069283u);  // of every description of CRC-32C
  EXPECT_EQ(crc32c(bytes_of(std::string(32, '\0'))), 0x8a9136aau);  // RFC 3720, B.4
  EXPECT_EQ(crc32c(bytes_of(std::string(32, '\xff'))), 0x62a8ab43u);
  EXPECT_EQ(crc32c({}), 0u);
}

}  // namespace
}  // namespace py4cast
