// A configuration of tables and choices: resolved, and made into documents.
#include "engine/settings/layout.h"

#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "engine/error.h"
#include "engine/settings/documents.h"
#include "engine/settings/resolve.h"

namespace py4cast {
namespace {

struct EngineSection : Settings {
  PY4CAST_SETTING(std::string, name, "petrol", "The engine.", .flags = {"engine"});
};
struct General : Settings {
  PY4CAST_SETTING(std::string, task, "drive", "What is done.");
  PY4CAST_SECTION(EngineSection, engine, "What makes it go.");
  PY4CAST_SETTING(Texts, watchers, {}, "Who looks on.");
};
struct Petrol : Settings {
  PY4CAST_SETTING(int64_t, cylinders, 4, "Cylinders of the engine.", .flags = {"cylinders"},
                  .minimum = 1);
};
struct Electric : Settings {
  PY4CAST_SETTING(double, volts, 400, "Volts of the battery.");
  PY4CAST_SETTING(bool, regenerate, true, "Whether braking charges.");
};
struct Drive : Settings {
  PY4CAST_SETTING(std::string, road, "asphalt", "What is under the wheels.");
};
struct Road : Settings {
  PY4CAST_SETTING(int64_t, lanes, 2, "Lanes of the road.");
};
struct Fly : Settings {
  PY4CAST_SETTING(double, height, 1000, "Height above ground.", .example = "500");
};
struct Camera : Settings {
  PY4CAST_SETTING(int64_t, every, 10, "Seconds between pictures.");
};

struct Kind {
  std::string name;
  const SettingsTable* settings;
};
struct Task {
  std::string name;
  std::function<Layout()> layout;
};

Layout make_layout() {
  Registry<Kind> engines("engine.name", "engine"), roads("road", "road"), watchers("w", "watcher");
  engines.add({"petrol", &table_of<Petrol>()});
  engines.add({"Electric-2", &table_of<Electric>()});
  roads.add({"asphalt", &table_of<Road>()});
  roads.add({"sand", nullptr});
  watchers.add({"camera", &table_of<Camera>()});
  watchers.add({"crowd", nullptr});
  Registry<Task> tasks("task", "task");
  tasks.add({"drive", [&]() -> Layout {
               return {{&table_of<Drive>()},
                       {choice_of(roads, {"road", "road_settings", "Of the road."})},
                       {{"quick", "", "Sand.", "", "", {{"road", "sand"}}}}};
             }});
  tasks.add({"fly", [] { return Layout{{&table_of<Fly>()}, {}, {}}; }});
  return {{&table_of<General>()},
          {choice_of(tasks, {"task", "", ""}),
           choice_of(engines, {"engine.name", "engine", "The engine's own."}),
           choice_of(watchers, {"watchers", "watcher_settings", "The watchers' own."})},
          {{"engine_conf", "FILE", "The engine.", "engine", "engine.name", {}}}};
}

std::string layout_file(const std::string& name, const std::string& text) {
  const std::string path = testing::TempDir() + name;
  std::ofstream(path) << text;
  return path;
}

Json resolved(const std::vector<FlagValue>& flags, const std::string& file = "",
              std::map<std::string, std::string> environment = {}) {
  return resolve(make_layout(), {file.empty() ? "" : layout_file("layout.json", file),
                                 std::move(environment), flags});
}

std::string layout_error(const std::vector<FlagValue>& flags, const std::string& file = "",
                         std::map<std::string, std::string> environment = {}) {
  try {
    resolved(flags, file, std::move(environment));
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::configuration);
    return error.what();
  }
  return "no error";
}

TEST(Layout, DefaultsOfWhatIsChosenByDefault) {
  EXPECT_EQ(resolved({}).dump(),
            R"({"task":"drive","watchers":[],"road":"asphalt","road_settings":{"lanes":2},)"
            R"("engine":{"name":"petrol","cylinders":4}})");
}

TEST(Layout, AChoiceBringsItsKeys) {
  EXPECT_EQ(resolved({{"--engine", "electric2"}, {"--engine.volts", "800"}}).at("engine").dump(),
            R"({"name":"Electric-2","volts":800,"regenerate":true})");
  EXPECT_EQ(resolved({}, R"({"engine": {"regenerate": false, "name": "ELECTRIC_2"}})")["engine"],
            Json({{"name", "Electric-2"}, {"volts", 400}, {"regenerate", false}}));
  EXPECT_EQ(resolved({{"--height", "3"}}, R"({"task": "fly"})").dump(),
            R"({"task":"fly","watchers":[],"height":3,"engine":{"name":"petrol","cylinders":4}})");
  EXPECT_EQ(resolved({{"--quick", std::nullopt}})["road"], "sand");
  EXPECT_FALSE(resolved({{"--quick", std::nullopt}}).contains("road_settings"));
}

TEST(Layout, ListsOfNamesHaveSettingsByName) {
  const Json values =
      resolved({{"--watchers", "crowd,Camera"}, {"--watcher_settings.camera.every", "3"}});
  EXPECT_EQ(values["watchers"], Json({"crowd", "camera"}));
  EXPECT_EQ(values["watcher_settings"], Json({{"camera", {{"every", 3}}}}));
}

TEST(Layout, FlagsWinOverEnvironmentOverFile) {
  const std::string file = R"({"engine": {"cylinders": 5}})";
  EXPECT_EQ(resolved({}, file)["engine"]["cylinders"], 5);
  const std::map<std::string, std::string> environment{{"PY4CAST_ENGINE_CYLINDERS", "6"}};
  EXPECT_EQ(resolved({}, file, environment)["engine"]["cylinders"], 6);
  EXPECT_EQ(resolved({{"--cylinders", "7"}}, file, environment)["engine"]["cylinders"], 7);
}

TEST(Layout, AnotherChoiceLeavesWhatTheFileSaysOfItsOwn) {
  const std::string file =
      R"({"road": "asphalt", "road_settings": {"lanes": 3}, "engine": {"cylinders": 5}})";
  EXPECT_EQ(resolved({{"--engine", "electric-2"}, {"--engine.volts", "12"}}, file)["engine"],
            Json({{"name", "Electric-2"}, {"volts", 12}, {"regenerate", true}}));
  EXPECT_FALSE(resolved({{"--road", "sand"}}, file).contains("road_settings"));
  EXPECT_EQ(resolved({{"--road", "asphalt"}}, file)["road_settings"]["lanes"], 3);
  EXPECT_EQ(layout_error({{"--engine", "electric-2"}, {"--cylinders", "5"}}, file),
            "command line: unknown flag 'cylinders'; it is a key of 'petrol'");
  EXPECT_EQ(layout_error({{"--engine", "electric-2"}}, R"({"engine": {"cylinder": 5}})"),
            testing::TempDir() +
                "layout.json: unknown key 'engine.cylinder'; did you mean 'engine.name'?");
}

TEST(Layout, SectionsAreGivenAsAWhole) {
  EXPECT_EQ(resolved({{"--road_settings", R"({"lanes": 4})"}})["road_settings"]["lanes"], 4);
  EXPECT_EQ(resolved({}, "", {{"PY4CAST_ROAD_SETTINGS", R"({"lanes": 5})"}})["road_settings"],
            Json({{"lanes", 5}}));
  EXPECT_EQ(layout_error({{"--road_settings", "4"}}),
            "command line: '--road_settings' must be an object ({...}), not 4");
  const std::string file = layout_file("engine.json", R"({"cylinders": 2})");
  EXPECT_EQ(resolved({{"--engine_conf", file}}, R"({"engine": {"name": "petrol"}})")["engine"],
            Json({{"name", "petrol"}, {"cylinders", 2}}));
}

TEST(Layout, ErrorsNameOriginKeyAndNearest) {
  EXPECT_EQ(layout_error({}, R"({"engine": {"cylinder": 3}})"),
            testing::TempDir() +
                "layout.json: unknown key 'engine.cylinder'; did you mean 'engine.cylinders'?");
  EXPECT_EQ(layout_error({{"--engine", "petroll"}}),
            "command line: '--engine' must be 'petrol' or 'Electric-2', not 'petroll'; did you "
            "mean 'petrol'?");
  EXPECT_EQ(layout_error({{"--watchers", "crwd"}}),
            "command line: '--watchers' must be a list of 'camera' or 'crowd', not 'crwd'; did "
            "you mean 'crowd'?");
  EXPECT_EQ(layout_error({{"--engine.volts", "3"}}),
            "command line: unknown flag 'engine.volts'; it is a key of 'Electric-2'");
  EXPECT_EQ(
      layout_error({}, R"({"engine": {"volts": 3}})"),
      testing::TempDir() + "layout.json: unknown key 'engine.volts'; it is a key of 'Electric-2'");
  EXPECT_EQ(layout_error({}, R"({"cylinders": 3})"),
            testing::TempDir() +
                "layout.json: unknown key 'cylinders'; did you mean 'engine.cylinders'?");
  EXPECT_EQ(layout_error({}, "", {{"PY4CAST_ENGINE_CYLINDER", "3"}}),
            "environment: unknown variable 'PY4CAST_ENGINE_CYLINDER'; did you mean "
            "'PY4CAST_ENGINE_CYLINDERS'?");
  EXPECT_EQ(layout_error({{"--task", "flay"}}),
            "command line: '--task' must be 'drive' or 'fly', not 'flay'; did you mean 'fly'?");
}

TEST(Layout, ResolvedReadsBackEqual) {
  const Json values = resolved({{"--engine.name", "electric 2"}, {"--watchers", "camera"}});
  EXPECT_EQ(resolved({}, values.dump()), values);
}

TEST(Layout, TypesOfFlagsAreKnownBeforeAnythingIsChosen) {
  const Keys keys = Keys::all(make_layout());
  EXPECT_FALSE(find_flag(keys, "engine.regenerate")->takes_value);
  EXPECT_TRUE(find_flag(keys, "no-engine.regenerate")->negated);
  EXPECT_TRUE(find_flag(keys, "height")->takes_value);
  EXPECT_FALSE(find_flag(keys, "hight"));
}

struct VehicleSection : Settings {
  PY4CAST_SETTING(std::string, name, "car", "The vehicle.", .flags = {"vehicle"});
  PY4CAST_SETTING(int64_t, wheels, 4, "Its wheels.");
  PY4CAST_SETTING(std::string, colour, "red", "Its colour.");
};
struct Vehicles : Settings {
  PY4CAST_SECTION(VehicleSection, vehicle, "What goes.");
};
struct Vehicle {
  std::string name;
  const SettingsTable* settings = nullptr;
  std::shared_ptr<const Json> defaults = nullptr;
};

Layout vehicle_layout() {
  Registry<Vehicle> kinds("vehicle.name", "vehicle");
  kinds.add({"car"});
  kinds.add({.name = "bicycle", .defaults = std::make_shared<const Json>(Json{{"wheels", 2}})});
  return {{&table_of<Vehicles>()},
          {choice_of(kinds, {"vehicle.name", "vehicle.settings", "Its own."})},
          {{.flag = "vehicle_conf",
            .value = "FILE",
            .description = "The vehicle.",
            .section = "vehicle",
            .kept = "vehicle.name",
            .translate = [](const Json& content, const std::string& file) -> Json {
              if (!content.contains("painted")) return content;
              return {{"colour", content["painted"]}, {"name", file.substr(file.rfind('/') + 1)}};
            }}}};
}

TEST(Layout, AnAlternativeHasDefaultsOfItsOwnForTheKeysBesideIt) {
  const auto vehicle = [](const std::vector<FlagValue>& flags) {
    return resolve(vehicle_layout(), {.flags = flags})["vehicle"];
  };
  EXPECT_EQ(vehicle({})["wheels"], 4);
  EXPECT_EQ(vehicle({{"--vehicle", "Bicycle"}})["wheels"], 2);
  EXPECT_EQ(vehicle({{"--vehicle", "Bicycle"}})["colour"], "red");
  EXPECT_EQ(vehicle({{"--vehicle", "bicycle"}, {"--vehicle.wheels", "3"}})["wheels"], 3);
  const std::string file = testing::TempDir() + "bicycle";
  std::ofstream(file) << R"({"painted": "blue"})";
  const Json painted = vehicle({{"--vehicle_conf", file}});
  EXPECT_EQ(painted["name"], "bicycle");
  EXPECT_EQ(painted["colour"], "blue");
  EXPECT_EQ(painted["wheels"], 2);
}

TEST(LayoutDocuments, SchemaHasTheKeysOfEachAlternativeUnderItsCondition) {
  const Json schema = schema_of(make_layout(), "A car");
  // Each task has a schema of its own.
  const Json& drive = schema["allOf"][0]["then"];
  EXPECT_EQ(schema["allOf"][0]["if"].dump(),
            R"({"properties":{"task":{"pattern":"^(?:[\\W_]*[Dd][\\W_]*[Rr][\\W_]*[Ii][\\W_]*[Vv])"
            R"([\\W_]*[Ee][\\W_]*)$"}}})");
  EXPECT_EQ(schema["allOf"][1]["if"]["required"], Json({"task"}));
  EXPECT_EQ(schema["allOf"][1]["then"]["properties"]["height"]["default"], 1000);
  EXPECT_EQ(drive["additionalProperties"], false);
  EXPECT_EQ(drive["properties"]["road"]["anyOf"][0]["enum"], Json({"asphalt", "sand"}));
  EXPECT_EQ(
      drive["allOf"][0]["then"]["properties"]["road_settings"]["properties"]["lanes"]["default"],
      2);
  // Keys beside the name.
  const Json& engine = drive["properties"]["engine"];
  EXPECT_EQ(engine["unevaluatedProperties"], false);
  EXPECT_FALSE(engine.contains("additionalProperties"));
  EXPECT_EQ(engine["allOf"][0]["then"]["properties"]["cylinders"]["minimum"], 1);
  EXPECT_EQ(engine["allOf"][1]["then"]["properties"]["volts"]["type"], "number");
  EXPECT_EQ(drive["properties"]["watcher_settings"]["properties"]["camera"]["properties"]["every"]
                 ["default"],
            10);
}

TEST(LayoutDocuments, ExampleAndHelpNameEveryKey) {
  const std::string example = example_of(make_layout(), "A car.");
  EXPECT_NE(example.find("    // Cylinders of the engine. (an integer; default 4; of petrol)\n"
                         "    \"cylinders\": 4\n"),
            std::string::npos)
      << example;
  EXPECT_EQ(Json::parse(example, nullptr, true, true), resolved({}));
  const std::string help = help_of(make_layout());
  for (const std::string& flag : Keys::all(make_layout()).flag_names())
    EXPECT_NE(help.find("--" + flag), std::string::npos) << flag;
}

}  // namespace
}  // namespace py4cast
