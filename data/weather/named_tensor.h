// A tensor whose dimensions and features have names: labels that travel from file to picture.
#pragma once

#include <iosfwd>
#include <string>
#include <utility>
#include <vector>

#include "engine/tensor.h"

namespace py4cast {

// Host memory; any numeric type. The dimensions "lat", "lon" and "ngrid" are spatial. One dimension
// is that of the features; it is the last one unless another is named. All errors are Error(shape).
class NamedTensor {
 public:
  NamedTensor() = default;
  // Error: as many names as the rank of the tensor, as many feature names as features are needed;
  // names must not repeat.
  NamedTensor(Tensor tensor, std::vector<std::string> names, std::vector<std::string> feature_names,
              const std::string& feature_dim_name = {});

  bool defined() const { return tensor_.defined(); }
  const Tensor& tensor() const { return tensor_; }
  const std::vector<std::string>& names() const { return names_; }
  const std::vector<std::string>& feature_names() const { return feature_names_; }
  const std::string& feature_dim_name() const { return names_[static_cast<size_t>(feature_dim_)]; }
  int feature_dim() const { return feature_dim_; }
  int ndims() const { return tensor_.rank(); }
  Device device() const { return tensor_.device(); }
  int num_spatial_dims() const { return static_cast<int>(spatial_dim_idx().size()); }
  std::vector<int> spatial_dim_idx() const;          // rising
  int dim_index(const std::string& name) const;      // Error: no such dimension
  int64_t dim_size(const std::string& name) const;   // Error: no such dimension
  int feature_index(const std::string& name) const;  // Error: no such feature, with the nearest

  // One feature; its dimension stays, with size 1. A view if the tensor is contiguous along it.
  Tensor operator[](const std::string& feature) const;

  // Features of both, in new memory. An undefined operand gives the other one back.
  // Error: common features; other dimension names or sizes.
  friend NamedTensor operator|(const NamedTensor& a, const NamedTensor& b);
  static NamedTensor concat(const std::vector<NamedTensor>& parts);  // Error: also an empty list
  // A new dimension. Error: empty list; other names, features or sizes.
  static NamedTensor stack(const std::vector<NamedTensor>& parts, const std::string& dim_name,
                           int position = 0);
  // A "batch" dimension in front; `pad_dims` are first filled up with `pad_value` to the largest
  // size.
  static NamedTensor collate(const std::vector<NamedTensor>& parts,
                             const std::vector<std::string>& pad_dims = {}, double pad_value = 0);
  static NamedTensor new_like(Tensor tensor, const NamedTensor& other);
  // The same names with "batch" in front. Error: the rank is not other's plus one.
  static NamedTensor expand_to_batch_like(Tensor tensor, const NamedTensor& other);

  NamedTensor clone() const;
  // Without the dimension. Error: the dimension of the features.
  NamedTensor select_dim(const std::string& dim, int64_t index) const;
  Tensor select_tensor_dim(const std::string& dim, int64_t index) const;
  // Some indices of a dimension, also features, in the given order; new memory.
  NamedTensor index_select_dim(const std::string& dim, const std::vector<int64_t>& indices) const;
  Tensor index_select_tensor_dim(const std::string& dim, const std::vector<int64_t>& indices) const;
  // All slices of a dimension, in order. Error: the dimension of the features.
  std::vector<NamedTensor> iter_dim(const std::string& dim) const;

  // In place (of this object; other holders of the memory see nothing).
  NamedTensor& type(DataType type);
  NamedTensor& flatten(const std::string& name = "ngrid", int start = 0, int end = -1);
  NamedTensor& unflatten(const std::string& dim, const std::vector<int64_t>& sizes,
                         const std::vector<std::string>& names);
  // Inserts the spatial dimensions that `other` has and this lacks, at other's positions, expanded
  // to other's sizes.
  NamedTensor& unsqueeze_and_expand_from(const NamedTensor& other);
  NamedTensor& squeeze(const std::string& dim);  // Error: its size is not 1
  NamedTensor& unsqueeze(const std::string& dim, int position);
  // "batch lat lon features -> batch features lat lon". Error: not a mere re-ordering of all names.
  NamedTensor& rearrange(const std::string& order);

  // Smallest and largest value, NaN left out.
  std::pair<double, double> feature_range(const std::string& feature) const;
  // Names, shape, and a table of smallest and largest value by feature.
  std::string to_string() const;

 private:
  std::string describe() const;  // for messages

  Tensor tensor_;
  std::vector<std::string> names_, feature_names_;
  int feature_dim_ = 0;
};

std::ostream& operator<<(std::ostream& stream, const NamedTensor& tensor);

// A contiguous copy of a host tensor of any strides.
Tensor contiguous_copy(const Tensor& tensor);

}  // namespace py4cast
