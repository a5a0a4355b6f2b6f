#include "data/zarr/zarr_stores.h"

#include <cmath>
#include <set>
#include <thread>

#include "data/zarr/zarr_dataset.h"
#include "data/zarr/zarr_type.h"
#include "kernels/fields/decode_fields.h"
#include "tests/data/zarr/zarr_folder.h"

namespace py4cast {
namespace {

using Lengths = std::vector<size_t>;

class ZarrStoresTest : public ZarrFolder {
 protected:
  // 25 * time + 5 * row + column, as the fixtures say; of truth values whether it is odd.
  static double expected(size_t index, const std::string& variable) {
    const size_t number = 25 * (index / 20) + index % 20;
    return static_cast<double>(variable.starts_with("bool") ? number % 2 : number);
  }
  // The variables of a store whose values are these.
  static std::vector<CfVariable> plain_fields(const CfMetadata& metadata) {
    static const std::set<std::string> others = {"lz4",      "delta",         "fill_zero",
                                                 "packed",   "shards_sparse", "half_written",
                                                 "f2_never", "fill_nan",      "fill_infinite"};
    std::vector<CfVariable> result;
    for (const CfVariable& v : metadata.variables)
      if (v.shape == Lengths{3, 4, 5} && !others.contains(v.name)) result.push_back(v);
    return result;
  }
  static std::string missing_in(const std::vector<double>& values) {
    std::string marks;
    for (const double value : values) marks += std::isnan(value) ? 'x' : '.';
    return marks;
  }
};

TEST_F(ZarrStoresTest, EveryCodecOrderAndTypeOfBothVersions) {
  ZarrStores stores;
  for (const auto& [name, count] :
       {std::pair("version_2.zarr", 32u), std::pair("version_3.zarr", 22u)}) {
    const CfMetadata metadata = stores.describe(stored(name));
    const std::vector<CfVariable> fields = plain_fields(metadata);
    EXPECT_EQ(fields.size(), count) << name;
    for (const CfVariable& v : fields) {
      EXPECT_EQ(v.unreadable, "") << name << ": " << v.name;
      EXPECT_EQ(v.dimensions, (std::vector<std::string>{"time", "latitude", "longitude"}));
      const std::vector<double> values = stores.read(stored(name), v);
      for (size_t i = 0; i < values.size(); ++i)
        ASSERT_EQ(values[i], expected(i, v.name)) << name << ": " << v.name << " at " << i;
    }
    EXPECT_EQ(read(stored(name), "scalar"), std::vector<double>{42});
    EXPECT_EQ(read(stored(name), "time"), (std::vector<double>{0, 6, 12}));
  }
  EXPECT_EQ(read(stored("version_2.zarr"), "empty"), std::vector<double>());
  EXPECT_EQ(stores.describe(stored("version_3.zarr")).groups, std::vector<std::string>{"below"});
}

TEST_F(ZarrStoresTest, BlocksLieAcrossChunks) {
  ZarrStores stores;
  for (const char* name : {"version_2.zarr", "version_3.zarr"})
    for (const CfVariable& v : plain_fields(stores.describe(stored(name))))
      for (const auto& [start, count] : {std::pair(Lengths{0, 1, 2}, Lengths{3, 3, 2}),
                                         std::pair(Lengths{1, 0, 0}, Lengths{2, 4, 1}),
                                         std::pair(Lengths{2, 3, 4}, Lengths{1, 1, 1}),
                                         std::pair(Lengths{0, 2, 1}, Lengths{3, 1, 4})}) {
        std::vector<double> block(count[0] * count[1] * count[2]);
        stores.read(stored(name), v, start, count, block.data());
        for (size_t i = 0; i < block.size(); ++i) {
          const size_t time = start[0] + i / (count[1] * count[2]),
                       row = start[1] + i / count[2] % count[1], column = start[2] + i % count[2];
          ASSERT_EQ(block[i], expected(20 * time + 5 * row + column, v.name)) << v.name << i;
        }
      }
  const CfMetadata metadata = stores.describe(stored("version_2.zarr"));
  float out[9];
  expect_contains(error_of([&] {
                    stores.read_block(stored("version_2.zarr"), *metadata.find("zstd"), {1, 0, 0},
                                      {3, 1, 1}, out);
                  }),
                  {"array 'zstd' ends at 3 along axis 0, but 4 is wanted"});
}

// The counts are those of xarray.
TEST_F(ZarrStoresTest, WhatWasNeverWrittenIsTheFillValueAndInVersion2Missing) {
  const std::string two = stored("version_2.zarr"), three = stored("version_3.zarr");
  EXPECT_EQ(missing_in(read(two, "fill_zero")), "x" + std::string(59, '.'));
  EXPECT_EQ(missing_in(read(two, "half_written")), std::string(40, '.') + std::string(20, 'x'));
  const std::vector<double> packed = read(two, "packed");
  EXPECT_EQ(missing_in(packed), ".......xx" + std::string(51, '.'));
  EXPECT_EQ(packed[59], 69 * 0.5 + 273.15);
  EXPECT_EQ(missing_in(read(three, "fill_zero")), std::string(60, '.'));
  EXPECT_EQ(missing_in(read(three, "fill_nan")), std::string(60, 'x'));
  EXPECT_EQ(read(three, "f2_never"), std::vector<double>(60, 0.5));
  EXPECT_EQ(read(three, "fill_infinite"), std::vector<double>(60, -INFINITY));
  const std::vector<double> sparse = read(three, "shards_sparse");
  for (size_t i = 0; i < 60; ++i) EXPECT_EQ(sparse[i], i / 20 == 1 ? expected(i, "") : -2) << i;
}

TEST_F(ZarrStoresTest, TextsOfOneLengthAndOfAny) {
  const std::vector<std::string> words = {"ab", "", "é", "xxxxxxxxx"};
  ZarrStores stores;
  const auto texts = [&](const std::string& store, const std::string& name) {
    const CfMetadata metadata = stores.describe(stored(store));
    EXPECT_EQ(metadata.find(name)->type, ElementType::text);
    return stores.read_texts(stored(store), *metadata.find(name));
  };
  EXPECT_EQ(texts("version_2.zarr", "text_u"), words);
  EXPECT_EQ(texts("version_2.zarr", "text_big"), words);
  EXPECT_EQ(texts("version_2.zarr", "text_s"), (std::vector<std::string>{"ab", "", "c d", "efgh"}));
  EXPECT_EQ(texts("version_3.zarr", "text_u"), words);
  EXPECT_EQ(texts("version_3.zarr", "text"), words);
  EXPECT_EQ(texts("xarray_2.zarr", "surface"),
            (std::vector<std::string>{"sea", "land", "sea", "ice"}));
}

TEST_F(ZarrStoresTest, WhatXarrayWritesReadsAsXarrayDecodesIt) {
  for (const char* name : {"xarray_2.zarr", "xarray_3.zarr"}) {
    const auto source = open_zarr({stored(name)});
    const Region all = {0, 4, 0, 5};
    std::vector<float> field(20);
    for (int64_t time = 0; time < 3; ++time) {
      source->read({"t2m", 0, time, 0, 0}, all, field.data());
      for (size_t i = 0; i < 20; ++i) {
        const double number = expected(static_cast<size_t>(20 * time) + i, "");
        if (time == 1 && i == 13)
          EXPECT_TRUE(std::isnan(field[i])) << name;
        else
          EXPECT_EQ(field[i], static_cast<float>(270 + number / 4)) << name << i;
      }
      source->read({"precipitation", 0, time, 0, 0}, all, field.data());
      for (size_t i = 0; i < 20; ++i)
        EXPECT_EQ(std::isnan(field[i]), expected(static_cast<size_t>(20 * time) + i, "") > 60);
    }
    std::vector<int16_t> packed(20);
    const Packing packing = source->read_stored({"t2m", 0, 0, 0, 0}, all, packed.data());
    EXPECT_EQ(packing.type, NumberType::i16);
    EXPECT_EQ(packing.scale, 0.25);
    EXPECT_EQ(packed[19], 19);
    EXPECT_EQ(source->times().runs.size(), 3u);
    EXPECT_EQ(source->variable("t2m").units, "K");
    EXPECT_EQ(source->grid().latitude.front(), 50);
    EXPECT_TRUE(source->grid().separable);
  }
}

// base64.b64encode(struct.pack("<d", 15)) in the place of that of NaN.
TEST_F(ZarrStoresTest, AFillValueInBase64IsMissing) {
  const std::string store = copy_of("xarray_3.zarr");
  replace(store + "/zarr.json", "AAAAAAAA+H8=", "AAAAAAAALkA=");
  const std::vector<double> values = read(store, "precipitation");
  EXPECT_EQ(missing_in(values).substr(0, 20), "...............x....");
  EXPECT_EQ(values[14], 14);
}

TEST_F(ZarrStoresTest, ConsolidatedMetadataAreEnough) {
  const std::string store = copy_of("xarray_2.zarr");
  std::filesystem::remove(store + "/t2m/.zarray");
  EXPECT_EQ(read(store, "t2m")[1], 270.25);
  std::filesystem::remove(store + "/.zmetadata");
  EXPECT_EQ(ZarrStores().describe(store).find("t2m"), nullptr);
  EXPECT_NE(ZarrStores().describe(store).find("precipitation"), nullptr);
  const std::string three = copy_of("xarray_3.zarr");
  std::filesystem::remove(three + "/t2m/zarr.json");
  EXPECT_EQ(read(three, "t2m")[1], 270.25);
}

TEST_F(ZarrStoresTest, UnknownCodecsAndTypesAreNamedWithWhatCanBeRead) {
  ZarrStores stores;
  for (const auto& [store, variable] :
       {std::pair("version_2.zarr", "lz4"), std::pair("version_2.zarr", "delta"),
        std::pair("version_3.zarr", "lz4")}) {
    const CfMetadata metadata = stores.describe(stored(store));
    expect_contains(metadata.find(variable)->unreadable,
                    {"codec '" + std::string(variable), "blosc, zstd"});
    expect_contains(error_of([&] { stores.read(stored(store), *metadata.find(variable)); }),
                    {store, variable, "blosc, zstd, gzip"});
  }
  expect_contains(open_zarr({stored("version_2.zarr")})->left_out().at("delta"), {"'delta'"});
}

TEST_F(ZarrStoresTest, TheCacheIsBoundedInBytesAndManyThreadsMayRead) {
  ZarrStores small(3000), usual;
  const CfMetadata metadata = small.describe(stored("version_3.zarr"));
  const std::vector<CfVariable> fields = plain_fields(metadata);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int round = 0; round < 5; ++round)
        for (const CfVariable& v : fields)
          for (ZarrStores* stores : {&small, &usual}) {
            const std::vector<double> values = stores->read(stored("version_3.zarr"), v);
            for (size_t i = 0; i < values.size(); ++i)
              if (values[i] != expected(i, v.name)) ADD_FAILURE() << v.name;
          }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(small.chunks().bytes(), 3000u);
  EXPECT_GT(usual.chunks().bytes(), 10000u);
}

// Places of two digits beside those of one: 1.11 is not 11.1.
TEST_F(ZarrStoresTest, EveryChunkOfManyIsItsOwn) {
  write(path("a.zarr/.zgroup"), R"({"zarr_format": 2})");
  write(path("a.zarr/t/.zattrs"), R"({"_ARRAY_DIMENSIONS": ["y", "x"]})");
  write(path("a.zarr/t/.zarray"), R"({"zarr_format": 2, "shape": [12, 12], "chunks": [1, 1],
      "dtype": "<i2", "compressor": null, "fill_value": null, "order": "C", "filters": null})");
  for (int row = 0; row < 12; ++row)
    for (int column = 0; column < 12; ++column)
      write(path("a.zarr/t/") + std::to_string(row) + "." + std::to_string(column),
            {static_cast<char>(column), static_cast<char>(row)});
  const std::vector<double> values = read(path("a.zarr"), "t");
  for (size_t i = 0; i < 144; ++i) {
    const size_t bits = 256 * (i / 12) + i % 12;
    EXPECT_EQ(values[i], static_cast<double>(bits)) << i;
  }
}

