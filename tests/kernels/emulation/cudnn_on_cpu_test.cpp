// The stand-in of cuDNN refuses what cuDNN refuses.
#if PY4CAST_CUDA_EMULATED && PY4CAST_CUDNN
#include "kernels/emulation/cudnn_on_cpu.h"

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <vector>

#include "engine/cuda.h"
#include "engine/parameters.h"
#include "kernels/products/convolution.h"
#include "tests/kernels/op_check.h"

namespace py4cast::testing {
namespace {

// A descriptor that keeps the status of its first failure.
struct Made {
  cudnnBackendDescriptor_t pointer = nullptr;
  cudnnStatus_t status = CUDNN_STATUS_SUCCESS;

  explicit Made(cudnnBackendDescriptorType_t type) {
    note(cudnnBackendCreateDescriptor(type, &pointer));
  }
  ~Made() { cudnnBackendDestroyDescriptor(pointer); }
  Made(const Made&) = delete;

  void note(cudnnStatus_t next) {
    if (status == CUDNN_STATUS_SUCCESS) status = next;
  }
  template <typename T>
  Made& set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
            const std::vector<T>& values) {
    note(cudnnBackendSetAttribute(pointer, name, type, static_cast<int64_t>(values.size()),
                                  values.data()));
    return *this;
  }
  Made& number(cudnnBackendAttributeName_t name, int64_t value) {
    return set<int64_t>(name, CUDNN_TYPE_INT64, {value});
  }
  Made& part(cudnnBackendAttributeName_t name, const Made& other) {
    return set<cudnnBackendDescriptor_t>(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, {other.pointer});
  }
  cudnnStatus_t finalize() {
    if (status == CUDNN_STATUS_SUCCESS) note(cudnnBackendFinalize(pointer));
    return status;
  }
};

struct TensorMade : Made {
  TensorMade(int64_t id, const std::vector<int64_t>& sizes, cudnnDataType_t type = CUDNN_DATA_FLOAT)
      : Made(CUDNN_BACKEND_TENSOR_DESCRIPTOR) {
    const std::vector<int64_t> strides{sizes[1] * sizes[2] * sizes[3], 1, sizes[1] * sizes[3],
                                       sizes[1]};
    set<cudnnDataType_t>(CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, {type});
    set(CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, sizes);
    set(CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, strides);
    number(CUDNN_ATTR_TENSOR_UNIQUE_ID, id).number(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, 16);
  }
};

struct GeometryMade : Made {
  explicit GeometryMade(int64_t padding = 1) : Made(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR) {
    set<cudnnDataType_t>(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE,
                         {CUDNN_DATA_FLOAT});
    set<cudnnConvolutionMode_t>(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE,
                                {CUDNN_CROSS_CORRELATION});
    number(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, 2);
    const std::vector<int64_t> ones{1, 1}, paddings{padding, padding};
    set(CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, ones);
    set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, ones);
    set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, paddings);
    set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, paddings);
  }
};

struct ForwardMade : Made {
  ForwardMade(const Made& geometry, const Made& x, const Made& w, const Made& y)
      : Made(CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR) {
    part(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, geometry);
    part(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, x);
    part(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, w);
    part(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, y);
    set<float>(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, CUDNN_TYPE_FLOAT, {1});
    set<float>(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, CUDNN_TYPE_FLOAT, {0});
  }
};

cudnnStatus_t forward_of(const std::vector<int64_t>& x, const std::vector<int64_t>& w,
                         const std::vector<int64_t>& y) {
  TensorMade x_made(1, x), w_made(2, w), y_made(3, y);
  GeometryMade geometry;
  for (Made* made : std::initializer_list<Made*>{&x_made, &w_made, &y_made, &geometry})
    EXPECT_EQ(made->finalize(), CUDNN_STATUS_SUCCESS);
  return ForwardMade(geometry, x_made, w_made, y_made).finalize();
}

