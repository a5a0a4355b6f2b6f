#pragma once

#include "kernels/view.h"

namespace py4cast {

// result = sum of squares; partial [chunk_count(x.size)].
template <CpuLevel level, typename T>
void sum_of_squares_kernel(Cpu<level>, View<const T> x, View<double> partial, double& result);
template <typename T>
void sum_of_squares_kernel(Cuda, View<const T> x, View<double> partial, double& result);

}  // namespace py4cast