TEST_F(ZarrStoresTest, TruncatedAndForeignChunksAreNamedWithStoreAndArray) {
  const std::string store = copy_of("version_2.zarr");
  for (const char* name : {"blosc_blosclz", "blosc_lz4", "blosc_lz4hc", "blosc_zlib", "blosc_zstd",
                           "zstd", "gzip", "zlib", "big_fortran"}) {
    const std::string chunk = store + "/" + name + "/0.0.0", whole = text_of(chunk);
    for (const std::string& text :
         {whole.substr(0, whole.size() / 2), whole.substr(0, whole.size() - 1), std::string(),
          std::string("<!DOCTYPE html>"), std::string(5000, '\7')}) {
      write(chunk, text);
      expect_contains(error_of([&] { read(store, name); }),
                      {store, "chunk 0.0.0 of array '" + std::string(name) + "' cannot be read",
                       "truncated or damaged"});
    }
  }
  std::filesystem::remove(store + "/zstd/0.0.0");
  std::filesystem::create_directory(store + "/zstd/0.0.0");
  expect_contains(error_of([&] { read(store, "zstd"); }), {"chunk 0.0.0 of array 'zstd'"});
}

// Whatever a byte of a chunk becomes: an error in words, or numbers.
TEST_F(ZarrStoresTest, AnyDamagedByteIsSurvived) {
  for (const auto& [store, file] :
       {std::pair("version_2.zarr", "blosc_lz4/0.0.0"),
        std::pair("version_2.zarr", "blosc_zstd/0.0.0"), std::pair("version_2.zarr", "gzip/0.0.0"),
        std::pair("version_2.zarr", "zstd/0.0.0"),
        std::pair("version_3.zarr", "shards_end/c/0/0/0"),
        std::pair("version_3.zarr", "text/c/0")}) {
    const std::string name = std::string(file).substr(0, std::string(file).find('/'));
    const std::string copy = copy_of_array(store, name), chunk = copy + "/" + file,
                      whole = text_of(chunk);
    constexpr int changes[] = {0x01, 0x80, 0xff};
    for (size_t at = 0; at < whole.size(); ++at) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ changes[at % std::size(changes)]);
      write(chunk, damaged);
      ZarrStores stores;
      const CfVariable v = *stores.describe(copy).find(name);
      const auto reads = [&] {
        if (v.type == ElementType::text)
          stores.read_texts(copy, v);
        else
          stores.read(copy, v);
      };
      const std::string error = error_of(reads);
      if (!error.empty()) expect_contains(error, {"of array '" + name + "' cannot be read"});
    }
  }
  const std::string copy = copy_of("version_3.zarr"), chunk = copy + "/gzip_crc32c/c/0/0/0";
  std::string text = text_of(chunk);
  text[text.size() / 2] ^= 1;
  write(chunk, text);
  expect_contains(error_of([&] { read(copy, "gzip_crc32c"); }), {"checksum crc32c differs"});
}

