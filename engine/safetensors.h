// Files of named tensors, in the format of huggingface's safetensors: 8 bytes with the length of
// the header (little endian), the header (JSON, padded with spaces to a multiple of 8), the data.
// https://huggingface.co/docs/safetensors
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "engine/tensor.h"

namespace py4cast {

struct Safetensors {
  std::map<std::string, Tensor> tensors;  // host
  std::map<std::string, std::string> metadata;
};

// Error(input_output): the file cannot be read. Error(data), naming the file and the tensor: it is
// not a safetensors file, is truncated or too long, offsets leave gaps or overlap or differ from
// the shape, or a type is not one of F64 F32 F16 BF16 I32 I64.
Safetensors read_safetensors(const std::string& file);

// Contiguous host tensors. The bytes are those of the Python library (types in falling size, then
// names). Replaces the file in one step (engine/files.h). Error(input_output).
void write_safetensors(const std::string& file,
                       const std::vector<std::pair<std::string, Tensor>>& tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace py4cast
