#if PY4CAST_CUDA_EMULATED
#include "kernels/emulation/cudnn_on_cpu.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kernels/emulation/cudnn_on_cpu_descriptors.h"
#include "kernels/emulation/library_on_cpu.h"
#include "kernels/products/convolution.h"

using namespace py4cast::cudnn_on_cpu;
using namespace py4cast::library_on_cpu;
using py4cast::Context;
using py4cast::DataType;
using py4cast::Shape;
using py4cast::Tensor;

struct cudnnContext {
  cudaStream_t stream = nullptr;
};

namespace {

// What a descriptor pointer points at.
struct Holder {
  std::shared_ptr<Content> content;
};
Content& content_of(cudnnBackendDescriptor_t descriptor) {
  return *static_cast<Holder*>(descriptor)->content;
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

// A tensor of the graph with its address: its axes batch, channel, space become batch, space,
// channel; those of weights space, in, out.
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

struct PlanWork {
  Kind kind;
  Placed x, w, y, bias;
  py4cast::ConvolutionGeometry geometry;
  Engine engine;
  void* workspace;
};

Tensor read(const PlanWork& work, const Placed& t) {
  const bool tf32 = work.engine.has(CUDNN_NUMERICAL_NOTE_TENSOR_CORE) && t.type == DataType::f32;
  return gathered(t, tf32);
}

void execute(const PlanWork& work) {
  spoil(work.workspace, static_cast<size_t>(work.engine.workspace));
  Context context;
  Tensor result;
  const Placed* target = &work.y;
  if (work.kind == CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR) {
    Tensor bias;
    if (work.bias.data) bias = gathered(work.bias).viewed({work.bias.shape.back()});
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
  scatter(result, *target);
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

cudnnStatus_t prepare(const Content& plan, const Content& pack, PlanWork& work) {
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
  return 0;  // of no release
}

const char* cudnnGetErrorString(cudnnStatus_t status) {
  return status == CUDNN_STATUS_SUCCESS                   ? "CUDNN_STATUS_SUCCESS"
         : status == CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED ? "CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED"
         : status >= CUDNN_STATUS_NOT_SUPPORTED           ? "CUDNN_STATUS_NOT_SUPPORTED"
                                                          : "CUDNN_STATUS_BAD_PARAM";
}

void cudnnGetLastErrorString(char* message, size_t max_size) {
  if (!message || max_size == 0) return;
  const size_t length = std::min(last_error().size(), max_size - 1);
  std::memcpy(message, last_error().data(), length);
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
  auto work = std::make_shared<PlanWork>();
  const cudnnStatus_t status = prepare(planned, pack, *work);
  if (status == CUDNN_STATUS_SUCCESS)
    py4cast::emulation::enqueue(handle->stream, "cuDNN convolution", [work] { execute(*work); });
  return status;
}

#endif
