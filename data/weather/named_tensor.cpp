#include "data/weather/named_tensor.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <ostream>
#include <sstream>
#include <unordered_set>

#include "data/weather/table.h"
#include "engine/error.h"
#include "engine/parameters.h"

namespace py4cast {
namespace {

bool spatial(const std::string& name) {
  return name == "lat" || name == "lon" || name == "ngrid";
}

std::string joined(const std::vector<std::string>& names) {
  std::string text = "[";
  for (const std::string& name : names) text += (text.size() > 1 ? ", " : "") + name;
  return text + "]";
}

template <typename... Parts>
Error named_error(const Parts&... parts) {
  return Error(ErrorKind::shape, "NamedTensor: ", parts...);
}

// Empty if the names are unique, else the first that comes twice.
std::string repeated(const std::vector<std::string>& names) {
  std::unordered_set<std::string> seen;
  for (const std::string& name : names)
    if (!seen.insert(name).second) return name;
  return {};
}

// Runs over all elements of the shape in row-major order: f(offset in a, offset in b).
template <typename Function>
void for_each_pair(const Shape& shape, const Shape& a, const Shape& b, const Function& f,
                   int axis = 0, int64_t i = 0, int64_t j = 0) {
  if (axis == shape.rank()) return f(i, j);
  for (int64_t k = 0; k < shape[axis]; ++k)
    for_each_pair(shape, a, b, f, axis + 1, i + k * a[axis], j + k * b[axis]);
}

// Copies elements between views of the same shape and type.
void copy_strided(const Tensor& from, const Tensor& to) {
  const auto bytes = static_cast<int64_t>(size_of(from.type()));
  if (from.contiguous() && to.contiguous()) {
    std::memcpy(to.raw(), from.raw(), from.bytes());
    return;
  }
  // The last axis in one piece where both are dense along it.
  Shape outer = from.shape();
  int64_t run = 1;
  if (from.rank() > 0 && from.strides().back() == 1 && to.strides().back() == 1) {
    run = outer.back();
    outer[-1] = 1;
  }
  if (run == 0) return;
  for_each_pair(outer, from.strides(), to.strides(), [&](int64_t i, int64_t j) {
    std::memcpy(to.raw() + j * bytes, from.raw() + i * bytes, static_cast<size_t>(run * bytes));
  });
}

// The part [begin, begin + size) of an axis.
Tensor narrowed(const Tensor& tensor, int axis, int64_t begin, int64_t size) {
  return tensor.viewed(tensor.shape().with(axis, size), tensor.strides(),
                       begin * tensor.strides()[axis]);
}

Tensor filled(const Shape& shape, DataType type, double value) {
  const Tensor wide = host_tensor(shape, DataType::f64);
  std::ranges::fill(wide.span<double>(), value);
  return converted(wide, type);
}

int resolved(int index, int rank, const char* what) {
  const int position = index < 0 ? index + rank : index;
  if (position < 0 || position >= rank)
    throw named_error(what, " ", index, " is out of range for ", rank, " dimensions");
  return position;
}

std::vector<std::string> words(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> result;
  for (std::string word; stream >> word;) result.push_back(word);
  return result;
}

}  // namespace

Tensor contiguous_copy(const Tensor& tensor) {
  Tensor result = host_tensor(tensor.shape(), tensor.type());
  copy_strided(tensor, result);
  return result;
}

NamedTensor::NamedTensor(Tensor tensor, std::vector<std::string> names,
                         std::vector<std::string> feature_names,
                         const std::string& feature_dim_name)
    : tensor_(std::move(tensor)),
      names_(std::move(names)),
      feature_names_(std::move(feature_names)) {
  if (!tensor_.defined() || tensor_.device().kind != DeviceKind::cpu)
    throw named_error("needs a tensor in host memory");
  if (names_.empty() || static_cast<size_t>(tensor_.rank()) != names_.size())
    throw named_error("the tensor of shape ", tensor_.shape(), " has ", tensor_.rank(),
                      " dimensions but there are ", names_.size(), " names: ", joined(names_));
  if (const std::string twice = repeated(names_); !twice.empty())
    throw named_error("two dimensions have the name '", twice, "': ", joined(names_));
  feature_dim_ = feature_dim_name.empty() ? ndims() - 1 : dim_index(feature_dim_name);
  if (static_cast<size_t>(tensor_.size(feature_dim_)) != feature_names_.size())
    throw named_error("dimension '", this->feature_dim_name(), "' has size ",
                      tensor_.size(feature_dim_), " but there are ", feature_names_.size(),
                      " feature names");
  if (const std::string twice = repeated(feature_names_); !twice.empty())
    throw named_error("two features have the name '", twice, "'");
}

std::string NamedTensor::describe() const {
  std::ostringstream stream;
  stream << joined(names_) << " of shape " << tensor_.shape();
  return stream.str();
}

std::vector<int> NamedTensor::spatial_dim_idx() const {
  std::vector<int> result;
  for (int i = 0; i < ndims(); ++i)
    if (spatial(names_[static_cast<size_t>(i)])) result.push_back(i);
  return result;
}

int NamedTensor::dim_index(const std::string& name) const {
  const auto found = std::ranges::find(names_, name);
  if (found == names_.end())
    throw named_error("no dimension is called '", name, "' in ", describe());
  return static_cast<int>(found - names_.begin());
}

int64_t NamedTensor::dim_size(const std::string& name) const {
  return tensor_.size(dim_index(name));
}

int NamedTensor::feature_index(const std::string& name) const {
  const auto found = std::ranges::find(feature_names_, name);
  if (found == feature_names_.end())
    throw named_error("no feature is called '", name, "'; the nearest of ", feature_names_.size(),
                      " is '", nearest_name(name, feature_names_), "'");
  return static_cast<int>(found - feature_names_.begin());
}

Tensor NamedTensor::operator[](const std::string& feature) const {
  return narrowed(tensor_, feature_dim_, feature_index(feature), 1);
}

NamedTensor operator|(const NamedTensor& a, const NamedTensor& b) {
  if (!a.defined()) return b;
  if (!b.defined()) return a;
  return NamedTensor::concat({a, b});
}

NamedTensor NamedTensor::concat(const std::vector<NamedTensor>& parts) {
  if (parts.empty()) throw named_error("concat needs at least one tensor");
  const NamedTensor& first = parts.front();
  std::vector<std::string> features;
  for (const NamedTensor& part : parts) {
    if (part.names_ != first.names_ || part.feature_dim_ != first.feature_dim_)
      throw named_error("concat of other dimensions: ", joined(first.names_), " and ",
                        joined(part.names_));
    const int axis = first.feature_dim_;
    if (part.tensor_.shape().without(axis) != first.tensor_.shape().without(axis) ||
        part.tensor_.type() != first.tensor_.type())
      throw named_error("concat of other sizes or types: ", first.describe(), " of ",
                        name_of(first.tensor_.type()), " and ", part.describe(), " of ",
                        name_of(part.tensor_.type()));
    features.insert(features.end(), part.feature_names_.begin(), part.feature_names_.end());
  }
  if (const std::string twice = repeated(features); !twice.empty())
    throw named_error("concat: feature '", twice, "' comes twice");
  const Shape shape =
      first.tensor_.shape().with(first.feature_dim_, static_cast<int64_t>(features.size()));
  const Tensor result = host_tensor(shape, first.tensor_.type());
  int64_t begin = 0;
  for (const NamedTensor& part : parts) {
    const int64_t size = part.tensor_.size(first.feature_dim_);
    copy_strided(part.tensor_, narrowed(result, first.feature_dim_, begin, size));
    begin += size;
  }
  return NamedTensor(result, first.names_, features, first.feature_dim_name());
}

NamedTensor NamedTensor::stack(const std::vector<NamedTensor>& parts, const std::string& dim_name,
                               int position) {
  if (parts.empty()) throw named_error("stack needs at least one tensor");
  const NamedTensor& first = parts.front();
  const int axis = resolved(position, first.ndims() + 1, "position");
  const Shape shape = first.tensor_.shape().inserted(axis, static_cast<int64_t>(parts.size()));
  const Tensor result = host_tensor(shape, first.tensor_.type());
  int64_t index = 0;
  for (const NamedTensor& part : parts) {
    if (part.names_ != first.names_ || part.feature_names_ != first.feature_names_ ||
        part.feature_dim_ != first.feature_dim_)
      throw named_error("stack of other names or features: ", joined(first.names_), " with ",
                        joined(first.feature_names_), " and ", joined(part.names_), " with ",
                        joined(part.feature_names_));
    if (part.tensor_.shape() != first.tensor_.shape() ||
        part.tensor_.type() != first.tensor_.type())
      throw named_error("stack of other sizes or types: ", first.describe(), " and ",
                        part.describe());
    copy_strided(part.tensor_, result.viewed(first.tensor_.shape(), result.strides().without(axis),
                                             index++ * result.strides()[axis]));
  }
  std::vector<std::string> names = first.names_;
  names.insert(names.begin() + axis, dim_name);
  return NamedTensor(result, names, first.feature_names_, first.feature_dim_name());
}

NamedTensor NamedTensor::collate(const std::vector<NamedTensor>& parts,
                                 const std::vector<std::string>& pad_dims, double pad_value) {
  std::vector<NamedTensor> padded = parts;
  for (const std::string& dim : pad_dims) {
    int64_t largest = 0;
    for (const NamedTensor& part : padded) largest = std::max(largest, part.dim_size(dim));
    for (NamedTensor& part : padded) {
      const int axis = part.dim_index(dim);
      if (axis == part.feature_dim_) throw named_error("collate cannot pad the features");
      const int64_t size = part.tensor_.size(axis);
      if (size == largest) continue;
      const Tensor larger =
          filled(part.tensor_.shape().with(axis, largest), part.tensor_.type(), pad_value);
      copy_strided(part.tensor_, narrowed(larger, axis, 0, size));
      part.tensor_ = larger;
    }
  }
  return stack(padded, "batch", 0);
}

NamedTensor NamedTensor::new_like(Tensor tensor, const NamedTensor& other) {
  return NamedTensor(std::move(tensor), other.names_, other.feature_names_,
                     other.feature_dim_name());
}

NamedTensor NamedTensor::expand_to_batch_like(Tensor tensor, const NamedTensor& other) {
  if (tensor.rank() != other.ndims() + 1)
    throw named_error("a tensor of shape ", tensor.shape(), " is no batch of ", other.describe());
  std::vector<std::string> names = other.names_;
  names.insert(names.begin(), "batch");
  return NamedTensor(std::move(tensor), names, other.feature_names_, other.feature_dim_name());
}

NamedTensor NamedTensor::clone() const {
  NamedTensor result = *this;
  result.tensor_ = contiguous_copy(tensor_);
  return result;
}

Tensor NamedTensor::select_tensor_dim(const std::string& dim, int64_t index) const {
  const int axis = dim_index(dim);
  if (index < 0 || index >= tensor_.size(axis))
    throw named_error("index ", index, " of dimension '", dim, "' is out of range in ", describe());
  return tensor_.viewed(tensor_.shape().without(axis), tensor_.strides().without(axis),
                        index * tensor_.strides()[axis]);
}

NamedTensor NamedTensor::select_dim(const std::string& dim, int64_t index) const {
  const int axis = dim_index(dim);
  if (axis == feature_dim_)
    throw named_error("select_dim would drop the features ('", dim, "'); take features by name");
  std::vector<std::string> names = names_;
  names.erase(names.begin() + axis);
  return NamedTensor(select_tensor_dim(dim, index), names, feature_names_, feature_dim_name());
}

Tensor NamedTensor::index_select_tensor_dim(const std::string& dim,
                                            const std::vector<int64_t>& indices) const {
  const int axis = dim_index(dim);
  const Tensor result =
      host_tensor(tensor_.shape().with(axis, static_cast<int64_t>(indices.size())), tensor_.type());
  for (size_t i = 0; i < indices.size(); ++i) {
    if (indices[i] < 0 || indices[i] >= tensor_.size(axis))
      throw named_error("index ", indices[i], " of dimension '", dim, "' is out of range in ",
                        describe());
    copy_strided(narrowed(tensor_, axis, indices[i], 1),
                 narrowed(result, axis, static_cast<int64_t>(i), 1));
  }
  return result;
}

NamedTensor NamedTensor::index_select_dim(const std::string& dim,
                                          const std::vector<int64_t>& indices) const {
  NamedTensor result = *this;
  result.tensor_ = index_select_tensor_dim(dim, indices);
  if (dim_index(dim) != feature_dim_) return result;
  std::vector<std::string> features;
  for (const int64_t index : indices)
    features.push_back(feature_names_[static_cast<size_t>(index)]);
  return NamedTensor(result.tensor_, names_, features, dim);
}

std::vector<NamedTensor> NamedTensor::iter_dim(const std::string& dim) const {
  std::vector<NamedTensor> result;
  for (int64_t i = 0; i < dim_size(dim); ++i) result.push_back(select_dim(dim, i));
  return result;
}

NamedTensor& NamedTensor::type(DataType type) {
  if (type == tensor_.type()) return *this;
  tensor_ = converted(contiguous_copy(tensor_), type);
  return *this;
}

NamedTensor& NamedTensor::flatten(const std::string& name, int start, int end) {
  const int first = resolved(start, ndims(), "start"), last = resolved(end, ndims(), "end");
  if (first > last)
    throw named_error("flatten from dimension ", first, " to ", last, " of ", describe());
  if (feature_dim_ >= first && feature_dim_ <= last)
    throw named_error("flatten would mix the features with other dimensions of ", describe());
  std::vector<int64_t> sizes(tensor_.shape().begin(), tensor_.shape().begin() + first);
  int64_t points = 1;
  for (int axis = first; axis <= last; ++axis) points *= tensor_.size(axis);
  sizes.push_back(points);
  sizes.insert(sizes.end(), tensor_.shape().begin() + last + 1, tensor_.shape().end());
  std::vector<std::string> names = names_;
  names.erase(names.begin() + first, names.begin() + last + 1);
  names.insert(names.begin() + first, name);
  const Tensor dense = tensor_.contiguous() ? tensor_ : contiguous_copy(tensor_);
  return *this = NamedTensor(dense.viewed(Shape(sizes)), names, feature_names_, feature_dim_name());
}

NamedTensor& NamedTensor::unflatten(const std::string& dim, const std::vector<int64_t>& sizes,
                                    const std::vector<std::string>& names) {
  const int axis = dim_index(dim);
  if (axis == feature_dim_) throw named_error("unflatten cannot split the features");
  const Shape inner{std::span<const int64_t>(sizes)};
  if (sizes.size() != names.size() || inner.numel() != tensor_.size(axis))
    throw named_error("dimension '", dim, "' of size ", tensor_.size(axis), " cannot become ",
                      joined(names), " of shape ", inner);
  std::vector<int64_t> shape(tensor_.shape().begin(), tensor_.shape().end());
  shape.erase(shape.begin() + axis);
  shape.insert(shape.begin() + axis, sizes.begin(), sizes.end());
  std::vector<std::string> all = names_;
  all.erase(all.begin() + axis);
  all.insert(all.begin() + axis, names.begin(), names.end());
  const Tensor dense = tensor_.contiguous() ? tensor_ : contiguous_copy(tensor_);
  return *this = NamedTensor(dense.viewed(Shape(shape)), all, feature_names_, feature_dim_name());
}

NamedTensor& NamedTensor::unsqueeze_and_expand_from(const NamedTensor& other) {
  NamedTensor result = *this;
  for (const int axis : other.spatial_dim_idx()) {
    const std::string& name = other.names_[static_cast<size_t>(axis)];
    if (std::ranges::find(result.names_, name) != result.names_.end()) continue;
    if (axis > result.ndims())
      throw named_error("dimension '", name, "' of ", other.describe(), " has no place in ",
                        result.describe());
    const Shape shape = result.tensor_.shape().inserted(axis, other.tensor_.size(axis));
    const Shape strides = result.tensor_.strides().inserted(axis, 0);
    result.tensor_ = result.tensor_.viewed(shape, strides, 0);
    result.names_.insert(result.names_.begin() + axis, name);
    if (axis <= result.feature_dim_) ++result.feature_dim_;
  }
  return *this = result;
}

NamedTensor& NamedTensor::squeeze(const std::string& dim) {
  if (dim_size(dim) != 1)
    throw named_error("squeeze: dimension '", dim, "' has size ", dim_size(dim), ", not 1");
  return *this = select_dim(dim, 0);
}

NamedTensor& NamedTensor::unsqueeze(const std::string& dim, int position) {
  const int axis = resolved(position, ndims() + 1, "position");
  std::vector<std::string> names = names_;
  names.insert(names.begin() + axis, dim);
  return *this = NamedTensor(tensor_.viewed(tensor_.shape().inserted(axis, 1),
                                            tensor_.strides().inserted(axis, 1), 0),
                             names, feature_names_, feature_dim_name());
}

NamedTensor& NamedTensor::rearrange(const std::string& order) {
  const size_t arrow = order.find("->");
  const auto from = words(order.substr(0, arrow));
  const auto to = arrow == std::string::npos ? from : words(order.substr(arrow + 2));
  if (from != names_ || !std::ranges::is_permutation(to, names_) || arrow == std::string::npos)
    throw named_error("rearrange: '", order, "' is not a re-ordering of ", joined(names_));
  Shape shape = tensor_.shape(), strides = tensor_.shape();
  for (size_t i = 0; i < to.size(); ++i) {
    shape[static_cast<int>(i)] = tensor_.size(dim_index(to[i]));
    strides[static_cast<int>(i)] = tensor_.strides()[dim_index(to[i])];
  }
  return *this = NamedTensor(contiguous_copy(tensor_.viewed(shape, strides, 0)), to, feature_names_,
                             feature_dim_name());
}

std::pair<double, double> NamedTensor::feature_range(const std::string& feature) const {
  double minimum = std::numeric_limits<double>::infinity(), maximum = -minimum;
  const Tensor values = converted(contiguous_copy((*this)[feature]), DataType::f64);
  for (const double value : values.span<double>()) {
    minimum = std::fmin(minimum, value);
    maximum = std::fmax(maximum, value);
  }
  return {minimum, maximum};
}

std::string NamedTensor::to_string() const {
  std::ostringstream stream;
  stream << "--- NamedTensor ---\n" << joined(names_) << "\n" << tensor_.shape() << "\nFeatures:\n";
  TextTable table{{"Feature name", "Min", "Max"}, {}};
  for (const std::string& feature : feature_names_) {
    const auto [minimum, maximum] = feature_range(feature);
    table.rows.push_back({feature, general_number(minimum), general_number(maximum)});
  }
  stream << table.to_string();
  return stream.str();
}

std::ostream& operator<<(std::ostream& stream, const NamedTensor& tensor) {
  return stream << tensor.to_string();
}

}  // namespace py4cast
