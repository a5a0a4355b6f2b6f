// The configurations of commands.
#pragma once

#include <string>
#include <vector>

#include "data/samples/split.h"
#include "train/registries.h"

namespace py4cast {

// Of `py4cast_train [CONFIG] [FLAGS]` with the environment of this process. With --resume RUN, or
// --resume_or_start RUN where RUN is there, and no file, that of the run.
Configuration train_configuration(const Registries& registries, const Arguments& arguments);

// That of a run, with the environment of this process and a command's flags above it; `first` come
// before those.
Configuration run_configuration(const Registries& registries, const std::string& run,
                                const std::vector<FlagValue>& flags,
                                std::vector<FlagValue> first = {});

// The period that --split names. Error(configuration): none.
Split parse_split(const std::string& name);

// The configuration file of a run folder, or of the run that a checkpoint folder belongs to.
// Error(input_output): there is none. Error(configuration): a file is given.
std::string run_configuration_file(const std::string& run);

}  // namespace py4cast
