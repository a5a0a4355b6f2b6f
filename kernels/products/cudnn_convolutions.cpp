#include "kernels/products/cudnn_convolutions.h"

#if PY4CAST_CUDNN

#if PY4CAST_CUDA_EMULATED
#include "kernels/emulation/cudnn_on_cpu.h"
#else
#include <cudnn.h>
#endif

#include <array>
#include <optional>
#include <set>
#include <span>
#include <sstream>
#include <utility>
#include <vector>

#include "engine/error.h"

// Since version 9.8 plans can be made for a GPU that is only described.
#define PY4CAST_CUDNN_DESCRIBES (!PY4CAST_CUDA_EMULATED && CUDNN_VERSION >= 90800)

namespace py4cast {
namespace {

constexpr int64_t cudnn_workspace = int64_t{1} << 30;
constexpr int64_t alignment = 16;

std::string reason_of(cudnnStatus_t status) {
  std::array<char, 512> reason{};
  cudnnGetLastErrorString(reason.data(), reason.size());
  return std::string(cudnnGetErrorString(status)) + " (" + reason.data() + ")";
}

void check(cudnnStatus_t status, const char* what) {
  if (status != CUDNN_STATUS_SUCCESS)
    throw Error(ErrorKind::internal, "cuDNN: ", what, ": ", reason_of(status));
}

// Attribute types by C++ type; those that share one (int64_t) are given in full.
template <typename T>
constexpr cudnnBackendAttributeType_t attribute_type = CUDNN_TYPE_INT64;
template <>
constexpr cudnnBackendAttributeType_t attribute_type<cudnnHandle_t> = CUDNN_TYPE_HANDLE;
template <>
constexpr cudnnBackendAttributeType_t attribute_type<cudnnDataType_t> = CUDNN_TYPE_DATA_TYPE;
template <>
constexpr cudnnBackendAttributeType_t attribute_type<bool> = CUDNN_TYPE_BOOLEAN;
template <>
constexpr cudnnBackendAttributeType_t attribute_type<float> = CUDNN_TYPE_FLOAT;
template <>
constexpr cudnnBackendAttributeType_t attribute_type<cudnnConvolutionMode_t> =
    CUDNN_TYPE_CONVOLUTION_MODE;
template <>
constexpr cudnnBackendAttributeType_t attribute_type<cudnnBackendHeurMode_t> = CUDNN_TYPE_HEUR_MODE;
template <>
constexpr cudnnBackendAttributeType_t attribute_type<cudnnPointwiseMode_t> =
    CUDNN_TYPE_POINTWISE_MODE;
template <>
constexpr cudnnBackendAttributeType_t attribute_type<cudnnBackendNumericalNote_t> =
    CUDNN_TYPE_NUMERICAL_NOTE;
template <>
constexpr cudnnBackendAttributeType_t attribute_type<void*> = CUDNN_TYPE_VOID_PTR;

// Owns one descriptor of the backend.
class Descriptor {
 public:
  explicit Descriptor(cudnnBackendDescriptorType_t type) {
    check(cudnnBackendCreateDescriptor(type, &descriptor_), "a descriptor");
  }
  ~Descriptor() {
    if (descriptor_) cudnnBackendDestroyDescriptor(descriptor_);
  }
  Descriptor(Descriptor&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, nullptr)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }

  cudnnBackendDescriptor_t get() const { return descriptor_; }

  template <typename T>
  Descriptor& set(cudnnBackendAttributeName_t name, T value) {
    return set_all<T>(name, {&value, 1});
  }
  template <typename T>
  Descriptor& set_all(cudnnBackendAttributeName_t name, std::span<const T> values) {
    check(cudnnBackendSetAttribute(descriptor_, name, attribute_type<T>,
                                   static_cast<int64_t>(values.size()), values.data()),
          "an attribute");
    return *this;
  }
  Descriptor& link(cudnnBackendAttributeName_t name, const Descriptor& other) {
    return link_all(name, {other.get()});
  }
  Descriptor& link_all(cudnnBackendAttributeName_t name,
                       const std::vector<cudnnBackendDescriptor_t>& others) {
    check(cudnnBackendSetAttribute(descriptor_, name, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                                   static_cast<int64_t>(others.size()), others.data()),
          "the parts of a descriptor");
    return *this;
  }
  Descriptor& finalize(const char* what) {
    check(cudnnBackendFinalize(descriptor_), what);
    return *this;
  }
  bool try_finalize() { return cudnnBackendFinalize(descriptor_) == CUDNN_STATUS_SUCCESS; }
  // Why the library does not support it; empty: it does.
  std::string finalize_or_reason(const char* what) {
    const cudnnStatus_t status = cudnnBackendFinalize(descriptor_);
    if (status / 1000 * 1000 == CUDNN_STATUS_NOT_SUPPORTED) return reason_of(status);
    check(status, what);
    return "";
  }

