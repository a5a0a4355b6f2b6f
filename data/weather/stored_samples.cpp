#include "data/weather/stored_samples.h"

#include "kernels/fields/decode_fields.h"

namespace py4cast {

std::vector<BufferSpec> StoredSamples::buffers() const {
  const DatasetInfo& info = dataset_->info();
  const int64_t inputs = dataset_->num_input_steps(), steps = dataset_->num_pred_steps();
  return {{"inputs", {inputs, info.input_dim(), plane_words}, DataType::i64},
          {"forcing", {steps, info.forcing_dim(), plane_words}, DataType::i64},
          {"outputs", {steps, info.weather_dim(), plane_words}, DataType::i64},
          {"numbers", {(dataset_->stored_bytes() + 7) / 8}, DataType::i64}};
}

void StoredSamples::load(int64_t index, std::span<std::byte* const> buffers) const {
  const auto planes = [&](size_t i) { return reinterpret_cast<FieldPlane*>(buffers[i]); };
  dataset_->gather(
      index,
      {.inputs = planes(0), .outputs = planes(2), .forcing = planes(1), .numbers = buffers[3]});
}

StoredDecoder::StoredDecoder(const Dataset& dataset, int64_t samples, const Context& context)
    : context_(context) {
  for (const BufferSpec& spec : dataset.buffers()) {
    const Shape shape = spec.shape.inserted(0, samples);
    decoded_[spec.name] =
        Tensor(allocate(static_cast<size_t>(shape.numel()) * size_of(spec.type), context.device,
                        context.ledger, Owner::batches, "decoded batch"),
               spec.type, shape);
  }
}

void StoredDecoder::operator()(Batch& batch) const {
  const TensorMap stored = std::exchange(batch.tensors, {});
  for (const auto& [name, tensor] : decoded_) batch.tensors[name] = first_of(tensor, batch.count);
  const auto valid = [&](const char* name) {
    return decoded_.contains(name) ? batch.tensors[name] : Tensor();
  };
  const auto decode = [&](const char* name, const DecodedFields& to) {
    decode_fields(context_, tensor_of(stored, "numbers"), tensor_of(stored, name), to);
  };
  decode("inputs", {.values = batch.tensors["inputs"], .all_valid = valid("input_valid")});
  decode("forcing", {.values = batch.tensors["forcing"], .all_valid = valid("forcing_valid")});
  decode("outputs", {.values = batch.tensors["outputs"], .valid = valid("output_valid")});
}

}  // namespace py4cast
