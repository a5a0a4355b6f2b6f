// HalfUNet: a U-Net whose decoder is one sum.
#pragma once

#include "models/model.h"

namespace py4cast {

struct HalfUNetSettings : PaddedSettings {
  PY4CAST_SETTING(int64_t, num_filters, 64, "Features of every level.", .minimum = 1);
  PY4CAST_SETTING(int64_t, dilation, 1, "Distance of the points of a convolution.", .minimum = 1);
  PY4CAST_SETTING(bool, bias, false, "Convolutions have a bias.");
  PY4CAST_SETTING(bool, use_ghost, false, "Blocks of ghost modules, with half the products.");
  PY4CAST_SETTING(std::string, last_activation, "Identity", "A torch.nn activation.");
  PY4CAST_SETTING(bool, absolute_pos_embed, false,
                  "Every block adds a trained field to what it is given.");
};

//   encoder_k = block(max_pool(encoder_k-1)), k = 1...5, sizes 1, 1/2, 1/4, 1/8, 1/16
//   sum = encoder_1 + up2(encoder_2) + up4(encoder_3) + up8(encoder_4) + up16(encoder_5)
//   y = activation(conv1x1(block(sum)))
//
// block: twice conv3x3 - batch norm - ReLU, or twice a ghost module:
//   a = conv3x3 to f/2 features, b = depthwise conv3x3 of a, then batch norm and ReLU of [a, b].
// up: bilinear, align_corners. Height and width are multiples of 16. Source: Lu, She, Tie, Xu,
// "Half-UNet: a simplified U-Net architecture for medical image segmentation", Frontiers in
// Neuroinformatics 2022; parameters named and ordered as in mfai 9.0.1.
ModelKind half_unet();

}  // namespace py4cast
