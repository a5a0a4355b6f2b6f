// A door is where bytes of strangers come in: a file, a text, a command line. Each file of doors/ is one, and becomes the
// program fuzz_<name>, with a driver that either is libFuzzer's or replays inputs and changes of them (replay_main.cpp).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "engine/error.h"

namespace py4cast {

class FieldSource;

// What a door does with an input: it may throw Error, and nothing else.
void enter(std::string_view input);

// f(), whose Error is an answer, too: for doors with several ways in.
template <typename F>
void unless_wrong(F&& f) {
  try {
    f();
  } catch (const Error&) {  // the answer to what is wrong
  }
}

// A file or folder of this process, of that name, which is removed with the object.
class Stranger {
 public:
  explicit Stranger(const std::string& name);
  Stranger(const std::string& name, std::string_view content);
  ~Stranger();
  Stranger(const Stranger&) = delete;
  Stranger& operator=(const Stranger&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Makes the folder and its files of an input that holds them one after another: a line "=== NAME", the
// content, a line break.
void unpack_folder(std::string_view input, const std::string& folder);

// Grid, times, and fields of all variables: the first and the last of each, physical and stored; or only
// whether they are there.
void walk(FieldSource& source, bool read = true);

}  // namespace py4cast
