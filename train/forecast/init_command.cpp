// py4cast init
#include <algorithm>
#include <filesystem>
#include <iostream>

#include "data/weather/data_files.h"
#include "data/weather/series_source.h"
#include "engine/error.h"
#include "engine/files.h"
#include "engine/settings/json.h"
#include "train/forecast/commands.h"
#include "train/forecast/init.h"

namespace py4cast {

namespace {

// As a shell takes it for one word.
std::string for_shell(const std::string& word) {
  constexpr const char* plain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+,:@%=";
  if (word.find_first_not_of(plain) == std::string::npos) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

int init(const ForecastRegistries& kinds, std::vector<std::string> files, const std::string& out) {
  namespace fs = std::filesystem;
  if (!out.empty() && fs::exists(out))
    throw Error(ErrorKind::input_output, out,
                ": exists already; move it away or give another --out");
  if (!std::ranges::all_of(files, is_index))
    if (const size_t indexes = std::erase_if(files, is_index))
      std::cerr << "left out: " << indexes << " index file" << (indexes > 1 ? "s" : "")
                << " of GRIB files (.idx)\n";
  const DatasetKind& kind = kind_of_files(kinds.datasets, files);
  auto source = kind.open_source(files, {}, nullptr);
  const bool made_series = follow_each_other(source->times());
  if (made_series) source = as_series(std::move(source));
  const Guess guess = guess_configuration(*source, kind.name, files, made_series);
  const std::string document = guess_document(guess);
  if (out.empty()) {
    std::cout << document;
    return 0;
  }
  write_file(out, document);
  for (const auto& [path, reason] : guess.reasons)
    std::cout << path << "\n    " << wrapped(reason, "    ") << '\n';
  std::cout << "\nwritten: " << out << "\ntry it: py4cast_train " << for_shell(out)
            << " --dry-run\n";
  return 0;
}

}  // namespace

Command init_command(const ForecastRegistries& kinds) {
  return {"init",
          "FILE...",
          1,
          size_t(-1),
          "Writes a configuration for files it has never seen: roles, periods, step, border and "
          "padding are guessed, and each guess is explained.",
          {{"out", "FILE", "Where to write it (default: standard output)."}},
          {},
          [&kinds](const Arguments& arguments) {
            return init(kinds, arguments.positional, arguments.text("out"));
          }};
}

}  // namespace py4cast
