// SPDX-License-Identifier: Apache-2.0
#include "timers.h"

namespace aiges::wire {

Timers::TimePoint Timers::Next() const { return heap_.empty() ? TimePoint::max() : heap_.front()->due_; }

void Timers::Run(TimePoint now) {
  // What a timer sets for this very moment waits for the next round: a timer that repeats must not keep us here.
  std::size_t most = heap_.size();
  while (most-- > 0 && !heap_.empty() && heap_.front()->due_ <= now) {
    Timer* timer = heap_.front();
    Remove(timer);
    timer->fire_();
  }
}

void Timers::Place(Timer* timer, std::size_t at) {
  heap_[at] = timer;
  timer->at_ = at;
}

void Timers::Up(std::size_t at) {
  Timer* timer = heap_[at];
  for (; at > 0; at = (at - 1) / 2) {
    Timer* parent = heap_[(at - 1) / 2];
    if (parent->due_ <= timer->due_) break;
    Place(parent, at);
  }
  Place(timer, at);
}

void Timers::Down(std::size_t at) {
  Timer* timer = heap_[at];
  for (std::size_t child = 2 * at + 1; child < heap_.size(); child = 2 * at + 1) {
    if (child + 1 < heap_.size() && heap_[child + 1]->due_ < heap_[child]->due_) ++child;
    if (timer->due_ <= heap_[child]->due_) break;
    Place(heap_[child], at);
    at = child;
  }
  Place(timer, at);
}

void Timers::Remove(Timer* timer) {
  const std::size_t at = timer->at_;
  timer->at_ = Timer::kNowhere;
  Timer* last = heap_.back();
  heap_.pop_back();
  if (last == timer) return;
  Place(last, at);
  Up(at);
  Down(last->at_);
}

void Timer::Set(Timers::TimePoint due) {
  due_ = due;
  if (at_ == kNowhere) {
    timers_.heap_.push_back(this);
    at_ = timers_.heap_.size() - 1;
  }
  timers_.Up(at_);
  timers_.Down(at_);
}

}  // namespace aiges::wire
