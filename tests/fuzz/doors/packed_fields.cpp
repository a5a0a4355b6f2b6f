// Fields as they are stored: the bytes are the packing, how it is standardised, and the numbers. What comes out must be, at every
// instruction level, what the formulas of kernels/fields/field_plane.h say.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "data/weather/missing_points.h"
#include "kernels/fields/decode_fields.h"
#include "tests/fuzz/door.h"
#include "tests/kernels/fields/stored_number.h"

namespace {

using namespace py4cast;

struct Head {
  uint8_t type, channels, constant,
      marked;  // every so many-th channel is constant, point is marked
  float missing, level;
  double scale, offset, minimum, maximum, missing_numbers[4], mean, factor;
};

float physical_of(const Packing& packing, const void* numbers, int64_t at) {
  const double stored = stored_number(packing.type, numbers, at);
  for (const double missing : packing.missing)
    if (stored == missing) return NAN;
  if (stored < packing.minimum || stored > packing.maximum) return NAN;
  return static_cast<float>(stored * packing.scale + packing.offset);
}

bool same(float a, float b) {
  return std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b) || (a != a && b != b);
}

void must(bool good, const char* what) {
  if (!good) throw std::logic_error(what);
}

void check_decoded(const std::vector<FieldPlane>& planes, const std::vector<const void*>& numbers,
                   int64_t points, CpuLevel level) {
  const auto channels = static_cast<int64_t>(planes.size());
  std::vector<float> values(static_cast<size_t>(points * channels)), valid(values.size()),
      all_valid(static_cast<size_t>(points), -7);
  decode_frame(level, planes, numbers, points, values.data(), valid.data(), all_valid.data());
  for (int64_t p = 0; p < points; ++p) {
    bool all = true;
    for (int64_t c = 0; c < channels; ++c) {
      const FieldPlane& plane = planes[static_cast<size_t>(c)];
      const auto at = static_cast<size_t>(p * channels + c);
      float expected = plane.constant, physical = plane.constant;
      if (plane.place >= 0) {
        physical = physical_of(plane.packing, numbers[static_cast<size_t>(c)], p);
        expected =
            std::isnan(physical)
                ? plane.missing
                : static_cast<float>((static_cast<double>(physical) - plane.mean) * plane.factor);
      }
      must(same(values[at], expected), "a value is another one than the formula's");
      must(valid[at] == (std::isnan(physical) ? 0 : 1), "a value is valid that is missing");
      all &= !std::isnan(physical);
    }
    must(all_valid[static_cast<size_t>(p)] == (all ? 1 : 0), "all_valid is wrong");
  }
}

// What is made missing is missing, and nothing else changes.
void check_made_missing(const Packing& packing, std::string_view numbers, int64_t points,
                        int64_t marked, CpuLevel level) {
  std::vector<bool> chosen(static_cast<size_t>(points));
  for (int64_t p = 0; p < points; ++p) chosen[static_cast<size_t>(p)] = p % marked == 0;
  std::vector<std::byte> changed(numbers.size());
  std::ranges::transform(numbers, changed.begin(), [](char c) { return std::byte(c); });
  const bool made = make_missing(packing, chosen, changed.data());
  int64_t missing = 0;
  for (int64_t p = 0; p < points; ++p) {
    const float now = physical_of(packing, changed.data(), p),
                before = physical_of(packing, numbers.data(), p);
    if (made && chosen[static_cast<size_t>(p)])
      must(std::isnan(now), "a point was not made missing");
    else
      must(same(now, before), "a point changed that was to stay");
    missing += std::isnan(now);
  }
  must(count_missing(level, packing, changed.data(), points) == missing,
       "missing points are miscounted");
}

}  // namespace

void py4cast::enter(std::string_view input) {
  Head head;
  if (input.size() < sizeof head) return;
  std::memcpy(&head, input.data(), sizeof head);
  input.remove_prefix(sizeof head);
  const Packing packing{.type = static_cast<NumberType>(head.type % 7),
                        .scale = head.scale,
                        .offset = head.offset,
                        .minimum = head.minimum,
                        .maximum = head.maximum,
                        .missing = {head.missing_numbers[0], head.missing_numbers[1],
                                    head.missing_numbers[2], head.missing_numbers[3]}};
  const int64_t channels = 1 + head.channels % 40,
                points = static_cast<int64_t>(input.size()) / size_of(packing.type) / channels;
  const std::vector<char> aligned(input.begin(), input.end());
  std::vector<FieldPlane> planes;
  std::vector<const void*> numbers;
  for (int64_t c = 0; c < channels; ++c) {
    const bool constant = head.constant && c % head.constant == 0;
    planes.push_back({.packing = packing,
                      .place = constant ? -1 : 0,
                      .mean = head.mean,
                      .factor = head.factor,
                      .missing = head.missing,
                      .constant = head.level});
    numbers.push_back(constant ? nullptr : aligned.data() + c * points * size_of(packing.type));
  }
  for (const CpuLevel level : {CpuLevel::baseline, CpuLevel::avx2, CpuLevel::avx512}) {
    if (!has_cpu_level(level)) continue;
    check_decoded(planes, numbers, points, level);
    check_made_missing(packing, input, points, 1 + head.marked % 8, level);
  }
}
