#include "layers/batch_norm.h"

#include <cstring>

namespace py4cast {
namespace {

constexpr double epsilon = 1e-5, batch_share = 0.1;

struct PackedHeader {
  uint64_t mean, variance, count;  // positions in slab.parameters()
  int64_t features;
  double momentum;
};

uint64_t position(const ParameterSlab& slab, const Parameter* parameter) {
  uint64_t index = 0;
  for (const Parameter& candidate : slab.parameters()) {
    if (&candidate == parameter) return index;
    ++index;
  }
  throw Error(ErrorKind::internal, "a running statistic is not in the slab");
}

void append(std::vector<std::byte>& bytes, const void* data, size_t size) {
  const auto* first = static_cast<const std::byte*>(data);
  bytes.insert(bytes.end(), first, first + size);
}

std::vector<double> host_values(const Tensor& tensor) {
  Tensor host = host_tensor(tensor.shape(), tensor.type());
  copy(tensor, host);
  const Tensor wide = converted(host, DataType::f64);
  return {wide.span<double>().begin(), wide.span<double>().end()};
}

template <typename T>
void update(const Tensor& running, const double* batch, double momentum) {
  const T share = static_cast<T>(momentum);
  for (T& value : running.span<T>()) value = (1 - share) * value + share * static_cast<T>(*batch++);
}

}  // namespace

BatchNorm::BatchNorm(const Builder& builder, int64_t features, Activation activation)
    : activation_(activation),
      gamma_(&builder.parameter("weight", {features}, {}, {1, 0})),
      beta_(&builder.parameter("bias", {features}, {}, {0, 0})),
      running_mean_(&builder.buffer("running_mean", {features}, 0)),
      running_variance_(&builder.buffer("running_var", {features}, 1)),
      batches_(&builder.buffer("num_batches_tracked", {}, 0, DataType::i64)) {}

Tensor BatchNorm::operator()(Context& context, const Tensor& x) const {
  const Tensor gamma = use(context, *gamma_), beta = use(context, *beta_);
  if (context.phase == Phase::evaluate)
    return batch_norm_evaluate(context, x, gamma, beta, running_mean_->value(),
                               running_variance_->value(), epsilon, activation_);
  BatchNormResult result = batch_norm(context, x, gamma, beta, epsilon, activation_);
  if (context.buffer_updates && !context.recompute)
    context.buffer_updates->push_back(
        {running_mean_, running_variance_, batches_, result.mean, result.variance, batch_share});
  return result.y;
}

void pack(const ParameterSlab& slab, const std::vector<BufferUpdate>& updates,
          std::vector<std::byte>& bytes) {
  for (const BufferUpdate& update : updates) {
    const PackedHeader header{position(slab, update.mean), position(slab, update.variance),
                              position(slab, update.count), update.batch_mean.numel(),
                              update.momentum};
    append(bytes, &header, sizeof header);
    for (const Tensor* tensor : {&update.batch_mean, &update.batch_variance}) {
      const std::vector<double> values = host_values(*tensor);
      append(bytes, values.data(), values.size() * sizeof(double));
    }
  }
}

void apply_packed(ParameterSlab& slab, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    PackedHeader header;
    std::memcpy(&header, bytes.data(), sizeof header);
    std::vector<double> values(2 * static_cast<size_t>(header.features));
    std::memcpy(values.data(), bytes.data() + sizeof header, values.size() * sizeof(double));
    const Tensor& mean = slab.parameters()[header.mean].value();
    const Tensor& variance = slab.parameters()[header.variance].value();
    const auto apply = [&](const Tensor& running, const double* batch) {
      if (running.type() == DataType::f64)
        update<double>(running, batch, header.momentum);
      else
        update<float>(running, batch, header.momentum);
    };
    apply(mean, values.data());
    apply(variance, values.data() + header.features);
    ++*slab.parameters()[header.count].value().data<int64_t>();
    bytes = bytes.subspan(sizeof header + values.size() * sizeof(double));
  }
}

}  // namespace py4cast
