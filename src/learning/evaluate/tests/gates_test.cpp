#include <doctest/doctest.h>

#include "maru/base/json.h"
#include "maru/evaluate/evaluate.h"

namespace {

using namespace maru;

// Answers the mean of its one input; enough to be measured.
class TinyBundle final : public model::Bundle, public model::Evaluator {
 public:
  TinyBundle() {
    signature_.inputs.push_back({"x", model::InputKind::kNumber, true, 1.0});
    sample_.columns.resize(1);
    sample_.columns[0].name = "x";
    sample_.columns[0].reals = {1, 2, 3};
  }
  const model::Signature& signature() const override { return signature_; }
  const base::Json& metadata() const override { return metadata_; }
  const data::Table& sample() const override { return sample_; }
  const Evaluator& evaluator() const override { return *this; }
  std::uint64_t file_bytes() const override { return 1000; }
  std::uint64_t memory_bytes() const override { return 100'000'000; }
  base::Status predict(const model::InputBatch& batch, model::Predictions& out) const override {
    out.rows = batch.rows;
    out.scores.assign(batch.rows, batch.columns.at(0).numbers.at(0));
    return {};
  }
  std::string_view engine() const override { return "native"; }
  std::string reason() const override { return ""; }

 private:
  model::Signature signature_;
  base::Json metadata_ = base::Json::object();
  data::Table sample_;
};

evaluate::Report report() {
  evaluate::Report out;
  out.task = model::Task::kBinary;
  out.metrics["roc_auc"] = {0.70, 0.69, 0.71};
  out.metrics["log_loss"] = {0.5, 0.49, 0.51};
  return out;
}

base::Result<std::vector<evaluate::GateResult>> run(
    const char* gates, const evaluate::Comparison* comparison = nullptr) {
  const TinyBundle bundle;
  return evaluate::check_gates(*base::parse_json(gates), report(), comparison, bundle);
}

}  // namespace

TEST_CASE("bounds are inclusive and say what was measured") {
  const auto gates = run(R"({"roc_auc": {"min": 0.7, "max": 0.99}, "log_loss": 0.4})");
  REQUIRE(gates.has_value());
  REQUIRE(gates->size() == 3);
  CHECK((*gates)[0].name == "roc_auc.min");
  CHECK((*gates)[0].ok);
  CHECK((*gates)[1].ok);
  CHECK((*gates)[2].name == "log_loss.max");
  CHECK_FALSE((*gates)[2].ok);
  CHECK((*gates)[2].reason.find("0.5") != std::string::npos);
  CHECK_FALSE((*run(R"({"roc_auc": {"min": 0.7000001}})"))[0].ok);
}

TEST_CASE("a metric that could not be measured fails its gate") {
  CHECK_FALSE((*run(R"({"pr_auc": {"min": 0.1}})"))[0].ok);
}

TEST_CASE("not worse than the champion: passes without one, follows the interval with one") {
  const char* rule = R"({"roc_auc": {"not_worse_than": "champion"}})";
  const auto none = run(rule);
  CHECK((*none)[0].ok);
  CHECK((*none)[0].reason.find("no champion") != std::string::npos);
  evaluate::Comparison comparison;
  comparison.metric = "roc_auc";
  comparison.difference = {-0.01, -0.02, 0.001};
  CHECK((*run(rule, &comparison))[0].ok);
  comparison.difference.high = -0.001;
  comparison.worse = true;
  CHECK_FALSE((*run(rule, &comparison))[0].ok);
  comparison.metric = "f1";
  comparison.worse = false;
  CHECK_FALSE((*run(rule, &comparison))[0].ok);
}

TEST_CASE("latency and memory are measured on the bundle") {
  const auto gates = run(R"({"latency_p99": "1s", "memory": "256MiB"})");
  REQUIRE_MESSAGE(gates.has_value(), gates.error().text());
  CHECK((*gates)[0].ok);
  CHECK((*gates)[1].ok);
  CHECK_FALSE((*run(R"({"memory": "1MiB"})"))[0].ok);
  CHECK_FALSE((*run(R"({"memory": 99999999})"))[0].ok);
  CHECK_FALSE(run(R"({"latency_p99": 2})").has_value());
  CHECK_FALSE(run(R"({"latency_p99": "2 parsecs"})").has_value());
  const TinyBundle bundle;
  const auto latency = evaluate::measure_latency(bundle, 50);
  REQUIRE(latency.has_value());
  CHECK(latency->p50_us > 0);
  CHECK(latency->p50_us <= latency->p99_us);
}

TEST_CASE("an unknown gate or key comes with the nearest known one") {
  CHECK(run(R"({"roc_acu": {"min": 0.7}})").error().hint.find("roc_auc") != std::string::npos);
  CHECK(run(R"({"latency_p9": "2ms"})").error().hint.find("latency_p99") != std::string::npos);
  CHECK(run(R"({"roc_auc": {"mim": 0.7}})").error().hint.find("min") != std::string::npos);
  CHECK(run(R"({"rmse": {"max": 3}})").error().code == base::Code::kInvalidArgument);
  CHECK_FALSE(run(R"({"roc_auc": {"min": "high"}})").has_value());
  CHECK_FALSE(run(R"([1])").has_value());
  CHECK(run("null")->empty());
}

TEST_CASE("gates are checked before anything is trained") {
  const auto error = [](const char* gates) {
    const base::Status status = evaluate::check_gate_rules(*base::parse_json(gates));
    return status ? std::string() : status.error().text();
  };
  CHECK(error(R"({"roc_auc": {"min": 0.7}, "rmse": 3, "latency_p99": "2ms", "memory": 1000})")
            .empty());
  CHECK(error("null").empty());
  CHECK(error(R"({"roc_acu": 0.7})").find("roc_auc") != std::string::npos);
  CHECK(error(R"({"latency_p99": 2})").find("write it as 2ms") != std::string::npos);
  CHECK(error(R"({"memory": "lots"})").find("write it as 256MiB") != std::string::npos);
  CHECK(error(R"({"rmse": {}})").find("min, max, not_worse_than") != std::string::npos);
}
