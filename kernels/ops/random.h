// Random numbers that a step draws while it runs: noise, dropout.
#pragma once

#include "engine/tape.h"

namespace py4cast {

// y[i] = low + (high - low) context.random.child(stream).child(counter).uniform(i)
//
// counter: the value of context.random_counter in the device's memory when the kernel runs, 0 if it
// is undefined; so a captured step draws other numbers at each replay if the counter was written
// before it. `stream` tells the draws of one step apart. The result is f32, f64 or bf16; it is made
// in f64 and rounded. The uniform number has as many binary digits as the type (24, 53, 8), so that
// it stays below 1. The same bits on every device and with any number of threads; `checkpoint` draws
// them again in the backward pass. A constant to the tape. Error(internal): low is not below high;
// the stream is being captured without a counter, when every replay would draw the same; the counter
// is not i64 [1] on the device.
Tensor uniform(Context& context, const Shape& shape, DataType type, uint64_t stream, double low = 0,
               double high = 1);

}  // namespace py4cast