  int64_t number(cudnnBackendAttributeName_t name) const {
    int64_t value = 0, count = 0;
    check(cudnnBackendGetAttribute(descriptor_, name, CUDNN_TYPE_INT64, 1, &count, &value),
          "reading an attribute");
    return value;
  }

 private:
  cudnnBackendDescriptor_t descriptor_ = nullptr;
};

enum Name : int64_t { name_x = 1, name_w, name_y, name_bias, name_sum };

cudnnDataType_t cudnn_type(DataType type) {
  return type == DataType::bf16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT;
}

// Dimensions are named in the order batch, channel, space; strides say that channels are last.
Descriptor tensor(Name name, DataType type, const std::vector<int64_t>& dimensions,
                  bool is_virtual = false) {
  std::vector<int64_t> strides(dimensions.size());
  int64_t stride = dimensions[1];
  strides[1] = 1;
  for (size_t axis = dimensions.size() - 1; axis > 1; --axis) {
    strides[axis] = stride;
    stride *= dimensions[axis];
  }
  strides[0] = stride;
  Descriptor result(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  result.set(CUDNN_ATTR_TENSOR_DATA_TYPE, cudnn_type(type))
      .set_all<int64_t>(CUDNN_ATTR_TENSOR_DIMENSIONS, dimensions)
      .set_all<int64_t>(CUDNN_ATTR_TENSOR_STRIDES, strides)
      .set(CUDNN_ATTR_TENSOR_UNIQUE_ID, int64_t{name})
      .set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, alignment)
      .set(CUDNN_ATTR_TENSOR_IS_VIRTUAL, is_virtual)
      .finalize("a tensor");
  return result;
}

// Two spatial axes, or three where the first is used.
struct Axes {
  int first;
  explicit Axes(const ConvolutionProblem& p)
      : first(p.in[0] == 1 && p.kernel[0] == 1 && p.out[0] == 1 ? 1 : 0) {}
  std::vector<int64_t> of(const int64_t (&numbers)[3]) const {
    return {numbers + first, numbers + 3};
  }
  std::vector<int64_t> dimensions(int64_t a, int64_t b, const int64_t (&space)[3]) const {
    std::vector<int64_t> result{a, b};
    result.insert(result.end(), space + first, space + 3);
    return result;
  }
};

Descriptor geometry(const ConvolutionProblem& p) {
  const Axes axes(p);
  Descriptor result(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  result.set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_DATA_FLOAT)
      .set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_CROSS_CORRELATION)
      .set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, int64_t{3 - axes.first})
      .set_all<int64_t>(CUDNN_ATTR_CONVOLUTION_DILATIONS, axes.of(p.dilation))
      .set_all<int64_t>(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, axes.of(p.stride))
      .set_all<int64_t>(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, axes.of(p.padding))
      .set_all<int64_t>(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, axes.of(p.padding))
      .finalize("a convolution's geometry");
  return result;
}

// The attributes of one kind of convolution.
struct KindNames {
  const char* word;
  cudnnBackendDescriptorType_t operation;
  cudnnBackendAttributeName_t geometry, x, w, y, alpha, beta;
};
KindNames names_of(ConvolutionKind kind) {
  switch (kind) {
    case ConvolutionKind::forward:
      return {"convolution",
              CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA};
    case ConvolutionKind::data_gradient:
      return {"data gradient",
              CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA};
    case ConvolutionKind::weight_gradient:
      break;
  }
  return {"weight gradient",
          CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA};
}

// The GPU: present behind a handle, or described.
struct Target {
  cudnnHandle_t handle = nullptr;
  std::optional<Descriptor> described;

