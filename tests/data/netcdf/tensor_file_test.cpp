#include "data/netcdf/tensor_file.h"

#include <gtest/gtest.h>

#include <numeric>

#include "data/netcdf/netcdf_file.h"
#include "engine/error.h"

namespace py4cast {
namespace {

TEST(TensorFile, GivesBackWhatWasWritten) {
  const Tensor index = host_tensor({2, 5}, DataType::i32),
               features = host_tensor({5, 3}, DataType::f32);
  std::iota(index.span<int32_t>().begin(), index.span<int32_t>().end(), 16777210);
  for (int i = 0; float& value : features.span<float>()) value = 1.0f / static_cast<float>(++i);
  const std::string path = ::testing::TempDir() + "tensors.nc";
  write_netcdf_tensors(path, {{"g2m_edge_index", index}, {"g2m_features", features}}, "a graph");

  const CfMetadata metadata = NetcdfPool().describe(path);
  EXPECT_EQ(metadata.attributes.at("title").text, "a graph");
  EXPECT_EQ(metadata.dimensions,
            (std::map<std::string, size_t>{{"size_2", 2}, {"size_3", 3}, {"size_5", 5}}));
  const TensorMap tensors = read_netcdf_tensors(path);
  ASSERT_EQ(tensors.size(), 2u);
  ASSERT_EQ(tensors.at("g2m_edge_index").shape(), index.shape());
  ASSERT_EQ(tensors.at("g2m_features").shape(), features.shape());
  for (size_t i = 0; i < 10; ++i)
    EXPECT_EQ(tensors.at("g2m_edge_index").span<double>()[i], index.span<int32_t>()[i]);
  for (size_t i = 0; i < 15; ++i)
    EXPECT_EQ(tensors.at("g2m_features").span<double>()[i],
              static_cast<double>(features.span<float>()[i]));
}

TEST(TensorFile, NamesAFileThatIsMissing) {
  try {
    read_netcdf_tensors("/nowhere/graph.nc");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("/nowhere/graph.nc"), std::string::npos);
  }
}

}  // namespace
}  // namespace py4cast
