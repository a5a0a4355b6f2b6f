#include "engine/memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <numeric>

#include "engine/cuda.h"
#include "engine/error.h"

namespace py4cast {
namespace {

constexpr size_t alignment = 256;  // what cudaMalloc gives; vectors of the CPU need 64

size_t aligned_size(size_t bytes) {
  return (std::max<size_t>(bytes, 1) + alignment - 1) / alignment * alignment;
}

// Null: there is no such memory. Large blocks lie in huge pages where the system has them, since a step
// walks through more memory than the translations of small pages reach.
std::byte* heap_block(size_t bytes) {
  constexpr size_t page = size_t{2} << 20;
  if (bytes < 4 * page)
    return static_cast<std::byte*>(std::aligned_alloc(alignment, aligned_size(bytes)));
  const size_t whole = (bytes + page - 1) / page * page;
  void* const block = std::aligned_alloc(page, whole);
  if (block) ::madvise(block, whole, MADV_HUGEPAGE);  // it may say no
  return static_cast<std::byte*>(block);
}

class HeapBlock : public Storage {
 public:
  HeapBlock(size_t bytes, MemoryLedger* ledger, Owner owner, const std::string& path)
      : Storage(heap_block(bytes), bytes, Device{}), ledger_(ledger) {
    if (!data_)
      throw Error(ErrorKind::memory, "no ", bytes, " bytes of host memory for the ", name_of(owner),
                  path.empty() ? "" : " of ", path);
    if (ledger_) id_ = ledger_->add(Space::host, owner, bytes, path);
  }
  ~HeapBlock() override {
    std::free(data_);
    if (ledger_) ledger_->remove(id_);
  }