  explicit Target(const std::string& description) {
    if (description.empty()) {
      check(cudnnCreate(&handle), "the library does not start");
      return;
    }
#if PY4CAST_CUDNN_DESCRIBES
    described.emplace(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
    check(cudnnBackendSetAttribute(described->get(), CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION,
                                   CUDNN_TYPE_CHAR, static_cast<int64_t>(description.size()),
                                   description.data()),
          "the description of a GPU");
    described->finalize("the description of a GPU");
#else
    throw Error(ErrorKind::configuration, "this cuDNN makes no plans for a GPU that is not there");
#endif
  }
  ~Target() {
    if (handle) cudnnDestroy(handle);
  }
  Target(const Target&) = delete;

  void set(Descriptor& descriptor, cudnnBackendAttributeName_t by_handle) const {
    if (handle) descriptor.set(by_handle, handle);
#if PY4CAST_CUDNN_DESCRIBES
    else if (by_handle == CUDNN_ATTR_EXECUTION_PLAN_HANDLE)
      descriptor.link(CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, *described);
#endif
  }
  // Heuristics know the present GPU from their graph.
  void set_heuristics([[maybe_unused]] Descriptor& heuristics) const {
#if PY4CAST_CUDNN_DESCRIBES
    if (described) heuristics.link(CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, *described);
#endif
  }
};

// A graph with all that it is made of; the graph itself is the last.
class Graph {
 public:
  Graph(const Target& target, const LibraryConvolution& c) {
    parts_.reserve(16);
    const ConvolutionProblem& p = c.problem;
    const Axes axes(p);
    const std::vector<int64_t> y_sizes = axes.dimensions(p.batch, p.out_channels, p.out),
                               w_sizes = axes.dimensions(p.out_channels, p.in_channels / p.groups,
                                                         p.kernel);
    const Descriptor& x =
        keep(tensor(name_x, c.pixels, axes.dimensions(p.batch, p.in_channels, p.in)));
    const Descriptor& y = keep(tensor(name_y, c.pixels, y_sizes));
    if (c.kind != ConvolutionKind::weight_gradient) {
      const Descriptor& w = keep(tensor(name_w, c.pixels, w_sizes));
      if (c.bias) {
        const Descriptor& sum = keep(tensor(name_sum, DataType::f32, y_sizes, true));
        const Descriptor& bias =
            keep(tensor(name_bias, DataType::f32, axes.dimensions(1, p.out_channels, {1, 1, 1})));
        convolve(c, x, w, sum);
        pointwise(CUDNN_POINTWISE_ADD, sum, &bias, y);
      } else {
        convolve(c, x, w, y);
      }
    } else {
      const Descriptor& w = keep(tensor(name_w, DataType::f32, w_sizes));
      // Engines store sums of bf16 in bf16, unless something follows them.
      if (c.pixels == DataType::bf16) {
        const Descriptor& sum = keep(tensor(name_sum, DataType::f32, w_sizes, true));
        convolve(c, x, sum, y);
        pointwise(CUDNN_POINTWISE_IDENTITY, sum, nullptr, w);
      } else {
        convolve(c, x, w, y);
      }
    }
    if (!refusal_.empty()) return;
    Descriptor& graph = keep(Descriptor(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR));
    target.set(graph, CUDNN_ATTR_OPERATIONGRAPH_HANDLE);
    finish(graph.link_all(CUDNN_ATTR_OPERATIONGRAPH_OPS, operations_), "a graph");
  }
  const std::string& refusal() const { return refusal_; }  // empty: the library supports it
  const Descriptor& graph() const { return parts_.back(); }
  std::vector<Descriptor> take() { return std::move(parts_); }

 private:
  Descriptor& keep(Descriptor part) { return parts_.emplace_back(std::move(part)); }
  Descriptor& finish(Descriptor& part, const char* what) {
    if (refusal_.empty()) refusal_ = part.finalize_or_reason(what);
    return part;
  }

  void convolve(const LibraryConvolution& c, const Descriptor& x, const Descriptor& w,
                const Descriptor& y) {
    const KindNames names = names_of(c.kind);
    Descriptor& operation = keep(Descriptor(names.operation))
                                .link(names.geometry, keep(geometry(c.problem)))
                                .link(names.x, x)
                                .link(names.w, w)
                                .link(names.y, y)
                                .set(names.alpha, 1.f)
                                .set(names.beta, 0.f);
    operations_.push_back(finish(operation, "a convolution").get());
  }

