#pragma once
#include "impl.h"
#include "maru/base/stage_times.h"

// What every answered call leaves behind, whatever model answered it.
namespace maru::serve {

// Whether this call's CPU time is measured; a caller who asks for times always gets it.
class CpuMeter {
 public:
  explicit CpuMeter(const CallOptions& call) {
    thread_local unsigned calls = 0;
    if (calls++ % kCpuEvery == 0 || call.times != nullptr) start_ns_ = base::thread_cpu_ns();
  }
  std::int64_t spent_ns() const { return start_ns_ < 0 ? -1 : base::thread_cpu_ns() - start_ns_; }

 private:
  std::int64_t start_ns_ = -1;
};

void tell_times(const Timing& timing, base::StageTimes* out);
// From the arrival of the request to its turn, without what parsing took.
std::int64_t queued_ns(const CallOptions& options, std::int64_t start_ns);
// By the endpoint's rule; what it leaves out is counted.
bool logged(const ServedArm& arm, const CallOptions& call, const std::string& id,
            const Timing& timing, std::size_t shard);
// Of a call that went so.
PredictionRecord record_of(const std::string& id, const CallOptions& call,
                           const base::Status& done);
// To the sink, with the arm's facts and the times.
void lend(PredictionSink& sink, const ServedArm& arm, const Timing& timing,
          PredictionRecord&& record);
// Whether a shadow's value counts as the answered one: to 1e-6 of it, or of 1. NaN is like nothing.
bool same_score(double answered, double shadow);
void note_mirrored(EndpointStats& stats, bool answered, bool same);

}  // namespace maru::serve
