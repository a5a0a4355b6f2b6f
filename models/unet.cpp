#include "models/unet.h"

#include <optional>
#include <string>
#include <vector>

#include "kernels/ops/max_pool.h"
#include "kernels/ops/views.h"
#include "layers/normalised_convolution.h"

namespace py4cast {
namespace {

constexpr int depth = 4;  // above the bottleneck

class DoubleConvolution {
 public:
  DoubleConvolution(const Builder& builder, const std::string& short_name, int64_t in, int64_t out)
      : name_(builder.path()) {
    for (const char* stage : {"1", "2"}) {
      stages_.emplace_back(builder.child(short_name + "conv" + stage),
                           builder.child(short_name + "norm" + stage),
                           ConvSettings{.in = in, .out = out, .bias = false});
      in = out;
    }
  }
  Tensor operator()(Context& context, Tensor x) const {
    Scope scope(context, name_);
    for (const NormalisedConvolution& stage : stages_) x = stage(context, x);
    return scope.result(std::move(x));
  }

 private:
  std::string name_;
  std::vector<NormalisedConvolution> stages_;
};

// From the coarser level, and the encoder's output of this one.
class Decoder {
 public:
  Decoder(const Builder& builder, const std::string& digit, int64_t features)
      : name_(builder.child("upconv" + digit).path()),
        up_(builder.child("upconv" + digit), 2 * features, features),
        block_(builder.child("decoder" + digit), "dec" + digit, 2 * features, features) {}
  Tensor operator()(Context& context, const Tensor& coarse, const Tensor& skipped) const {
    return block_(context, concat(context, {up(context, coarse), skipped}, -1));
  }

 private:
  Tensor up(Context& context, const Tensor& coarse) const {
    Scope scope(context, name_);
    return scope.result(up_(context, coarse));
  }
  std::string name_;
  TransposedConvolution up_;
  DoubleConvolution block_;
};

class UNet : public Model {
 public:
  UNet(const Builder& builder, int64_t inputs, int64_t outputs, int64_t features) {
    for (int level = 0; level < depth; ++level) {
      const std::string digit = std::to_string(level + 1);
      encoders_.emplace_back(builder.child("encoder" + digit), "enc" + digit, inputs,
                             features << level);
      inputs = features << level;
    }
    encoders_.emplace_back(builder.child("bottleneck"), "bottleneck", inputs, 2 * inputs);
    for (int level = depth; level-- > 0;)
      decoders_.emplace_back(builder, std::to_string(level + 1), features << level);
    head_.emplace(builder.child("conv"), ConvSettings{.in = features, .out = outputs, .kernel = 1});
  }

  TensorMap forward(Context& context, const TensorMap& inputs) const override {
    std::vector<Tensor> maps;
    for (const DoubleConvolution& encoder : encoders_)
      maps.push_back(encoder(context, maps.empty()
                                          ? inputs.at("x")
                                          : max_pool(context, maps.back(), {.window = {2, 2}})));
    Tensor y = std::move(maps.back());
    for (const Decoder& decoder : decoders_) {
      maps.pop_back();
      y = decoder(context, y, maps.back());
    }
    Scope scope(context, "conv");
    return {{"y", scope.result((*head_)(context, y))}};
  }

 private:
  std::vector<DoubleConvolution> encoders_;  // the last one is the bottleneck
  std::vector<Decoder> decoders_;
  std::optional<Convolution> head_;
};

std::unique_ptr<Model> make_unet(const Builder& builder, const Ports& ports, const Json& json) {
  const auto [x, y] = field_to_field(ports, "unet", 2);
  return std::make_unique<UNet>(builder, x.back(), y.back(),
                                read_settings<UNetSettings>(json).init_features);
}

}  // namespace

ModelKind unet() {
  return {.name = "unet",
          .settings = &table_of<UNetSettings>(),
          .make = make_unet,
          .multiples = [](const Json&) { return std::vector<int64_t>{1 << depth}; }};
}

}  // namespace py4cast
