#include "train/command_line.h"

#include <algorithm>
#include <charconv>
#include <iostream>
#include <iterator>
#include <map>

#include "engine/error.h"
#include "engine/settings/documents.h"

namespace py4cast {
namespace {

using Words = std::vector<std::string>;

const Option* find_option(const Command& command, const std::string& name) {
  std::string plain = name;
  std::replace(plain.begin(), plain.end(), '_', '-');
  for (const Option& option : command.options)
    if (option.name == name || option.name == plain) return &option;
  return nullptr;
}

std::string joined(const std::string& program, const std::string& command) {
  return command.empty() ? program : program + " " + command;
}

// Flags of the original that have no counterpart, and what is to be said of them.
const std::map<std::string, const char*> only_there = {
    {"mlflow_log",
     "is not known: there is no MLflow here (metrics.jsonl, scores.json, TensorBoard)"},
    {"save_gifs", "is not known: there are no animations here (TensorBoard has pictures)"},
    {"save_gribs", "is not known: 'py4cast predict RUN --out FILE.grib2' writes GRIB"},
    {"reset_hparams", "is not needed: flags beside a run win over its configuration"},
    {"num_pred_steps", "is called '--num_pred_steps_val_test' here"}};

// Takes "--flag", "--flag=value" or "--flag value" at words[i]; i moves past the value.
void take_flag(const Command& command, const Keys* keys, const Words& words, size_t& i,
               Arguments& arguments) {
  const size_t equals = words[i].find('=');
  const std::string flag = words[i].substr(0, equals), name = flag.substr(2);
  std::optional<std::string> value;
  if (equals != std::string::npos) value = words[i].substr(equals + 1);
  const Option* option = find_option(command, name);
  const auto target = option || !keys ? std::nullopt : find_flag(*keys, name);
  if (!option && !target) {
    Words known = keys ? keys->flag_names() : Words{};
    for (const Option& each : command.options) known.push_back(each.name);
    if (const auto gone = only_there.find(name); gone != only_there.end())
      throw Error(ErrorKind::configuration, "command line: '", flag, "' of the original ",
                  gone->second);
    for (std::string& each : known) each.insert(0, 2, '-');
    known.push_back("--help");
    refuse_unknown("command line", "flag", flag, known);
  }
  const bool needs_value = option ? !option->value.empty() : target->takes_value;
  // A switch of the configuration may be followed by true or false.
  const bool has_next = i + 1 < words.size();
  const bool next_is_truth = has_next && (words[i + 1] == "true" || words[i + 1] == "false");
  if (!value && (needs_value ? has_next : target && target->key && next_is_truth))
    value = words[++i];
  if (needs_value && !value)
    throw Error(ErrorKind::configuration, "command line: '", flag, "' needs a value");
  if (option && !needs_value && value)
    throw Error(ErrorKind::configuration, "command line: '", flag, "' takes no value");
  if (option)
    arguments.options[option->name] = value.value_or("");
  else
    arguments.flags.push_back({flag, value});
}

// Of the commands that begin with `group` ("data "), or of all.
std::string program_help(const std::string& program, const std::vector<Command>& all,
                         const std::string& group = "") {
  std::vector<Command> commands;
  std::ranges::copy_if(all, std::back_inserter(commands),
                       [&](const Command& command) { return command.name.starts_with(group); });
  std::string text = "usage: " + program + " " + group + "COMMAND ...\n\n";
  size_t width = 0;
  for (const Command& command : commands) width = std::max(width, command.name.size());
  for (const Command& command : commands)
    text += "  " + command.name + std::string(width + 2 - command.name.size(), ' ') +
            command.summary.substr(0, command.summary.find('.') + 1) + "\n";
  return text + "\n" + program + " COMMAND --help explains one command.\n";
}

// The command whose name the words begin with; `used` is the number of words of the name.
const Command& find_command(const std::vector<Command>& commands, const Words& words,
                            size_t& used) {
  Words names;
  for (const Command& command : commands) {
    const size_t length =
        command.name.empty()
            ? 0
            : 1 + static_cast<size_t>(std::count(command.name.begin(), command.name.end(), ' '));
    std::string given;
    for (size_t i = 0; i < std::min(length, words.size()); ++i) given += (i ? " " : "") + words[i];
    used = length;
    if (given == command.name) return command;
    names.push_back(command.name);
  }
  std::string given = words[0];
  for (const std::string& name : names)
    if (name.starts_with(words[0] + " "))
      given = words[0] + (words.size() > 1 ? " " + words[1] : "");
  throw Error(ErrorKind::configuration, "command line: unknown command '", given,
              "'; did you mean '", nearest_name(given, names), "'?");
}

bool is_help(const std::string& word) {
  return word == "--help" || word == "-h";
}

int dispatch(const std::string& program, const std::vector<Command>& commands, const Words& words) {
  const bool group = !commands.front().name.empty();
  if (group && (words.empty() || is_help(words[0]))) {
    std::cout << program_help(program, commands);
    return words.empty() ? 2 : 0;
  }
  const bool is_group = group && std::ranges::any_of(commands, [&](const Command& command) {
                          return command.name.starts_with(words[0] + " ");
                        });
  if (is_group && (words.size() == 1 || is_help(words[1]))) {
    std::cout << program_help(program, commands, words[0] + " ");
    return words.size() == 1 ? 2 : 0;
  }
  if (std::find(words.begin(), words.end(), "--version") != words.end()) {
    std::cout << program << " " << PY4CAST_VERSION << "\n";
    return 0;
  }
  size_t used = 0;
  const Command& command = find_command(commands, words, used);
  const Words rest(words.begin() + static_cast<std::ptrdiff_t>(used), words.end());
  if (std::any_of(rest.begin(), rest.end(), is_help)) {
    std::cout << command_help(joined(program, command.name), command);
    return 0;
  }
  return command.run(parse_arguments(command, rest));
}

}  // namespace

std::string Arguments::text(const std::string& option, const std::string& otherwise) const {
  const auto found = options.find(option);
  return found == options.end() ? otherwise : found->second;
}

int64_t Arguments::integer(const std::string& option, int64_t otherwise) const {
  if (!has(option)) return otherwise;
  const std::string value = text(option);
  int64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size())
    throw Error(ErrorKind::configuration, "command line: '--", option,
                "' must be an integer, not '", value, "'");
  return number;
}

