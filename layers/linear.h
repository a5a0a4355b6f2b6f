// The product with a weight matrix along the last axis, alone and in a row.
#pragma once

#include <optional>
#include <vector>

#include "kernels/products/mlp.h"
#include "layers/layer_norm.h"
#include "layers/module.h"

namespace py4cast {

// y[.., o] = sum_i x[.., i] weight[i, o] + bias[o]: x [..., in] -> [..., out]. Weight in files
// [out, in], here [in, out]. Weight and bias start uniform in +-1/sqrt(in), as PyTorch's Linear.
class Linear {
 public:
  Linear(const Builder& builder, int64_t in, int64_t out, bool bias = true);
  Tensor operator()(Context& context, const Tensor& x) const;
  // The rows of the weight for the first counts[0] features, for the next counts[1], ...: the products
  // with them and the bias add up to y.
  std::vector<Tensor> rows(Context& context, const std::vector<int64_t>& counts) const;
  Tensor weight(Context& context) const { return use(context, *weight_); }
  Tensor bias(Context& context) const { return bias_ ? use(context, *bias_) : Tensor(); }

 private:
  const Parameter* weight_;
  const Parameter* bias_ = nullptr;
};

// Linear layers from each of the widths to the next, SiLU after all but the last, and a layer norm
// in the end if `norm` is set: x [..., widths.front()] -> [..., widths.back()]. Names are those of
// PyTorch's Sequential, which counts the activations, too: "0.weight", "0.bias", "2.weight", ...
// recompute: what lies between is not kept for the backward pass but computed again in it.
class Mlp {
 public:
  Mlp(const Builder& builder, const std::vector<int64_t>& widths, bool norm = true,
      bool recompute = false);
  Tensor operator()(Context& context, Tensor x) const;
  // In two steps: what follows the result of the first layer.
  const Linear& first() const { return layers_[0]; }
  Tensor rest(Context& context, Tensor x) const;
  size_t layers() const { return layers_.size(); }
  // Of the last layer and the norm, without the layer before.
  MlpWeights last(Context& context) const;

 private:
  Tensor from_layer(size_t layer, Context& context, Tensor x) const;

  bool recompute_;
  std::vector<Linear> layers_;
  std::optional<LayerNorm> norm_;
};

}  // namespace py4cast
