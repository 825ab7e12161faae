#include "maru/serve/batch.h"

#include <time.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "batch_files.h"
#include "batch_score.h"
#include "maru/base/pool.h"
#include "maru/base/text.h"

namespace maru::serve {

using base::Code;
using base::Result;
using base::Status;

namespace {

constexpr std::int64_t kTellNs = 250'000'000;  // between two words about progress
constexpr std::size_t kMaxShardRows = 4u << 20;

double thread_cpu_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

// A shard on its way through a worker.
struct Slot {
  data::Table rows;
  std::vector<data::RowProblem> problems;
  std::uint64_t first_row = 1;
  Result<ScoredShard> scored = ScoredShard{};
  bool done = false;
};

// Reads on the caller's thread, scores on workers, writes on the caller's thread in the order of the input.
class Run {
 public:
  Run(const BatchSpec& spec, const ShardScorer& scorer, BatchFiles& files, data::RowStream& input,
      base::Context& context, const base::ProgressSink& progress, base::Clock& clock)
      : spec_(spec),
        scorer_(scorer),
        files_(files),
        input_(input),
        context_(context),
        progress_(progress),
        clock_(clock),
        threads_(spec.threads != 0 ? spec.threads
                                   : std::max(1u, std::thread::hardware_concurrency())),
        pool_({"batch", threads_, 4 * threads_ + 8}) {}

  Status all() {
    start_ns_ = clock_.monotonic_ns();
    cpu_ = thread_cpu_seconds();
    TRY(pass_over());
    const Status scored = score_all();
    pool_.drain();  // workers hold on to slots and files
    TRY(scored);
    tell(true);
    return {};
  }

 private:
  // Rows of shards that an earlier try has written.
  Status pass_over() {
    std::vector<data::RowProblem> problems;
    for (const std::size_t rows : files_.shards()) {
      TRY(context_.alive());
      TRY_ASSIGN(const data::Table read, input_.next(spec_.shard_rows, problems));
      if (read.rows() != rows)
        return base::fail(Code::kAborted, "the input gives other rows than in the earlier try",
                          "run it with --overwrite after removing " + spec_.output + ".batch");
    }
    next_row_ = files_.report().rows + 1;
    return {};
  }

  Status score_all() {
    bool more = true;
    while (more || !slots_.empty()) {
      TRY(context_.alive());
      if (more && slots_.size() < 2 * threads_ + 1) {
        TRY_ASSIGN(more, read_one());
        if (!slots_.empty() && !finished(*slots_.front())) continue;
      }
      if (slots_.empty()) continue;
      TRY(write_one());
    }
    return {};
  }

  Result<bool> read_one() {
    auto slot = std::make_shared<Slot>();
    TRY_ASSIGN(slot->rows, input_.next(spec_.shard_rows, slot->problems));
    if (slot->rows.rows() == 0) return false;
    slot->first_row = next_row_;
    next_row_ += slot->rows.rows();
    slots_.push_back(slot);
    TRY(pool_.submit([this, slot] {
      const double from = thread_cpu_seconds();
      auto scored = scorer_.score(std::move(slot->rows), slot->problems, slot->first_row, files_);
      slot->rows = {};
      if (scored) scored->cpu_seconds = thread_cpu_seconds() - from;
      const std::lock_guard lock(mutex_);
      slot->scored = std::move(scored);
      slot->done = true;
      wake_.notify_all();
    }));
    return true;
  }

  bool finished(const Slot& slot) {
    const std::lock_guard lock(mutex_);
    return slot.done;
  }

  Status write_one() {
    const auto slot = slots_.front();
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return slot->done; });
    }
    slots_.pop_front();
    if (!slot->scored) return tl::unexpected<base::Error>(slot->scored.error());
    const double now = thread_cpu_seconds();
    TRY(files_.add(*slot->scored, slot->scored->cpu_seconds + now - cpu_));
    cpu_ = now;
    tell(false);
    return {};
  }

  void tell(bool last) {
    const std::int64_t now_ns = clock_.monotonic_ns();
    if (!progress_ || (!last && now_ns - told_ns_ < kTellNs)) return;
    told_ns_ = now_ns;
    const auto& report = files_.report();
    const double seconds = static_cast<double>(now_ns - start_ns_) / 1e9;
    const auto per_second =
        seconds > 0 ? static_cast<double>(report.rows - report.resumed_rows) / seconds : 0;
    std::string detail = base::format_count(static_cast<std::int64_t>(report.rows)) + " rows, " +
                         base::format_count(static_cast<std::int64_t>(per_second)) + "/s";
    if (report.failed > 0)
      detail += ", " + base::format_count(static_cast<std::int64_t>(report.failed)) + " bad";
    progress_({"scoring", last ? 1 : input_.fraction(), std::move(detail)});
  }

  const BatchSpec& spec_;
  const ShardScorer& scorer_;
  BatchFiles& files_;
  data::RowStream& input_;
  base::Context& context_;
  const base::ProgressSink& progress_;
  base::Clock& clock_;
  const std::size_t threads_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::shared_ptr<Slot>> slots_;
  std::uint64_t next_row_ = 1;
  std::int64_t start_ns_ = 0, told_ns_ = 0;
  double cpu_ = 0;
  base::Pool pool_;  // last: its threads use the others
};

}  // namespace

Result<BatchReport> run_batch(const BatchSpec& spec, data::RowStream& input, base::Context& context,
                              const base::ProgressSink& progress, base::Clock& clock) {
  if (spec.shard_rows == 0 || spec.shard_rows > kMaxShardRows)
    return base::fail(Code::kInvalidArgument, "a shard has 1 to " + std::to_string(kMaxShardRows) +
                                                  " rows, not " + std::to_string(spec.shard_rows));
  const std::int64_t start_ns = clock.monotonic_ns();
  TRY_ASSIGN(const ShardScorer scorer, ShardScorer::make(spec, input.columns()));
  BatchFiles files(spec, scorer.columns());
  TRY(files.open());
  if (!files.finished()) {
    Run run(spec, scorer, files, input, context, progress, clock);
    TRY(run.all());
  }
  TRY(files.finish());
  BatchReport out = files.report();
  out.seconds = static_cast<double>(clock.monotonic_ns() - start_ns) / 1e9;
  return out;
}

}  // namespace maru::serve
