#include "engine/error.h"

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <new>
#include <numeric>
#include <utility>

#include "engine/text.h"

namespace py4cast {
namespace {

// Letters that are left out, added, replaced or exchanged with the next one.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1), last, before_last;
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    before_last = std::exchange(last, row);
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
  }
  return row.back();
}

// In any case, then in the given one.
std::pair<size_t, size_t> distances(std::string_view a, std::string_view b) {
  return {edit_distance(lower_case(a), lower_case(b)), edit_distance(a, b)};
}

}  // namespace

Failure current_failure() {
  try {
    throw;
  } catch (const Error& error) {
    return {error.what(), error.exit_code()};
  } catch (const std::bad_alloc&) {
    return {"not enough memory", static_cast<int>(ErrorKind::memory)};
  } catch (const std::filesystem::filesystem_error& error) {
    return {error.path1().string() + ": " + error.code().message(),
            static_cast<int>(ErrorKind::input_output)};
  } catch (const std::exception& error) {
    return {std::string("internal error: ") + error.what(), static_cast<int>(ErrorKind::internal)};
  } catch (...) {
    return {"internal error", static_cast<int>(ErrorKind::internal)};
  }
}

void tell_error(std::string_view message) {
  std::cerr << "py4cast: " + std::string(message) + "\n" << std::flush;
}

// Letters in another case count only between candidates that are equally near.
std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates) {
  const auto nearest = std::min_element(
      candidates.begin(), candidates.end(),
      [&](const auto& a, const auto& b) { return distances(name, a) < distances(name, b); });
  return nearest == candidates.end() ? std::string() : *nearest;
}

}  // namespace py4cast
