#include <algorithm>
#include <condition_variable>
#include <fstream>
#include <mutex>

#include "maru/base/file.h"
#include "maru/base/pool.h"
#include "parquet_format.h"
#include "row_groups.h"

namespace maru::data {

namespace {

using base::Code;
using base::Status;

using NextPath = std::function<base::Result<std::string>()>;

// Row groups in their order become files; what was not given away goes with this.
class PartWriter {
 public:
  PartWriter(const NextPath& next_path, const RowFormat& format)
      : next_path_(next_path), format_(format) {}
  ~PartWriter() {
    file_.close();
    for (const auto& part : parts_) static_cast<void>(base::remove_tree(part.path));
  }

  Status add(EncodedRows rows) {
    if (rows.layout["rows"].as_int() == 0) return {};
    if (!open_) {
      TRY_ASSIGN(std::string path, next_path_());
      parts_.push_back({std::move(path), 0});
      file_.open(parts_.back().path, std::ios::binary | std::ios::trunc);
      open_ = true;
      bytes_ = 0;
      TRY(write(format_.head()));
    }
    parts_.back().rows += static_cast<std::uint64_t>(rows.layout["rows"].as_int());
    TRY(write(rows.bytes));
    layouts_.push_back(std::move(rows.layout));
    return bytes_ >= kPartBytes ? close() : Status();
  }

  Status finish(WrittenParts& out) {
    if (open_) TRY(close());
    out.parts = std::move(parts_);
    parts_.clear();
    for (const auto& part : out.parts) out.rows += part.rows;
    return {};
  }

 private:
  Status write(const std::string& bytes) {
    bytes_ += bytes.size();
    file_.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return file_ ? Status() : failed();
  }
  Status close() {
    TRY(write(format_.tail(layouts_)));
    layouts_.clear();
    file_.close();
    open_ = false;
    return file_ ? Status() : failed();
  }
  Status failed() {
    const bool full = base::free_bytes(base::parent_path(parts_.back().path)) < (1u << 20);
    return base::fail(full ? Code::kNoSpace : Code::kInternal,
                      "a part of the snapshot cannot be written: " + parts_.back().path,
                      full ? "the disk is full" : "");
  }

  const NextPath& next_path_;
  const RowFormat& format_;
  std::ofstream file_;
  bool open_ = false;
  std::uint64_t bytes_ = 0;
  std::vector<WrittenPart> parts_;
  std::vector<base::Json> layouts_;
};

// One reading of the source by all threads.
class Pass {
 public:
  Pass(GroupSource& source, const NextPath& next_path, base::Context& context,
       const base::ProgressSink& progress)
      : source_(source),
        context_(context),
        progress_(progress),
        format_(parquet_format(source.columns())),
        writer_(next_path, *format_) {}

  // The failure of the earliest group counts, whichever thread met it first.
  Status run(std::size_t threads) {
    if (threads <= 1) {
      work();
    } else {
      base::Pool pool({"import", threads - 1, threads});
      pool.parallel_for(threads, [&](std::size_t) { work(); });
    }
    return status_;
  }
  Status finish(WrittenParts& out) { return writer_.finish(out); }

 private:
  void work() {
    RowGroup group;
    for (;;) {
      if (const Status alive = context_.alive(); !alive) return stop(0, alive);
      const auto more = source_.next(group);
      if (!more) return stop(group.number, tl::unexpected(more.error()));
      if (!*more) return;
      base::Result<EncodedRows> rows = EncodedRows{};
      if (!source_.spoiled()) rows = format_->encode(group.rows);
      group.rows = {};
      if (!rows) return stop(group.number, tl::unexpected(rows.error()));
      if (!put(group.number, std::move(*rows))) return;
    }
  }

  // Waits until every group before it is stored.
  bool put(std::size_t number, EncodedRows rows) {
    std::unique_lock lock(mutex_);
    turn_.wait(lock, [&] { return next_ == number || failed_; });
    if (failed_) return false;
    if (!source_.spoiled()) {
      if (const Status stored = writer_.add(std::move(rows)); !stored) {
        lock.unlock();
        stop(number, stored);
        return false;
      }
    }
    ++next_;
    turn_.notify_all();
    if (progress_) progress_({"reading", source_.fraction() * 0.95, {}});
    return true;
  }

  void stop(std::size_t number, Status why) {
    const std::lock_guard lock(mutex_);
    if (!failed_ || number < failed_at_) {
      status_ = std::move(why);
      failed_at_ = number;
    }
    failed_ = true;
    turn_.notify_all();
  }

  GroupSource& source_;
  base::Context& context_;
  const base::ProgressSink& progress_;
  const std::unique_ptr<RowFormat> format_;
  PartWriter writer_;
  std::mutex mutex_;
  std::condition_variable turn_;
  std::size_t next_ = 0, failed_at_ = 0;
  bool failed_ = false;
  Status status_;
};

}  // namespace

base::Result<WrittenParts> write_parts(GroupSource& source, const NextPath& next_path,
                                       std::size_t threads, base::Context& context,
                                       const base::ProgressSink& progress) {
  constexpr int kMostPasses = 4;  // a guess, the types of all rows, another encoding, its types
  for (int i = 0; i < kMostPasses; ++i) {
    TRY(source.start());
    Pass pass(source, next_path, context, progress);
    TRY(pass.run(threads));
    TRY_ASSIGN(const bool again, source.again());
    if (again) continue;
    WrittenParts out;
    for (const auto& column : source.columns()) out.columns.push_back({column.name, column.type});
    TRY(pass.finish(out));
    return out;
  }
  return base::fail(Code::kAborted, "the source reads differently every time",
                    "copy it to a place where nothing writes, then import the copy");
}

}  // namespace maru::data
