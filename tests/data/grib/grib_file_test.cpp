// Messages, their sections, and what is no message.
#include "data/grib/grib_file.h"

#include "tests/data/grib/grib_test_files.h"

namespace py4cast {
namespace {

using GribFileTest = GribFolder;

std::string message_at(double first, int64_t hour = 0) {
  return GribTestMessage().set("dataTime", 100 * hour).counting(12, first).bytes();
}

// The sections of a message of edition 2, from section 1 on.
std::vector<std::string> sections_of(const std::string& message) {
  std::vector<std::string> sections;
  for (size_t at = 16; at + 4 < message.size();) {
    size_t length = 0;
    for (size_t i = 0; i < 4; ++i) length = length << 8 | static_cast<uint8_t>(message[at + i]);
    sections.push_back(message.substr(at, length));
    at += length;
  }
  return sections;
}

std::string message_from(const std::vector<std::string>& sections) {
  std::string message = GribTestMessage().bytes().substr(0, 16);
  for (const std::string& section : sections) message += section;
  message += "7777";
  for (size_t i = 0; i < 8; ++i)
    message[15 - i] = static_cast<char>(message.size() >> (8 * i) & 0xff);
  return message;
}

TEST_F(GribFileTest, BytesBetweenMessagesAreSkipped) {
  const std::string padding(300, '\0'), bulletin = "\001\r\r\n001\r\r\nHTXX12 KWBC 010000\r\r\n";
  GribSource source({write("a.grib", bulletin + message_at(0) + padding + message_at(100, 1) +
                                         std::string(70'000, 'G') + message_at(200, 2) + "GRI")});
  ASSERT_EQ(source.times().runs.size(), 3);
  for (int64_t run = 0; run < 3; ++run)
    EXPECT_EQ(first_value(source, {"t2m", 0, run}), static_cast<float>(100 * run));
}

// One message with three fields: sections 4 to 7 are repeated for a second time, 3 to 7 for a third. The
// second has the first one's bitmap (indicator 254).
TEST_F(GribFileTest, SeveralFieldsInAMessage) {
  const double nan = std::nan("");
  const auto at_hour = [&](int hour, std::vector<double> values) {
    GribTestMessage message;
    message.set("forecastTime", hour).values(std::move(values));
    return sections_of(message.bytes());
  };
  auto first = at_hour(1, {1, nan, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  const auto second = at_hour(2, {21, nan, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32});
  const auto third = at_hour(3, {41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52});
  ASSERT_EQ(first.size(), 6);  // 1, 3, 4, 5, 6, 7
  std::vector<std::string> all = first;
  all.insert(all.end(), {second[2], second[3], std::string("\0\0\0\6\6\xfe", 6), second[5]});
  all.insert(all.end(), third.begin() + 1, third.end());
  const std::string after = message_from(at_hour(4, std::vector<double>(12, 60)));
  GribSource source({write("a.grib", message_from(all) + after)});
  EXPECT_EQ(source.times().runs.size(), 4);
  EXPECT_EQ(first_value(source, {"t2m", 0, 0}), 1);
  EXPECT_NEAR(field(source, {"t2m", 0, 1})[11], 32, 1e-3);
  EXPECT_TRUE(std::isnan(field(source, {"t2m", 0, 0})[1]));
  EXPECT_TRUE(std::isnan(field(source, {"t2m", 0, 1})[1]));
  EXPECT_EQ(field(source, {"t2m", 0, 2})[1], 42);
  EXPECT_EQ(first_value(source, {"t2m", 0, 3}), 60);
}

TEST_F(GribFileTest, DamagedMessagesAreNamedByTheirPlace) {
  const std::string good = message_at(0), second = message_at(9, 1);
  const std::string place = ": the message at byte " + std::to_string(good.size()) + " ";
  expect_says(refusal(good + second.substr(0, second.size() - 10)),
              place + "is cut off: of its " + std::to_string(second.size()) + " bytes " +
                  std::to_string(second.size() - 10) + " are there");
  expect_says(refusal(good + second.substr(0, 10)), place + "is cut off");
  std::string changed = second;
  changed.back() = '8';
  expect_says(refusal(good + changed), place + "does not end with 7777");
  changed = second;
  changed[7] = 3;
  expect_says(refusal(good + changed), place + "is of edition 3; 1 and 2 can be read");
  changed = second;
  changed[16] = 127;  // the length of section 1
  expect_says(refusal(good + changed), place + "is damaged");
  auto sections = sections_of(second);
  sections.erase(sections.begin() + 3);  // of the packing
  expect_says(refusal(good + message_from(sections)), place + "is damaged: it lacks section 5");
  const std::string old = GribTestMessage("regular_ll_sfc_grib1").counting(12).bytes();
  changed = old;
  changed[8] = 127;  // the length of section 1 of edition 1
  expect_says(refusal(changed), ": the message at byte 0 is damaged");
}

TEST_F(GribFileTest, OtherFilesAreRefused) {
  expect_says(refusal(""), "refused.grib: the file is empty");
  expect_says(refusal("# no data"), "refused.grib: there is no GRIB message in the file");
  expect_says(refusal("CDF\001 and more"), "the file is netCDF or HDF5, not GRIB");
  expect_says(refusal("\x89HDF\r\n\x1a\n"), "the file is netCDF or HDF5, not GRIB");
  EXPECT_FALSE(is_grib(path("refused.grib")));
  EXPECT_FALSE(is_grib(write("a.nc", "CDF\001 made from GRIB")));
  EXPECT_TRUE(is_grib(write("a.grib", "\r\n" + message_at(0))));
  EXPECT_TRUE(is_grib(folder_.string()));
  EXPECT_FALSE(is_grib(path("missing")));
}

}  // namespace
}  // namespace py4cast
