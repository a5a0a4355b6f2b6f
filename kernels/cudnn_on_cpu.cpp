#if PY4CAST_CUDA_EMULATED
#include "kernels/cudnn_on_cpu.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "kernels/convolution.h"
#include "kernels/library_on_cpu.h"

using py4cast::Context;
using py4cast::DataType;
using py4cast::Shape;
using py4cast::Tensor;
namespace on_cpu = py4cast::library_on_cpu;

struct cudnnContext {
  cudaStream_t stream = nullptr;
};

namespace {

using Name = cudnnBackendAttributeName_t;
using Kind = cudnnBackendDescriptorType_t;
using Numbers = std::vector<int64_t>;

thread_local std::string last_error;

cudnnStatus_t fail(cudnnStatus_t status, std::string reason) {
  last_error = std::move(reason);
  return status;
}

// ---- Descriptors: values by attribute, checked against a table ----

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

// What a descriptor pointer points at.
struct Holder {
  std::shared_ptr<Content> content;
};
Content& content_of(cudnnBackendDescriptor_t descriptor) {
  return *static_cast<Holder*>(descriptor)->content;
}

struct Rule {
  cudnnBackendAttributeType_t type;
  int64_t least, most;
  bool required = true;
  int part = -1;  // the kind of descriptor
};

using Rules = std::map<Name, Rule>;

Rules operation_rules(Name x, Name w, Name y, Name geometry, Name alpha, Name beta) {
  const Rule tensor{CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, 1, true, CUDNN_BACKEND_TENSOR_DESCRIPTOR};
  return {
      {x, tensor},
      {w, tensor},
      {y, tensor},
      {geometry, {CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, 1, true, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR}},
      {alpha, {CUDNN_TYPE_FLOAT, 1, 1}},
      {beta, {CUDNN_TYPE_FLOAT, 1, 1}}};
}

std::map<Kind, Rules> make_rules() {
  const auto part = [](Kind kind, int64_t most = 1) {
    return Rule{CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, most, true, kind};
  };
  const Rule number{CUDNN_TYPE_INT64, 1, 1}, axes{CUDNN_TYPE_INT64, 1, 6};
  const Rule handle{CUDNN_TYPE_HANDLE, 1, 1};
  std::map<Kind, Rules> rules;
  rules[CUDNN_BACKEND_TENSOR_DESCRIPTOR] = {
      {CUDNN_ATTR_TENSOR_DATA_TYPE, {CUDNN_TYPE_DATA_TYPE, 1, 1}},
      {CUDNN_ATTR_TENSOR_DIMENSIONS, {CUDNN_TYPE_INT64, 3, 8}},
      {CUDNN_ATTR_TENSOR_STRIDES, {CUDNN_TYPE_INT64, 3, 8}},
      {CUDNN_ATTR_TENSOR_UNIQUE_ID, number},
      {CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, number},
      {CUDNN_ATTR_TENSOR_IS_VIRTUAL, {CUDNN_TYPE_BOOLEAN, 1, 1, false}}};
  rules[CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR] = {
      {CUDNN_ATTR_CONVOLUTION_COMP_TYPE, {CUDNN_TYPE_DATA_TYPE, 1, 1}},
      {CUDNN_ATTR_CONVOLUTION_CONV_MODE, {CUDNN_TYPE_CONVOLUTION_MODE, 1, 1}},
      {CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, number},
      {CUDNN_ATTR_CONVOLUTION_DILATIONS, axes},
      {CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, axes},
      {CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, axes},
      {CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, axes}};
  rules[CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR] = operation_rules(
      CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
      CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
      CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
      CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
      CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA);
  rules[CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR] = operation_rules(
      CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
      CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
      CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
      CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
      CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA);
  rules[CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR] = operation_rules(
      CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
      CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
      CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
      CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
      CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA);
  rules[CUDNN_BACKEND_POINTWISE_DESCRIPTOR] = {
      {CUDNN_ATTR_POINTWISE_MODE, {CUDNN_TYPE_POINTWISE_MODE, 1, 1}},
      {CUDNN_ATTR_POINTWISE_MATH_PREC, {CUDNN_TYPE_DATA_TYPE, 1, 1}}};
  rules[CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR] = {
      {CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, part(CUDNN_BACKEND_POINTWISE_DESCRIPTOR)},
      {CUDNN_ATTR_OPERATION_POINTWISE_XDESC, part(CUDNN_BACKEND_TENSOR_DESCRIPTOR)},
      {CUDNN_ATTR_OPERATION_POINTWISE_BDESC,
       {CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, 1, false, CUDNN_BACKEND_TENSOR_DESCRIPTOR}},
      {CUDNN_ATTR_OPERATION_POINTWISE_YDESC, part(CUDNN_BACKEND_TENSOR_DESCRIPTOR)}};
  rules[CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR] = {
      {CUDNN_ATTR_OPERATIONGRAPH_HANDLE, handle},
      {CUDNN_ATTR_OPERATIONGRAPH_OPS, {CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, 2}}};
  rules[CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR] = {
      {CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, part(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR)},
      {CUDNN_ATTR_ENGINEHEUR_MODE, {CUDNN_TYPE_HEUR_MODE, 1, 1}}};
  rules[CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR] = {
      {CUDNN_ATTR_EXECUTION_PLAN_HANDLE, handle},
      {CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, part(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR)}};
  rules[CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR] = {
      {CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, {CUDNN_TYPE_INT64, 1, 16}},
      {CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, {CUDNN_TYPE_VOID_PTR, 1, 16}},
      {CUDNN_ATTR_VARIANT_PACK_WORKSPACE, {CUDNN_TYPE_VOID_PTR, 1, 1}}};
  rules[CUDNN_BACKEND_ENGINE_DESCRIPTOR] = {};  // filled by the library alone
  rules[CUDNN_BACKEND_ENGINECFG_DESCRIPTOR] = {};
  return rules;
}
const Rules* rules_of(Kind kind) {
  static const std::map<Kind, Rules> rules = make_rules();
  const auto found = rules.find(kind);
  return found == rules.end() ? nullptr : &found->second;
}

size_t width(cudnnBackendAttributeType_t type) {
  switch (type) {
    case CUDNN_TYPE_BOOLEAN:
      return sizeof(bool);
    case CUDNN_TYPE_FLOAT:
    case CUDNN_TYPE_DATA_TYPE:
    case CUDNN_TYPE_CONVOLUTION_MODE:
    case CUDNN_TYPE_HEUR_MODE:
    case CUDNN_TYPE_NUMERICAL_NOTE:
    case CUDNN_TYPE_POINTWISE_MODE:
      return 4;
    default:
      return 8;
  }
}

// ---- What is checked when a descriptor is finalised ----

bool is_virtual(const Content& tensor) {
  return tensor.has(CUDNN_ATTR_TENSOR_IS_VIRTUAL) && tensor.one<bool>(CUDNN_ATTR_TENSOR_IS_VIRTUAL);
}
Numbers dimensions(const Content& tensor) {
  return tensor.numbers(CUDNN_ATTR_TENSOR_DIMENSIONS);
}
cudnnDataType_t data_type(const Content& tensor) {
  return tensor.one<cudnnDataType_t>(CUDNN_ATTR_TENSOR_DATA_TYPE);
}
int64_t unique_id(const Content& tensor) {
  return tensor.one<int64_t>(CUDNN_ATTR_TENSOR_UNIQUE_ID);
}

cudnnStatus_t check_tensor(const Content& t) {
  const Numbers sizes = dimensions(t), strides = t.numbers(CUDNN_ATTR_TENSOR_STRIDES);
  if (sizes.size() != strides.size())
    return fail(CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH, "a tensor needs a stride for each axis");
  for (size_t i = 0; i < sizes.size(); ++i)
    if (sizes[i] < 1 || strides[i] < 1)
      return fail(CUDNN_STATUS_BAD_PARAM, "sizes and strides are positive");
  const int64_t alignment = t.one<int64_t>(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT);
  if (alignment < 1 || (alignment & (alignment - 1)))
    return fail(CUDNN_STATUS_BAD_PARAM, "an alignment is a power of two");
  if (data_type(t) != CUDNN_DATA_FLOAT && data_type(t) != CUDNN_DATA_BFLOAT16)
    return fail(CUDNN_STATUS_NOT_SUPPORTED_DATA_TYPE, "tensors are f32 or bf16");
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t check_geometry(const Content& g) {
  const auto axes = g.one<int64_t>(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS);
  for (Name name : {CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES,
                    CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS}) {
    const Numbers numbers = g.numbers(name);
    const bool padding = name >= CUDNN_ATTR_CONVOLUTION_POST_PADDINGS;
    if (static_cast<int64_t>(numbers.size()) != axes)
      return fail(CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH, "one number for each spatial axis");
    for (int64_t number : numbers)
      if (number < (padding ? 0 : 1))
        return fail(CUDNN_STATUS_BAD_PARAM_OUT_OF_BOUND, "a stride, dilation or padding is wrong");
  }
  if (axes < 2 || axes > 3)
    return fail(CUDNN_STATUS_NOT_SUPPORTED, "convolutions have two or three spatial axes");
  if (g.one<cudnnDataType_t>(CUDNN_ATTR_CONVOLUTION_COMP_TYPE) != CUDNN_DATA_FLOAT)
    return fail(CUDNN_STATUS_NOT_SUPPORTED_DATA_TYPE, "sums are f32");
  if (g.one<cudnnConvolutionMode_t>(CUDNN_ATTR_CONVOLUTION_CONV_MODE) != CUDNN_CROSS_CORRELATION)
    return fail(CUDNN_STATUS_NOT_SUPPORTED, "kernels are not turned round");
  return CUDNN_STATUS_SUCCESS;
}

// The parts of a convolution by role, whatever its kind.
struct Convolution {
  Kind kind;
  const Content &x, &w, &y, &geometry;
  float alpha, beta;
};
Convolution convolution_of(const Content& operation) {
  const auto with = [&](Name x, Name w, Name y, Name geometry, Name alpha, Name beta) {
    return Convolution{operation.kind,
                       operation.part(x),
                       operation.part(w),
                       operation.part(y),
                       operation.part(geometry),
                       operation.one<float>(alpha),
                       operation.one<float>(beta)};
  };
  if (operation.kind == CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR)
    return with(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
                CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
                CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
                CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
                CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
                CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA);
  if (operation.kind == CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR)
    return with(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
                CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
                CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
                CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
                CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
                CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA);
  return with(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA);
}

cudnnStatus_t check_convolution(const Content& operation) {
  const Convolution c = convolution_of(operation);
  const Numbers x = dimensions(c.x), w = dimensions(c.w), y = dimensions(c.y);
  const Numbers dilation = c.geometry.numbers(CUDNN_ATTR_CONVOLUTION_DILATIONS),
                stride = c.geometry.numbers(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES),
                before = c.geometry.numbers(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS),
                after = c.geometry.numbers(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS);
  if (x.size() != stride.size() + 2 || w.size() != x.size() || y.size() != x.size())
    return fail(CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH, "tensors and geometry differ in axes");
  if (x[0] != y[0] || w[0] != y[1] || x[1] % w[1] != 0 || w[0] % (x[1] / w[1]) != 0)
    return fail(CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH, "batch or channels do not fit");
  for (size_t i = 0; i < stride.size(); ++i)
    if (y[i + 2] !=
        (x[i + 2] + before[i] + after[i] - dilation[i] * (w[i + 2] - 1) - 1) / stride[i] + 1)
      return fail(CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH, "the size of y does not follow");
  if (c.alpha != 1 || c.beta != 0) return fail(CUDNN_STATUS_NOT_SUPPORTED, "alpha 1 and beta 0");
  if (before != after) return fail(CUDNN_STATUS_NOT_SUPPORTED, "padding differs between sides");
  return CUDNN_STATUS_SUCCESS;
}

bool adds(const Content& pointwise) {
  return pointwise.part(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR)
             .one<cudnnPointwiseMode_t>(CUDNN_ATTR_POINTWISE_MODE) == CUDNN_POINTWISE_ADD;
}

cudnnStatus_t check_pointwise(const Content& operation) {
  const Numbers sizes = dimensions(operation.part(CUDNN_ATTR_OPERATION_POINTWISE_XDESC));
  if (sizes != dimensions(operation.part(CUDNN_ATTR_OPERATION_POINTWISE_YDESC)))
    return fail(CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH, "pointwise tensors differ in shape");
  if (adds(operation) != operation.has(CUDNN_ATTR_OPERATION_POINTWISE_BDESC))
    return fail(CUDNN_STATUS_BAD_PARAM, "an addition needs two tensors, the identity one");
  if (!adds(operation)) return CUDNN_STATUS_SUCCESS;
  const Numbers added = dimensions(operation.part(CUDNN_ATTR_OPERATION_POINTWISE_BDESC));
  if (added.size() != sizes.size())
    return fail(CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH, "pointwise tensors differ in axes");
  for (size_t i = 0; i < sizes.size(); ++i)
    if (added[i] != (i == 1 ? sizes[i] : 1))
      return fail(CUDNN_STATUS_NOT_SUPPORTED, "only a number for each channel is added");
  return CUDNN_STATUS_SUCCESS;
}

// What a convolution makes.
const Content& result_of(const Convolution& c) {
  return c.kind == CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR         ? c.y
         : c.kind == CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR ? c.x
                                                                                  : c.w;
}

// A convolution; or a convolution forward, then a bias; or a weight gradient, then the identity.
cudnnStatus_t check_graph(const Content& graph) {
  const std::vector<Part>& operations = graph.values.at(CUDNN_ATTR_OPERATIONGRAPH_OPS).parts;
  const auto is_convolution = [](Kind kind) {
    return kind == CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR ||
           kind == CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR ||
           kind == CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR;
  };
  if (!is_convolution(operations[0]->kind))
    return fail(CUDNN_STATUS_NOT_SUPPORTED_GRAPH_PATTERN, "a graph begins with a convolution");
  const Convolution c = convolution_of(*operations[0]);
  const std::set<int64_t> ids{unique_id(c.x), unique_id(c.w), unique_id(c.y)};
  if (ids.size() != 3) return fail(CUDNN_STATUS_BAD_PARAM, "tensors share an identifier");
  if (is_virtual(result_of(c)) != (operations.size() > 1))
    return fail(CUDNN_STATUS_NOT_SUPPORTED_GRAPH_PATTERN,
                "a virtual tensor is made and not read, or the other way round");
  if (operations.size() == 1) return CUDNN_STATUS_SUCCESS;
  const Content& next = *operations[1];
  if (next.kind != CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR ||
      unique_id(next.part(CUDNN_ATTR_OPERATION_POINTWISE_XDESC)) != unique_id(result_of(c)) ||
      c.kind != (adds(next) ? CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR
                            : CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR))
    return fail(CUDNN_STATUS_NOT_SUPPORTED_GRAPH_PATTERN, "nothing that follows a convolution");
  return CUDNN_STATUS_SUCCESS;
}

// The engines that a convolution is offered. The first ones are such as a careful user refuses;
// what they compute is wrong here, so that their use shows.
std::vector<Engine> engines(const Content& graph, cudnnBackendHeurMode_t mode) {
  const Convolution c = convolution_of(*graph.values.at(CUDNN_ATTR_OPERATIONGRAPH_OPS).parts[0]);
  const bool half = data_type(c.x) == CUDNN_DATA_BFLOAT16;
  const Numbers w = dimensions(c.w);
  const bool grouped = dimensions(c.x)[1] != w[1];
  const int64_t weights = w[0] * w[1];
  const bool to_weights = c.kind == CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR;
  // As cuDNN: sums of bf16 are not stored in f32 directly, and with few channels not at all.
  const bool alone = graph.values.at(CUDNN_ATTR_OPERATIONGRAPH_OPS).parts.size() == 1;
  if (half && (grouped || (to_weights && (alone || w[1] % 8 != 0)))) return {};
  if (mode == CUDNN_HEUR_MODE_FALLBACK) return {{1, {}, 0, true}};
  if (mode != CUDNN_HEUR_MODE_A) return {};
  using Notes = std::vector<cudnnBackendNumericalNote_t>;
  std::vector<Engine> result{
      {11, Notes{CUDNN_NUMERICAL_NOTE_TENSOR_CORE, CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC}, 0, true},
      {12, Notes{CUDNN_NUMERICAL_NOTE_WINOGRAD, CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_4x4}, 64, true},
      {13, Notes{CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS, CUDNN_NUMERICAL_NOTE_TENSOR_CORE}, 0,
       true},
      {14, Notes{CUDNN_NUMERICAL_NOTE_TENSOR_CORE}, 0, false},
      {15, Notes{CUDNN_NUMERICAL_NOTE_TENSOR_CORE}, 4 * weights, true}};
  if (half) result.erase(result.begin() + 2);  // nothing to convert
  return result;
}

cudnnStatus_t finalize(Content& content) {
  for (const auto& [name, rule] : *rules_of(content.kind))
    if (rule.required && !content.has(name))
      return fail(CUDNN_STATUS_BAD_PARAM, "attribute " + std::to_string(name) + " is not set");
  switch (content.kind) {
    case CUDNN_BACKEND_TENSOR_DESCRIPTOR:
      return check_tensor(content);
    case CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR:
      return check_geometry(content);
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR:
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR:
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR:
      return check_convolution(content);
    case CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR:
      return check_pointwise(content);
    case CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR:
      return check_graph(content);
    case CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR:
      content.proposals = engines(content.part(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH),
                                  content.one<cudnnBackendHeurMode_t>(CUDNN_ATTR_ENGINEHEUR_MODE));
      return CUDNN_STATUS_SUCCESS;
    case CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR:
      content.engine = content.part(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG).engine;
      return content.engine.runs ? CUDNN_STATUS_SUCCESS
                                 : fail(CUDNN_STATUS_NOT_SUPPORTED, "the engine does not run here");
    case CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR:
      return content.values.at(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS).count ==
                     content.values.at(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS).count
                 ? CUDNN_STATUS_SUCCESS
                 : fail(CUDNN_STATUS_BAD_PARAM, "one pointer for each identifier");
    default:
      return CUDNN_STATUS_SUCCESS;
  }
}

// ---- Execution ----

// A tensor of the graph with its address: its axes batch, channel, space become batch, space,
// channel; those of weights space, in, out.
struct Placed {
  void* data;
  DataType type;
  Shape shape, strides;
};
Placed placed(const Content& tensor, void* data, bool weights) {
  const Numbers sizes = dimensions(tensor), strides = tensor.numbers(CUDNN_ATTR_TENSOR_STRIDES);
  Placed result{data, data_type(tensor) == CUDNN_DATA_BFLOAT16 ? DataType::bf16 : DataType::f32,
                Shape(std::span<const int64_t>(sizes)), Shape(std::span<const int64_t>(sizes))};
  const int rank = static_cast<int>(sizes.size());
  const auto put = [&](int to, int from) {
    result.shape[to] = sizes[static_cast<size_t>(from)];
    result.strides[to] = strides[static_cast<size_t>(from)];
  };
  for (int axis = 2; axis < rank; ++axis) put(weights ? axis - 2 : axis - 1, axis);
  put(weights ? rank - 1 : 0, 0);
  put(weights ? rank - 2 : rank - 1, 1);
  return result;
}

size_t bytes_of(const Placed& t) {
  int64_t last = 0;
  for (int axis = 0; axis < t.shape.rank(); ++axis) last += (t.shape[axis] - 1) * t.strides[axis];
  return static_cast<size_t>(last + 1) * (t.type == DataType::bf16 ? 2 : 4);
}

struct Work {
  Kind kind;
  Placed x, w, y, bias;
  py4cast::ConvolutionGeometry geometry;
  Engine engine;
  void* workspace;
};

Tensor read(const Work& work, const Placed& t) {
  const bool tf32 = work.engine.has(CUDNN_NUMERICAL_NOTE_TENSOR_CORE) && t.type == DataType::f32;
  return on_cpu::gathered(t.data, t.type, t.shape, t.strides, tf32);
}

void execute(const Work& work) {
  if (work.engine.workspace)
    std::memset(work.workspace, 0xff, static_cast<size_t>(work.engine.workspace));
  Context context;
  Tensor result;
  const Placed* target = &work.y;
  if (work.kind == CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR) {
    Tensor bias;
    if (work.bias.data)
      bias = on_cpu::gathered(work.bias.data, work.bias.type, work.bias.shape, work.bias.strides,
                              false)
                 .viewed({work.bias.shape.back()});
    result = convolution(context, read(work, work.x), read(work, work.w), bias, work.geometry);
  } else if (work.kind == CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR) {
    result = convolution_data_gradient(context, read(work, work.y), read(work, work.w),
                                       work.x.shape, work.geometry);
    target = &work.x;
  } else {
    result = convolution_weight_gradient(context, read(work, work.x), read(work, work.y),
                                         work.w.shape, work.geometry);
    target = &work.w;
  }
  const int64_t index = work.engine.index;
  if (index == 11 || index == 12 || index == 13) std::memset(result.raw(), 0xff, result.bytes());
  on_cpu::scatter(result, target->data, target->type, target->shape, target->strides);
}

// The pointer that goes with a tensor. Error: none, unaligned, too little memory behind it.
cudnnStatus_t place(const Content& tensor, const std::map<int64_t, void*>& pointers, bool weights,
                    Placed& result) {
  const auto found = pointers.find(unique_id(tensor));
  if (found == pointers.end() || !found->second)
    return fail(CUDNN_STATUS_BAD_PARAM_NULL_POINTER,
                "no address for tensor " + std::to_string(unique_id(tensor)));
  result = placed(tensor, found->second, weights);
  const int64_t alignment = tensor.one<int64_t>(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT);
  if (reinterpret_cast<uintptr_t>(found->second) % static_cast<uintptr_t>(alignment))
    return fail(CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER,
                "tensor " + std::to_string(unique_id(tensor)) + " is not aligned");
  if (py4cast::emulation::device_bytes_from(found->second) < bytes_of(result))
    return fail(CUDNN_STATUS_BAD_PARAM_SIZE_INSUFFICIENT,
                "tensor " + std::to_string(unique_id(tensor)) + " is longer than its memory");
  return CUDNN_STATUS_SUCCESS;
}

Shape shape_of(const Numbers& numbers) {
  return Shape(std::span<const int64_t>(numbers));
}

cudnnStatus_t prepare(const Content& plan, const Content& pack, Work& work) {
  const Content& graph = plan.part(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG)
                             .part(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH);
  const std::vector<Part>& operations = graph.values.at(CUDNN_ATTR_OPERATIONGRAPH_OPS).parts;
  const Convolution c = convolution_of(*operations[0]);
  const Numbers ids = pack.numbers(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS),
                addresses = pack.numbers(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS);
  std::map<int64_t, void*> pointers;
  for (size_t i = 0; i < ids.size(); ++i) pointers[ids[i]] = reinterpret_cast<void*>(addresses[i]);

  std::vector<std::pair<const Content*, Placed*>> tensors{
      {&c.x, &work.x}, {&c.w, &work.w}, {&c.y, &work.y}};
  if (operations.size() > 1) {
    const Content& next = *operations[1];
    for (auto& [tensor, to] : tensors)
      if (tensor == &result_of(c)) tensor = &next.part(CUDNN_ATTR_OPERATION_POINTWISE_YDESC);
    if (adds(next))
      tensors.emplace_back(&next.part(CUDNN_ATTR_OPERATION_POINTWISE_BDESC), &work.bias);
  }
  for (const auto& [tensor, to] : tensors)
    if (const cudnnStatus_t status = place(*tensor, pointers, to == &work.w, *to);
        status != CUDNN_STATUS_SUCCESS)
      return status;

  work.kind = c.kind;
  work.engine = plan.engine;
  work.workspace = pack.one<void*>(CUDNN_ATTR_VARIANT_PACK_WORKSPACE);
  if (reinterpret_cast<uintptr_t>(work.workspace) % 16)
    return fail(CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER, "the workspace is not aligned");
  if (py4cast::emulation::device_bytes_from(work.workspace) <
      static_cast<size_t>(work.engine.workspace))
    return fail(CUDNN_STATUS_BAD_PARAM_SIZE_INSUFFICIENT, "the workspace is too small");
  work.geometry = {shape_of(c.geometry.numbers(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES)),
                   shape_of(c.geometry.numbers(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS)),
                   shape_of(c.geometry.numbers(CUDNN_ATTR_CONVOLUTION_DILATIONS)),
                   dimensions(c.x)[1] / dimensions(c.w)[1]};
  return CUDNN_STATUS_SUCCESS;
}

}  // namespace

size_t cudnnGetVersion() {
  return 90000;
}

const char* cudnnGetErrorString(cudnnStatus_t status) {
  return status == CUDNN_STATUS_SUCCESS                   ? "CUDNN_STATUS_SUCCESS"
         : status == CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED ? "CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED"
         : status >= CUDNN_STATUS_NOT_SUPPORTED           ? "CUDNN_STATUS_NOT_SUPPORTED"
                                                          : "CUDNN_STATUS_BAD_PARAM";
}

void cudnnGetLastErrorString(char* message, size_t max_size) {
  if (!message || max_size == 0) return;
  const size_t length = std::min(last_error.size(), max_size - 1);
  std::memcpy(message, last_error.data(), length);
  message[length] = 0;
}

cudnnStatus_t cudnnCreate(cudnnHandle_t* handle) {
  *handle = new cudnnContext;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnDestroy(cudnnHandle_t handle) {
  delete handle;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream) {
  handle->stream = stream;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t type,
                                           cudnnBackendDescriptor_t* descriptor) {
  if (!descriptor) return fail(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "no place for a descriptor");
  if (!rules_of(type)) return fail(CUDNN_STATUS_NOT_SUPPORTED, "a descriptor of unknown type");
  *descriptor = new Holder{std::make_shared<Content>()};
  content_of(*descriptor).kind = type;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t descriptor) {
  delete static_cast<Holder*>(descriptor);
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t descriptor) {
  Content& content = content_of(descriptor);
  if (content.finalized) return fail(CUDNN_STATUS_BAD_PARAM, "finalised twice");
  const cudnnStatus_t status = finalize(content);
  content.finalized = status == CUDNN_STATUS_SUCCESS;
  return status;
}

cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t descriptor,
                                       cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, int64_t count,
                                       const void* elements) {
  if (!descriptor || !elements)
    return fail(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "no descriptor or no values");
  Content& content = content_of(descriptor);
  if (content.finalized) return fail(CUDNN_STATUS_BAD_PARAM, "the descriptor is finalised");
  const Rules& rules = *rules_of(content.kind);
  const auto rule = rules.find(name);
  if (rule == rules.end())
    return fail(CUDNN_STATUS_BAD_PARAM, "the descriptor has no such attribute");
  if (type != rule->second.type)
    return fail(CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE, "the attribute has another type");
  if (count < rule->second.least || count > rule->second.most)
    return fail(CUDNN_STATUS_BAD_PARAM_OUT_OF_BOUND, "the attribute has another number of values");
  Value value{type, count, {}, {}};
  const auto bytes = static_cast<size_t>(count) * width(type);
  value.bytes.resize(bytes);
  std::memcpy(value.bytes.data(), elements, bytes);
  if (type == CUDNN_TYPE_BACKEND_DESCRIPTOR)
    for (int64_t i = 0; i < count; ++i) {
      const cudnnBackendDescriptor_t part =
          static_cast<const cudnnBackendDescriptor_t*>(elements)[i];
      if (!part) return fail(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "no part");
      if (!content_of(part).finalized)
        return fail(CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED, "a part is not finalised");
      if (rule->second.part >= 0 && content_of(part).kind != rule->second.part)
        return fail(CUDNN_STATUS_BAD_PARAM_DESCRIPTOR_TYPE, "a part of another kind");
      value.parts.push_back(static_cast<Holder*>(part)->content);
    }
  content.values[name] = std::move(value);
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendGetAttribute(cudnnBackendDescriptor_t descriptor,
                                       cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, int64_t requested,
                                       int64_t* count, void* elements) {
  const Content& content = content_of(descriptor);
  if (!content.finalized) return fail(CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED, "not finalised");
  const auto number = [&](int64_t value) {
    if (type != CUDNN_TYPE_INT64 || requested < 1)
      return fail(CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE, "the attribute is one number");
    *static_cast<int64_t*>(elements) = value;
    if (count) *count = 1;
    return CUDNN_STATUS_SUCCESS;
  };
  // Fills a descriptor that the caller made.
  const auto fill = [&](cudnnBackendDescriptor_t to, Kind kind, const Engine& engine) {
    Content& filled = content_of(to);
    if (filled.kind != kind) return fail(CUDNN_STATUS_BAD_PARAM_DESCRIPTOR_TYPE, "another kind");
    filled.engine = engine;
    filled.finalized = true;
    if (content.has(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH))
      filled.values[CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH] =
          content.values.at(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH);
    return CUDNN_STATUS_SUCCESS;
  };
  auto* descriptors = static_cast<cudnnBackendDescriptor_t*>(elements);
  switch (name) {
    case CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE:
      return number(content.engine.workspace);
    case CUDNN_ATTR_ENGINE_GLOBAL_INDEX:
      return number(content.engine.index);
    case CUDNN_ATTR_ENGINEHEUR_RESULTS: {
      const auto available = static_cast<int64_t>(content.proposals.size());
      *count = requested == 0 ? available : std::min(requested, available);
      for (int64_t i = 0; requested > 0 && i < *count; ++i)
        if (const cudnnStatus_t status = fill(descriptors[i], CUDNN_BACKEND_ENGINECFG_DESCRIPTOR,
                                              content.proposals[static_cast<size_t>(i)]);
            status != CUDNN_STATUS_SUCCESS)
          return status;
      return CUDNN_STATUS_SUCCESS;
    }
    case CUDNN_ATTR_ENGINECFG_ENGINE:
      *count = 1;
      return fill(descriptors[0], CUDNN_BACKEND_ENGINE_DESCRIPTOR, content.engine);
    case CUDNN_ATTR_ENGINE_NUMERICAL_NOTE: {
      const auto& notes = content.engine.notes;
      *count = static_cast<int64_t>(notes.size());
      std::copy_n(notes.begin(), std::min<int64_t>(requested, *count),
                  static_cast<cudnnBackendNumericalNote_t*>(elements));
      return CUDNN_STATUS_SUCCESS;
    }
    default:
      return fail(CUDNN_STATUS_NOT_SUPPORTED, "an attribute that cannot be read");
  }
}

cudnnStatus_t cudnnBackendExecute(cudnnHandle_t handle, cudnnBackendDescriptor_t plan,
                                  cudnnBackendDescriptor_t variant_pack) {
  if (!handle || !plan || !variant_pack)
    return fail(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "no handle, plan or addresses");
  const Content &planned = content_of(plan), &pack = content_of(variant_pack);
  if (!planned.finalized || !pack.finalized)
    return fail(CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED, "the plan or the addresses");
  if (planned.kind != CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR ||
      pack.kind != CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR)
    return fail(CUDNN_STATUS_BAD_PARAM_DESCRIPTOR_TYPE, "a plan and its addresses are needed");
  if (planned.one<cudnnHandle_t>(CUDNN_ATTR_EXECUTION_PLAN_HANDLE) != handle)
    return fail(CUDNN_STATUS_BAD_PARAM, "the plan was made with another handle");
  auto work = std::make_shared<Work>();
  const cudnnStatus_t status = prepare(planned, pack, *work);
  if (status == CUDNN_STATUS_SUCCESS)
    py4cast::emulation::enqueue(handle->stream, "cuDNN convolution", [work] { execute(*work); });
  return status;
}

#endif
