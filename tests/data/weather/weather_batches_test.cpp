#include "data/weather/weather_batches.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "data/netcdf/netcdf_dataset.h"
#include "data/weather/stored_samples.h"
#include "engine/parameters.h"
#include "tests/data/netcdf/test_files.h"
#include "tests/data/weather/fake_source.h"

namespace py4cast {
namespace {

constexpr int64_t hour_count = 23;

class WeatherBatchesTest : public NetcdfFolder {
 protected:
  void SetUp() override {
    NetcdfFolder::SetUp();
    write(true);
  }
  // State: packed numbers of two types in two files; physical forcing: packed in bytes. With
  // `holes` some are missing.
  void write(bool holes) const {
    for (const int part : {0, 1}) {
      const auto times = static_cast<size_t>(part ? hour_count - 12 : 12);
      std::vector<double> t(times * 6), sun(times * 6);
      for (size_t i = 0; i < t.size(); ++i) {
        t[i] = static_cast<double>((i * i * 977 + 31 * static_cast<size_t>(part)) % 3001) - 1500;
        sun[i] = static_cast<double>((i * 37) % 101);
        if (holes && i % 29 == 28) t[i] = -9999;
        if (holes && i % 31 == 30) sun[i] = 111;
      }
      TestFile(path(part ? "late.nc" : "early.nc"))
          .grid()
          .time(count_from(part ? 12 : 0, times))
          .variable("t", part ? NC_INT : NC_SHORT, {"time", "latitude", "longitude"}, {}, t)
          .number("_FillValue", part ? NC_INT : NC_SHORT, {-9999})
          .number("scale_factor", NC_DOUBLE, {0.0123 * (1 + part)})
          .number("add_offset", NC_DOUBLE, {273.15})
          .variable("sun", NC_BYTE, {"time", "latitude", "longitude"}, {}, sun)
          .number("missing_value", NC_BYTE, {111})
          .number("scale_factor", NC_FLOAT, {0.7});
    }
  }
  std::shared_ptr<const Dataset> dataset(int64_t cache_bytes = 1 << 20, bool mask = true) const {
    DatasetSettings settings = fake_settings();
    settings.name = "netcdf";
    settings.files = {path("*.nc")};
    settings.variables.push_back({.name = "sun", .role = Role::forcing});
    settings.periods.train = {.start = "2000-01-01", .end = "2000-01-01"};
    settings.periods.valid = settings.periods.test = {};
    settings.time_forcings = {"hour", "year", "toa_radiation"};
    settings.missing = mask ? Missing::mask : Missing::error;
    settings.cache_bytes = cache_bytes;
    const Statistics statistics = {{.name = "t", .mean = 272.9, .std = 11.3, .maximum = 1},
                                   {.name = "sun", .mean = 33.7, .std = 3.9, .maximum = 1}};
    return std::make_shared<Dataset>(netcdf_dataset().open(settings, nullptr, statistics),
                                     Split::train, 2, 3);
  }
};

std::vector<float> values_of(const Tensor& tensor) {
  if (!tensor.defined()) return {};
  const Tensor host = host_tensor(tensor.shape(), DataType::f32);
  copy(tensor, host);
  return {host.span<float>().begin(), host.span<float>().end()};
}

struct Values {
  std::vector<int64_t> samples;
  std::vector<float> inputs, outputs, forcing, input_valid, output_valid, forcing_valid;
  bool operator==(const Values&) const = default;
};
Values values_of(const WeatherBatch& batch) {
  return {batch.samples,
          values_of(batch.inputs),
          values_of(batch.outputs),
          values_of(batch.forcing),
          values_of(batch.input_valid),
          values_of(batch.output_valid),
          values_of(batch.forcing_valid)};
}

// Every batch of an epoch; `next` gives null at its end.
template <typename Batches, typename Next>
std::vector<Values> all_weather_batches(Batches& batches, bool same_addresses, int64_t epoch,
                                        Next&& next) {
  std::vector<Values> result;
  std::vector<const void*> addresses;
  batches.start(epoch);
  while (const Batch* any = next()) {
    const WeatherBatch batch(*any);
    const std::vector<const void*> now = {batch.inputs.raw(), batch.outputs.raw(),
                                          batch.forcing.raw()};
    if (addresses.empty()) addresses = now;
    EXPECT_EQ(now, same_addresses ? addresses : now);
    result.push_back(values_of(batch));
  }
  return result;
}
std::vector<Values> all_weather_batches(WeatherBatches& batches, int64_t epoch = 0,
                                        bool gpu = false) {
  return all_weather_batches(batches, gpu, epoch, [&] { return batches.next(); });
}

// The data set's stored samples, decoded on the host.
std::vector<Values> decoded_here(const std::shared_ptr<const Dataset>& data,
                                 const LoaderSettings& settings) {
  const Context context;
  const auto stored = std::make_shared<StoredSamples>(data);
  DeviceBatches batches(stored, settings, context,
                        StoredDecoder(*data, settings.batch_size, context));
  return all_weather_batches(batches, true, 0, [&] { return batches.next(); });
}

TEST_F(WeatherBatchesTest, OnTheCpuTheyAreThoseOfTheLoader) {
  const auto data = dataset();
  const LoaderSettings settings{.batch_size = 4, .shuffle = true, .key = {3}};
  WeatherBatches batches(data, settings, Context());
  const auto found = all_weather_batches(batches);
  ASSERT_EQ(found.size(), 5u);
  EXPECT_EQ(found.back().samples.size(), 3u) << "a smaller batch";
  for (const auto valid : {&Values::input_valid, &Values::output_valid, &Values::forcing_valid}) {
    const auto has = [&](float value) {
      return std::ranges::any_of(
          found, [&](const Values& batch) { return std::ranges::count(batch.*valid, value) > 0; });
    };
    EXPECT_TRUE(has(0) && has(1));
  }
  EXPECT_EQ(found.front().forcing.size(), 4u * 3 * 6 * 6);
}

TEST_F(WeatherBatchesTest, WhatIsGatheredDecodesToWhatIsLoaded) {
  for (const int64_t cache_bytes : {0, 1 << 20}) {
    const auto data = dataset(cache_bytes);
    const LoaderSettings settings{.batch_size = 4, .num_workers = 2, .shuffle = true, .key = {3}};
    WeatherBatches loaded(data, settings, Context());
    EXPECT_EQ(decoded_here(data, settings), all_weather_batches(loaded));
  }
}

TEST_F(WeatherBatchesTest, WhatGoesOverTheBus) {
  const auto data = dataset();
  // Numbers of t in at most 4, of sun in 1, of the radiation in 4 bytes; planes end at multiples
  // of 4.
  EXPECT_EQ(data->stored_bytes(), 5 * 24 + 3 * (8 + 24));
  const BatchLayout layout(StoredSamples(data).buffers(), 2);
  EXPECT_EQ(layout.words(1) - layout.words(0), 5 * 3 + 3 * 4);
  // Planes of inputs, forcings and outputs, up to the next multiple of 8 words.
  EXPECT_EQ(plane_words, 13);
  EXPECT_EQ(layout.words(0), 56 + 472 + 80) << "of 2 * (2, 3 * 6, 3) * 13";
}

#if PY4CAST_CUDA
TEST_F(WeatherBatchesTest, OnAGpuTheyAreTheSameBitForBit) {
  for (const bool pinned : {true, false})
    for (const bool mask : {true, false}) {
      write(mask);
      const auto data = dataset(1 << 20, mask);
      LoaderSettings settings{.batch_size = 4, .num_workers = 2, .shuffle = true, .key = {3}};
      WeatherBatches expected(data, settings, Context());
      settings.pinned = pinned;
      MemoryLedger ledger;
      Context context;
      context.device = {DeviceKind::cuda, 0};
      context.ledger = &ledger;
      const CudaStream stream(context.device);
      context.stream = stream.get();
      {
        WeatherBatches batches(data, settings, context);
        const auto before = ledger.snapshot();
        for (const int64_t epoch : {0, 1})
          EXPECT_EQ(all_weather_batches(batches, epoch, true),
                    all_weather_batches(expected, epoch));
        EXPECT_EQ(ledger.snapshot(), before) << "memory is taken once";
      }
      EXPECT_EQ(ledger.snapshot(), MemoryLedger::Snapshot());
    }
}

TEST_F(WeatherBatchesTest, OnAGpuErrorsComeWithTheirBatch) {
  Context context;
  context.device = {DeviceKind::cuda, 0};
  const CudaStream stream(context.device);
  context.stream = stream.get();
  WeatherBatches batches(dataset(1 << 20, false), {.batch_size = 1, .pinned = true}, context);
  batches.start(0);
  expect_contains(
      error_of([&] { batches.next(); }),
      {path("early.nc"), "variable 't'", "1 missing values of 6 at 2000-01-01T04:00:00"});
}
#endif

}  // namespace
}  // namespace py4cast
