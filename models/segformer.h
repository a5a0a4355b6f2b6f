// SegFormer: a hierarchical vision transformer with a decoder back to the size of the input.
#pragma once

#include "models/model.h"

namespace py4cast {

// Of the four stages from fine to coarse; one number stands for all four.
struct SegformerSettings : PaddedSettings {
  PY4CAST_SETTING(Integers, dims, (Integers{32, 64, 160, 256}), "Features of each stage.",
                  .minimum = 1, .lengths = {1, 4});
  PY4CAST_SETTING(Integers, heads, (Integers{1, 2, 5, 8}),
                  "Heads of the attention of each stage; they divide its features.", .minimum = 1,
                  .lengths = {1, 4});
  PY4CAST_SETTING(Integers, ff_expansion, (Integers{8, 8, 4, 4}),
                  "Hidden features of the feed-forward layers, in multiples of the stage's.",
                  .minimum = 1, .lengths = {1, 4});
  PY4CAST_SETTING(Integers, reduction_ratio, (Integers{8, 4, 2, 1}),
                  "Points along each axis that keys and values put together.", .minimum = 1,
                  .lengths = {1, 4});
  PY4CAST_SETTING(Integers, kernel_and_stride, {},
                  "The same as reduction_ratio, which it overrules; [] leaves it.", .minimum = 1,
                  .lengths = {0, 1, 4});
  PY4CAST_SETTING(Integers, num_layers, (Integers{2}), "Transformer layers of each stage.",
                  .minimum = 1, .lengths = {1, 4});
  PY4CAST_SETTING(int64_t, decoder_dim, 256, "Features of each stage in the decoder.",
                  .minimum = 4);
  PY4CAST_SETTING(int64_t, num_downsampling_chans, 32, "Features that the stages are given.",
                  .minimum = 1);
};

//   x0 = twice conv3x3 - batch norm - ReLU of max_pool(x): half the size
//   stage s = 1...4: patches of 7 x 7 points every 4 (s = 1), of 3 x 3 every 2 (else), a linear map
//     to dims features, then layers: x += attention(norm(x)); x += feed_forward(norm(x))
//   fused = [up(conv1x1(stage 1)), ..., up(conv1x1(stage 4))], at 1/8 of the size
//   y = conv3x3 of three times up2(conv3x3 - batch norm - ReLU), from 4 to 1, 1/2, 1/4 decoder_dim
//
// attention: queries of all points, keys and values of blocks of reduction_ratio points a side, no
// bias. feed_forward: conv1x1 - depthwise conv3x3 - conv1x1 - GELU - conv1x1. norm: of each point,
// epsilon outside of the root. up: nearest; up2: bilinear, align_corners. Height and width are
// multiples of 64. Source: Xie et al., "SegFormer: simple and efficient design for semantic
// segmentation with transformers", 2021; parameters named and ordered as in mfai 9.0.1.
ModelKind segformer();

}  // namespace py4cast
