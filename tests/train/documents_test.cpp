#include "engine/settings/documents.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/places.h"
#include "tests/train/built_in.h"

namespace py4cast {
namespace {

const std::string config_folder = repository() + "/config/";

std::string content(const std::string& file) {
  std::ifstream stream(file);
  return {std::istreambuf_iterator<char>(stream), {}};
}

TEST(Documents, CommittedSchemaIsTheGeneratedOne) {
  EXPECT_EQ(content(config_folder + "schema.json"),
            configuration_schema(built_in().general).dump(2) + "\n")
      << "make documents";
}

TEST(Documents, CommittedExampleIsTheGeneratedOne) {
  EXPECT_EQ(content(config_folder + "example.jsonc"), configuration_example(built_in().general))
      << "make documents";
}

TEST(Documents, ExampleIsCompleteAndReadable) {
  const Json example = read_json_file(config_folder + "example.jsonc");
  const Resolved configuration = resolve({.file = config_folder + "example.jsonc"});
  for (const Setting& key : Keys::chosen(built_in().general.layout(), example).settings())
    EXPECT_NE(find_place(example, key.path), nullptr) << key.path;
  EXPECT_EQ(configuration.dataset.variables.size(), 4u);
  EXPECT_EQ(configuration.all.section("training"), resolve({}).all.section("training"));
}

// The schema of a key: that of a choice's alternative stands under a condition.
const Json* find_schema(const Json& schema, const std::string& path) {
  const size_t dot = path.find('.');
  const std::string name = path.substr(0, dot);
  if (schema.contains("properties") && schema["properties"].contains(name)) {
    const Json& part = schema["properties"][name];
    if (dot == std::string::npos) return &part;
    if (const Json* found = find_schema(part, path.substr(dot + 1))) return found;
  }
  if (schema.contains("allOf"))
    for (const Json& each : schema["allOf"])
      if (const Json* found = find_schema(each["then"], path)) return found;
  return nullptr;
}

TEST(Documents, SchemaDescribesEveryKey) {
  const Json schema = configuration_schema(built_in().general);
  for (const Setting& key : Keys::all(built_in().general.layout()).settings()) {
    const Json* place = find_schema(schema, key.path);
    ASSERT_NE(place, nullptr) << key.path;
    if (key.owner.empty()) {
      EXPECT_EQ(place->at("description"), key.description);
      EXPECT_EQ(place->at("default"), *key.default_value);
    }
    EXPECT_TRUE(place->contains("type") || place->contains("anyOf")) << key.path;
  }
  const Json& loss = schema["properties"]["training"]["properties"]["loss"];
  EXPECT_EQ(loss["anyOf"][0]["enum"], Json({"mse", "mae"}));
  EXPECT_EQ(schema["properties"]["training"]["additionalProperties"], false);
}

TEST(Documents, HelpNamesEveryFlag) {
  const Layout layout = built_in().general.layout();
  const std::string help = help_of(layout);
  for (const std::string& flag : Keys::all(layout).flag_names())
    EXPECT_NE(help.find("--" + flag), std::string::npos) << flag;
}

TEST(Documents, CommittedConfigurationsResolve) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(config_folder)) {
    const std::string name = entry.path().filename();
    if (name == "schema.json" || !(name.ends_with(".json") || name.ends_with(".jsonc"))) continue;
    // A part of a configuration has the name of what it is for.
    const std::string file = entry.path();
    const bool part = read_json_file(file).contains("name");
    EXPECT_NO_THROW(resolve(part ? ConfigurationSources{.flags = {{"--dataset_conf", file}}}
                                 : ConfigurationSources{.file = file}))
        << name;
    ++count;
  }
  EXPECT_GE(count, 4);
  for (const auto& entry : std::filesystem::directory_iterator(config_folder + "models")) {
    const std::string file = entry.path().stem();  // the network's name, and what is special
    std::string network;
    for (const std::string& name : built_in().general.models.names())
      if (file.starts_with(name) && name.size() > network.size()) network = name;
    EXPECT_NO_THROW(
        resolve({.flags = {{"--model", network}, {"--model_conf", entry.path().string()}}}))
        << entry.path();
  }
  for (const auto& entry : std::filesystem::directory_iterator(config_folder + "datasets"))
    EXPECT_NO_THROW(resolve({.flags = {{"--dataset_conf", entry.path().string()}}}))
        << entry.path();
}

TEST(Documents, LongTextsAreBroken) {
  EXPECT_EQ(wrapped("one two three", "// ", 10), "one two\n// three");
  EXPECT_EQ(pretty_json({{"a", 1.0}, {"b", {1, 2}}}), "{\"a\": 1, \"b\": [1, 2]}");
  const Json value = {{"first", std::string(50, 'x')}, {"second", std::string(50, 'y')}};
  EXPECT_EQ(Json::parse(pretty_json(value)), value);
  EXPECT_EQ(pretty_json(value).substr(0, 13), "{\n  \"first\": ");
}

}  // namespace
}  // namespace py4cast
