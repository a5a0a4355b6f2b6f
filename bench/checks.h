// What the commands of py4cast_bench look at before they measure anything.
#pragma once

#include <exception>
#include <string>
#include <vector>

#include "train/command_line.h"

namespace py4cast {

// The words between the commas; at least one, which may be empty.
std::vector<std::string> words_of(const std::string& list);

// Error(configuration): the value of this option is none of these; tells the nearest.
void check_choice(const std::string& option, const std::string& value,
                  const std::vector<std::string>& choices);

// Error(configuration): one of these options was given, which `why` forbids: "goes with --tables only".
void refuse_options(const Arguments& arguments, const std::vector<std::string>& options,
                    const std::string& why);

// What a JSON library says of an error, without its own "[json.exception.type_error.302] ".
std::string reason_of(const std::exception& error);

// Error(input_output): write_file (engine/files.h) could not write this file, as far as can be known
// before. What is there stays as it is.
void check_writable(const std::string& file);

}  // namespace py4cast
