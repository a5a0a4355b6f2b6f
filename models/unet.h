// UNet: an encoder and a decoder of five sizes, joined at each.
#pragma once

#include "models/model.h"

namespace py4cast {

struct UNetSettings : PaddedSettings {
  PY4CAST_SETTING(int64_t, init_features, 64,
                  "Features of the first level; each further one has twice as many.", .minimum = 1);
};

//   encoder_1 = block(x), encoder_k = block(max_pool(encoder_k-1)), k = 2...4, f 2^(k-1) features
//   bottleneck = block(max_pool(encoder_4)), 16 f features
//   decoder_4 = block([up(bottleneck), encoder_4]), decoder_k = block([up(decoder_k+1), encoder_k])
//   y = conv1x1(decoder_1)
//
// block: twice conv3x3 without bias - batch norm - ReLU. up: transposed convolution 2 x 2 of stride
// 2 with bias, to half of the features. Height and width are multiples of 16. Source: Ronneberger,
// Fischer, Brox, "U-Net: convolutional networks for biomedical image segmentation", 2015;
// parameters named and ordered as in mfai 9.0.1.
ModelKind unet();

}  // namespace py4cast
