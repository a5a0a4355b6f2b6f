#include "engine/settings/json.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/settings/settings.h"

namespace py4cast {
namespace {

std::string sentence(const std::string& text, size_t longest = longest_json) {
  try {
    parse_json(text, "a.json", ErrorKind::data, longest);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::data);
    return error.what();
  }
  return "no error";
}

std::string nested(int levels) {
  return std::string(static_cast<size_t>(levels), '[') +
         std::string(static_cast<size_t>(levels), ']');
}

TEST(Json, DepthAndLengthHaveLimits) {
  EXPECT_EQ(sentence(nested(deepest_json)), "no error");
  EXPECT_EQ(sentence(nested(100000)),
            "a.json: not valid JSON: it is nested deeper than 100 levels");
  std::string objects;
  for (int i = 0; i < 100000; ++i) objects += "{\"a\":";
  EXPECT_EQ(sentence(objects), "a.json: not valid JSON: it is nested deeper than 100 levels");
  EXPECT_EQ(sentence("\"" + nested(1000) + "\""), "no error");
  EXPECT_EQ(sentence("[1, 2]", 5), "a.json: has 6 bytes; JSON of more than 5 is not read");
}

TEST(Json, NamesStandOnce) {
  EXPECT_EQ(sentence(R"({"a": {"b": 1}, "c": {"b": 2}})"), "no error");
  EXPECT_EQ(sentence(R"({"a": [{"b": 1, "b": 2}]})"),
            "a.json: the name 'b' stands twice in one object");
}

TEST(Json, NumbersThatNoDoubleHoldsAreRefused) {
  EXPECT_EQ(sentence(R"({"training":{"optimizer":{"lr":1e999}}})"),
            "a.json: not valid JSON (number overflow parsing '1e999')");
  EXPECT_EQ(sentence("[1e308]"), "no error");
  EXPECT_EQ(on_one_line(Json({1e300, 2.0, -0.5})), "[1e+300, 2, -0.5]");
}

TEST(Json, ErrorsNameThePlace) {
  EXPECT_EQ(sentence("{\n  \"a\": 1,\n}").substr(0, 47),
            "a.json: not valid JSON at line 3, column 1: syn");
  EXPECT_NE(sentence("\"\xff\"").find("a.json: not valid JSON at line 1"), std::string::npos);
}

TEST(Json, FilesHaveTheSameLimits) {
  const std::string file = testing::TempDir() + "deep.json";
  std::ofstream(file) << nested(75000);
  EXPECT_THROW(read_json_file(file), Error);
  EXPECT_THROW(read_json_file(testing::TempDir()), Error);
  // A pipe that nobody writes to is not waited for.
  const std::string pipe = testing::TempDir() + "pipe.json";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_THROW(read_json_file(pipe), Error);
  ::unlink(pipe.c_str());
  std::ofstream(file) << std::string(longest_json + 1, ' ');
  try {
    read_json_file(file, ErrorKind::data);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()),
              file + ": has 16777217 bytes; JSON of more than 16777216 is not read");
  }
}

TEST(Json, OnlyUtf8IsText) {
  EXPECT_TRUE(
      is_utf8("Gr\xc3\xb6\xc3\x9f"
              "e"));
  EXPECT_FALSE(is_utf8("Gr\xf6sse"));
  EXPECT_THROW(value_from_text(KeyType::text, "\xff.nc"), Error);
  EXPECT_THROW(value_from_text(KeyType::texts, "a.nc,\xff.nc"), Error);
}

struct Counted : Settings {
  PY4CAST_SETTING(int64_t, count, 3, "How many.");
};

TEST(Json, NoIntegerWrapsOnItsWayIntoASetting) {
  const auto count = [](const std::string& text) {
    return checked_settings<Counted>(Json::parse(text), "a.json", "section").count;
  };
  EXPECT_EQ(count(R"({"count": 9223372036854775807})"), INT64_MAX);
  EXPECT_EQ(count(R"({"count": -9223372036854775808})"), INT64_MIN);
  for (const char* number : {"9223372036854775808", "18446744073709551615"}) {
    try {
      count(R"({"count": )" + std::string(number) + "}");
      FAIL() << number;
    } catch (const Error& error) {
      EXPECT_EQ(error.what(), "a.json: 'section.count' must be at most 9223372036854775807, not " +
                                  std::string(number));
    }
  }
  // JSON makes a double of it.
  EXPECT_THROW(count(R"({"count": 18446744073709551616})"), Error);
}

// A deep text on the command line is no JSON but a text, of which only the beginning is repeated.
TEST(Json, LongValuesAreNotRepeatedWhole) {
  const Setting* setting = table_of<Counted>().find("count");
  try {
    checked_value(*setting, value_from_text(KeyType::integer, nested(75000)), "command line",
                  "--count");
    FAIL();
  } catch (const Error& error) {
    EXPECT_LT(std::string(error.what()).size(), 200u);
  }
}

}  // namespace
}  // namespace py4cast
