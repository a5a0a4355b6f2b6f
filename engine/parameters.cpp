#include "engine/parameters.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <sstream>

#include "engine/cuda.h"
#include "engine/error.h"

namespace py4cast {
namespace {

constexpr int64_t alignment_bytes = 64;

bool whole_numbers(const Tensor& tensor) {
  return tensor.type() == DataType::i32 || tensor.type() == DataType::i64;
}

Shape permuted_shape(const Shape& shape, const std::vector<int>& order) {
  Shape result = shape;
  for (size_t i = 0; i < order.size(); ++i) result[static_cast<int>(i)] = shape[order[i]];
  return result;
}

template <typename From, typename To>
void convert(const Tensor& x, const Tensor& y) {
  const From* from = x.data<From>();
  To* to = y.data<To>();
  for (int64_t i = 0; i < x.numel(); ++i) {
    if constexpr (std::is_same_v<From, bfloat16>)
      to[i] = static_cast<To>(static_cast<float>(from[i]));
    else if constexpr (std::is_same_v<To, bfloat16>)
      to[i] = bfloat16(static_cast<float>(from[i]));
    else
      to[i] = static_cast<To>(from[i]);
  }
}

template <typename From>
void convert_from(const Tensor& x, const Tensor& y) {
  switch (y.type()) {
    case DataType::f64:
      return convert<From, double>(x, y);
    case DataType::f32:
      return convert<From, float>(x, y);
    case DataType::bf16:
      return convert<From, bfloat16>(x, y);
    case DataType::i32:
      return convert<From, int32_t>(x, y);
    case DataType::i64:
      return convert<From, int64_t>(x, y);
    case DataType::f16:
      throw Error(ErrorKind::shape, "nothing is converted to f16");
  }
}

}  // namespace

std::vector<int> inverse_order(const std::vector<int>& order) {
  std::vector<int> result(order.size());
  for (size_t i = 0; i < order.size(); ++i)
    result[static_cast<size_t>(order[i])] = static_cast<int>(i);
  return result;
}

Tensor permuted(const Tensor& x, const std::vector<int>& order) {
  if (order.empty()) return converted(x, x.type());
  const Shape shape = permuted_shape(x.shape(), order),
              strides = permuted_shape(x.strides(), order);
  Tensor result = host_tensor(shape, x.type());
  const size_t size = size_of(x.type());
  const std::byte* from = x.raw();
  std::byte* to = result.raw();
  for (int64_t i = 0; i < x.numel(); ++i) {
    int64_t rest = i, offset = 0;
    for (int axis = shape.rank() - 1; axis >= 0; --axis) {
      offset += rest % shape[axis] * strides[axis];
      rest /= shape[axis];
    }
    std::memcpy(to + static_cast<size_t>(i) * size, from + static_cast<size_t>(offset) * size,
                size);
  }
  return result;
}

Tensor converted(const Tensor& x, DataType type) {
  Tensor result = host_tensor(x.shape(), type);
  if (x.type() == type) {
    std::memcpy(result.raw(), x.raw(), x.bytes());
    return result;
  }
  switch (x.type()) {
    case DataType::f64:
      convert_from<double>(x, result);
      break;
    case DataType::f32:
      convert_from<float>(x, result);
      break;
    case DataType::bf16:
      convert_from<bfloat16>(x, result);
      break;
    case DataType::i32:
      convert_from<int32_t>(x, result);
      break;
    case DataType::i64:
      convert_from<int64_t>(x, result);
      break;
    case DataType::f16: {
      Tensor wide = host_tensor(x.shape(), DataType::f32);
      const auto* from = reinterpret_cast<const uint16_t*>(x.raw());
      std::transform(from, from + x.numel(), wide.data<float>(), float_of_half);
      return converted(wide, type);
    }
  }
  return result;
}

void copy(const Tensor& from, const Tensor& to) {
  if (from.shape() != to.shape() || from.type() != to.type() || !from.contiguous() ||
      !to.contiguous())
    throw Error(ErrorKind::internal, "a copy from ", from.shape(), " to ", to.shape());
  if (from.device().kind == DeviceKind::cpu && to.device().kind == DeviceKind::cpu)
    std::memcpy(to.raw(), from.raw(), from.bytes());
  else
    copy_now(from, to);
}

void copy(const Context& context, const Tensor& from, const Tensor& to) {
  if (context.device.kind == DeviceKind::cpu)
    copy(from, to);
  else
    copy_async(from, to, context.stream);
}

Tensor on_host(const Tensor& x) {
  if (x.device().kind == DeviceKind::cpu && x.contiguous()) return x;
  const Tensor result = host_tensor(x.shape(), x.type());
  copy(x, result);
  return result;
}

Tensor on_device_of(const Context& context, const Tensor& x, Owner owner, const std::string& path) {
  if (!x.defined() || (x.device() == context.device && x.contiguous())) return x;
  const Tensor result(allocate(x.bytes(), context.device, context.ledger, owner, path), x.type(),
                      x.shape());
  copy(x, result);
  return result;
}

Shape Parameter::shape() const {
  return permuted_shape(spec_.file_shape, spec_.order);
}

void ParameterSlab::check_new(const std::string& name) const {
  const auto named = [&](const auto& other) { return other.name() == name; };
  if (std::ranges::any_of(parameters_, named) || std::ranges::any_of(constants_, named))
    throw Error(ErrorKind::internal, "two parameters are named ", name);
}

const Parameter& ParameterSlab::add(ParameterSpec spec) {
  check_new(spec.name);
  return parameters_.emplace_back(std::move(spec), *this);
}

const Constant& ParameterSlab::add_constant(const std::string& name, const Tensor& value) {
  check_new(name);
  const bool integer = value.type() == DataType::i32 || value.type() == DataType::i64;
  return constants_.emplace_back(name, converted(value, integer ? value.type() : type_));
}

void ParameterSlab::allocate(Device device, MemoryLedger* ledger, bool training) {
  device_ = device;
  const int64_t step = alignment_bytes / static_cast<int64_t>(size_of(type_));
  int64_t size = 0;
  for (const Parameter& parameter : parameters_) {
    if (!parameter.trainable()) continue;
    offsets_[&parameter] = size;
    size += (parameter.shape().numel() + step - 1) / step * step;
  }
  values_ = zeros(size, ledger, "values");
  if (training) gradients_ = like_values(ledger);
  for (Parameter& parameter : parameters_) {
    if (parameter.trainable()) {
      parameter.value_ = slice(values_, parameter);
      if (training) parameter.gradient_ = slice(gradients_, parameter);
    } else {
      const DataType type = parameter.spec_.type == DataType::f32 ? type_ : parameter.spec_.type;
      const size_t bytes = static_cast<size_t>(parameter.shape().numel()) * size_of(type);
      parameter.value_ =
          Tensor(py4cast::allocate(bytes, device, ledger, Owner::parameters, parameter.name()),
                 type, parameter.shape());
    }
  }
  for (Constant& constant : constants_) {
    const Tensor& given = constant.value_;
    const Tensor there(
        py4cast::allocate(given.bytes(), device, ledger, Owner::parameters, constant.name()),
        given.type(), given.shape());
    copy(given, there);
    constant.value_ = there;
  }
}

Tensor ParameterSlab::zeros(int64_t size, MemoryLedger* ledger, const char* name) const {
  const size_t bytes = static_cast<size_t>(size) * size_of(type_);
  Tensor result(py4cast::allocate(bytes, device_, ledger, Owner::parameters, name), type_, {size});
  fill_bytes(result, 0, Stream{});
  if (device_.kind == DeviceKind::cuda) synchronize(device_);
  return result;
}

Tensor ParameterSlab::like_values(MemoryLedger* ledger) const {
  return zeros(values_.numel(), ledger, "slab");
}

Tensor ParameterSlab::beside(const Tensor& x, const Tensor& slab) const {
  if (x.storage() != values_.storage() || x.type() != type_ || !x.contiguous()) return {};
  return slab.viewed(
      x.shape(), x.strides(),
      static_cast<int64_t>((x.offset_bytes() - values_.offset_bytes()) / size_of(type_)));
}

Tensor ParameterSlab::slice(const Tensor& slab, const Parameter& parameter) const {
  const Shape shape = parameter.shape();
  return slab.viewed(shape, row_major_strides(shape), offsets_.at(&parameter));
}

void ParameterSlab::initialise(RandomKey key) {
  uint64_t index = 0;
  for (const Parameter& parameter : parameters_) {
    const auto [center, bound] = parameter.spec().initialisation;
    Tensor in_file = host_tensor(parameter.spec().file_shape, DataType::f64);
    const RandomKey own = key.child(index);
    const auto values = in_file.span<double>();
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = bound == 0 ? center : center + bound * (2 * own.uniform(i) - 1);
    copy(converted(permuted(in_file, parameter.spec().order), parameter.value().type()),
         parameter.value());
    index += parameter.trainable();
  }
}

int64_t ParameterSlab::count() const {
  int64_t sum = 0;
  for (const Parameter& parameter : parameters_)
    if (parameter.trainable()) sum += parameter.shape().numel();
  return sum;
}

std::vector<std::pair<std::string, Tensor>> ParameterSlab::state() const {
  std::vector<std::pair<std::string, Tensor>> result;
  for (const Parameter& parameter : parameters_) {
    Tensor host = host_tensor(parameter.shape(), parameter.value().type());
    copy(parameter.value(), host);
    result.emplace_back(parameter.name(), permuted(host, inverse_order(parameter.spec().order)));
  }
  return result;
}

std::vector<std::pair<std::string, Tensor>> ParameterSlab::state(const Tensor& slab) const {
  std::vector<std::pair<std::string, Tensor>> result;
  for (const Parameter& parameter : parameters_) {
    if (!parameter.trainable()) continue;
    const Tensor part = slice(slab, parameter), host = host_tensor(part.shape(), part.type());
    copy(part, host);
    result.emplace_back(parameter.name(), permuted(host, inverse_order(parameter.spec().order)));
  }
  return result;
}

void ParameterSlab::check(const std::map<std::string, Tensor>& state, const std::string& origin,
                          bool buffers) const {
  constexpr size_t listed = 4;
  size_t problems = 0;
  std::ostringstream list;
  // describe() is called for the problems that are listed.
  const auto add = [&](const auto& describe) {
    if (++problems > listed) return;
    if (problems > 1) list << "; ";
    describe();
  };
  std::vector<std::string> names;
  std::set<std::string> known;
  for (const Parameter& parameter : parameters_) {
    if (!buffers && !parameter.trainable()) continue;
    names.push_back(parameter.name());
    known.insert(parameter.name());
    const auto entry = state.find(parameter.name());
    if (entry == state.end() && parameter.spec().optional) continue;
    if (entry == state.end())
      add([&] { list << "'" << parameter.name() << "' is missing"; });
    else if (entry->second.shape() != parameter.spec().file_shape)
      add([&] {
        list << "'" << parameter.name() << "' has shape " << entry->second.shape()
             << " but the network needs " << parameter.spec().file_shape;
      });
    else if (whole_numbers(entry->second) && !whole_numbers(parameter.value()))
      add([&] {
        list << "'" << parameter.name() << "' is " << name_of(entry->second.type())
             << " but the network needs floating-point numbers";
      });
  }
  for (const auto& [name, fault] : unread_)
    if (const auto entry = state.find(name); fault && entry != state.end())
      if (const std::string words = fault(entry->second); !words.empty())
        add([&, &name = name] { list << "'" << name << "' " << words; });
  for (const auto& [name, tensor] : state)
    if (!known.contains(name) && !unread_.contains(name))
      add([&, &name = name] {
        list << "'" << name << "' is not in the network (nearest: '" << nearest_name(name, names)
             << "')";
      });
  if (problems > listed) list << "; and " << problems - listed << " more";
  if (problems > 0)
    throw Error(ErrorKind::data, origin, ": these weights are of another network: ", list.str());
}

std::map<std::string, Tensor> ParameterSlab::below_a_module(
    const std::map<std::string, Tensor>& state) const {
  const auto needed = [](const Parameter& parameter) { return !parameter.spec().optional; };
  const auto first = std::ranges::find_if(parameters_, needed);
  if (first == parameters_.end() || state.contains(first->name())) return state;
  const auto found = std::ranges::find_if(
      state, [&](const auto& entry) { return entry.first.ends_with("." + first->name()); });
  if (found == state.end()) return state;
  const std::string prefix = found->first.substr(0, found->first.size() - first->name().size());
  for (const Parameter& parameter : parameters_)
    if (needed(parameter) && !state.contains(prefix + parameter.name())) return state;
  std::map<std::string, Tensor> result;
  for (const auto& [name, tensor] : state)
    if (name.starts_with(prefix)) result.emplace(name.substr(prefix.size()), tensor);
  return result;
}

void ParameterSlab::load(const std::map<std::string, Tensor>& state, const std::string& origin) {
  check(state, origin, true);
  for (const Parameter& parameter : parameters_)
    if (const auto entry = state.find(parameter.name()); entry != state.end())
      copy(converted(permuted(entry->second, parameter.spec().order), parameter.value().type()),
           parameter.value());
}

void ParameterSlab::load(const Tensor& slab, const std::map<std::string, Tensor>& state,
                         const std::string& origin) const {
  check(state, origin, false);
  for (const Parameter& parameter : parameters_)
    if (parameter.trainable())
      copy(converted(permuted(state.at(parameter.name()), parameter.spec().order), slab.type()),
           slice(slab, parameter));
}

RoundedValues::RoundedValues(const ParameterSlab& slab, MemoryLedger* ledger)
    : slab_(slab),
      rounded_(allocate(static_cast<size_t>(slab.values().numel()) * size_of(DataType::bf16),
                        slab.values().device(), ledger, Owner::parameters, "rounded weights"),
               DataType::bf16, slab.values().shape()) {}

}  // namespace py4cast