 private:
  MemoryLedger* ledger_;
  uint64_t id_ = 0;
};

// All bits set is a NaN in every floating type.
void poison(const std::shared_ptr<Storage>& storage) {
  if (storage->device().kind == DeviceKind::cpu) {
    std::memset(storage->data(), 0xff, storage->bytes());
    return;
  }
  synchronize(storage->device());  // what still uses it must be done
  const auto elements = static_cast<int64_t>(storage->bytes() / 4);
  fill_bytes(Tensor(storage, DataType::i32, {elements}), 0xff, {});
  synchronize(storage->device());
}

}  // namespace

std::string_view name_of(Owner owner) {
  switch (owner) {
    case Owner::parameters:
      return "parameters";
    case Owner::activations:
      return "activations";
    case Owner::workspace:
      return "workspace";
    case Owner::batches:
      return "batches";
    case Owner::communication:
      return "communication";
    case Owner::other:
      return "other";
  }
  return "?";
}

uint64_t MemoryLedger::add(Space space, Owner owner, size_t bytes, const std::string& path) {
  std::lock_guard lock(mutex_);
  const auto index = static_cast<size_t>(space);
  live_[index] += bytes;
  peak_[index] = std::max(peak_[index], live_[index]);
  held_.blocks.emplace(next_, Block{space, owner, bytes, path, step_});
  return next_++;
}

void MemoryLedger::remove(uint64_t id) {
  std::lock_guard lock(mutex_);
  const auto block = held_.blocks.find(id);
  if (block == held_.blocks.end()) return;
  live_[static_cast<size_t>(block->second.space)] -= block->second.bytes;
  held_.blocks.erase(block);
}

void MemoryLedger::count(Resource kind, const std::string& owner, int64_t change) {
  std::lock_guard lock(mutex_);
  const auto entry = held_.resources.try_emplace({kind, owner}, 0).first;
  entry->second += change;
  if (entry->second == 0) held_.resources.erase(entry);
}

void MemoryLedger::begin_step(int64_t step) {
  std::lock_guard lock(mutex_);
  step_ = step;
}

MemoryLedger::Snapshot MemoryLedger::snapshot() const {
  std::lock_guard lock(mutex_);
  return held_;
}

size_t MemoryLedger::live_bytes(Space space) const {
  std::lock_guard lock(mutex_);
  return live_[static_cast<size_t>(space)];
}

size_t MemoryLedger::live_bytes(Owner owner) const {
  std::lock_guard lock(mutex_);
  return std::accumulate(held_.blocks.begin(), held_.blocks.end(), size_t{0},
                         [&](size_t sum, const auto& entry) {
                           return sum + (entry.second.owner == owner ? entry.second.bytes : 0);
                         });
}

int64_t MemoryLedger::live(Resource kind) const {
  std::lock_guard lock(mutex_);
  int64_t sum = 0;
  for (const auto& [key, number] : held_.resources) sum += key.first == kind ? number : 0;
  return sum;
}

size_t MemoryLedger::peak_bytes(Space space) const {
  std::lock_guard lock(mutex_);
  return peak_[static_cast<size_t>(space)];
}

uint64_t MemoryLedger::allocations() const {
  std::lock_guard lock(mutex_);
  return next_ - 1;
}

std::shared_ptr<Storage> allocate_host(size_t bytes, MemoryLedger* ledger, Owner owner,
                                       const std::string& path) {
  return std::make_shared<HeapBlock>(bytes, ledger, owner, path);
}

std::shared_ptr<Storage> allocate(size_t bytes, Device device, MemoryLedger* ledger, Owner owner,
                                  const std::string& path) {
  return device.kind == DeviceKind::cpu ? allocate_host(bytes, ledger, owner, path)
                                        : allocate_device(bytes, device, ledger, owner, path);
}

void pack(StepPlan& plan) {
  auto& requests = plan.requests;
  std::vector<uint32_t> order(requests.size());
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(),
                   [&](uint32_t a, uint32_t b) { return requests[a].bytes > requests[b].bytes; });
  const auto alive_together = [](const StepPlan::Request& a, const StepPlan::Request& b) {
    return a.birth < b.death && b.birth < a.death;
  };
  std::vector<uint32_t> placed;  // sorted by offset
  plan.bytes = 0;
  for (uint32_t index : order) {
    StepPlan::Request& request = requests[index];
    size_t offset = 0;
    for (uint32_t other : placed) {
      if (!alive_together(request, requests[other])) continue;
      if (requests[other].offset >= offset + request.bytes) break;
      offset = std::max(offset, requests[other].offset + requests[other].bytes);
    }
    request.offset = offset;
    plan.bytes = std::max(plan.bytes, offset + request.bytes);
    placed.insert(std::upper_bound(
                      placed.begin(), placed.end(), offset,
                      [&](size_t value, uint32_t other) { return value < requests[other].offset; }),
                  index);
  }
  for (uint32_t i = 0; i < requests.size(); ++i) {
    requests[i].below.clear();
    for (uint32_t j = 0; j < i; ++j)
      if (requests[j].offset < requests[i].offset + requests[i].bytes &&
          requests[i].offset < requests[j].offset + requests[j].bytes)
        requests[i].below.push_back(j);
  }
}

// A block of the current run; its death is an event of the dry run, and is checked in the real
// ones.
class StepArena::Block : public Storage {
 public:
  Block(StepArena& arena, uint32_t index, std::byte* data, size_t bytes,
        std::shared_ptr<Storage> own)
      : Storage(data, bytes, arena.device_),
        arena_(arena),
        epoch_(arena.epoch_),
        index_(index),
        own_(std::move(own)) {}
  ~Block() override {
    if (epoch_ != arena_.epoch_ || !arena_.current_) return;
    if (arena_.dry_) arena_.current_->requests[index_].death = arena_.clock_++;
    arena_.alive_[index_] = false;
    if (own_) {
      poison(own_);
      arena_.graveyard_.push_back(std::move(own_));
    }
  }

 private:
  StepArena& arena_;
  uint64_t epoch_;
  uint32_t index_;
  std::shared_ptr<Storage> own_;  // debug mode
};

StepArena::StepArena(MemoryLedger& ledger, Mode mode, size_t limit_bytes, Device device)
    : ledger_(ledger), mode_(mode), limit_bytes_(limit_bytes), device_(device) {}
