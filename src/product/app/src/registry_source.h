#pragma once
#include <mutex>
#include <string>
#include <vector>

#include "maru/data/dataset.h"
#include "maru/monitor/monitor.h"
#include "maru/serve/serve.h"
#include "maru/tracking/tracking.h"

namespace maru::app {

// Serving's view of the registry: versions as folders on local disk, exported once below `folder` under the hash of their name.
class RegistrySource final : public serve::ModelSource {
 public:
  RegistrySource(tracking::Tracking& tracking, std::string folder, std::string project);
  base::Result<std::string> folder(const std::string& model, int version) override;
  base::Result<int> resolve(const std::string& model, const std::string& selector) override;
  base::Result<std::vector<std::pair<std::string, std::vector<int>>>> models() override;

 private:
  tracking::Tracking& tracking_;
  std::string folder_, project_;
  std::mutex mutex_;  // one export at a time
};

// Feature lookups over the data room's datasets.
class DatasetFeatures final : public serve::FeatureSource {
 public:
  explicit DatasetFeatures(data::Datasets& datasets) : datasets_(datasets) {}
  base::Result<State> current(const std::string& project, const std::string& dataset) override;
  base::Result<data::Table> read(const std::string& snapshot,
                                 const std::vector<std::string>& columns) override;

 private:
  data::Datasets& datasets_;
};

// The newest logged calls of an endpoint, asked of a version.
class LogRehearsal final : public serve::Rehearsal {
 public:
  LogRehearsal(monitor::PredictionLog& log, const base::Clock& clock) : log_(log), clock_(clock) {}
  std::vector<std::int64_t> ask(const std::string& endpoint, const model::Bundle& bundle) override;

 private:
  monitor::PredictionLog& log_;
  const base::Clock& clock_;
};

// Answered requests become rows of the prediction log. Never blocks.
class LogSink final : public serve::PredictionSink {
 public:
  explicit LogSink(monitor::PredictionLog& log) : log_(log) {}
  void record(serve::PredictionRecord&& record) override;

 private:
  monitor::PredictionLog& log_;
};

}  // namespace maru::app