TEST(CudnnOnCpu, RefusesWrongDescriptors) {
  EXPECT_EQ(TensorMade(1, {1, 2, 3, 4}).finalize(), CUDNN_STATUS_SUCCESS);
  EXPECT_EQ(TensorMade(1, {1, 0, 3, 4}).finalize(), CUDNN_STATUS_BAD_PARAM);
  EXPECT_EQ(TensorMade(1, {1, 2, 3, 4}, CUDNN_DATA_DOUBLE).finalize(),
            CUDNN_STATUS_NOT_SUPPORTED_DATA_TYPE);
  TensorMade again(1, {1, 2, 3, 4});
  again.number(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, 12);
  EXPECT_EQ(again.finalize(), CUDNN_STATUS_BAD_PARAM);
  TensorMade finalised(1, {1, 2, 3, 4});
  finalised.finalize();
  EXPECT_EQ(finalised.number(CUDNN_ATTR_TENSOR_UNIQUE_ID, 2).status, CUDNN_STATUS_BAD_PARAM);
  EXPECT_EQ(Made(CUDNN_BACKEND_TENSOR_DESCRIPTOR)
                .set<float>(CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_FLOAT, {1})
                .status,
            CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE);
  EXPECT_EQ(Made(CUDNN_BACKEND_TENSOR_DESCRIPTOR)
                .set<int64_t>(CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, {1, 2})
                .status,
            CUDNN_STATUS_BAD_PARAM_OUT_OF_BOUND);
  EXPECT_EQ(Made(CUDNN_BACKEND_TENSOR_DESCRIPTOR).finalize(), CUDNN_STATUS_BAD_PARAM);
  EXPECT_EQ(GeometryMade(-1).finalize(), CUDNN_STATUS_BAD_PARAM_OUT_OF_BOUND);
}

TEST(CudnnOnCpu, RefusesPartsThatDoNotBelongTogether) {
  EXPECT_EQ(forward_of({1, 2, 5, 6}, {4, 2, 3, 3}, {1, 4, 5, 6}), CUDNN_STATUS_SUCCESS);
  EXPECT_EQ(forward_of({1, 2, 5, 6}, {4, 2, 3, 3}, {1, 4, 5, 5}),
            CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH);
  EXPECT_EQ(forward_of({1, 2, 5, 6}, {4, 3, 3, 3}, {1, 4, 5, 6}),
            CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH);
  EXPECT_EQ(forward_of({2, 2, 5, 6}, {4, 2, 3, 3}, {1, 4, 5, 6}),
            CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH);
  TensorMade x(1, {1, 2, 5, 6}), w(2, {4, 2, 3, 3}), y(3, {1, 4, 5, 6});
  GeometryMade geometry;
  for (Made* made : std::initializer_list<Made*>{&w, &y, &geometry}) made->finalize();
  EXPECT_EQ(ForwardMade(geometry, x, w, y).finalize(), CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED);
  x.finalize();
  EXPECT_EQ(ForwardMade(x, x, w, y).finalize(), CUDNN_STATUS_BAD_PARAM_DESCRIPTOR_TYPE);
}

// A convolution with its plan, on some stream.
struct Planned {
  cudnnHandle_t handle = nullptr;
  TensorMade x{1, {1, 2, 5, 6}}, w{2, {4, 2, 3, 3}}, y{3, {1, 4, 5, 6}};
  GeometryMade geometry;
  std::vector<std::unique_ptr<Made>> made;
  Made plan{CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR};
  int64_t workspace = 0;

  // The engine of that number among the proposals.
  explicit Planned(int64_t wanted) {
    cudnnCreate(&handle);
    for (Made* part : std::initializer_list<Made*>{&x, &w, &y, &geometry}) part->finalize();
    Made& forward = keep(new ForwardMade(geometry, x, w, y));
    Made& graph = keep(new Made(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR));
    graph.set<cudnnHandle_t>(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, {handle});
    forward.finalize();
    graph.part(CUDNN_ATTR_OPERATIONGRAPH_OPS, forward).finalize();
    Made& heuristics = keep(new Made(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR));
    heuristics.part(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph)
        .set<cudnnBackendHeurMode_t>(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE,
                                     {CUDNN_HEUR_MODE_A})
        .finalize();
    std::vector<cudnnBackendDescriptor_t> found;
    for (int i = 0; i < 5; ++i)
      found.push_back(keep(new Made(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR)).pointer);
    int64_t count = 0;
    cudnnBackendGetAttribute(heuristics.pointer, CUDNN_ATTR_ENGINEHEUR_RESULTS,
                             CUDNN_TYPE_BACKEND_DESCRIPTOR, 5, &count, found.data());
    const size_t configuration = made.size() - 5 + static_cast<size_t>(wanted);
    plan.set<cudnnHandle_t>(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, {handle})
        .part(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, *made[configuration])
        .finalize();
    cudnnBackendGetAttribute(plan.pointer, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE,
                             CUDNN_TYPE_INT64, 1, &count, &workspace);
  }
  ~Planned() { cudnnDestroy(handle); }
  Made& keep(Made* part) { return *made.emplace_back(part); }

