// One sample with labels, and several stacked.
#pragma once

#include <string>
#include <vector>

#include "data/weather/named_tensor.h"
#include "data/weather/source.h"

namespace py4cast {

// Each tensor is [timestep, lat, lon, features]. Any of the three may be undefined.
struct Item {
  Item() = default;
  // The outputs may have more features (diagnostics) behind those of the inputs. Error(shape): inputs and
  // outputs differ in the names of dimensions or features.
  Item(NamedTensor inputs, NamedTensor outputs, NamedTensor forcing,
       std::vector<Time> validity_times = {});

  NamedTensor inputs, outputs, forcing;
  std::vector<Time> validity_times;  // of the outputs

  // One row per feature: type, dimension names, shape, feature, smallest and largest value.
  std::string to_string() const;
};

// With a leading dimension "batch", in f32. Error(shape): empty, or items that do not fit together.
struct ItemBatch {
  explicit ItemBatch(const std::vector<Item>& items);

  NamedTensor inputs, outputs, forcing;
  std::vector<std::vector<Time>> validity_times;  // by item

  int64_t batch_size() const { return inputs.dim_size("batch"); }
  int64_t num_input_steps() const { return inputs.dim_size("timestep"); }
  int64_t num_pred_steps() const { return outputs.dim_size("timestep"); }
};

}  // namespace py4cast
