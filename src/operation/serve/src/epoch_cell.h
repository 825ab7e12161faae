#pragma once
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

namespace maru::serve {

inline constexpr std::size_t kReaderSlots = 64;

// A small number for the calling thread; threads beyond kReaderSlots share slots, which costs speed, not correctness.
inline std::size_t thread_number() {
  static std::atomic<std::size_t> next{0};
  thread_local const std::size_t number = next.fetch_add(1, std::memory_order_relaxed);
  return number;
}

// One value that many threads read and few replace. read() takes no lock and writes only to its thread's cache line; replace() publishes, then waits until no
// reader can still see the old value, and destroys it on the caller's thread. Readers copy out what they keep (shared_ptr), so a section lasts well under 1 µs
// and never covers a model's run. Two counters a slot, flipped twice a replacement, as in sleepable RCU (McKenney, "Sleepable RCU", LWN 2006).
template <class T>
class EpochCell {
 public:
  explicit EpochCell(std::unique_ptr<const T> first) : current_(first.release()) {}
  ~EpochCell() { delete current_.load(); }
  EpochCell(const EpochCell&) = delete;
  EpochCell& operator=(const EpochCell&) = delete;

  template <class Body>
  auto read(Body&& body) const {
    Slot& slot = slots_[thread_number() % kReaderSlots];
    const Section section(slot.active[phase_.load(std::memory_order_seq_cst) & 1]);
    return std::forward<Body>(body)(*current_.load(std::memory_order_seq_cst));
  }

  void replace(std::unique_ptr<const T> next) {
    const std::lock_guard lock(mutex_);
    const std::unique_ptr<const T> old(
        current_.exchange(next.release(), std::memory_order_seq_cst));
    for (int turn = 0; turn < 2; ++turn) {
      const std::size_t left = phase_.fetch_add(1, std::memory_order_seq_cst) & 1;
      for (const Slot& slot : slots_) {
        while (slot.active[left].load(std::memory_order_seq_cst) != 0) std::this_thread::yield();
      }
    }
  }

 private:
  struct alignas(64) Slot {
    std::array<std::atomic<std::uint32_t>, 2> active{};
  };
  struct Section {
    explicit Section(std::atomic<std::uint32_t>& active) : count(active) {
      count.fetch_add(1, std::memory_order_seq_cst);
    }
    ~Section() { count.fetch_sub(1, std::memory_order_seq_cst); }
    Section(const Section&) = delete;
    Section& operator=(const Section&) = delete;
    std::atomic<std::uint32_t>& count;
  };
  mutable std::array<Slot, kReaderSlots> slots_;
  std::atomic<const T*> current_;
  std::atomic<std::size_t> phase_{0};
  std::mutex mutex_;  // one replacement at a time
};

}  // namespace maru::serve
