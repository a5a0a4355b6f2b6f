#include "models/segformer.h"

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "kernels/ops/activation.h"
#include "kernels/ops/arithmetic.h"
#include "kernels/ops/max_pool.h"
#include "kernels/ops/upsample.h"
#include "kernels/ops/views.h"
#include "kernels/products/attention.h"
#include "kernels/products/convolution.h"
#include "layers/layer_norm.h"
#include "layers/normalised_convolution.h"

namespace py4cast {
namespace {

constexpr size_t stages = 4;

struct StageSettings {
  int64_t in = 0, features = 0, heads = 0, expansion = 0, reduction = 0, layers = 0;
  int64_t kernel = 3, stride = 2;  // of the patches
};

// The linear map of overlapping patches, a convolution with stride whose weight is a matrix in
// files: [features, in kernel kernel, 1, 1].
class Patches {
 public:
  Patches(const Builder& builder, const StageSettings& settings) : settings_(settings) {
    const int64_t values = settings.in * settings.kernel * settings.kernel;
    const Initialisation initialisation{0, 1 / std::sqrt(static_cast<double>(values))};
    weight_ = &builder.parameter("weight", {settings.features, values, 1, 1}, {1, 0, 2, 3},
                                 initialisation);
    bias_ = &builder.parameter("bias", {settings.features}, {}, initialisation);
  }
  Tensor operator()(Context& context, const Tensor& x) const {
    const int64_t kernel = settings_.kernel, stride = settings_.stride, padding = kernel / 2;
    const Tensor weight = transpose(context,
                                    reshape(context, use(context, *weight_),
                                            {settings_.in, kernel, kernel, settings_.features}),
                                    {1, 2, 0, 3});
    return convolution(context, x, weight, use(context, *bias_),
                       {.stride = {stride, stride}, .padding = {padding, padding}});
  }

 private:
  StageSettings settings_;
  const Parameter *weight_, *bias_;
};

class Attention {
 public:
  Attention(const Builder& builder, const StageSettings& settings)
      : heads_(settings.heads),
        scale_(std::sqrt(static_cast<double>(settings.heads) /
                         static_cast<double>(settings.features))),
        query_(builder.child("to_q"), pointwise(settings)),
        key_value_(builder.child("to_kv"), {.in = settings.features,
                                            .out = 2 * settings.features,
                                            .kernel = settings.reduction,
                                            .stride = settings.reduction,
                                            .padding = 0,
                                            .bias = false}),
        out_(builder.child("to_out"), pointwise(settings)) {}

  Tensor operator()(Context& context, const Tensor& x) const {
    const int64_t features = x.size(3);
    const Tensor query = tokens(context, query_(context, x)),
                 both = tokens(context, key_value_(context, x));
    const Tensor y = attention(context, query, narrow(context, both, -1, 0, features),
                               narrow(context, both, -1, features, features), heads_, scale_);
    return out_(context, reshape(context, y, x.shape()));
  }

 private:
  static Tensor tokens(Context& context, const Tensor& map) {
    return reshape(context, map, {map.size(0), map.size(1) * map.size(2), map.size(3)});
  }
  static ConvSettings pointwise(const StageSettings& settings) {
    return {.in = settings.features, .out = settings.features, .kernel = 1, .bias = false};
  }
  int64_t heads_;
  double scale_;
  Convolution query_, key_value_, out_;
};

class FeedForward {
 public:
  FeedForward(const Builder& builder, const StageSettings& settings)
      : expand_(builder.child("0"),
                {.in = settings.features, .out = hidden(settings), .kernel = 1}),
        depthwise_(builder.child("1.net.0"),
                   {.in = hidden(settings), .out = hidden(settings), .groups = hidden(settings)}),
        pointwise_(builder.child("1.net.1"),
                   {.in = hidden(settings), .out = hidden(settings), .kernel = 1}),
        project_(builder.child("3"),
                 {.in = hidden(settings), .out = settings.features, .kernel = 1}) {}

  Tensor operator()(Context& context, const Tensor& x) const {
    Tensor y = pointwise_(context, depthwise_(context, expand_(context, x)));
    return project_(context, activation(context, std::move(y), Activation::gelu));
  }

 private:
  static int64_t hidden(const StageSettings& settings) {
    return settings.features * settings.expansion;
  }
  Convolution expand_, depthwise_, pointwise_, project_;
};

// x + attention(norm(x)), then the same of the feed-forward layers. In files the norm of a part
// follows it.
class Layer {
 public:
  Layer(const Builder& builder, const StageSettings& settings)
      : name_(builder.path()),
        attention_(builder.child("0.fn"), settings),
        attention_norm_(builder.child("0.norm"), settings.features),
        feed_forward_(builder.child("1.fn.net"), settings),
        feed_forward_norm_(builder.child("1.norm"), settings.features) {}

  Tensor operator()(Context& context, Tensor x) const {
    Scope scope(context, name_);
    x = add(context, attention_(context, attention_norm_(context, x)), x);
    return scope.result(add(context, feed_forward_(context, feed_forward_norm_(context, x)), x));
  }

