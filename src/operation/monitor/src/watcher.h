#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "maru/monitor/monitor.h"

namespace maru::monitor {

// One watched endpoint. `work` is held while it is evaluated or changed.
struct Watched {
  std::mutex work;
  MonitorConfig config;
  stats::Profile reference, prediction_reference;
  std::int64_t since_us = 0;         // rows before belong to an earlier reference
  std::int64_t last_retrain_us = 0;  // 0: never
  std::int64_t start_us = 0;         // of the window that is open
  std::int64_t labels_seen = 0;      // labels up to this number are in the windows
  bool has_open = false;
  Window open;  // as last computed
  bool removed = false;
};

class Watcher final : public Monitor {
 public:
  explicit Watcher(const Options& options) : options_(options) {}
  base::Status start();

  base::Status watch(const MonitorConfig& config, const stats::Profile& reference,
                     const stats::Profile& prediction_reference) override;
  base::Status unwatch(const std::string& endpoint) override;
  base::Result<std::vector<MonitorConfig>> watched(const std::string& project) override;
  base::Result<std::uint64_t> feedback(const std::string& endpoint,
                                       const std::vector<Feedback>& labels) override;
  base::Status evaluate(const std::string& endpoint) override;
  base::Result<std::vector<Window>> windows(const std::string& endpoint,
                                            std::size_t limit) override;
  base::Result<std::vector<Alert>> alerts(const std::string& project, std::size_t limit) override;
  base::Status acknowledge(const std::string& alert_id) override;
  base::Result<data::Table> labelled_rows(const std::string& endpoint, std::int64_t from_us,
                                          std::int64_t to_us) override;

 private:
  using Labels = std::unordered_map<std::string, std::string>;
  std::shared_ptr<Watched> find(const std::string& endpoint) const;
  base::Result<Labels> labels_between(const std::string& endpoint, std::int64_t from_us,
                                      std::int64_t to_us);

  // With `work` held.
  base::Status watch(Watched& watched, const MonitorConfig& config, const stats::Profile& reference,
                     const stats::Profile& prediction_reference);

  // windows.cpp; with `work` held
  base::Result<bool> close_next(Watched& watched);
  base::Result<std::int64_t> end_of_next(Watched& watched, std::uint64_t& rows);
  base::Status close_window(Watched& watched, std::int64_t to_us, bool may_alert);
  base::Result<Window> compute(const Watched& watched, std::int64_t from_us, std::int64_t to_us,
                               bool with_drift);
  base::Status measure_labels(const Watched& watched, Window& window);
  base::Status refresh_open(Watched& watched, bool labels_changed);
  base::Result<bool> take_labels(Watched& watched);
  base::Status save_window(const Window& window, const std::vector<Alert>& alerts,
                           const Watched& watched);
  std::vector<Alert> verdicts(const Watched& watched, const Window& window) const;
  base::Status ask_for_retraining(Watched& watched);

  const Options options_;
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Watched>> watched_;
};

}  // namespace maru::monitor
