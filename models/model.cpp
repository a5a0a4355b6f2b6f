#include "models/model.h"

#include <nlohmann/json.hpp>

#include "engine/error.h"
#include "kernels/ops/views.h"
#include "models/graph_lam.h"
#include "models/half_unet.h"
#include "models/hi_lam.h"
#include "models/hi_lam_parallel.h"
#include "models/segformer.h"
#include "models/unet.h"

namespace py4cast {
namespace {

// "height and width" of a field with two axes in space.
std::string axes_in_words(int count) {
  switch (count) {
    case 1:
      return "the length";
    case 2:
      return "height and width";
    case 3:
      return "depth, height and width";
    default:
      return "the sizes";
  }
}

std::string in_words(const std::vector<int64_t>& multiples) {
  std::string text;
  for (size_t i = 0; i < multiples.size(); ++i)
    text += (i == 0                      ? ""
             : i + 1 == multiples.size() ? " and "
                                         : ", ") +
            std::to_string(multiples[i]);
  return text;
}

// The same field with sizes of the next multiples.
Shape padded(const std::string& model, const std::string& port, Shape shape,
             const std::vector<int64_t>& multiples) {
  const int axes = shape.rank() - 1;
  if (axes > 0 && multiples.size() > 1 && multiples.size() != static_cast<size_t>(axes))
    throw Error(ErrorKind::shape, model, ": needs fields of ", multiples.size(),
                " axes in space, but ", port, " is ", shape);
  for (int axis = 0; axis < axes; ++axis) {
    const int64_t multiple = multiples[multiples.size() > 1 ? static_cast<size_t>(axis) : 0];
    shape[axis] = (shape[axis] + multiple - 1) / multiple * multiple;
  }
  return shape;
}

using Shapes = std::map<std::string, Shape>;

// "x [64, 64, 3], time [4]"
std::string listed(const Shapes& ports) {
  std::ostringstream text;
  for (const auto& [name, shape] : ports)
    text << (text.tellp() > 0 ? ", " : "") << name << ' ' << shape;
  return ports.empty() ? "none" : text.str();
}

Shapes padded(const std::string& model, const Shapes& ports,
              const std::vector<int64_t>& multiples) {
  Shapes result;
  for (const auto& [name, shape] : ports) result[name] = padded(model, name, shape, multiples);
  return result;
}

void refuse_sizes(const std::string& model, const Shapes& ports,
                  const std::vector<int64_t>& multiples) {
  for (const auto& [name, shape] : ports)
    if (padded(model, name, shape, multiples) != shape)
      throw Error(ErrorKind::shape, model, ": ", axes_in_words(shape.rank() - 1),
                  " must be multiples of ", in_words(multiples), ", but ", name, " is ", shape,
                  "; model.autopad pads any size");
}

void refuse_empty(const std::string& model, const Shapes& ports) {
  for (const auto& [name, shape] : ports)
    for (const int64_t size : shape)
      if (size < 1)
        throw Error(ErrorKind::configuration, model, ": all sizes must be positive, but ", name,
                    " is ", shape);
}

bool floating(const Tensor& x) {
  return x.type() != DataType::i32 && x.type() != DataType::i64;
}

// A network with what make_model promises.
class HostedModel : public Model {
 public:
  HostedModel(std::string name, std::unique_ptr<Model> model, const Ports& outer, Ports inner)
      : name_(std::move(name)), model_(std::move(model)), outer_(outer), inner_(std::move(inner)) {}

  TensorMap forward(Context& context, const TensorMap& given) const override {
    check(context, "input", given, outer_.inputs);
    DataType type = context.floating();
    TensorMap inputs;
    for (const auto& [name, x] : given) {
      Tensor inside = x;
      if (floating(x)) {
        type = x.type();
        inside = cast(context, x, context.precision == Precision::bf16 ? DataType::bf16 : type);
      }
      inputs[name] = filled_up(context, inside, inner_.inputs.at(name));
    }
    TensorMap outputs = model_->forward(context, inputs);
    check(context, "output", outputs, inner_.outputs);
    for (auto& [name, y] : outputs) {
      y = cut_back(context, y, outer_.outputs.at(name));
      if (floating(y)) y = cast(context, y, type);
    }
    return outputs;
  }

