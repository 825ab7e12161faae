#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <unordered_map>

#include "maru/base/file.h"
#include "maru/base/hash.h"
#include "maru/base/text.h"
#include "maru/tracking/foreign_formats.h"
#include "names.h"
#include "transfer/source.h"

// TensorBoard's event files: every folder that has some is one run.
namespace maru::tracking {
namespace {

using base::Result;
using base::Status;

constexpr int kMostFolders = 32;
constexpr std::size_t kPieceBytes = 1u << 20;

bool is_event_file(const std::string& name) { return name.find("tfevents") != std::string::npos; }

// Series by tag; texts of a tag are looked up once for a streak of the same tag.
class Collector {
 public:
  explicit Collector(ForeignRun& out) : out_(out) {}
  void add(const EventScalar& scalar) {
    if (!scalar.plugin.empty() && scalar.plugin != "scalars") return;
    if (current_ == nullptr || current_->key != scalar.tag) find(scalar.tag);
    const double ms = scalar.wall_time * 1000;
    const bool sane = std::isfinite(ms) && std::abs(ms) < 9e15;
    const std::int64_t time_ms = sane ? std::llround(ms) : 0;
    current_->points.push_back({scalar.value, scalar.step, time_ms});
  }
  void saw(double wall_time) {
    if (!std::isfinite(wall_time) || wall_time <= 0 || wall_time > 9e9) return;
    const auto us = static_cast<std::int64_t>(wall_time * 1e6);
    Run& run = out_.run;
    run.start_us = run.start_us == 0 ? us : std::min(run.start_us, us);
    run.end_us = std::max(run.end_us, us);
  }
  void finish() {
    for (auto& series : all_) out_.series.push_back(std::move(*series));
  }

 private:
  void find(std::string_view tag) {
    const auto [found, fresh] = place_.try_emplace(std::string(tag), all_.size());
    if (fresh)
      all_.push_back(std::make_unique<TailEntry::Series>(TailEntry::Series{found->first, {}}));
    current_ = all_[found->second].get();
  }
  ForeignRun& out_;
  std::vector<std::unique_ptr<TailEntry::Series>> all_;
  std::unordered_map<std::string, std::size_t> place_;
  TailEntry::Series* current_ = nullptr;
};

class EventFiles final : public Source {
 public:
  EventFiles(std::string root, std::string name, Damage& damage)
      : root_(std::move(root)), name_(std::move(name)), damage_(damage) {}

  Result<std::vector<Experiment>> experiments() override {
    Experiment out;
    out.name = name_;
    out.state = "active";
    return std::vector<Experiment>{out};
  }
  Status each_run(const Experiment&, const Visit<ForeignRun>& visit) override {
    return walk(root_, "", 0, visit);
  }
  Status each_logged_model(const Experiment&, const Visit<ForeignModel>&) override { return {}; }
  Status each_registered(const Visit<Model>&) override { return {}; }

 private:
  Status walk(const std::string& folder, const std::string& path, int depth,
              const Visit<ForeignRun>& visit) {
    if (depth > kMostFolders) {
      damage_.add(folder, "folders are nested too deep");
      return {};
    }
    TRY_ASSIGN(const auto names, base::list_folder(folder));
    std::vector<std::string> files;
    for (const auto& name : names) {
      const std::string at = base::join_path(folder, name);
      if (base::is_folder(at))
        TRY(walk(at, path.empty() ? name : path + "/" + name, depth + 1, visit));
      else if (is_event_file(name))
        files.push_back(at);
    }
    return files.empty() ? Status{} : read_folder(files, path, visit);
  }

  Status read_folder(const std::vector<std::string>& files, const std::string& path,
                     const Visit<ForeignRun>& visit) {
    ForeignRun out;
    Run& run = out.run;
    // The name of an event file has its time, machine and process: the first one names the run wherever the folder lies.
    run.id = base::sha256_hex("tensorboard\n" + path + "\n" + base::file_name(files.front()))
                 .substr(0, 32);
    run.name = path.empty() ? base::file_name(root_) : path;
    run.status = "FINISHED";
    run.state = "active";
    run.tags["mlflow.runName"] = run.name;
    run.tags["tensorboard.path"] = path.empty() ? "." : path;
    Collector collector(out);
    for (const auto& file : files) read_file(file, collector);
    collector.finish();
    std::erase_if(out.series, [&](const TailEntry::Series& series) {
      const auto good = check_key("tag", series.key);
      if (!good) damage_.add(files.front(), good.error().text());
      return !good;
    });
    return visit(std::move(out));
  }

  void read_file(const std::string& path, Collector& collector) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return damage_.add(path, "cannot be opened");
    RecordReader records;
    std::uint64_t wrong = 0;
    const auto visit = [&](std::string_view record) {
      const auto facts =
          read_event(record, [&](const EventScalar& scalar) { collector.add(scalar); });
      if (facts)
        collector.saw(facts->wall_time);
      else
        ++wrong;
    };
    std::string piece(kPieceBytes, '\0');
    ssize_t got = 0;
    while (!records.broken() && (got = ::read(fd, piece.data(), piece.size())) > 0)
      records.feed(std::string_view(piece).substr(0, static_cast<std::size_t>(got)), visit);
    ::close(fd);
    if (got < 0) damage_.add(path, "cannot be read to its end");
    if (records.broken()) damage_.add(path, "a record's length is damaged; the rest is left out");
    if (!records.broken() && records.partial()) damage_.add(path, "ends inside a record");
    if (records.damaged() > 0)
      damage_.add(path, std::to_string(records.damaged()) + " records have a wrong checksum");
    if (wrong > 0) damage_.add(path, std::to_string(wrong) + " records are no events");
  }

  std::string root_, name_;
  Damage& damage_;
};

}  // namespace

Result<std::unique_ptr<Source>> open_event_files(const SourceOptions& options, Damage& damage) {
  std::string root = options.path;
  if (!base::is_folder(root)) root = base::parent_path(root);
  std::string name = options.experiment.empty() ? base::file_name(root) : options.experiment;
  if (name.empty()) name = "tensorboard";
  TRY(check_experiment_name(name));
  return std::unique_ptr<Source>(std::make_unique<EventFiles>(root, name, damage));
}

}  // namespace maru::tracking