TEST_F(ZarrStoresTest, MetadataThatAreImpossibleAreRefused) {
  const std::string good = R"({"zarr_format": 2, "shape": [4, 6], "chunks": [2, 3], "dtype": "<f4",
      "compressor": null, "fill_value": 0, "order": "C", "filters": null})";
  const auto refusal = [&](const std::string& before, const std::string& after) {
    std::string text = good;
    text.replace(text.find(before), before.size(), after);
    write(path("a.zarr/.zgroup"), R"({"zarr_format": 2})");
    write(path("a.zarr/t/.zattrs"), R"({"_ARRAY_DIMENSIONS": ["y", "x"]})");
    write(path("a.zarr/t/.zarray"), text);
    return error_of([&] { read(path("a.zarr"), "t"); });
  };
  EXPECT_EQ(refusal("[4, 6]", "[4, 6]"), "");
  const std::pair<std::vector<std::string>, const char*> cases[] = {
      {{"[4, 6]", "[4, -6]"}, "'shape' holds -6, which is no length"},
      {{"[4, 6]", "[4, 1e30]"}, "which is no length"},
      {{"[4, 6]", "\"many\""}, "'shape' is no list of lengths"},
      {{"[4, 6]", "[4, 6, 8]"}, "has 3 dimensions, its chunks have 2"},
      {{"[2, 3]", "[0, 3]"}, "the length 0 of a chunk"},
      {{"[2, 3]", "[1000000, 1000000]"}, "chunks are larger than 4 GiB"},
      {{"[4, 6]", "[1000000000, 1000000000]"}, "but the file only"},
      {{"\"<f4\"", "\"<c16\""}, "its elements are of the type \"<c16\""},
      {{"\"<f4\"", "[[\"a\", \"<f4\"]]"}, "its elements are of the type"},
      {{"\"fill_value\": 0", "\"fill_value\": {}"}, "its fill_value is {}"},
      {{"\"C\"", std::string(2000, '[')}, "deep"},
      {{"\"C\"", "C"}, ".zarray"},
      {{"\"C\"", "\"C\", \"order\": \"F\""}, "order"}};
  for (const auto& [change, sentence] : cases)
    expect_contains(refusal(change[0], change[1]), {"a.zarr", sentence});
  const auto described = [&](const std::string& file, const std::string& text) {
    std::filesystem::remove_all(path("b.zarr"));
    write(path("b.zarr/") + file, text);
    return error_of([&] { ZarrStores().describe(path("b.zarr")); });
  };
  expect_contains(described("zarr.json", R"({"zarr_format": 4})"), {"zarr_format is 4"});
  expect_contains(described("zarr.json", R"({"zarr_format": 3, "node_type": "array"})"),
                  {"single Zarr array"});
  expect_contains(described("zarr.json", "[]"), {"no JSON object"});
  expect_contains(described(".zarray", good), {"single Zarr array"});
  expect_contains(described("a.txt", ""), {"b.zarr", "no Zarr store"});
  write(path("a.zarr/u/.zattrs"), R"({"_ARRAY_DIMENSIONS": ["x", "y"]})");
  write(path("a.zarr/u/.zarray"), good);
  expect_contains(refusal("[4, 6]", "[4, 6]"),
                  {"dimension 'x' has the length 6, but 4 in array 'u'"});
  std::filesystem::remove(path("a.zarr/u/.zattrs"));
  EXPECT_EQ(refusal("[4, 6]", "[4, 6]"), "");
  expect_contains(ZarrStores().describe(path("a.zarr")).find("u")->unreadable,
                  {"dimensions have no names"});
}