std::string Arguments::required(const std::string& option) const {
  if (!has(option))
    throw Error(ErrorKind::configuration, "command line: '--", option, "' is missing");
  return text(option);
}

Arguments parse_arguments(const Command& command, const Words& words) {
  Arguments arguments;
  const std::optional<Keys> keys =
      command.configuration ? std::optional(Keys::all(command.configuration())) : std::nullopt;
  for (size_t i = 0; i < words.size(); ++i) {
    if (words[i].starts_with("--"))
      take_flag(command, keys ? &*keys : nullptr, words, i, arguments);
    else
      arguments.positional.push_back(words[i]);
  }
  const size_t count = arguments.positional.size();
  if (count > command.at_most)
    throw Error(ErrorKind::configuration, "command line: '", arguments.positional[command.at_most],
                "' is one argument too many",
                command.positional.empty() ? "" : " after " + command.positional);
  if (count < command.at_least)
    throw Error(ErrorKind::configuration, "command line: ", command.positional, " is missing");
  return arguments;
}

std::string command_help(const std::string& program, const Command& command) {
  std::string text = "usage: " + program;
  if (!command.positional.empty()) text += " " + command.positional;
  text += " [FLAGS]\n\n" + wrapped(command.summary, "") + "\n\nflags:\n";
  const std::string margin(8, ' ');
  auto add = [&](const std::string& head, const std::string& description) {
    text += "  " + head + "\n" + margin + wrapped(description, margin) + "\n";
  };
  for (const Option& option : command.options)
    add("--" + option.name + (option.value.empty() ? "" : " " + option.value), option.description);
  add("--help", "Print this.");
  if (!command.configuration) return text;
  const std::string form = "(any as --KEY VALUE or --KEY=VALUE; lists comma separated or as JSON)";
  if (command.explains_keys)
    return text + "\nKeys of the configuration " + form + ":\n" + help_of(command.configuration());
  return text + "\n" +
         wrapped("Keys of the configuration are flags too " + form +
                     "; 'py4cast train --help' explains them.",
                 "") +
         "\n";
}

int run_program(const std::string& program, const std::vector<Command>& commands, int count,
                char** words) {
  try {
    const int code = dispatch(program, commands, Words(words + std::min(count, 1), words + count));
    std::cout.flush();
    if (std::fflush(stdout) != 0 || std::ferror(stdout) || !std::cout)
      throw Error(ErrorKind::input_output, "standard output cannot be written");
    return code;
  } catch (...) {
    const Failure failure = current_failure();
    tell_error(failure.message);
    return failure.exit_code;
  }
}

}  // namespace py4cast
