#include "data/weather/named_tensor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "data/weather/item.h"
#include "engine/error.h"

namespace py4cast {
namespace {

using Names = std::vector<std::string>;

Names numbered(const std::string& stem, int64_t first, int64_t count) {
  Names names;
  for (int64_t i = first; i < first + count; ++i) names.push_back(stem + std::to_string(i));
  return names;
}

// 0, 1, 2, ... in row-major order.
Tensor counting(const Shape& shape, DataType type = DataType::f32) {
  const Tensor tensor = host_tensor(shape, type);
  if (type == DataType::f64)
    std::iota(tensor.span<double>().begin(), tensor.span<double>().end(), 0.0);
  if (type == DataType::f32)
    std::iota(tensor.span<float>().begin(), tensor.span<float>().end(), 0.0f);
  if (type == DataType::i64)
    std::iota(tensor.span<int64_t>().begin(), tensor.span<int64_t>().end(), 0);
  return tensor;
}

std::vector<float> values(const Tensor& tensor) {
  const Tensor dense = contiguous_copy(tensor);
  const auto span = dense.span<float>();
  return {span.begin(), span.end()};
}

template <typename Function>
std::string message_of(const Function& f) {
  try {
    f();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::shape);
    return error.what();
  }
  return "no error";
}

#define EXPECT_MESSAGE(statement, part)                                 \
  do {                                                                  \
    const std::string message = message_of([&] { (void)(statement); }); \
    EXPECT_NE(message.find(part), std::string::npos) << message;        \
  } while (false)

const Names grid_names = {"batch", "lat", "lon", "features"};

NamedTensor sample(int64_t features = 5, int64_t first_feature = 0) {
  return NamedTensor(counting({3, 4, 6, features}), grid_names,
                     numbered("feature_", first_feature, features));
}

TEST(NamedTensor, NamesShapeAndSizes) {
  const NamedTensor x = sample();
  EXPECT_EQ(x.ndims(), 4);
  EXPECT_EQ(x.names(), grid_names);
  EXPECT_EQ(x.dim_size("lat"), 4);
  EXPECT_EQ(x.dim_size("features"), 5);
  EXPECT_EQ(x.dim_index("lon"), 2);
  EXPECT_EQ(x.spatial_dim_idx(), (std::vector<int>{1, 2}));
  EXPECT_EQ(x.num_spatial_dims(), 2);
  EXPECT_EQ(x.device(), Device{});
  EXPECT_MESSAGE(x.dim_size("height"), "'height'");
}

TEST(NamedTensor, TheConstructorRefusesWhatDoesNotFit) {
  const Tensor tensor = counting({2, 3});
  EXPECT_MESSAGE(NamedTensor(tensor, {"lat"}, {"a", "b", "c"}), "2 dimensions but there are 1");
  EXPECT_MESSAGE(NamedTensor(tensor, {"lat", "features"}, {"a", "b"}), "size 3");
  EXPECT_MESSAGE(NamedTensor(tensor, {"lat", "lat"}, {"a", "b", "c"}), "'lat'");
  EXPECT_MESSAGE(NamedTensor(tensor, {"lat", "features"}, {"a", "b", "a"}), "'a'");
  EXPECT_MESSAGE(NamedTensor(Tensor(), {}, {}), "host memory");
}

TEST(NamedTensor, TheFeaturesMayStandAnywhere) {
  const NamedTensor x(counting({3, 2, 2}), {"features", "lat", "lon"}, {"a", "b", "c"}, "features");
  EXPECT_EQ(x.feature_dim(), 0);
  EXPECT_EQ(values(x["b"]), (std::vector<float>{4, 5, 6, 7}));
  EXPECT_EQ(x["b"].shape(), (Shape{1, 2, 2}));
  const NamedTensor both = x | NamedTensor(counting({1, 2, 2}), x.names(), {"d"}, "features");
  EXPECT_EQ(both.dim_size("features"), 4);
  EXPECT_EQ(values(both["d"]), (std::vector<float>{0, 1, 2, 3}));
}

TEST(NamedTensor, FeaturesAreFoundByName) {
  const NamedTensor x(counting({2, 3}), {"lat", "features"}, {"t2m", "u10", "v10"});
  EXPECT_EQ(x["u10"].shape(), (Shape{2, 1}));
  EXPECT_EQ(values(x["u10"]), (std::vector<float>{1, 4}));
  EXPECT_MESSAGE(x["u_10"], "nearest of 3 is 'u10'");
}

TEST(NamedTensor, ConcatJoinsFeaturesInOrder) {
  const NamedTensor all = NamedTensor::concat({sample(2, 0), sample(3, 2), sample(1, 5)});
  EXPECT_EQ(all.feature_names(), numbered("feature_", 0, 6));
  EXPECT_EQ(all.dim_size("features"), 6);
  EXPECT_EQ(values(all["feature_3"]), values(sample(3, 2)["feature_3"]));
  EXPECT_EQ((sample(2, 0) | sample(3, 2)).feature_names(), numbered("feature_", 0, 5));
  EXPECT_EQ((sample() | NamedTensor()).feature_names(), sample().feature_names());
  EXPECT_EQ((NamedTensor() | sample()).feature_names(), sample().feature_names());
}

TEST(NamedTensor, ConcatRefusesWhatDoesNotFit) {
  EXPECT_MESSAGE(sample() | sample().clone(), "'feature_0' comes twice");
  EXPECT_MESSAGE(NamedTensor::concat({}), "at least one");
  const NamedTensor other_name(counting({3, 4, 6, 2}), {"batch", "lat", "lon", "level"},
                               {"a", "b"});
  EXPECT_MESSAGE(sample() | other_name, "level");
  const NamedTensor other_size(counting({3, 4, 5, 2}), grid_names, {"a", "b"});
  EXPECT_MESSAGE(sample() | other_size, "[3, 4, 5, 2]");
  const NamedTensor other_type(counting({3, 4, 6, 1}, DataType::f64), grid_names, {"a"});
  EXPECT_MESSAGE(sample() | other_type, "f64");
}

TEST(NamedTensor, CloneIsIndependent) {
  const NamedTensor x = sample(), y = x.clone();
  x.tensor().span<float>()[0] = 99;
  EXPECT_EQ(y.tensor().span<float>()[0], 0);
  EXPECT_EQ(y.names(), x.names());
}

TEST(NamedTensor, FlattenAndUnflatten) {
  NamedTensor x = sample();
  x.flatten("ngrid", 1, 2);
  EXPECT_EQ(x.names(), (Names{"batch", "ngrid", "features"}));
  EXPECT_EQ(x.tensor().shape(), (Shape{3, 24, 5}));
  EXPECT_EQ(x.spatial_dim_idx(), (std::vector<int>{1}));
  EXPECT_EQ(values(x.tensor()), values(sample().tensor()));
  x.unflatten("ngrid", {4, 6}, {"lat", "lon"});
  EXPECT_EQ(x.names(), grid_names);
  EXPECT_EQ(x.tensor().shape(), (Shape{3, 4, 6, 5}));
  EXPECT_MESSAGE(x.flatten("ngrid", 2, 3), "features");
  EXPECT_MESSAGE(x.flatten("ngrid", 2, 1), "flatten");
  EXPECT_MESSAGE(x.unflatten("lat", {2, 3}, {"a", "b"}), "[2, 3]");
}

TEST(NamedTensor, ExpandsToTheSpatialDimensionsOfAnother) {
  NamedTensor x(counting({3, 7}), {"batch", "features"}, numbered("f", 0, 7));
  x.unsqueeze_and_expand_from(sample());
  EXPECT_EQ(x.names(), grid_names);
  EXPECT_EQ(x.tensor().shape(), (Shape{3, 4, 6, 7}));
  EXPECT_EQ(x.tensor().strides()[1], 0) << "a view";
  const auto all = values(x.tensor());
  EXPECT_EQ(all[0], 0);
  EXPECT_EQ(all[7 * 23 + 6], 6);
  EXPECT_EQ(all[7 * 24], 7);
  EXPECT_EQ(values(x.clone().tensor()), all);
}

TEST(NamedTensor, NewLikeAndExpandToBatchLike) {
  const NamedTensor x = NamedTensor(counting({4, 2}), {"lat", "features"}, {"a", "b"});
  const NamedTensor y = NamedTensor::new_like(counting({9, 2}), x);
  EXPECT_EQ(y.names(), x.names());
  EXPECT_EQ(y.feature_names(), x.feature_names());
  EXPECT_MESSAGE(NamedTensor::new_like(counting({9, 3}), x), "size 3");
  EXPECT_MESSAGE(NamedTensor::new_like(counting({2}), x), "2 names");
  EXPECT_EQ(NamedTensor::expand_to_batch_like(counting({5, 4, 2}), x).names(),
            (Names{"batch", "lat", "features"}));
  EXPECT_MESSAGE(NamedTensor::expand_to_batch_like(counting({4, 2}), x), "no batch");
}

TEST(NamedTensor, SelectsAlongADimension) {
  const NamedTensor x = sample();
  const NamedTensor row = x.select_dim("lat", 2);
  EXPECT_EQ(row.names(), (Names{"batch", "lon", "features"}));
  EXPECT_EQ(row.tensor().shape(), (Shape{3, 6, 5}));
  EXPECT_EQ(values(row.tensor())[0], 2 * 6 * 5);
  EXPECT_EQ(values(x.select_tensor_dim("features", 1)), values(x["feature_1"]));
  EXPECT_MESSAGE(x.select_dim("features", 1), "features");
  EXPECT_MESSAGE(x.select_dim("lat", 4), "index 4");
  const NamedTensor some = x.index_select_dim("features", {3, 0});
  EXPECT_EQ(some.feature_names(), (Names{"feature_3", "feature_0"}));
  EXPECT_EQ(values(some["feature_3"]), values(x["feature_3"]));
  EXPECT_EQ(values(x.index_select_tensor_dim("batch", {1}))[0], 120);
  EXPECT_MESSAGE(x.index_select_dim("batch", {0, 3}), "index 3");
  const auto slices = x.iter_dim("batch");
  ASSERT_EQ(slices.size(), 3u);
  EXPECT_EQ(values(slices[2].tensor())[0], 240);
}

TEST(NamedTensor, StacksAndCollates) {
  const NamedTensor x = sample();
  const NamedTensor y = NamedTensor::stack({x, x}, "timestep", 1);
  EXPECT_EQ(y.names(), (Names{"batch", "timestep", "lat", "lon", "features"}));
  EXPECT_EQ(y.tensor().shape(), (Shape{3, 2, 4, 6, 5}));
  EXPECT_EQ(values(y.select_tensor_dim("timestep", 1)), values(x.tensor()));
  EXPECT_MESSAGE(NamedTensor::stack({}, "batch"), "at least one");
  EXPECT_MESSAGE(NamedTensor::stack({x, sample(5, 1)}, "t"), "feature_5");
  const NamedTensor small(counting({1, 2}), {"n", "features"}, {"a", "b"});
  const NamedTensor large(counting({3, 2}), {"n", "features"}, {"a", "b"});
  EXPECT_MESSAGE(NamedTensor::collate({small, large}), "[3, 2]");
  const NamedTensor both = NamedTensor::collate({small, large}, {"n"}, -1);
  EXPECT_EQ(both.names(), (Names{"batch", "n", "features"}));
  EXPECT_EQ(values(both.tensor()), (std::vector<float>{0, 1, -1, -1, -1, -1, 0, 1, 2, 3, 4, 5}));
}

TEST(NamedTensor, RearrangesByNames) {
  NamedTensor x(counting({2, 3, 2}), {"lat", "lon", "features"}, {"a", "b"});
  x.rearrange("lat lon features -> features lat lon");
  EXPECT_EQ(x.names(), (Names{"features", "lat", "lon"}));
  EXPECT_EQ(x.feature_dim(), 0);
  EXPECT_EQ(values(x.tensor()), (std::vector<float>{0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11}));
  EXPECT_EQ(values(x["b"]), (std::vector<float>{1, 3, 5, 7, 9, 11}));
  EXPECT_MESSAGE(x.rearrange("features lat lon -> features (lat lon)"), "re-ordering");
  EXPECT_MESSAGE(x.rearrange("lat lon features -> lat lon features"), "re-ordering");
}

TEST(NamedTensor, SqueezesAndUnsqueezes) {
  NamedTensor x = sample();
  x.unsqueeze("timestep", 1);
  EXPECT_EQ(x.tensor().shape(), (Shape{3, 1, 4, 6, 5}));
  EXPECT_EQ(x.dim_size("timestep"), 1);
  EXPECT_EQ(values(x.tensor()), values(sample().tensor()));
  x.squeeze("timestep");
  EXPECT_EQ(x.names(), grid_names);
  EXPECT_MESSAGE(x.squeeze("lat"), "size 4");
}

TEST(NamedTensor, ChangesType) {
  NamedTensor x(counting({2, 2}, DataType::i64), {"lat", "features"}, {"a", "b"});
  x.type(DataType::f32);
  EXPECT_EQ(values(x.tensor()), (std::vector<float>{0, 1, 2, 3}));
  x.type(DataType::bf16).type(DataType::f64);
  EXPECT_EQ(x.tensor().span<double>()[3], 3.0);
  EXPECT_MESSAGE(x.type(DataType::f16), "f16");
}

TEST(NamedTensor, PrintsATable) {
  const Tensor tensor = counting({2, 2});
  tensor.span<float>()[0] = NAN;
  tensor.span<float>()[3] = 0.1234567f;
  const NamedTensor x(tensor, {"lat", "features"}, {"t2m", "wind"});
  EXPECT_EQ(x.to_string(),
            "--- NamedTensor ---\n"
            "[lat, features]\n"
            "[2, 2]\n"
            "Features:\n"
            "┌──────────────┬──────────┬─────┐\n"
            "│ Feature name │      Min │ Max │\n"
            "├──────────────┼──────────┼─────┤\n"
            "│ t2m          │        2 │   2 │\n"
            "│ wind         │ 0.123457 │   1 │\n"
            "└──────────────┴──────────┴─────┘\n");
}

NamedTensor field(const Names& features,
                  const Names& names = {"timestep", "lat", "lon", "features"}) {
  return NamedTensor(counting({2, 4, 4, static_cast<int64_t>(features.size())}), names, features);
}

TEST(Item, InputsAndOutputsMustAgree) {
  EXPECT_MESSAGE(Item(field({"a", "b"}), field({"a"}), {}), "2 features but outputs have 1");
  EXPECT_MESSAGE(Item(field({"a", "b"}), field({"a", "c"}), {}), "'c'");
  EXPECT_MESSAGE(Item(field({"a"}), field({"a"}, {"step", "lat", "lon", "features"}), {}),
                 "dimensions");
}

TEST(Item, PrintsOneRowPerFeature) {
  const std::string text = Item(field({"a", "b"}), field({"a", "b"}), field({"sun"})).to_string();
  EXPECT_NE(
      text.find("│ outputs │ timestep, lat, lon, features │ [2, 4, 4, 2] │ b       │   1 │  63 │"),
      std::string::npos)
      << text;
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3 + 5 + 1);
}

TEST(Item, BatchesStackItems) {
  Item item(field({"a", "b"}), field({"a", "b"}), field({"sun"}), {3600, 7200});
  item.inputs.type(DataType::f64);
  const ItemBatch batch({item, item, item});
  EXPECT_EQ(batch.batch_size(), 3);
  EXPECT_EQ(batch.num_input_steps(), 2);
  EXPECT_EQ(batch.num_pred_steps(), 2);
  EXPECT_EQ(batch.inputs.tensor().type(), DataType::f32);
  EXPECT_EQ(batch.forcing.names(), (Names{"batch", "timestep", "lat", "lon", "features"}));
  EXPECT_EQ(batch.validity_times[2], (std::vector<Time>{3600, 7200}));
  EXPECT_MESSAGE(ItemBatch({}), "at least one");
}

}  // namespace
}  // namespace py4cast
