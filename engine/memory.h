// Memory: the ledger that knows every byte, and the step arena that plans a step's memory before
// the step runs.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "engine/tensor.h"

namespace py4cast {

enum class Space { host, pinned, device };
enum class Owner { parameters, activations, workspace, batches, communication, other };
std::string_view name_of(Owner owner);

// What else a program holds and must give back.
enum class Resource { stream, event, graph, file, thread };

// Every block that the engine holds, by space and owner, with the layer and the step of its birth,
// and the number of its other resources. Thread safe. After warm-up two snapshots at step
// boundaries must be equal: the proof that nothing leaks.
class MemoryLedger {
 public:
  struct Block {
    Space space;
    Owner owner;
    size_t bytes;
    std::string path;
    int64_t step;
    bool operator==(const Block&) const = default;
  };
  struct Snapshot {
    std::map<uint64_t, Block> blocks;
    std::map<std::pair<Resource, std::string>, int64_t> resources;  // by owner; none is 0
    bool operator==(const Snapshot&) const = default;
  };

  uint64_t add(Space space, Owner owner, size_t bytes, const std::string& path);
  void remove(uint64_t id);
  // One more (+1) or one less (-1) is held by the owner, for example "loader".
  void count(Resource kind, const std::string& owner, int64_t change);
  void begin_step(int64_t step);

  Snapshot snapshot() const;
  int64_t live(Resource kind) const;
  size_t live_bytes(Space space) const;
  size_t live_bytes(Owner owner) const;
  size_t peak_bytes(Space space) const;  // the most that was ever live
  uint64_t allocations() const;          // how often add was called

 private:
  mutable std::mutex mutex_;
  Snapshot held_;
  std::array<size_t, 3> live_{}, peak_{};
  uint64_t next_ = 1;
  int64_t step_ = 0;
};

// A block of memory of the device that the ledger knows, not initialised: of the heap (256-byte
// aligned) or of a GPU (engine/cuda.h).
std::shared_ptr<Storage> allocate(size_t bytes, Device device, MemoryLedger* ledger, Owner owner,
                                  const std::string& path);
// A block of the heap (host) that the ledger knows, 256-byte aligned, not initialised.
std::shared_ptr<Storage> allocate_host(size_t bytes, MemoryLedger* ledger, Owner owner,
                                       const std::string& path);

// The memory of one kind of step: sizes and lifetimes of its blocks as the dry run saw them, and
// packed addresses.
struct StepPlan {
  struct Request {
    size_t bytes;           // rounded up to the alignment
    size_t offset;          // in the arena
    uint64_t birth, death;  // order of events in the dry run
    std::string path;       // layer that asked
    // Earlier requests with overlapping addresses: dead when this one is born.
    std::vector<uint32_t> below;
  };
  std::vector<Request> requests;
  size_t bytes = 0;       // size of the arena
  size_t live_bytes = 0;  // the most that was live at once: the lower bound of `bytes`
};
// Packs addresses (largest block first, lowest address that no block alive at the same time takes).
void pack(StepPlan& plan);

// Hands out the activations of a step. The first step of each kind (key) runs dry: ops check shapes
// and ask for memory, nothing is launched, tensors have no data. Then addresses are planned, and
// every later step of that kind gets the same addresses without a search. Not thread safe: one
// arena belongs to one step loop. It outlives its tensors.
class StepArena {
 public:
  enum class Mode {
    plan,
    debug  // own memory for each block, NaN when it is freed; the results must equal those of `plan`
  };
  explicit StepArena(MemoryLedger& ledger, Mode mode = Mode::plan, size_t limit_bytes = 0,
                     Device device = {});
  ~StepArena();

  // Runs `step` under the key: dry first if the key is new, then for real.
  // Error(memory): the plan exceeds the limit. Error(internal): the step asked for other memory
  // than its dry run.
  template <typename Step>
  void run(const std::string& key, Step&& step) {
    if (begin_dry(key)) {
      step();
      end_dry();
    }
    begin(key);
    step();
    end();
  }
  // The dry run alone (`--dry-run`): the plan of the key.
  template <typename Step>
  const StepPlan& plan(const std::string& key, Step&& step) {
    if (begin_dry(key)) {
      step();
      end_dry();
    }
    return plans_.at(key);
  }

  bool dry() const { return dry_; }
  std::shared_ptr<Storage> allocate(size_t bytes, const std::string& path);
  size_t capacity() const { return capacity_; }
  const std::map<std::string, StepPlan>& plans() const { return plans_; }

 private:
  class Block;
  bool begin_dry(const std::string& key);
  void end_dry();
  void begin(const std::string& key);
  void end();
  std::shared_ptr<Storage> allocate_real(size_t bytes, const std::string& path);

  MemoryLedger& ledger_;
  Mode mode_;
  size_t limit_bytes_;
  Device device_;
  std::map<std::string, StepPlan> plans_;
  std::string key_;
  StepPlan pending_;             // of the dry run
  StepPlan* current_ = nullptr;  // null between steps
  std::vector<char> alive_;      // by request of the current step
  // Debug mode: freed, filled with NaN, kept until the step ends.
  std::vector<std::shared_ptr<Storage>> graveyard_;
  size_t next_ = 0;
  uint64_t clock_ = 0;
  // Number of the run: a block that outlives its run (an exception) is ignored.
  uint64_t epoch_ = 0;
  bool dry_ = false;
  std::shared_ptr<Storage> memory_;
  size_t capacity_ = 0;
};

}  // namespace py4cast
