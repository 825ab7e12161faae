#include "maru/connect/importer.h"

#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <set>

#include "maru/base/file.h"
#include "maru/base/hash.h"
#include "maru/base/text.h"

namespace maru::connect {
namespace {

using base::Code;
using base::Status;

constexpr std::int64_t kKeepScratchUs = 86'400'000'000;  // of a read that broke off
constexpr const char* kPrefix = "source-";

double seconds(std::int64_t ns) { return static_cast<double>(ns) * 1e-9; }

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  if (from.empty()) return;
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
}

// Errors name the address, not the file that it was brought to.
base::Error renamed(base::Error error, const std::vector<SourceObject>& objects) {
  for (const auto& object : objects) {
    replace_all(error.message, object.file, object.name);
    replace_all(error.hint, object.file, object.name);
  }
  if (error.cause)
    error.cause = std::make_shared<const base::Error>(renamed(*error.cause, objects));
  return error;
}

struct Totals {
  std::uint64_t bytes = 0, rows = 0, retries = 0, reads = 0, failures = 0;
  std::int64_t source_wait_ns = 0, consumer_wait_ns = 0;
  void add(const SourceMeter& meter) {
    bytes += meter.bytes;
    rows += meter.rows;
    retries += meter.retries;
    source_wait_ns += meter.source_wait_ns;
    consumer_wait_ns += meter.consumer_wait_ns;
  }
};

}  // namespace

struct Importer::Impl {
  Options options;
  mutable std::mutex mutex;
  std::map<std::string, Totals> totals;                           // by scheme
  std::multimap<std::string, std::shared_ptr<SourceMeter>> live;  // by scheme
  std::set<std::string> busy;                                     // folders in use

  void clean() const {
    const auto names = base::list_folder(options.folder);
    if (!names) return;
    for (const auto& name : *names) {
      if (!name.starts_with(kPrefix)) continue;
      const std::string path = base::join_path(options.folder, name);
      struct stat facts {};
      if (::stat(path.c_str(), &facts) != 0) continue;
      const std::int64_t age_us =
          options.settings.clock->now_us() - std::int64_t{facts.st_mtime} * 1'000'000;
      if (age_us > kKeepScratchUs) static_cast<void>(base::remove_tree(path));
    }
  }

  // One import at a time works in an address's folder; a second one of the same address has one of its own.
  std::string take_folder(const std::string& address) {
    const std::lock_guard lock(mutex);
    const std::string name = kPrefix + base::sha256_hex(address).substr(0, 16);
    std::string path = base::join_path(options.folder, name);
    for (int i = 2; busy.contains(path); ++i)
      path = base::join_path(options.folder, name + "-" + std::to_string(i));
    busy.insert(path);
    return path;
  }
  void give_folder(const std::string& path, bool keep) {
    if (!keep) static_cast<void>(base::remove_tree(path));
    const std::lock_guard lock(mutex);
    busy.erase(path);
  }

  std::shared_ptr<SourceMeter> begin(const std::string& scheme) {
    auto meter = std::make_shared<SourceMeter>();
    const std::lock_guard lock(mutex);
    live.emplace(scheme, meter);
    return meter;
  }
  void end(const std::string& scheme, const std::shared_ptr<SourceMeter>& meter, bool ok) {
    const std::lock_guard lock(mutex);
    Totals& sum = totals[scheme];
    sum.add(*meter);
    ++(ok ? sum.reads : sum.failures);
    const auto [first, last] = live.equal_range(scheme);
    for (auto it = first; it != last; ++it) {
      if (it->second != meter) continue;
      live.erase(it);
      return;
    }
  }
};

Importer::Importer(Options options) : impl_(std::make_unique<Impl>()) {
  impl_->options = std::move(options);
  impl_->clean();
}
Importer::~Importer() = default;

const SourceSettings& Importer::settings() const { return impl_->options.settings; }

base::Result<data::ImportResult> Importer::import(const data::ImportSpec& spec,
                                                  base::Context& context,
                                                  const base::ProgressSink& progress,
                                                  SourceReport* report) {
  return bring(spec, context, progress, report, [&](const data::ImportSpec& local) {
    return impl_->options.datasets->import(local, context, progress);
  });
}

base::Result<data::ImportResult> Importer::append(const data::AppendSpec& spec,
                                                  base::Context& context,
                                                  const base::ProgressSink& progress,
                                                  SourceReport* report) {
  return bring(spec.from, context, progress, report, [&](const data::ImportSpec& local) {
    data::AppendSpec own = spec;
    own.from = local;
    return impl_->options.datasets->append(own, context, progress);
  });
}

