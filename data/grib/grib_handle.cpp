#include "data/grib/grib_handle.h"

#include "engine/error.h"

namespace py4cast {
namespace {

#if !PY4CAST_ECCODES_THREADS
std::mutex eccodes_mutex;
#endif

// What ecCodes says on standard error is said by our errors.
void be_silent(const codes_context*, int, const char*) {}

// Where damaged numbers contradict each other ecCodes would end the process. Through its functions an
// exception passes as well as through ours; the memory of that one message is lost.
void refuse_damage(const char* assertion) {
  throw Error(ErrorKind::data, "ecCodes finds the message damaged (", assertion, ")");
}

}  // namespace

GribHandle::GribHandle(std::string_view message) {
  static std::once_flag once;
  std::call_once(once, [] {
    codes_context_set_logging_proc(codes_context_get_default(), be_silent);
    codes_set_codes_assertion_failed_proc(refuse_damage);
  });
#if !PY4CAST_ECCODES_THREADS
  alone_ = std::unique_lock(eccodes_mutex);
#endif
  handle_ = codes_handle_new_from_message(nullptr, message.data(), message.size());
  if (!handle_) throw Error(ErrorKind::data, std::string("ecCodes cannot read the message"));
}

GribHandle::~GribHandle() {
  codes_handle_delete(handle_);
}

void GribHandle::check(int status, const char* key) const {
  if (status != CODES_SUCCESS)
    throw Error(ErrorKind::data, "ecCodes cannot give '", key,
                "' of the message: ", codes_get_error_message(status));
}

std::string GribHandle::text(const char* key) const {
  char value[1024];
  size_t length = sizeof value;
  if (codes_get_string(handle_, key, value, &length) != CODES_SUCCESS) return {};
  return {value};
}

std::optional<double> GribHandle::find(const char* key) const {
  double value = 0;
  int status = CODES_SUCCESS;
  if (codes_get_double(handle_, key, &value) != CODES_SUCCESS) return {};
  if (codes_is_missing(handle_, key, &status)) return {};
  return value;
}

double GribHandle::number(const char* key) const {
  double value = 0;
  check(codes_get_double(handle_, key, &value), key);
  return value;
}

int64_t GribHandle::integer(const char* key) const {
  long value = 0;
  check(codes_get_long(handle_, key, &value), key);
  return value;
}

void GribHandle::set(const char* key, const std::string& value) {
  size_t length = value.size();
  check(codes_set_string(handle_, key, value.c_str(), &length), key);
}

void GribHandle::set(const char* key, double value) {
  check(codes_set_double(handle_, key, value), key);
}

std::vector<double> GribHandle::numbers(const char* key) const {
  size_t count = 0;
  check(codes_get_size(handle_, key, &count), key);
  std::vector<double> values(count);
  check(codes_get_double_array(handle_, key, values.data(), &count), key);
  values.resize(count);
  return values;
}

}  // namespace py4cast
