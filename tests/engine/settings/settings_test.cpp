#include "engine/settings/settings.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "engine/error.h"
#include "engine/settings/registry.h"
#include "tests/engine/error_of.h"

namespace py4cast {
namespace {

template <typename Action>
std::string settings_error(const Action& action) {
  return error_of(action, ErrorKind::configuration);
}

enum class Colour { red, green };

struct Part : Settings {
  std::string name;
  PY4CAST_SETTING(Colour, colour, Colour::red, "Of the part.", .choices = {"red", "green"},
                  .always_written = true);
  PY4CAST_SETTING(Numbers, sizes, {}, "Of the part.");
};

struct Inner : Settings {
  PY4CAST_SETTING(double, rate, 1e-3, "A rate.", .flags = {"rate"}, .minimum = 0);
  PY4CAST_SETTING(std::optional<double>, weight, {}, "A weight.");
  bool operator==(const Inner&) const = default;
};

struct Base : Settings {
  PY4CAST_SETTING(int64_t, count, 3, "How many.", .minimum = 1);
};

struct Machine : Base {
  PY4CAST_SETTING(bool, quick, false, "Whether it is.");
  PY4CAST_SETTING(Texts, words, (Texts{"a", "b"}), "Some words.", .choices = {"a", "b", "c"});
  PY4CAST_SECTION(Inner, inner, "What is inside.", R"({"rate": 2})");
  PY4CAST_SETTING(std::vector<Part>, parts, {}, "By name.");
  PY4CAST_SETTING(Json, open, Json::object(), "Anything.");
};

Machine machine(const std::string& text) {
  return checked_settings<Machine>(Json::parse(text), "a.json", "machine");
}

TEST(Settings, MembersAreDeclaredOnceAndPlain) {
  const Machine defaults{.quick = true};
  EXPECT_EQ(defaults.count, 3);
  EXPECT_TRUE(defaults.quick);
  EXPECT_EQ(defaults.inner.rate, 1e-3);
  EXPECT_FALSE(defaults.inner.weight);
  const SettingsTable& table = table_of<Machine>();
  EXPECT_EQ(table.names(),
            (Texts{"count", "quick", "words", "inner.rate", "inner.weight", "parts", "open"}));
  const Setting& rate = *table.find("inner.rate");
  EXPECT_EQ(rate.description, "A rate.");
  EXPECT_EQ(*rate.default_value, 1e-3);
  EXPECT_EQ(rate.type(), KeyType::number);
  EXPECT_EQ(rate.flags, Texts{"rate"});
  EXPECT_EQ(rate.example, "2");
  EXPECT_EQ(table.find("inner.weight")->example, "");
  EXPECT_EQ(table.sections().at("inner"), "What is inside.");
  EXPECT_EQ(table.find("inner"), nullptr);
}

TEST(Settings, ReadAndWrittenBack) {
  const Machine read = machine(R"({"count": 7, "words": "c", "inner": {"weight": 2},
                                   "parts": {"x": {"colour": "green", "sizes": 3}, "y": {}},
                                   "open": {"any": [1]}})");
  EXPECT_EQ(read.count, 7);
  EXPECT_EQ(read.words, Texts{"c"});
  EXPECT_EQ(read.inner, (Inner{.weight = 2.0}));
  ASSERT_EQ(read.parts.size(), 2u);
  EXPECT_EQ(read.parts[0].name, "x");
  EXPECT_EQ(read.parts[0].colour, Colour::green);
  EXPECT_EQ(read.parts[0].sizes, Numbers{3});
  EXPECT_EQ(read.parts[1].colour, Colour::red);
  const Json written = to_json(read);
  EXPECT_EQ(written.dump(),
            R"({"count":7,"quick":false,"words":["c"],"inner":{"rate":0.001,"weight":2.0},)"
            R"("parts":{"x":{"colour":"green","sizes":[3.0]},"y":{"colour":"red"}},)"
            R"("open":{"any":[1]}})");
  EXPECT_EQ(to_json(read_settings<Machine>(written)), written);
}

TEST(Settings, WhatIsWrongIsSaidInWords) {
  EXPECT_EQ(settings_error([] { machine(R"({"cout": 1})"); }),
            "a.json: unknown key 'machine.cout'; did you mean 'machine.count'?");
  EXPECT_EQ(settings_error([] { machine(R"({"inner": {"rat": 1}})"); }),
            "a.json: unknown key 'machine.inner.rat'; did you mean 'machine.inner.rate'?");
  EXPECT_EQ(settings_error([] { machine(R"({"inner": 1})"); }),
            "a.json: 'machine.inner' must be an object ({...}), not 1");
  EXPECT_EQ(settings_error([] { machine(R"({"count": 0})"); }),
            "a.json: 'machine.count' must be at least 1, not 0");
  EXPECT_EQ(settings_error([] { machine(R"({"count": true})"); }),
            "a.json: 'machine.count' must be an integer, not true");
  EXPECT_EQ(settings_error([] { machine(R"({"parts": {"x": {"colour": "gren"}}})"); }),
            "a.json: 'machine.parts.x.colour' must be 'red' or 'green', not 'gren'; did you mean "
            "'green'?");
  EXPECT_EQ(settings_error([] { machine(R"({"parts": {"x": 3}})"); }),
            "a.json: 'machine.parts.x' must be an object such as {\"colour\": \"red\"}, not 3");
}

struct Numbered {
  std::string name;
  int number;
};

TEST(Registry, NamesMatchUpToSpelling) {
  Registry<Numbered> kinds("model.name", "network");
  const Numbered& first = kinds.add({"half_unet", 1});
  kinds.add({"HiLAM", 2});
  for (const char* name : {"half_unet", "HalfUNet", "halfunet", "half-UNet"})
    EXPECT_EQ(&kinds.find(name), &first) << name;
  EXPECT_EQ(kinds.find("hilam").name, "HiLAM");
  EXPECT_EQ(kinds.names(), (Texts{"half_unet", "HiLAM"}));
  EXPECT_EQ(settings_error([&] { kinds.find("HalfUNit"); }),
            "model.name: there is no network 'HalfUNit' in this build; the nearest is "
            "'half_unet'");
  EXPECT_EQ(settings_error([&] {
              kinds.add({"HalfUnet", 3});
            }),
            "model.name: two networks are named 'HalfUnet'");
}

}  // namespace
}  // namespace py4cast
