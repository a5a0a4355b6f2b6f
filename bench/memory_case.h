// The trainings whose memory is watched.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/memory_series.h"

namespace py4cast {

// A training of a small HalfUNet on 32 x 32 points.
struct MemoryCase {
  enum class File { opened, kept, none };     // at each read again; once; fields from memory
  enum class Normalise { cpu, device, raw };  // in float64 by the workers; on the GPU; not at all
  enum class Mode { train, validate, checkpoint, all };  // beside training, after every 50 steps
  // What is leaked on purpose: what netCDF leaves behind when it opens and closes a file, 64 bytes of
  // the heap (each in every step); a descriptor, a block of the memory ledger (each in every hundredth).
  enum class Control { no, netcdf, heap, descriptor, ledger };

  File file = File::opened;
  Normalise normalise = Normalise::cpu;
  int64_t workers = 1, forecasts = 1;
  Mode mode = Mode::train;
  Control control = Control::no;

  // "opened/cpu/1w/1f/train", "control/heap".
  std::string name() const;
  // With whom it shares a line in a picture: "py4cast, file opened each time".
  std::string group() const;
  // What a control must be found out by (bench/memory_series.h).
  const char* expected_signal() const;
};

// A standard case and those that differ from it in one factor; `corners`: also all combinations of
// {opened, none} x {cpu, device} x {0, 4 workers} x {1, 3 forecasts} x {train, all}.
std::vector<MemoryCase> memory_cases(bool corners);
// One for each leak. netCDF leaks in version 4.9.0, some 2 kB at each opening.
std::vector<MemoryCase> memory_controls();

struct MemorySteps {
  int64_t warm_up = 500, steps = 4000;
  int64_t every = 10;  // between two looks at the signals
};

struct MemoryRun {
  nlohmann::ordered_json environment;  // engine/runtime.h
  MemorySeries series;
};

// Trains in this process, once in its life. Its files lie below the system's folder for temporary
// files until it returns.
// Error(configuration): Normalise::device without a GPU.
MemoryRun run_memory_case(const MemoryCase& what, const MemorySteps& steps);

}  // namespace py4cast