StepArena::~StepArena() = default;

bool StepArena::begin_dry(const std::string& key) {
  if (plans_.count(key)) return false;
  key_ = key;
  dry_ = true;
  ++epoch_;
  clock_ = 0;
  alive_.clear();
  current_ = &pending_;
  pending_ = {};
  return true;
}

void StepArena::end_dry() {
  for (size_t i = 0; i < alive_.size(); ++i)
    if (alive_[i])
      throw Error(ErrorKind::internal, "a tensor of '", pending_.requests[i].path,
                  "' outlives its step '", key_, "'");
  // The most that is live at once: walk the births and deaths in order.
  std::vector<std::pair<uint64_t, int64_t>> events;
  for (const auto& request : pending_.requests) {
    events.emplace_back(request.birth, static_cast<int64_t>(request.bytes));
    events.emplace_back(request.death, -static_cast<int64_t>(request.bytes));
  }
  std::sort(events.begin(), events.end());
  int64_t live = 0;
  for (const auto& [time, change] : events) {
    live += change;
    pending_.live_bytes = std::max(pending_.live_bytes, static_cast<size_t>(live));
  }
  pack(pending_);
  if (limit_bytes_ && pending_.bytes > limit_bytes_)
    throw Error(ErrorKind::memory, "step '", key_, "' needs ", pending_.bytes,
                " bytes of activations, more than the limit of ", limit_bytes_);
  plans_[key_] = std::move(pending_);
  dry_ = false;
  current_ = nullptr;
}

void StepArena::begin(const std::string& key) {
  key_ = key;
  dry_ = false;
  current_ = &plans_.at(key);
  ++epoch_;
  next_ = 0;
  alive_.assign(current_->requests.size(), false);
  graveyard_.clear();
  if (mode_ == Mode::plan && current_->bytes > capacity_) {
    memory_.reset();
    capacity_ = current_->bytes;
    memory_ = py4cast::allocate(capacity_, device_, &ledger_, Owner::activations, "step arena");
  }
}

void StepArena::end() {
  if (next_ != current_->requests.size())
    throw Error(ErrorKind::internal, "step '", key_, "' asked for ", next_,
                " blocks, its dry run for ", current_->requests.size());
  current_ = nullptr;
  graveyard_.clear();
}

std::shared_ptr<Storage> StepArena::allocate(size_t bytes, const std::string& path) {
  if (!current_)
    throw Error(ErrorKind::internal, path,
                ": memory of the step arena was asked for outside of a step");
  if (!dry_) return allocate_real(bytes, path);
  const auto index = static_cast<uint32_t>(current_->requests.size());
  current_->requests.push_back(
      {aligned_size(bytes), 0, clock_++, std::numeric_limits<uint64_t>::max(), path, {}});
  alive_.push_back(true);
  return std::make_shared<Block>(*this, index, nullptr, bytes, nullptr);
}

std::shared_ptr<Storage> StepArena::allocate_real(size_t bytes, const std::string& path) {
  if (next_ >= current_->requests.size() || current_->requests[next_].bytes != aligned_size(bytes))
    throw Error(ErrorKind::internal, "step '", key_, "': '", path, "' asks for ", bytes,
                " bytes as block ", next_, ", not as in the dry run");
  const auto index = static_cast<uint32_t>(next_++);
  const StepPlan::Request& request = current_->requests[index];
  for (uint32_t other : request.below)
    if (alive_[other])
      throw Error(ErrorKind::internal, "step '", key_, "': a tensor of '",
                  current_->requests[other].path, "' lives longer than in the dry run, into '",
                  path, "'");
  alive_[index] = true;
  if (mode_ == Mode::plan)
    return std::make_shared<Block>(*this, index, memory_->data() + request.offset, bytes, nullptr);
  auto own = py4cast::allocate(aligned_size(bytes), device_, &ledger_, Owner::activations, path);
  poison(own);
  std::byte* data = own->data();
  return std::make_shared<Block>(*this, index, data, bytes, std::move(own));
}

}  // namespace py4cast