 private:
  void check(const Context& context, const char* what, const TensorMap& tensors,
             const Shapes& expected) const {
    const auto names = [](const auto& map) {
      std::vector<std::string> result;
      for (const auto& [name, value] : map) result.push_back(name);
      return result;
    };
    for (const auto& [name, tensor] : tensors)
      if (!expected.contains(name))
        throw shape_error(context, name_, ": there is no ", what, " '", name, "'; the nearest is '",
                          nearest_name(name, names(expected)), "'");
    for (const auto& [name, shape] : expected) {
      const auto found = tensors.find(name);
      if (found == tensors.end())
        throw shape_error(context, name_, ": the ", what, " '", name, "' is missing");
      const Shape& own = found->second.shape();
      if (own.rank() != shape.rank() + 1 || own.without(0) != shape || own[0] < 1)
        throw shape_error(context, name_, ": the ", what, " '", name, "' is ", own,
                          " but must be a batch of ", shape);
    }
  }

  // [batch, axes..., features] with zeros around it, to those sizes.
  static Tensor filled_up(Context& context, Tensor x, const Shape& sizes) {
    for (int axis = 1; axis < sizes.rank(); ++axis)
      if (const int64_t extra = sizes[axis - 1] - x.size(axis))
        x = pad(context, x, axis, extra / 2, extra - extra / 2);
    return x;
  }
  static Tensor cut_back(Context& context, Tensor y, const Shape& sizes) {
    for (int axis = sizes.rank() - 1; axis > 0; --axis)
      if (const int64_t extra = y.size(axis) - sizes[axis - 1])
        y = narrow(context, y, axis, extra / 2, sizes[axis - 1]);
    return y;
  }

  std::string name_;
  std::unique_ptr<Model> model_;
  Ports outer_, inner_;  // of the data, of the network
};

}  // namespace

Tensor Model::operator()(Context& context, const Tensor& x) const {
  return tensor_of(forward(context, {{"x", x}}), "y");
}

std::shared_ptr<const Geometry> even_geometry(int64_t rows, int64_t columns) {
  const int64_t points = Shape{rows, columns}.numel();
  const Tensor coordinates = host_tensor({points, 2}, DataType::f64);
  for (int64_t i = 0; i < points; ++i) {
    const int64_t row = i / columns, column = i % columns;
    coordinates.data<double>()[2 * i] = static_cast<double>(column);
    coordinates.data<double>()[2 * i + 1] = static_cast<double>(row);
  }
  return std::make_shared<const Geometry>(
      Geometry{coordinates, host_tensor({points, 1}, DataType::f32)});
}

Ports field_ports(int64_t height, int64_t width, int64_t in, int64_t out) {
  return {.inputs = {{"x", {height, width, in}}}, .outputs = {{"y", {height, width, out}}}};
}

std::pair<Shape, Shape> field_to_field(const Ports& ports, const std::string& model, int axes) {
  const auto x = ports.inputs.find("x"), y = ports.outputs.find("y");
  if (ports.inputs.size() != 1 || ports.outputs.size() != 1 || x == ports.inputs.end() ||
      y == ports.outputs.end())
    throw Error(ErrorKind::configuration, model, ": takes one input 'x' and gives one output 'y', ",
                "but the data have ", listed(ports.inputs), " and ", listed(ports.outputs));
  const Shape &from = x->second, &to = y->second;
  if (from.rank() != axes + 1 || to.rank() != axes + 1 || from.with(axes, 0) != to.with(axes, 0))
    throw Error(ErrorKind::configuration, model, ": takes and gives fields of ", axes,
                " axes in space and one of features, of one size, but x is ", from, " and y is ",
                to);
  return {from, to};
}

ModelRegistry built_in_models(const TensorReader& read) {
  ModelRegistry models("model.name", "network");
  models.add(half_unet());
  models.add(unet());
  models.add(segformer());
  models.add(graph_lam(read));
  models.add(hi_lam(read));
  models.add(hi_lam_parallel(read));
  return models;
}

std::unique_ptr<Model> make_model(const ModelRegistry& models, const std::string& name,
                                  const Builder& builder, const Ports& ports, const Json& given,
                                  bool autopad) {
  const ModelKind& kind = models.find(name);
  const Json settings = kind.settings->checked(given, kind.name, "model.settings");
  refuse_empty(kind.name, ports.inputs);
  refuse_empty(kind.name, ports.outputs);
  Ports inner = ports;
  if (kind.multiples) {
    const std::vector<int64_t> multiples = kind.multiples(settings);
    if (!autopad && !settings.at("autopad_enabled").get<bool>()) {
      refuse_sizes(kind.name, ports.inputs, multiples);
      refuse_sizes(kind.name, ports.outputs, multiples);
    }
    inner.inputs = padded(kind.name, ports.inputs, multiples);
    inner.outputs = padded(kind.name, ports.outputs, multiples);
    if (inner.inputs != ports.inputs) inner.geometry = nullptr;
  }
  auto model = kind.make(builder, inner, settings);
  return std::make_unique<HostedModel>(kind.name, std::move(model), ports, std::move(inner));
}

}  // namespace py4cast
