// Where the tests find the repository and the programs (the build knows, and the environment of a
// test bundle on another machine overrules it), and how they start a program on several ranks.
#pragma once

#include <string>

namespace py4cast {

std::string repository();           // the root, for files that it tracks: "config/dummy.json"
std::string program_folder();       // of py4cast and py4cast_train
std::string test_program_folder();  // of the programs that only tests start: "ranks"
// "mpirun -np RANKS ", to be followed by a program and its words: by root, too, and on any number of
// cores.
std::string mpirun(int ranks);

}  // namespace py4cast