  // to = from + other, or to = from
  void pointwise(cudnnPointwiseMode_t mode, const Descriptor& from, const Descriptor* other,
                 const Descriptor& to) {
    const Descriptor& how = keep(Descriptor(CUDNN_BACKEND_POINTWISE_DESCRIPTOR))
                                .set(CUDNN_ATTR_POINTWISE_MODE, mode)
                                .set(CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_DATA_FLOAT)
                                .finalize("what follows a convolution");
    Descriptor& operation = keep(Descriptor(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR));
    operation.link(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, how)
        .link(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, from)
        .link(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, to);
    if (other) operation.link(CUDNN_ATTR_OPERATION_POINTWISE_BDESC, *other);
    operations_.push_back(finish(operation, "what follows a convolution").get());
  }

  std::vector<Descriptor> parts_;
  std::vector<cudnnBackendDescriptor_t> operations_;
  std::string refusal_;
};

// The engines that the library proposes, best first.
std::vector<Descriptor> proposals(const Target& target, const Descriptor& graph,
                                  cudnnBackendHeurMode_t mode) {
  Descriptor heuristics(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  heuristics.link(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph)
      .set(CUDNN_ATTR_ENGINEHEUR_MODE, mode);
  target.set_heuristics(heuristics);
  if (!heuristics.try_finalize()) return {};
  int64_t count = 0;
  if (cudnnBackendGetAttribute(heuristics.get(), CUDNN_ATTR_ENGINEHEUR_RESULTS,
                               CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, &count,
                               nullptr) != CUDNN_STATUS_SUCCESS)
    return {};
  std::vector<Descriptor> result;
  std::vector<cudnnBackendDescriptor_t> pointers;
  for (int64_t i = 0; i < count; ++i)
    pointers.push_back(result.emplace_back(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR).get());
  check(cudnnBackendGetAttribute(heuristics.get(), CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                 CUDNN_TYPE_BACKEND_DESCRIPTOR, count, &count, pointers.data()),
        "the proposals");
  result.erase(result.begin() + count, result.end());
  return result;
}

struct Engine {
  int64_t index;
  std::set<cudnnBackendNumericalNote_t> notes;
};

Engine engine_of(const Descriptor& configuration) {
  const Descriptor engine(CUDNN_BACKEND_ENGINE_DESCRIPTOR);
  cudnnBackendDescriptor_t pointer = engine.get();
  int64_t count = 0;
  check(cudnnBackendGetAttribute(configuration.get(), CUDNN_ATTR_ENGINECFG_ENGINE,
                                 CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &count, &pointer),
        "the engine of a proposal");
  std::array<cudnnBackendNumericalNote_t, CUDNN_NUMERICAL_NOTE_TYPE_COUNT> notes{};
  check(cudnnBackendGetAttribute(engine.get(), CUDNN_ATTR_ENGINE_NUMERICAL_NOTE,
                                 CUDNN_TYPE_NUMERICAL_NOTE, CUDNN_NUMERICAL_NOTE_TYPE_COUNT, &count,
                                 notes.data()),
        "the notes of an engine");
  return {engine.number(CUDNN_ATTR_ENGINE_GLOBAL_INDEX), {notes.begin(), notes.begin() + count}};
}

// For f32 tensors, tensor cores mean operands rounded to tf32, and conversion of inputs less.
bool fits(const LibraryConvolution& c, const Engine& engine) {
  std::vector<cudnnBackendNumericalNote_t> refused{CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC,
                                                   CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION,
                                                   CUDNN_NUMERICAL_NOTE_FFT,
                                                   CUDNN_NUMERICAL_NOTE_WINOGRAD,
                                                   CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_4x4,
                                                   CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_6x6,
                                                   CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_13x13};
  if (c.pixels == DataType::f32) refused.push_back(CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS);
  if (c.pixels == DataType::f32 && !c.tf32) refused.push_back(CUDNN_NUMERICAL_NOTE_TENSOR_CORE);
  for (cudnnBackendNumericalNote_t note : refused)
    if (engine.notes.count(note)) return false;
  return true;
}

}  // namespace

struct LibraryConvolutions::Library {
  explicit Library(const std::string& device) : target(device) {}
  Target target;
};

struct LibraryConvolutions::Plan {
  std::vector<Descriptor> parts;  // what the plan is made of lives as long
  Descriptor plan;
  bool bias;
  int64_t workspace;
  std::string description;
};

std::string LibraryConvolutions::name(const LibraryConvolution& c) {
  const ConvolutionProblem& p = c.problem;
  std::ostringstream text;
  text << names_of(c.kind).word << " [" << p.batch;
  for (int64_t size : Axes(p).of(p.in)) text << ", " << size;
  text << ", " << p.in_channels << "] x [";
  for (int64_t size : Axes(p).of(p.kernel)) text << size << ", ";
  text << p.in_channels / p.groups << ", " << p.out_channels << "] of "
       << (c.tf32 ? "tf32" : name_of(c.pixels)) << (c.bias ? " with bias" : "");
  return text.str();
}

std::string LibraryConvolutions::version() {
  const size_t number = cudnnGetVersion();
  return std::to_string(number / 10000) + "." + std::to_string(number / 100 % 100) + "." +
         std::to_string(number % 100);
}

LibraryConvolutions::LibraryConvolutions(const std::string& device)
    : library_(std::make_unique<Library>(device)) {}
LibraryConvolutions::~LibraryConvolutions() = default;

LibraryConvolutions::Plan* LibraryConvolutions::plan(const LibraryConvolution& c) {
  auto found = plans_.find(c);
  if (found == plans_.end()) found = plans_.emplace(c, make(c)).first;
  return found->second.get();
}

std::string LibraryConvolutions::refusal(const LibraryConvolution& c) const {
  const auto found = refusals_.find(c);
  return found == refusals_.end() ? "" : found->second;
}

std::unique_ptr<LibraryConvolutions::Plan> LibraryConvolutions::make(const LibraryConvolution& c) {
  const Target& target = library_->target;
  Graph graph(target, c);
  if (!graph.refusal().empty()) {
    refusals_[c] = graph.refusal();
    return nullptr;
  }
  for (cudnnBackendHeurMode_t mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK})
    for (Descriptor& configuration : proposals(target, graph.graph(), mode)) {
      const Engine engine = engine_of(configuration);
      if (!fits(c, engine)) continue;
      Descriptor plan(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
      target.set(plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE);
      plan.link(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, configuration);
      if (!plan.try_finalize()) continue;
      const int64_t workspace = plan.number(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE);
      if (workspace > cudnn_workspace) continue;
      std::vector<Descriptor> parts = graph.take();
      parts.push_back(std::move(configuration));
      return std::make_unique<Plan>(std::move(parts), std::move(plan), c.bias, workspace,
                                    name(c) + ": cuDNN engine " + std::to_string(engine.index) +
                                        ", workspace " + std::to_string(workspace) + " bytes");
    }
  return nullptr;
}

size_t LibraryConvolutions::workspace(const Plan& plan) {
  return static_cast<size_t>(plan.workspace);
}

const std::string& LibraryConvolutions::description(const Plan& plan) {
  return plan.description;
}

void LibraryConvolutions::run(Plan& plan, const Pointers& pointers, Stream stream) {
  std::vector<int64_t> names{name_x, name_w, name_y};
  // The library takes all pointers as writable.
  std::vector<void*> addresses{const_cast<void*>(pointers.x), const_cast<void*>(pointers.w),
                               const_cast<void*>(pointers.y)};
  if (plan.bias) {
    names.push_back(name_bias);
    addresses.push_back(const_cast<void*>(pointers.bias));
  }
  Descriptor pack(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
  pack.set_all<int64_t>(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, names)
      .set_all<void*>(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, addresses)
      .set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, const_cast<void*>(pointers.workspace))
      .finalize("the addresses of a convolution");
  check(cudnnSetStream(library_->target.handle, static_cast<cudaStream_t>(stream.handle)),
        "a stream");
  check(cudnnBackendExecute(library_->target.handle, plan.plan.get(), pack.get()),
        plan.description.c_str());
}

}  // namespace py4cast

#endif