 private:
  std::string name_;
  Attention attention_;
  PixelNorm attention_norm_;
  FeedForward feed_forward_;
  PixelNorm feed_forward_norm_;
};

class SegFormerStage {
 public:
  SegFormerStage(const Builder& builder, const StageSettings& settings)
      : patches_(builder.child("1"), settings) {
    for (int64_t layer = 0; layer < settings.layers; ++layer)
      layers_.emplace_back(builder.child("2." + std::to_string(layer)), settings);
  }
  Tensor operator()(Context& context, const Tensor& x) const {
    Tensor y = patches_(context, x);
    for (const Layer& layer : layers_) y = layer(context, std::move(y));
    return y;
  }

 private:
  Patches patches_;
  std::vector<Layer> layers_;
};

std::array<StageSettings, stages> stage_settings(const SegformerSettings& settings) {
  const auto of_stage = [](const Integers& values, size_t stage) {
    return values[values.size() == 1 ? 0 : stage];
  };
  const Integers& reduction =
      settings.kernel_and_stride.empty() ? settings.reduction_ratio : settings.kernel_and_stride;
  std::array<StageSettings, stages> result;
  for (size_t stage = 0; stage < stages; ++stage) {
    result[stage] = {.in = stage ? result[stage - 1].features : settings.num_downsampling_chans,
                     .features = of_stage(settings.dims, stage),
                     .heads = of_stage(settings.heads, stage),
                     .expansion = of_stage(settings.ff_expansion, stage),
                     .reduction = of_stage(reduction, stage),
                     .layers = of_stage(settings.num_layers, stage)};
    if (result[stage].features % result[stage].heads)
      throw Error(ErrorKind::configuration, "segformer: 'model.settings.heads' has ",
                  result[stage].heads, " in stage ", stage + 1, ", which do not divide the ",
                  result[stage].features, " features of 'model.settings.dims'");
  }
  result[0].kernel = 7;
  result[0].stride = 4;
  return result;
}

class Segformer : public Model {
 public:
  Segformer(const Builder& builder, int64_t inputs, int64_t outputs,
            const SegformerSettings& settings) {
    const Builder down = builder.child("downsampler"), up = builder.child("upsampler");
    const int64_t channels = settings.num_downsampling_chans;
    down_.emplace_back(down.child("1"), down.child("2"),
                       ConvSettings{.in = inputs, .out = channels});
    down_.emplace_back(down.child("4"), down.child("5"),
                       ConvSettings{.in = channels, .out = channels});
    const auto of_stages = stage_settings(settings);
    for (size_t stage = 0; stage < stages; ++stage)
      stages_.emplace_back(builder.child("mit.stages." + std::to_string(stage)), of_stages[stage]);
    for (size_t stage = 0; stage < stages; ++stage)
      fused_.emplace_back(
          builder.child("to_fused." + std::to_string(stage) + ".0"),
          ConvSettings{.in = of_stages[stage].features, .out = settings.decoder_dim, .kernel = 1});
    int64_t in = settings.decoder_dim * static_cast<int64_t>(stages), out = settings.decoder_dim;
    for (int step = 0; step < 3; ++step) {
      up_.emplace_back(up.child(std::to_string(4 * step)), up.child(std::to_string(4 * step + 1)),
                       ConvSettings{.in = in, .out = out});
      in = out;
      out = settings.decoder_dim >> (step + 1);
    }
    head_.emplace(up.child("12"), ConvSettings{.in = in, .out = outputs});
  }

  TensorMap forward(Context& context, const TensorMap& inputs) const override {
    Tensor x = max_pool(context, inputs.at("x"), {.window = {2, 2}});
    for (const auto& convolution : down_) x = convolution(context, x);
    std::vector<Tensor> maps;
    for (size_t stage = 0; stage < stages; ++stage) {
      x = stages_[stage](context, x);
      const Tensor map = fused_[stage](context, x);
      maps.push_back(stage ? upsample(context, map, {maps[0].size(1), maps[0].size(2)},
                                      {.interpolation = Interpolation::nearest})
                           : map);
    }
    Scope scope(context, "upsampler");
    Tensor y = concat(context, maps, -1);
    maps.clear();
    for (const auto& convolution : up_) {
      y = convolution(context, y);
      y = upsample(context, y, {2 * y.size(1), 2 * y.size(2)}, {.align_corners = true});
    }
    return {{"y", scope.result((*head_)(context, y))}};
  }

 private:
  std::vector<NormalisedConvolution> down_, up_;
  std::vector<SegFormerStage> stages_;
  std::vector<Convolution> fused_;
  std::optional<Convolution> head_;
};

std::unique_ptr<Model> make_segformer(const Builder& builder, const Ports& ports,
                                      const Json& json) {
  const auto [x, y] = field_to_field(ports, "segformer", 2);
  return std::make_unique<Segformer>(builder, x.back(), y.back(),
                                     read_settings<SegformerSettings>(json));
}

}  // namespace

ModelKind segformer() {
  return {.name = "segformer",
          .settings = &table_of<SegformerSettings>(),
          .make = make_segformer,
          .multiples = [](const Json&) { return std::vector<int64_t>{64}; }};
}

}  // namespace py4cast
