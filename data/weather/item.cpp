#include "data/weather/item.h"

#include <sstream>

#include "data/weather/table.h"
#include "engine/error.h"

namespace py4cast {
namespace {

template <typename Member>
NamedTensor collated(const std::vector<Item>& items, const Member& member) {
  std::vector<NamedTensor> parts;
  for (const Item& item : items)
    if ((item.*member).defined()) parts.push_back(item.*member);
  if (parts.empty()) return {};
  if (parts.size() != items.size())
    throw Error(ErrorKind::shape, "only ", parts.size(), " of ", items.size(),
                " items to be stacked have that part");
  NamedTensor batch = NamedTensor::collate(parts);
  batch.type(DataType::f32);
  return batch;
}

}  // namespace

Item::Item(NamedTensor inputs_, NamedTensor outputs_, NamedTensor forcing_,
           std::vector<Time> validity_times_)
    : inputs(std::move(inputs_)),
      outputs(std::move(outputs_)),
      forcing(std::move(forcing_)),
      validity_times(std::move(validity_times_)) {
  if (!inputs.defined() || !outputs.defined()) return;
  if (inputs.names() != outputs.names())
    throw Error(ErrorKind::shape, "inputs and outputs differ in the names of their dimensions");
  if (inputs.feature_names() == outputs.feature_names()) return;
  const size_t a = inputs.feature_names().size(), b = outputs.feature_names().size();
  if (a > b) throw Error(ErrorKind::shape, "inputs have ", a, " features but outputs have ", b);
  for (size_t i = 0; i < a; ++i)
    if (inputs.feature_names()[i] != outputs.feature_names()[i])
      throw Error(ErrorKind::shape, "feature ", i, " of the inputs is '", inputs.feature_names()[i],
                  "' but that of the outputs is '", outputs.feature_names()[i], "'");
}

std::string Item::to_string() const {
  TextTable table{{"Type", "Dimension Names", "Shape", "Feature", "Min", "Max"}, {}};
  const auto add = [&](const char* type, const NamedTensor& tensor) {
    if (!tensor.defined()) return;
    std::ostringstream shape;
    shape << tensor.tensor().shape();
    std::string names;
    for (const std::string& name : tensor.names()) names += (names.empty() ? "" : ", ") + name;
    for (const std::string& feature : tensor.feature_names()) {
      const auto [minimum, maximum] = tensor.feature_range(feature);
      table.rows.push_back(
          {type, names, shape.str(), feature, general_number(minimum), general_number(maximum)});
    }
  };
  add("inputs", inputs);
  add("outputs", outputs);
  add("forcing", forcing);
  return table.to_string();
}

ItemBatch::ItemBatch(const std::vector<Item>& items) {
  if (items.empty()) throw Error(ErrorKind::shape, "a batch needs at least one item");
  inputs = collated(items, &Item::inputs);
  outputs = collated(items, &Item::outputs);
  forcing = collated(items, &Item::forcing);
  for (const Item& item : items) validity_times.push_back(item.validity_times);
}

}  // namespace py4cast
