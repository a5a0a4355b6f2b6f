#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/places.h"
#include "train/configuration_documents.h"
#include "train/configuration_keys.h"

namespace py4cast {
namespace {

const std::string config_folder = repository() + "/config/";

std::string content(const std::string& file) {
  std::ifstream stream(file);
  return {std::istreambuf_iterator<char>(stream), {}};
}

TEST(Documents, CommittedSchemaIsTheGeneratedOne) {
  EXPECT_EQ(content(config_folder + "schema.json"), configuration_schema().dump(2) + "\n")
      << "build/py4cast config schema > config/schema.json";
}

TEST(Documents, CommittedExampleIsTheGeneratedOne) {
  EXPECT_EQ(content(config_folder + "example.jsonc"), configuration_example())
      << "build/py4cast config example > config/example.jsonc";
}

TEST(Documents, ExampleIsCompleteAndReadable) {
  const Json example = read_json_file(config_folder + "example.jsonc");
  for (const auto& key : configuration_keys()) {
    std::string pointer = "/" + key.path;
    std::replace(pointer.begin(), pointer.end(), '.', '/');
    EXPECT_TRUE(example.contains(Json::json_pointer(pointer))) << key.path;
  }
  const Configuration configuration = resolve({.file = config_folder + "example.jsonc"});
  EXPECT_EQ(configuration.dataset.variables.size(), 4u);
  EXPECT_EQ(configuration.training, Configuration().training);
}

TEST(Documents, SchemaDescribesEveryKey) {
  const Json schema = configuration_schema();
  for (const auto& key : configuration_keys()) {
    const Json* place = &schema;
    std::istringstream parts(key.path);
    for (std::string part; std::getline(parts, part, '.');)
      place = &place->at("properties").at(part);
    EXPECT_EQ(place->at("description"), key.description);
    EXPECT_EQ(place->at("default"), key.default_value);
    EXPECT_TRUE(place->contains("type") || place->contains("anyOf")) << key.path;
  }
  const Json& loss = schema["properties"]["training"]["properties"]["loss"];
  EXPECT_EQ(loss["enum"], Json({"mse", "mae"}));
  EXPECT_EQ(schema["properties"]["training"]["additionalProperties"], false);
}

TEST(Documents, HelpNamesEveryFlag) {
  const std::string help = configuration_help();
  for (const std::string& flag : flag_names())
    EXPECT_NE(help.find("--" + flag), std::string::npos) << flag;
}

TEST(Documents, CommittedConfigurationsResolve) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(config_folder)) {
    const std::string name = entry.path().filename();
    if (name == "schema.json" || !(name.ends_with(".json") || name.ends_with(".jsonc"))) continue;
    EXPECT_NO_THROW(resolve({.file = entry.path().string()})) << name;
    ++count;
  }
  EXPECT_GE(count, 4);
  for (const auto& entry : std::filesystem::directory_iterator(config_folder + "models"))
    EXPECT_NO_THROW(resolve({.flags = {{"--model_conf", entry.path().string()}}})) << entry.path();
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
