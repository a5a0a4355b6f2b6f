#include "data/weather/hidden_fills.h"

#include <gtest/gtest.h>

#include "data/weather/field_store.h"
#include "tests/data/weather/fake_source.h"

namespace py4cast {
namespace {

// The warnings about data of which a value is another one at a time and a point.
std::vector<std::string> warnings_with(const FakeSource::Value& value) {
  auto source = three_days();
  source->value_ = [&, other = source->value_](const FieldRequest& request, int64_t row,
                                               int64_t column) {
    const float odd = value(request, row, column);
    return odd != 0 ? odd : other(request, row, column);
  };
  return FieldStore(fake_settings(), std::move(source)).warnings();
}

TEST(HiddenFills, UsualNumbers) {
  for (const double fill : {-9999.0, -999.0, 99999.0, -32768.0, 9.969209968386869e36, 1e20,
                            static_cast<double>(-999.9f), static_cast<double>(1e20f)})
    EXPECT_TRUE(is_usual_fill(fill)) << fill;
  for (const double value : {-9998.9, 0.0, 250.0, 101325.0, 1.1e20})
    EXPECT_FALSE(is_usual_fill(value)) << value;
}

TEST(HiddenFills, AreWarnedOf) {
  const auto at_a_point =
      warnings_with([](const FieldRequest& request, int64_t row, int64_t column) {
        return request.run == 3 && row == 2 && column == 1 ? -9999.0f : 0.0f;
      });
  ASSERT_EQ(at_a_point.size(), 1u);
  EXPECT_TRUE(at_a_point[0].starts_with(
      "fake.nc: variable 't' has the value -9999 at 2020-02-28T03:00:00, far from its others (2"))
      << at_a_point[0];
  // Half of all points, as of land; a whole time.
  EXPECT_EQ(warnings_with([](const FieldRequest&, int64_t, int64_t column) {
              return column < 4 ? 1e20f : 0.0f;
            }).size(),
            1u);
  EXPECT_EQ(warnings_with([](const FieldRequest& request, int64_t, int64_t) {
              return request.run == 0 ? -999.0f : 0.0f;
            }).size(),
            1u);
}

TEST(HiddenFills, HonestNumbersAreNot) {
  EXPECT_TRUE(warnings_with([](const FieldRequest&, int64_t, int64_t) { return 0.0f; }).empty());
  // Visibility up to 9999 m, and a height that happens to be it.
  EXPECT_TRUE(warnings_with([](const FieldRequest& request, int64_t row, int64_t column) {
                return column < 3
                           ? 9999.0f
                           : static_cast<float>(9900 - 400 * ((row + column + request.run) % 24));
              }).empty());
  // Far from the others, but no usual number.
  EXPECT_TRUE(warnings_with([](const FieldRequest& request, int64_t row, int64_t) {
                return request.run == 3 && row == 0 ? -5000.0f : 0.0f;
              }).empty());
}

}  // namespace
}  // namespace py4cast
