// The descriptors of cudnn_on_cpu.cpp: values by attribute, checked against tables, and what is
// checked when they are finalised.
#pragma once

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "kernels/emulation/cudnn_on_cpu.h"

namespace py4cast::cudnn_on_cpu {

using Name = cudnnBackendAttributeName_t;
using Kind = cudnnBackendDescriptorType_t;
using Numbers = std::vector<int64_t>;

// Keeps the reason for cudnnGetLastErrorString; returns the status.
cudnnStatus_t fail(cudnnStatus_t status, std::string reason);
const std::string& last_error();

struct Content;
using Part = std::shared_ptr<const Content>;

struct Value {
  cudnnBackendAttributeType_t type;
  int64_t count;
  std::vector<std::byte> bytes;
  std::vector<Part> parts;  // of type CUDNN_TYPE_BACKEND_DESCRIPTOR
};

struct Engine {
  int64_t index = 0;
  std::vector<cudnnBackendNumericalNote_t> notes;
  int64_t workspace = 0;
  bool runs = true;  // else an execution plan is refused
  bool has(cudnnBackendNumericalNote_t note) const {
    return std::find(notes.begin(), notes.end(), note) != notes.end();
  }
};

struct Content {
  Kind kind;
  bool finalized = false;
  std::map<Name, Value> values;
  std::vector<Engine> proposals;  // of a heuristics descriptor
  Engine engine;                  // of an engine, its configuration and its plan

  bool has(Name name) const { return values.count(name) > 0; }
  template <typename T>
  T one(Name name) const {
    T value;
    std::memcpy(&value, values.at(name).bytes.data(), sizeof value);
    return value;
  }
  Numbers numbers(Name name) const {
    const Value& value = values.at(name);
    Numbers result(static_cast<size_t>(value.count));
    std::memcpy(result.data(), value.bytes.data(), value.bytes.size());
    return result;
  }
  const Content& part(Name name) const { return *values.at(name).parts.at(0); }
};

// What a descriptor may hold.
struct Rule {
  cudnnBackendAttributeType_t type;
  int64_t least, most;
  bool required = true;
  int part = -1;  // the kind of descriptor
};

using Rules = std::map<Name, Rule>;
// Null: a kind that the stand-in does not have.
const Rules* rules_of(Kind kind);

// The attributes of a tensor.
bool is_virtual(const Content& tensor);
Numbers dimensions(const Content& tensor);
cudnnDataType_t data_type(const Content& tensor);
int64_t unique_id(const Content& tensor);

// The parts of a convolution by role, whatever its kind.
struct Convolution {
  Kind kind;
  const Content &x, &w, &y, &geometry;
  float alpha, beta;
};
Convolution convolution_of(const Content& operation);
const Content& result_of(const Convolution& convolution);
// A pointwise operation adds, or is the identity.
bool adds(const Content& pointwise);

// Checks a descriptor that is to be finalised, and fills what follows from its attributes.
cudnnStatus_t finalize(Content& content);

}  // namespace py4cast::cudnn_on_cpu
