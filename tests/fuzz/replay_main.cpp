// fuzz_NAME [--runs N] [--seed N] [FILE | FOLDER ...]
//
// Enters the door with each input (file, or all of a folder) and then with N changed ones: the same at every run. An input that ends
// the process stands in fuzz_NAME.input.
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "engine/error.h"
#include "engine/random.h"
#include "tests/fuzz/door.h"

namespace {

namespace fs = std::filesystem;
using py4cast::RandomKey;

std::vector<std::string> read_inputs(const std::vector<fs::path>& given) {
  std::vector<fs::path> files;
  for (const fs::path& path : given) {
    if (!fs::is_directory(path))
      files.push_back(path);
    else
      for (const auto& entry : fs::directory_iterator(path)) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::vector<std::string> inputs;
  for (const fs::path& file : files) {
    std::ifstream stream(file, std::ios::binary);
    if (!stream) {
      std::fprintf(stderr, "%s: cannot be read\n", file.c_str());
      std::exit(2);
    }
    inputs.emplace_back(std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>());
  }
  return inputs;
}

// An input of the corpus after some changes: bytes and numbers replaced, pieces left out, doubled or taken from another input.
std::string changed(const std::vector<std::string>& corpus, RandomKey key) {
  uint64_t draws = 0;
  const auto below = [&](size_t bound) {
    return static_cast<size_t>(key.below(std::max<size_t>(bound, 1), draws++));
  };
  std::string text = corpus[below(corpus.size())];
  for (size_t change = 1 + below(4); change > 0; --change) {
    const size_t at = below(text.size()),
                 length = 1 + below(std::min<size_t>(text.size() - at + 1, 64));
    switch (below(6)) {
      case 0:
        if (!text.empty()) text[at] = static_cast<char>(text[at] ^ (1 << below(8)));
        break;
      case 1:
        if (!text.empty()) text[at] = static_cast<char>(below(256));
        break;
      case 2:  // a number of four bytes at the edges of its range
        if (at + 4 <= text.size()) {
          constexpr const char* edges[] = {"\0\0\0\0",   "\xff\xff\xff\xff", "\x7f\xff\xff\xff",
                                           "\x80\0\0\0", "\0\0\0\1",         "\xff\xff\xff\x7f"};
          text.replace(at, 4, edges[below(std::size(edges))], 4);
        }
        break;
      case 3:
        text.erase(at, length);
        break;
      case 4:
        text.insert(at, text.substr(at, length));
        break;
      default: {
        const std::string& other = corpus[below(corpus.size())];
        const size_t from = below(other.size());
        text.replace(at, std::min(length, text.size() - at), other, from, length);
      }
    }
  }
  return text;
}

// False: something other than an Error came out.
bool survives(const std::string& input, const std::string& kept) {
  std::ofstream(kept, std::ios::binary | std::ios::trunc) << input;
  try {
    py4cast::enter(input);
  } catch (const py4cast::Error&) {  // the answer to what is wrong
  } catch (const std::exception& error) {
    std::printf("%s: %s\n", kept.c_str(), error.what());
    return false;
  }
  return true;
}

}  // namespace

int main(int count, char** words) {
  uint64_t runs = 0, seed = 1;
  std::vector<fs::path> given;
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    uint64_t* const number = word == "--runs" ? &runs : word == "--seed" ? &seed : nullptr;
    if (!number) {
      given.push_back(word);
      continue;
    }
    const std::string value = i + 1 < count ? words[++i] : "";
    if (std::from_chars(value.data(), value.data() + value.size(), *number).ec != std::errc()) {
      std::fprintf(stderr, "%s needs a number\n", word.c_str());
      return 2;
    }
  }
  const std::vector<std::string> corpus = read_inputs(given);
  if (corpus.empty()) {
    std::fprintf(stderr, "no input is given\n");
    return 2;
  }
  const std::string kept = fs::path(words[0]).filename().string() + ".input";
  for (const std::string& input : corpus)
    if (!survives(input, kept)) return 1;
  for (uint64_t run = 0; run < runs; ++run)
    if (!survives(changed(corpus, RandomKey{seed}.child(run)), kept)) return 1;
  fs::remove(kept);
  std::printf("%zu inputs, %zu changed ones\n", corpus.size(), static_cast<size_t>(runs));
  return 0;
}
