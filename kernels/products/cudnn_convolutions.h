// Convolutions by cuDNN (version 9, graph API) in channels-last layout. In the emulated build cuDNN
// is cudnn_on_cpu.h.
#pragma once

#include <compare>
#include <map>
#include <memory>
#include <string>

#include "engine/data_type.h"
#include "engine/device.h"
#include "kernels/products/convolution_problem.h"

namespace py4cast {

// Pixels (x, y and their gradients) are f32 or bf16. Weights are [out, kernel..., in / groups], of
// the pixels' type; a weight gradient is f32. bias [out] in f32 (forward only) is added to the fp32
// sums. With tf32 the library rounds f32 operands to tf32.
struct LibraryConvolution {
  ConvolutionKind kind;
  ConvolutionProblem problem;
  DataType pixels;
  bool bias, tf32;
  auto operator<=>(const LibraryConvolution&) const = default;
};

// The plans in use, one for each convolution: of the engines that the library's heuristics propose
// the first that gives equal bits in every run, sums in fp32 without transforms (Winograd, FFT) and
// rounds operands only where tf32 allows it. Never by timing. (CPUs do transform, winograd.h: tiles of
// 2 x 2 in f32, for which errors were measured; what an engine does is not known.)
class LibraryConvolutions {
 public:
  static std::string version();  // "9.19.0"
  // `device`: a GPU described in cuDNN's JSON. Plans are made for it without having it, and cannot
  // run: for tests.
  explicit LibraryConvolutions(const std::string& device = "");
  ~LibraryConvolutions();

  struct Plan;
  // Null: no engine fits.
  Plan* plan(const LibraryConvolution& convolution);
  // Why the library does not support one that was asked for; empty where it does, or no engine fits.
  std::string refusal(const LibraryConvolution& convolution) const;
  static size_t workspace(const Plan& plan);                // bytes
  static const std::string& description(const Plan& plan);  // "convolution ...: cuDNN engine 7"
  static std::string name(const LibraryConvolution& convolution);  // "convolution ..."

  // The tensors of the convolution: x (or dx), w (or dw), y (or dy), 16-byte aligned in device
  // memory; bias null where the convolution has none.
  struct Pointers {
    const void *x, *w, *y, *bias, *workspace;
  };
  void run(Plan& plan, const Pointers& pointers, Stream stream);

 private:
  struct Library;
  std::unique_ptr<Plan> make(const LibraryConvolution& convolution);

  std::unique_ptr<Library> library_;
  std::map<LibraryConvolution, std::unique_ptr<Plan>> plans_;
  std::map<LibraryConvolution, std::string> refusals_;
};

}  // namespace py4cast
