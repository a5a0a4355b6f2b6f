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

// Before the first call, and for as long as a handle lives.
std::unique_lock<std::mutex> begin_eccodes() {
  static std::once_flag once;
  std::call_once(once, [] {
    codes_context_set_logging_proc(codes_context_get_default(), be_silent);
    codes_set_codes_assertion_failed_proc(refuse_damage);
  });
#if PY4CAST_ECCODES_THREADS
  return {};
#else
  return std::unique_lock(eccodes_mutex);
#endif
}

}  // namespace

GribHandle::GribHandle(std::string_view message) : GribHandle(begin_eccodes()) {
  handle_ = codes_handle_new_from_message(nullptr, message.data(), message.size());
  if (!handle_) throw Error(ErrorKind::data, std::string("ecCodes cannot read the message"));
}

GribHandle::GribHandle(Sample sample) : GribHandle(begin_eccodes()) {
  handle_ = codes_grib_handle_new_from_samples(nullptr, sample.name);
  if (!handle_)
    throw Error(ErrorKind::input_output, "ecCodes finds no sample '", sample.name,
                "': its files are not installed where it looks for them (ECCODES_SAMPLES_PATH)");
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

void GribHandle::set_integer(const char* key, int64_t value) {
  check(codes_set_long(handle_, key, static_cast<long>(value)), key);
}

void GribHandle::set_numbers(const char* key, const std::vector<double>& values) {
  check(codes_set_double_array(handle_, key, values.data(), values.size()), key);
}

std::string GribHandle::message() const {
  const void* bytes = nullptr;
  size_t length = 0;
  check(codes_get_message(handle_, &bytes, &length), "message");
  return {static_cast<const char*>(bytes), length};
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
