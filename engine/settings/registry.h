// Kinds by name: networks, data sets, strategies, losses, optimisers, tasks ...
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "engine/error.h"

namespace py4cast {

// Without case and punctuation: "half_unet" and "HalfUNet" are "halfunet".
std::string plain_name(const std::string& name);

// An explicit table that `main` owns, filled by what is built in and by plug-ins. A kind has a
// `std::string name`; it is found by any spelling of that name, and its own spelling is used from
// then on. Kinds stay where they are.
template <typename Kind>
class Registry {
 public:
  // Of what: Registry("model.name", "network").
  Registry(std::string key, std::string what) : key_(std::move(key)), what_(std::move(what)) {}

  // Error(configuration): the name is taken.
  const Kind& add(Kind kind) {
    if (find_or_null(kind.name))
      throw Error(ErrorKind::configuration, key_, ": two ", what_, "s are named '", kind.name, "'");
    return kinds_.emplace_back(std::move(kind));
  }
  // Error(configuration): there is none, with the nearest name.
  const Kind& find(const std::string& name) const {
    if (const Kind* kind = find_or_null(name)) return *kind;
    throw Error(ErrorKind::configuration, key_, ": there is no ", what_, " '", name,
                "' in this build; the nearest is '", nearest_name(plain_name(name), names()), "'");
  }
  const Kind* find_or_null(const std::string& name) const {
    for (const Kind& kind : kinds_)
      if (plain_name(kind.name) == plain_name(name)) return &kind;
    return nullptr;
  }
  // In the order in which they were added.
  std::vector<std::string> names() const {
    std::vector<std::string> result;
    for (const Kind& kind : kinds_) result.push_back(kind.name);
    return result;
  }
  const std::string& key() const { return key_; }
  auto begin() const { return kinds_.begin(); }
  auto end() const { return kinds_.end(); }

 private:
  std::string key_, what_;
  std::deque<Kind> kinds_;
};

}  // namespace py4cast