  cudnnStatus_t execute(const std::vector<int64_t>& ids, const std::vector<void*>& addresses,
                        void* work) {
    Made pack(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
    pack.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, ids)
        .set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, addresses)
        .set<void*>(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, {work})
        .finalize();
    return pack.status == CUDNN_STATUS_SUCCESS
               ? cudnnBackendExecute(handle, plan.pointer, pack.pointer)
               : pack.status;
  }
};

constexpr int64_t good_engine = 4, refused_engine = 3;

struct Memory {
  std::shared_ptr<Storage> block;
  explicit Memory(size_t bytes)
      : block(allocate_device(bytes, test_device(), nullptr, Owner::other, "test")) {}
  void* at(size_t offset = 0) { return block->data() + offset; }
};

TEST(CudnnOnCpu, RefusesWrongAddresses) {
  EXPECT_EQ(Planned(refused_engine).plan.status, CUDNN_STATUS_NOT_SUPPORTED);
  Planned p(good_engine);
  ASSERT_EQ(p.plan.status, CUDNN_STATUS_SUCCESS);
  ASSERT_GT(p.workspace, 0);
  CudaStream stream(test_device());
  cudnnSetStream(p.handle, static_cast<cudaStream_t>(stream.get().handle));
  Memory x(4 * 60 + 16), w(4 * 72), y(4 * 120), work(static_cast<size_t>(p.workspace));
  float host[128];
  EXPECT_EQ(p.execute({1, 2, 3}, {x.at(4), w.at(), y.at()}, work.at()),
            CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER);
  EXPECT_EQ(p.execute({1, 2, 3}, {x.at(32), w.at(), y.at()}, work.at()),
            CUDNN_STATUS_BAD_PARAM_SIZE_INSUFFICIENT);
  EXPECT_EQ(p.execute({1, 2, 3}, {host, w.at(), y.at()}, work.at()),
            CUDNN_STATUS_BAD_PARAM_SIZE_INSUFFICIENT);
  EXPECT_EQ(p.execute({1, 2, 4}, {x.at(), w.at(), y.at()}, work.at()),
            CUDNN_STATUS_BAD_PARAM_NULL_POINTER);
  EXPECT_EQ(p.execute({1, 2, 3}, {x.at(), w.at()}, work.at()), CUDNN_STATUS_BAD_PARAM);
  EXPECT_EQ(p.execute({1, 2, 3}, {x.at(), w.at(), y.at()}, nullptr),
            CUDNN_STATUS_BAD_PARAM_SIZE_INSUFFICIENT);
  EXPECT_EQ(p.execute({1, 2, 3}, {x.at(), w.at(), y.at()}, work.at(16)),
            CUDNN_STATUS_BAD_PARAM_SIZE_INSUFFICIENT);
  EXPECT_EQ(p.execute({1, 2, 3}, {x.at(), w.at(), y.at()}, work.at()), CUDNN_STATUS_SUCCESS);
  synchronize(stream.get());
}

// Tensors are read by the strides of their descriptors, here as they lie in our layout but for the
// weights, whose output channel comes first.
TEST(CudnnOnCpu, ConvolvesOnItsStream) {
  Planned p(good_engine);
  CudaStream stream(test_device());
  cudnnSetStream(p.handle, static_cast<cudaStream_t>(stream.get().handle));
  const Tensor x = random_tensor({1, 5, 6, 2}, DataType::f32, 1, -1, 1),
               w = random_tensor({3, 3, 2, 4}, DataType::f32, 2, -1, 1);
  const auto moved = [&](const Tensor& from) {
    Tensor to(allocate_device(from.bytes(), test_device(), nullptr, Owner::other, "test"),
              from.type(), from.shape());
    copy(from, to);
    return to;
  };
  const Tensor xd = moved(x), wd = moved(permuted(w, {3, 0, 1, 2}));
  Tensor yd = moved(host_tensor({1, 5, 6, 4}, DataType::f32));
  Memory work(static_cast<size_t>(p.workspace));
  ASSERT_EQ(p.execute({1, 2, 3}, {xd.raw(), wd.raw(), yd.raw()}, work.at()), CUDNN_STATUS_SUCCESS);
  synchronize(stream.get());
  const Tensor y = host_tensor(yd.shape(), DataType::f32);
  copy(yd, y);
  Context context;
  const Tensor expected = convolution(context, x, w, {}, {.padding = {1, 1}});
  EXPECT_LT(difference(y, expected), std::ldexp(1, -10));  // tensor cores: tf32
  EXPECT_GT(difference(y, expected), 1e-6);
}

}  // namespace
}  // namespace py4cast::testing
#endif
