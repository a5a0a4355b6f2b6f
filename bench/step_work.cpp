#include "bench/step_work.h"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "bench/checks.h"
#include "bench/google_benchmark.h"
#include "bench/training_step.h"
#include "engine/error.h"
#include "train/precision.h"

namespace py4cast {
namespace {

// By the first part of a module's path and op.
struct WorkTable : OpObserver {
  void op(const Context& context, const OpNote& note, std::span<const Tensor> inputs,
          std::span<const Tensor> outputs) override {
    rows[{context.path.substr(0, context.path.find('.')), std::string(note.name)}].op(
        context, note, inputs, outputs);
  }
  std::map<std::pair<std::string, std::string>, WorkCounter> rows;
};

void print_work(Machine& machine, const StepCase& which, int64_t forecasts) {
  const Precision precision = machine.runtime().context().precision;
  const TrainingStep step(machine, which, precision, forecasts);
  WorkTable table;
  machine.tell(
      step.context(), [&step](Context& context) { step(context); }, table);
  struct Row {
    std::string module, op;
    Work work;
    double seconds = 0;
  };
  std::vector<Row> rows;
  Row all{.module = "all"};
  for (const auto& [key, counter] : table.rows) {
    const Work& work = counter.total();
    rows.push_back({key.first, key.second, work, machine.ceilings().floor(work, precision)});
    all.work += work;
    all.seconds += rows.back().seconds;
  }
  std::ranges::stable_sort(rows, std::greater(), &Row::seconds);
  rows.push_back(all);
  std::printf("%s, %s: %lld x %lld points, forecasts: %lld\n%-22s %-22s %6s %11s %11s %12s\n",
              which.name.c_str(), std::string(name_of(precision)).c_str(),
              static_cast<long long>(machine.side()), static_cast<long long>(machine.side()),
              static_cast<long long>(forecasts), "module", "op", "calls", "GFLOP", "MB",
              "ms at least");
  for (const Row& row : rows)
    std::printf("%-22s %-22s %6lld %11.3f %11.1f %12.3f\n", row.module.c_str(), row.op.c_str(),
                static_cast<long long>(row.work.calls), row.work.flops / 1e9, row.work.bytes / 1e6,
                1e3 * row.seconds);
}

}  // namespace

int print_step_work(const Arguments& arguments) {
  const int64_t forecasts = arguments.integer("work", 1);
  if (forecasts < 1)
    throw Error(ErrorKind::configuration, "--work ", forecasts, ": at least 1 is needed");
  const std::string precision = arguments.text("precision", "fp32");
  check_choice("precision", precision, {"fp32", "tf32", "bf16"});
  std::vector<const StepCase*> cases;
  for (const std::string& name : words_of(arguments.text("networks", "hilam")))
    cases.push_back(&step_case("networks", name));
  Machine machine(arguments.text("device", "cpu"), grid_side(arguments), told_ceilings(arguments));
  set_precision(machine.runtime(), precision);
  for (const StepCase* which : cases) print_work(machine, *which, forecasts);
  return 0;
}

}  // namespace py4cast
