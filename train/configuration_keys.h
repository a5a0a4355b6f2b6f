// The table of configuration keys: the one place that says what may be written for each.
#pragma once

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "train/configuration.h"

namespace py4cast {

enum class KeyType {
  boolean,
  integer,
  number,
  text,
  integers,   // a list; one value alone is taken as a list of one
  numbers,    // the same
  texts,      // the same
  object,     // open: any JSON object
  variables,  // name -> entry with the keys of variable_keys()
};

// A value that stands for several keys or for another spelling: "32" -> "fp32".
using Spellings = std::map<std::string, std::string>;

// What is known about one key without knowing the struct it fills.
struct Key {
  std::string path;  // "training.optimizer.lr"
  KeyType type = KeyType::text;
  Json default_value;
  std::string description;
  std::vector<std::string> flags = {};    // short flags beside --path, without the dashes
  std::vector<std::string> choices = {};  // empty: any text
  std::string numbered = {};              // the choice that a number may follow: "cuda:1"
  Spellings spellings = {};
  double minimum = -std::numeric_limits<double>::infinity();
  std::vector<size_t> lengths = {};  // allowed lengths of a list; empty: any
  bool optional = false;             // null stands for "not given"
  std::string environment = {};      // instead of PY4CAST_<PATH>
  Json example = nullptr;            // shown in config/example.jsonc instead of the default
};

// A key bound to its place in a struct.
template <typename Owner>
struct BoundKey : Key {
  std::function<void(Owner&, const Json&)> set;  // takes what checked_value() returned
  std::function<Json(const Owner&)> get;
};

const std::vector<BoundKey<Configuration>>& configuration_keys();
const std::vector<BoundKey<VariableSection>>& variable_keys();

// A flag of the command line found in the table.
struct FlagTarget {
  const BoundKey<Configuration>* key = nullptr;  // null: one of special_flags()
  std::string inside;                            // what follows the key's path, "num_filters"
  bool negated = false;                          // --no-FLAG
  bool takes_value = true;                       // false for the switches
};

// Flags that stand for more than one key.
struct SpecialFlag {
  std::string flag, value, description;  // value empty: a switch
};
const std::vector<SpecialFlag>& special_flags();

// `flag` without dashes. Absent if the table has no such flag.
std::optional<FlagTarget> find_flag(const std::string& flag);
// All flags, for "did you mean".
std::vector<std::string> flag_names();

std::string environment_name(const Key& key);

// In words: "an integer", "a list of numbers", "one of 'mse' or 'mae'".
std::string describe_type(const Key& key);

// The value in its final form (lists made of single values, spellings resolved). `where` is the
// file or other source, `name` how the key is called there. Error(configuration).
Json checked_value(const Key& key, const Json& value, const std::string& where,
                   const std::string& name);

// The JSON that a text from the command line or the environment stands for.
Json value_from_text(KeyType type, const std::string& text);

// Error(configuration): "WHERE: unknown key 'NAME'; did you mean 'NEAREST'?"
[[noreturn]] void refuse_unknown(const std::string& where, const std::string& what,
                                 const std::string& name, const std::vector<std::string>& known);

}  // namespace py4cast