TEST_F(ZarrStoresTest, TheFingerprintFollowsEveryChunk) {
  const std::string store = copy_of("xarray_3.zarr");
  const auto source = open_zarr({store});
  const std::string before = source->fingerprint(), content = source->content();
  EXPECT_EQ(open_zarr({stored("xarray_3.zarr")})->content(), content);
  std::string chunk = text_of(store + "/t2m/c/1/0/0");
  chunk.back() ^= 1;
  write(store + "/t2m/c/1/0/0", chunk);
  EXPECT_NE(source->fingerprint(), before);
  EXPECT_NE(source->content(), content);
}

TEST_F(ZarrStoresTest, StoresAreKnownByTheirContent) {
  for (const char* name : {"version_2.zarr", "version_3.zarr", "xarray_2.zarr"})
    EXPECT_TRUE(zarr_dataset().recognises(stored(name))) << name;
  EXPECT_FALSE(zarr_dataset().recognises(stored("")));
  EXPECT_FALSE(zarr_dataset().recognises(stored("nothing")));
}

// zarr-python writes them so; xarray does not.
TEST_F(ZarrStoresTest, ArraysWithoutNamesOfDimensionsAreRefused) {
  write(path("a.zarr/.zgroup"), R"({"zarr_format": 2})");
  write(path("a.zarr/t/.zarray"), R"({"zarr_format": 2, "shape": [2, 3], "chunks": [2, 3],
      "dtype": "<f4", "compressor": null, "fill_value": 0, "order": "C", "filters": null})");
  expect_contains(error_of([&] { read(path("a.zarr"), "t"); }),
                  {"a.zarr: array 't' has no names of its dimensions (_ARRAY_DIMENSIONS in Zarr 2, "
                   "dimension_names in Zarr 3)"});
}

}  // namespace
}  // namespace py4cast