base::Result<data::ImportResult> Importer::bring(const data::ImportSpec& spec,
                                                 base::Context& context,
                                                 const base::ProgressSink& progress,
                                                 SourceReport* report, const Take& take) {
  if (std::none_of(spec.sources.begin(), spec.sources.end(),
                   [](const std::string& one) { return is_address(one); }))
    return take(spec);
  // Folders go when the import is done; after a broken download they stay for the next try.
  struct Folder {
    Impl& impl;
    std::string path;
    bool keep = false;
    ~Folder() { impl.give_folder(path, keep); }
  };
  std::vector<std::unique_ptr<Folder>> folders;
  SourceReport sum;
  data::ImportSpec local = spec;
  local.sources.clear();
  std::vector<std::string> shown, notes;
  const std::int64_t begin_ns = context.clock->monotonic_ns();
  for (const auto& address : spec.sources) {
    shown.push_back(is_address(address) ? shown_address(address) : address);
    if (!is_address(address)) {
      local.sources.push_back(address);
      continue;
    }
    if (progress) progress({"fetching", 0.0, shown.back()});
    TRY_ASSIGN(const auto source, Source::open(address, impl_->options.settings));
    folders.push_back(std::make_unique<Folder>(*impl_, impl_->take_folder(address)));
    Folder& folder = *folders.back();
    TRY(base::make_folders(folder.path));
    const std::string scheme = address.substr(0, address.find("://"));
    const auto meter = impl_->begin(scheme);
    auto objects = source->read(folder.path, *meter, context);
    impl_->end(scheme, meter, objects.has_value());
    if (!objects) {
      const Code code = objects.error().code;
      folder.keep =
          code == Code::kUnavailable || code == Code::kCancelled || code == Code::kDeadlineExceeded;
      return tl::unexpected(objects.error());
    }
    for (auto& note : source->notes()) notes.push_back(std::move(note));
    for (auto& object : *objects) {
      local.sources.push_back(object.file);
      sum.objects.push_back(std::move(object));
    }
    sum.bytes += meter->bytes;
    sum.rows += meter->rows;
    sum.retries += meter->retries;
    sum.source_wait_seconds += seconds(meter->source_wait_ns);
    sum.consumer_wait_seconds += seconds(meter->consumer_wait_ns);
  }
  sum.seconds = seconds(context.clock->monotonic_ns() - begin_ns);
  local.shown_source = base::join(shown, ", ");
  auto result = take(local);
  if (!result) return tl::unexpected(renamed(result.error(), sum.objects));
  for (auto& note : result->notes)
    for (const auto& object : sum.objects) replace_all(note, object.file, object.name);
  result->notes.insert(result->notes.begin(), notes.begin(), notes.end());
  result->seconds += sum.seconds;
  if (report != nullptr) *report = std::move(sum);
  return result;
}

std::string Importer::metrics_text() const {
  std::map<std::string, Totals> sums;
  {
    const std::lock_guard lock(impl_->mutex);
    sums = impl_->totals;
    for (const auto& [scheme, meter] : impl_->live) sums[scheme].add(*meter);
  }
  std::string out;
  const auto family = [&](const char* name, const char* help, const auto& value) {
    out += std::string("# HELP ") + name + " " + help + "\n# TYPE " + name + " counter\n";
    for (const auto& [scheme, sum] : sums)
      out += std::string(name) + "{scheme=\"" + scheme + "\"} " + value(sum) + "\n";
  };
  const auto text = [](std::uint64_t value) { return std::to_string(value); };
  const auto real = [](std::int64_t ns) { return base::format_double(seconds(ns)); };
  family("maru_source_bytes_total", "Bytes read from sources",
         [&](const Totals& t) { return text(t.bytes); });
  family("maru_source_rows_total", "Rows read from databases",
         [&](const Totals& t) { return text(t.rows); });
  family("maru_source_reads_total", "Reads that ended well",
         [&](const Totals& t) { return text(t.reads); });
  family("maru_source_failures_total", "Reads that failed",
         [&](const Totals& t) { return text(t.failures); });
  family("maru_source_retries_total", "Requests that were sent again",
         [&](const Totals& t) { return text(t.retries); });
  family("maru_source_wait_seconds_total", "Time that readers waited for sources",
         [&](const Totals& t) { return real(t.source_wait_ns); });
  family("maru_source_consumer_wait_seconds_total",
         "Time that readers waited for their rows to be written: back-pressure",
         [&](const Totals& t) { return real(t.consumer_wait_ns); });
  return out;
}

}  // namespace maru::connect
