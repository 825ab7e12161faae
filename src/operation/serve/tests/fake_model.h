#pragma once
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "maru/serve/serve.h"

namespace maru::serve::test {

inline model::Signature one_number() {
  model::Signature out;
  out.task = model::Task::kRegression;
  out.inputs.push_back({"x", model::InputKind::kNumber, true, {}});
  return out;
}

// All of a bundle but its answers.
class BareBundle : public model::Bundle, public model::Evaluator {
 public:
  std::string_view engine() const override { return "native"; }
  std::string reason() const override { return "test"; }
  const model::Signature& signature() const override { return signature_; }
  const base::Json& metadata() const override { return metadata_; }
  const data::Table& sample() const override { return sample_; }
  const model::Evaluator& evaluator() const override { return *this; }
  std::uint64_t file_bytes() const override { return 10; }
  std::uint64_t memory_bytes() const override { return 20; }

 protected:
  model::Signature signature_;
  base::Json metadata_ = base::Json::object();
  data::Table sample_;
};

// Answers version * 1000 + x, so that every answer tells who gave it. The NaN row fails.
class FakeBundle final : public BareBundle {
 public:
  FakeBundle(int version, bool broken) : version_(version), broken_(broken) {
    signature_ = one_number();
    data::Column x;
    x.name = "x";
    x.reals = {1, 2, 3};
    sample_.columns.push_back(std::move(x));
  }
  base::Status predict(const model::InputBatch& batch, model::Predictions& out) const override {
    if (clock != nullptr) clock->advance_us(row_us * static_cast<std::int64_t>(batch.rows));
    if (broken_ || failing) return base::fail(base::Code::kInternal, "planted failure");
    out.task = model::Task::kRegression;
    out.rows = batch.rows;
    out.width = 1;
    out.scores.clear();
    for (const double x : batch.columns[0].numbers) {
      if (x != x) return base::fail(base::Code::kInternal, "planted failure of a row");
      out.scores.push_back(version_ * 1000 + x);
    }
    return {};
  }

  mutable std::atomic<bool> failing{false};  // from now on
  base::ManualClock* clock = nullptr;        // moves by `row_us` for each row
  std::int64_t row_us = 0;

 private:
  int version_;
  bool broken_;
};

// Versions of the model "m" (and of others by name) whose folders are "<model>/<version>".
class FakeSource final : public ModelSource {
 public:
  base::Result<std::string> folder(const std::string& model, int version) override {
    const std::lock_guard lock(mutex_);
    ++loads[version];
    if (absent.count(version) != 0 || version > newest_)
      return base::fail(base::Code::kNotFound, "no such version: " + std::to_string(version));
    return model + "/" + std::to_string(version);
  }
  base::Result<int> resolve(const std::string& model, const std::string& selector) override {
    const std::lock_guard lock(mutex_);
    const auto found = aliases_.find(model + "@" + selector);
    if (found == aliases_.end())
      return base::fail(base::Code::kNotFound, "no such alias: " + selector);
    return found->second;
  }
  base::Result<std::vector<std::pair<std::string, std::vector<int>>>> models() override {
    const std::lock_guard lock(mutex_);
    std::vector<int> versions;
    for (int v = newest_; v > 0; --v) versions.push_back(v);
    return std::vector<std::pair<std::string, std::vector<int>>>{{"m", versions}, {"hollow", {}}};
  }
  void point(const std::string& alias, int version) {
    const std::lock_guard lock(mutex_);
    aliases_["m@" + alias] = version;
  }
  void set_newest(int version) {
    const std::lock_guard lock(mutex_);
    newest_ = version;
  }
  base::Result<std::shared_ptr<const model::Bundle>> load(const std::string& folder) {
    const int version = std::stoi(folder.substr(folder.find('/') + 1));
    const std::lock_guard lock(mutex_);
    if (corrupt.count(version) != 0)
      return base::fail(base::Code::kDataLoss, "model.onnx is corrupt");
    auto bundle = std::make_shared<FakeBundle>(version, broken.count(version) != 0);
    bundle->clock = clock;
    bundle->row_us = row_us;
    made.emplace_back(version, bundle);
    return std::shared_ptr<const model::Bundle>(std::move(bundle));
  }
  std::vector<int> alive() {
    const std::lock_guard lock(mutex_);
    std::vector<int> out;
    for (const auto& [version, bundle] : made) {
      if (!bundle.expired()) out.push_back(version);
    }
    return out;
  }

  std::set<int> absent, corrupt, broken;
  base::ManualClock* clock = nullptr;  // of the versions that are made from now on
  std::int64_t row_us = 0;
  std::map<int, int> loads;
  std::vector<std::pair<int, std::weak_ptr<const model::Bundle>>> made;

 private:
  std::mutex mutex_;
  std::map<std::string, int> aliases_;
  int newest_ = 3;
};

// Keeps what it gets, with copies of what is only lent.
class FakeSink final : public PredictionSink {
 public:
  struct Kept : PredictionRecord {
    model::InputBatch rows;
    model::Predictions answers;
  };
  void record(PredictionRecord&& record) override {
    Kept kept;
    if (record.inputs != nullptr) kept.rows = *record.inputs;
    if (record.outputs != nullptr) kept.answers = *record.outputs;
    static_cast<PredictionRecord&>(kept) = std::move(record);
    const std::lock_guard lock(mutex);
    records.push_back(std::move(kept));
  }
  std::mutex mutex;
  std::vector<Kept> records;
};

class FakeRehearsal final : public Rehearsal {
 public:
  std::vector<std::int64_t> ask(const std::string& endpoint, const model::Bundle&) override {
    asked.push_back(endpoint);
    return times_ns;
  }
  std::vector<std::string> asked;
  std::vector<std::int64_t> times_ns;
};

inline Server::Fill rows(std::vector<double> values) {
  return [values = std::move(values)](const model::Signature& signature,
                                      model::InputBatch& batch) -> base::Status {
    batch.reset(signature, values.size());
    batch.columns[0].numbers = values;
    return {};
  };
}

struct Stand {
  FakeSource source;
  FakeSink sink;
  base::ManualClock clock;
  base::Pool loader{{"loader", 1, 1024}};
  std::unique_ptr<Server> server;
  base::Json bounds, execution;  // of the endpoints that are put

  explicit Stand(bool with_sink = false, const std::function<void(Server::Options&)>& change = {}) {
    source.point("champion", 1);
    Server::Options options;
    options.source = &source;
    options.sink = with_sink ? &sink : nullptr;
    options.loader = &loader;
    options.clock = &clock;
    options.load = [this](const std::string& folder) { return source.load(folder); };
    if (change) change(options);
    server = std::make_unique<Server>(options);
  }
  base::Status put(const std::string& route = "null", const std::string& name = "e",
                   const std::string& model = "m") {
    EndpointConfig config;
    config.name = name;
    config.model = model;
    config.route = *base::parse_json(route);
    config.bounds = bounds;
    config.execution = execution;
    return server->put_endpoint(config);
  }
  // The version that answered, or 0.
  int ask(const CallOptions& call = {}, std::string_view name = "e") {
    model::Predictions out;
    const auto answer = server->predict(name, call, rows({7}), out);
    if (!answer) return 0;
    if (out.rows != 1 || out.scores[0] != answer->version * 1000 + 7) return -1;
    return answer->version;
  }
};

}  // namespace maru::serve::test
