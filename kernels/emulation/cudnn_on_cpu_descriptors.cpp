#if PY4CAST_CUDA_EMULATED
#include "kernels/emulation/cudnn_on_cpu_descriptors.h"

#include <functional>
#include <numeric>
#include <set>

namespace py4cast::cudnn_on_cpu {
namespace {

thread_local std::string reason_of_failure;

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

}  // namespace

cudnnStatus_t fail(cudnnStatus_t status, std::string reason) {
  reason_of_failure = std::move(reason);
  return status;
}
const std::string& last_error() {
  return reason_of_failure;
}

const Rules* rules_of(Kind kind) {
  static const std::map<Kind, Rules> rules = make_rules();
  const auto found = rules.find(kind);
  return found == rules.end() ? nullptr : &found->second;
}

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

bool adds(const Content& pointwise) {
  return pointwise.part(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR)
             .one<cudnnPointwiseMode_t>(CUDNN_ATTR_POINTWISE_MODE) == CUDNN_POINTWISE_ADD;
}

// What a convolution makes.
const Content& result_of(const Convolution& c) {
  return c.kind == CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR         ? c.y
         : c.kind == CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR ? c.x
                                                                                  : c.w;
}

namespace {

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
  for (const Numbers& sizes : {x, w, y})
    if (std::accumulate(sizes.begin(), sizes.end(), 1.0, std::multiplies()) >= 0x1p31)
      return fail(CUDNN_STATUS_NOT_SUPPORTED, "a tensor of 2^31 elements or more");
  return CUDNN_STATUS_SUCCESS;
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

}  // namespace

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

}  // namespace py4cast::cudnn_on_cpu
#endif
