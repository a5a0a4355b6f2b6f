#include "engine/safetensors.h"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <limits>

#include "engine/error.h"
#include "engine/files.h"

namespace py4cast {
namespace {

using Tensors = std::vector<std::pair<std::string, Tensor>>;

std::string path(const std::string& name) {
  return testing::TempDir() + "safetensors_" + name;
}

Tensor filled(const Shape& shape, DataType type, unsigned char first) {
  Tensor tensor = host_tensor(shape, type);
  for (size_t i = 0; i < tensor.bytes(); ++i) tensor.raw()[i] = static_cast<std::byte>(first + i);
  return tensor;
}

std::string raw(const Tensor& tensor) {
  return {reinterpret_cast<const char*>(tensor.raw()), tensor.bytes()};
}

// A file with this header and so many bytes of data.
std::string file_with(const std::string& name, const std::string& header, size_t data_bytes) {
  const uint64_t length = header.size();
  std::string text(reinterpret_cast<const char*>(&length), sizeof length);
  write_file(path(name), text + header + std::string(data_bytes, 'x'));
  return path(name);
}

std::string weights_refusal(const std::string& file, ErrorKind kind = ErrorKind::data) {
  try {
    read_safetensors(file);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    const std::string text = error.what();
    EXPECT_TRUE(text.starts_with(file + ": ")) << text;
    return text.substr(std::min(text.size(), file.size() + 2));
  }
  return "no error";
}

std::string sentence_of_header(const std::string& header, size_t data_bytes) {
  return weights_refusal(file_with("header", header, data_bytes));
}

// The same bytes as Python's safetensors.numpy.save_file({"b": float32 [[1, 2]], "a": float32 [-1],
// "count": int64 7}, metadata={"by": "us"}).
TEST(Safetensors, BytesOfThePythonLibrary) {
  Tensor b = host_tensor({1, 2}, DataType::f32), a = host_tensor({1}, DataType::f32),
         count = host_tensor({}, DataType::i64);
  b.data<float>()[0] = 1, b.data<float>()[1] = 2, a.data<float>()[0] = -1;
  count.data<int64_t>()[0] = 7;
  write_safetensors(path("bytes"), {{"b", b}, {"a", a}, {"count", count}}, {{"by", "us"}});
  const std::string header =
      R"({"__metadata__":{"by":"us"},"count":{"dtype":"I64","shape":[],"data_offsets":[0,8]},)"
      R"("a":{"dtype":"F32","shape":[1],"data_offsets":[8,12]},)"
      R"("b":{"dtype":"F32","shape":[1,2],"data_offsets":[12,20]}}     )";
  const std::string data("\x07\0\0\0\0\0\0\0\0\0\x80\xbf\0\0\x80\x3f\0\0\0\x40", 20);
  const std::string length("\xc8\0\0\0\0\0\0\0", 8);
  EXPECT_EQ(read_file(path("bytes")), length + header + data);
}

TEST(Safetensors, EveryTypeAndShapeComesBack) {
  Tensors tensors;
  unsigned char first = 0;
  for (DataType type :
       {DataType::f64, DataType::f32, DataType::f16, DataType::bf16, DataType::i32, DataType::i64})
    for (const Shape& shape : {Shape{}, Shape{3}, Shape{2, 0, 3}, Shape{2, 3, 1, 5}})
      tensors.emplace_back(std::string(name_of(type)) + std::to_string(shape.numel()),
                           filled(shape, type, ++first));
  const std::map<std::string, std::string> metadata{{"format", "pt"}, {"quote\"d", "line\nbreak"}};
  write_safetensors(path("types"), tensors, metadata);
  const Safetensors content = read_safetensors(path("types"));
  EXPECT_EQ(content.metadata, metadata);
  ASSERT_EQ(content.tensors.size(), tensors.size());
  for (const auto& [name, tensor] : tensors) {
    const Tensor& back = content.tensors.at(name);
    EXPECT_EQ(back.type(), tensor.type());
    EXPECT_EQ(back.shape(), tensor.shape());
    EXPECT_EQ(raw(back), raw(tensor));
  }
}

// Whose lowest bytes may be those with which files of other formats begin.
TEST(Safetensors, HeadersMayHaveAnyLength) {
  for (size_t length = 2; length < 1100; ++length) {
    const std::string header = "{" + std::string(length - 2, ' ') + "}";
    EXPECT_EQ(weights_refusal(file_with("length", header, 0)), "no error") << length;
  }
  const size_t zip = 'P' + 256 * 'K';
  EXPECT_EQ(weights_refusal(file_with("length", "{" + std::string(zip - 2, ' ') + "}", 0)),
            "no error");
}

TEST(Safetensors, WithoutTensors) {
  write_safetensors(path("none"), {});
  EXPECT_EQ(read_file(path("none")).size(), 16u);
  EXPECT_TRUE(read_safetensors(path("none")).tensors.empty());
}

TEST(Safetensors, EveryTruncationIsNoticed) {
  write_safetensors(path("whole"), {{"x", filled({3}, DataType::f32, 1)}});
  const std::string whole = read_file(path("whole"));
  for (size_t size = 0; size < whole.size(); ++size) {
    write_file(path("part"), std::string_view(whole).substr(0, size));
    EXPECT_NE(weights_refusal(path("part")), "no error") << size;
  }
  EXPECT_EQ(weights_refusal(path("part")),
            "is truncated: 12 bytes of tensors are announced, 11 are there");
  write_file(path("part"), whole + "x");
  EXPECT_EQ(weights_refusal(path("part")), "has 1 bytes behind the last tensor");
}

TEST(Safetensors, WhatIsNotOneIsRefused) {
  EXPECT_EQ(weights_refusal(path("missing"), ErrorKind::input_output),
            "cannot be read: No such file or directory");
  write_file(path("text"), "CDF\x01 and then a netCDF file");
  EXPECT_EQ(weights_refusal(path("text")),
            "is not a safetensors file: it does not begin with a JSON header");
  EXPECT_EQ(sentence_of_header("{\"a\":1", 0),
            "is not a safetensors file: its header is not a JSON object");
  write_file(path("short"), "CDF");
  EXPECT_EQ(weights_refusal(path("short")), "is not a safetensors file: it has 3 bytes");
  write_file(path("long"), std::string("\x00\x10\0\0\0\0\0\0{}", 10));
  EXPECT_EQ(weights_refusal(path("long")),
            "is truncated: it has 10 bytes but its header alone 4096");
}

TEST(Safetensors, ADeepHeaderIsRefused) {
  EXPECT_EQ(sentence_of_header("{\"a\":" + std::string(75000, '['), 0),
            "the JSON of its header is nested too deep");
}

// With a search through all names for each of them this would take a minute.
TEST(Safetensors, ManyTensorsAreWrittenAndRead) {
  Tensors tensors;
  for (int i = 0; i < 60000; ++i)
    tensors.emplace_back("t" + std::to_string(i), host_tensor({0}, DataType::f32));
  write_safetensors(path("many"), tensors);
  EXPECT_EQ(read_safetensors(path("many")).tensors.size(), 60000u);
}

TEST(Safetensors, DescriptionsOfTensorsAreChecked) {
  const std::string good = R"("dtype":"F32","shape":[2],"data_offsets":[0,8])";
  EXPECT_EQ(sentence_of_header("{\"a\":{" + good + "}}", 8), "no error");
  EXPECT_EQ(sentence_of_header("{\"a\":{" + good + "},\"a\":{" + good + "}}", 8),
            "'a' stands in the header twice");
  EXPECT_EQ(sentence_of_header("{\"a\":{" + good + "},\"b\":{" + good + "}}", 8),
            "tensor 'b' overlaps 'a'");
  EXPECT_EQ(sentence_of_header(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})", 12),
            "tensor 'a' leaves a gap after the header");
  EXPECT_EQ(sentence_of_header(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", 8),
            "tensor 'a' of type F32 and shape [3] has 12 bytes but its data_offsets hold 8");
  EXPECT_EQ(sentence_of_header(R"({"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}})", 8),
            "tensor 'a' has the type U8, not one of F64 F32 F16 BF16 I32 I64");
  EXPECT_EQ(sentence_of_header(R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", 8),
            "tensor 'a' has a shape that is not a list of counts");
  EXPECT_EQ(sentence_of_header(R"({"a":{"dtype":"F32","shape":"2","data_offsets":[0,8]}})", 8),
            "tensor 'a' has a shape that is not a list of counts");
  EXPECT_EQ(sentence_of_header(
                R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}})", 8),
            "tensor 'a' has an impossible shape");
  // An axis of size 0 does not excuse the others.
  EXPECT_EQ(sentence_of_header(
                R"({"a":{"dtype":"I32","shape":[0,4611686018427387904,4611686018427387904],)"
                R"("data_offsets":[0,0]}})",
                0),
            "tensor 'a' has an impossible shape");
  EXPECT_EQ(sentence_of_header(R"({"a":{"dtype":"F32","shape":null,"data_offsets":[0,4]}})", 4),
            "tensor 'a' has a shape that is not a list of counts");
  EXPECT_EQ(sentence_of_header(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", 8),
            "tensor 'a' has no range as data_offsets");
  EXPECT_EQ(sentence_of_header(R"({"a":{"dtype":"F32","shape":[2],"offsets":[8,0]}})", 8),
            "tensor 'a' has no data_offsets in the header");
  EXPECT_EQ(sentence_of_header(R"({"a":[1,2]})", 8),
            "tensor 'a' is not described by dtype, shape and data_offsets");
  EXPECT_EQ(sentence_of_header(R"({"__metadata__":{"a":1}})", 0),
            "metadata 'a' in the header is not a string");
}

}  // namespace
}  // namespace py4cast
