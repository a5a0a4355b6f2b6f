#include "models/half_unet.h"

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "kernels/ops/activation.h"
#include "kernels/ops/arithmetic.h"
#include "kernels/ops/max_pool.h"
#include "kernels/ops/reduce.h"
#include "kernels/ops/upsample.h"
#include "kernels/ops/views.h"
#include "layers/batch_norm.h"
#include "layers/convolution.h"

namespace py4cast {
namespace {

constexpr int64_t scales = 5, coarsest = 1 << (scales - 1);

// One of the two stages of a block: convolution (plain or ghost), batch norm, ReLU.
class Stage {
 public:
  // `convolution` and `norm` are the module paths; a ghost module keeps all its parts below
  // `convolution`.
  Stage(const Builder& convolution, const Builder& norm, int64_t in,
        const HalfUNetSettings& settings)
      : convolution_(settings.use_ghost ? convolution.child("conv") : convolution,
                     {.in = in,
                      .out = settings.use_ghost ? settings.num_filters / 2 : settings.num_filters,
                      .dilation = settings.dilation,
                      .bias = settings.bias}) {
    if (settings.use_ghost)
      depthwise_.emplace(convolution.child("sepconv"),
                         ConvSettings{.in = settings.num_filters / 2,
                                      .out = settings.num_filters / 2,
                                      .groups = settings.num_filters / 2,
                                      .bias = settings.bias});
    norm_.emplace(settings.use_ghost ? convolution.child("bn") : norm, settings.num_filters,
                  Activation::relu);
  }

  Tensor operator()(Context& context, const Tensor& x) const {
    Tensor y = convolution_(context, x);
    if (depthwise_) {
      const Tensor cheap = (*depthwise_)(context, y);
      y = concat(context, {y, cheap}, -1);
    }
    return (*norm_)(context, y);
  }

 private:
  Convolution convolution_;
  std::optional<Convolution> depthwise_;
  std::optional<BatchNorm> norm_;
};

class Block {
 public:
  Block(const Builder& builder, const std::string& short_name, int64_t in, int64_t height,
        int64_t width, const HalfUNetSettings& settings)
      : name_(builder.path()) {
    // With a position embedding PyTorch's Sequential numbers the layers instead of naming them.
    const bool numbered = settings.absolute_pos_embed;
    if (numbered)
      position_ =
          &builder.child("0").parameter("pos_embedding", {1, in, height, width}, {0, 2, 3, 1},
                                        {0, 1 / std::sqrt(static_cast<double>(in))});
    for (int stage = 0; stage < 2; ++stage) {
      const std::string digit = std::to_string(stage + 1);
      const int first = settings.use_ghost ? stage + 1 : 3 * stage + 1;
      const Builder convolution = builder.child(numbered             ? std::to_string(first)
                                                : settings.use_ghost ? short_name + "ghost" + digit
                                                                     : short_name + "conv" + digit);
      const Builder norm =
          builder.child(numbered ? std::to_string(first + 1) : short_name + "norm" + digit);
      stages_[static_cast<size_t>(stage)].emplace(convolution, norm,
                                                  stage ? settings.num_filters : in, settings);
    }
  }

  Tensor operator()(Context& context, Tensor x) const {
    Scope scope(context, name_);
    if (position_)
      x = add(context, x,
              broadcast(context, cast(context, use(context, *position_), x.type()), x.shape()));
    for (const auto& stage : stages_) x = (*stage)(context, x);
    return scope.result(std::move(x));
  }

 private:
  std::string name_;
  const Parameter* position_ = nullptr;
  std::array<std::optional<Stage>, 2> stages_;
};

Activation last_activation(const std::string& name) {
  try {
    return activation_from_name(name);
  } catch (const Error& error) {
    throw Error(error.kind(), "halfunet: 'model.settings.last_activation': ", error.what());
  }
}

class HalfUNet : public Model {
 public:
  HalfUNet(const Builder& builder, const Shape& x, int64_t outputs,
           const HalfUNetSettings& settings)
      : last_activation_(last_activation(settings.last_activation)) {
    for (int64_t level = 0; level < scales; ++level) {
      const std::string digit = std::to_string(level + 1);
      encoders_[static_cast<size_t>(level)].emplace(builder.child("encoder" + digit), "enc" + digit,
                                                    level ? settings.num_filters : x[2],
                                                    x[0] >> level, x[1] >> level, settings);
    }
    decoder_.emplace(builder.child("decoder"), "decoder", settings.num_filters, x[0], x[1],
                     settings);
    head_.emplace(
        builder.child("outconv"),
        ConvSettings{
            .in = settings.num_filters, .out = outputs, .kernel = 1, .bias = settings.bias});
  }

  TensorMap forward(Context& context, const TensorMap& inputs) const override {
    const Tensor& x = inputs.at("x");
    std::array<Tensor, scales> maps;
    for (size_t level = 0; level < scales; ++level)
      maps[level] = (*encoders_[level])(
          context, level ? max_pool(context, maps[level - 1], {.window = {2, 2}}) : x);
    Tensor sum = std::move(maps[0]);
    const Shape size{x.size(1), x.size(2)};
    for (size_t level = 1; level < scales; ++level)
      sum = upsample(context, maps[level], size, {.align_corners = true}, std::move(sum));
    Tensor y = (*decoder_)(context, std::move(sum));
    Scope scope(context, "outconv");
    y = activation(context, (*head_)(context, y), last_activation_);
    return {{"y", scope.result(std::move(y))}};
  }

 private:
  Activation last_activation_;
  std::array<std::optional<Block>, scales> encoders_;
  std::optional<Block> decoder_;
  std::optional<Convolution> head_;
};

std::unique_ptr<Model> make_half_unet(const Builder& builder, const Ports& ports,
                                      const Json& json) {
  const auto settings = read_settings<HalfUNetSettings>(json);
  if (settings.use_ghost && settings.num_filters % 2)
    throw Error(ErrorKind::configuration,
                "halfunet: 'model.settings.num_filters' must be even for ghost modules, not ",
                settings.num_filters);
  const auto [x, y] = field_to_field(ports, "halfunet", 2);
  return std::make_unique<HalfUNet>(builder, x, y.back(), settings);
}

}  // namespace

ModelKind half_unet() {
  return {.name = "halfunet",
          .settings = &table_of<HalfUNetSettings>(),
          .make = make_half_unet,
          .multiples = [](const Json&) { return std::vector<int64_t>{coarsest}; }};
}

}  // namespace py4cast
