// Batches made by background threads, handed over in order.
//
// A batch is whatever the caller's type holds; its memory is used again for later steps. What a step's batch contains is
// decided by the fill function alone, so when that is a function of the step, the threads change nothing but the time.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/error.h"

namespace hone {

struct LoaderOptions {
  int threads = 2;   // 0: batches are made by the thread that asks for them
  int prefetch = 4;  // batches made ahead at most
};

template <class Batch>
class Loader {
 public:
  // Called by several threads at once, each with its own batch.
  using Fill = std::function<Status(int64_t step, Batch& batch)>;

  // Steps first, first + 1, ... end - 1.
  Loader(int64_t first, int64_t end, Fill fill, LoaderOptions options = {})
      : fill_(std::move(fill)), end_(end), begin_(first), made_(first), wanted_(first - 1) {
    const int threads = options.threads < 0 ? 0 : options.threads;
    const int ahead = options.prefetch > threads ? options.prefetch : threads;
    slots_.resize(static_cast<size_t>(threads == 0 ? 1 : ahead + 1));  // one more: the caller's
    for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
  }

  // Waits for the batches that are being made.
  ~Loader() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    room_.notify_all();
    for (std::thread& t : threads_) t.join();
  }
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  // The next step's batch, the caller's until the next call; nullptr behind the last. When a step could not be made, its
  // error, in its turn and from then on: the batches before it have been delivered.
  Result<Batch*> next() {
    if (wanted_ >= end_) return nullptr;
    if (threads_.empty()) {
      Slot& slot = slots_[0];
      if (slot.status && ++wanted_ < end_) slot.status = make(wanted_, slot.batch);
      if (!slot.status) return fail(slot.status.error());
      return wanted_ < end_ ? &slot.batch : nullptr;
    }
    const auto start = std::chrono::steady_clock::now();
    std::unique_lock lock(mutex_);
    if (!failed_) ++wanted_;  // frees the slot that was handed out before
    if (wanted_ >= end_) return nullptr;
    room_.notify_all();
    Slot& slot = slot_of(wanted_);
    ready_.wait(lock, [&] { return slot.step == wanted_; });
    waited_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (!slot.status) {
      failed_ = stop_ = true;
      room_.notify_all();
      return fail(slot.status.error());
    }
    return &slot.batch;
  }

  // Seconds that next() has waited for threads: what the loader cost the caller.
  double waited() const { return waited_; }

 private:
  struct Slot {
    Batch batch{};
    int64_t step = -1;  // the step whose batch is ready here
    Status status{};
  };

  Slot& slot_of(int64_t step) { return slots_[static_cast<size_t>(step - begin_) % slots_.size()]; }

  // An exception in a thread would end the process.
  Status make(int64_t step, Batch& batch) {
    try {
      return fill_(step, batch);
    } catch (const std::exception& e) {
      return fail(Code::failed, std::string("a batch could not be made: ") + e.what(), "step " + std::to_string(step));
    }
  }

  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      const auto has_room = [&] { return made_ < end_ && made_ < (wanted_ < begin_ ? begin_ : wanted_) + static_cast<int64_t>(slots_.size()); };
      room_.wait(lock, [&] { return stop_ || made_ >= end_ || has_room(); });
      if (stop_ || made_ >= end_) return;
      const int64_t step = made_++;
      Slot& slot = slot_of(step);
      lock.unlock();
      Status status = make(step, slot.batch);
      lock.lock();
      slot.status = std::move(status);
      slot.step = step;
      ready_.notify_one();
    }
  }

  const Fill fill_;
  const int64_t end_, begin_;
  std::vector<Slot> slots_;
  std::mutex mutex_;
  std::condition_variable ready_, room_;
  int64_t made_, wanted_;  // next step to be made; the step that the caller has or waits for
  double waited_ = 0;
  bool stop_ = false, failed_ = false;
  std::vector<std::thread> threads_;  // last: the others live longer
};

}  // namespace hone
