// Every route of a whole home, asked for with known and odd names and with fields of every type: a client's mistake is never a 5xx, and
// what is answered as JSON is JSON. Left out: routes that name files of this machine or call other hosts, and the stream without an end.
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>

#include "driver.h"
#include "maru/app/home.h"
#include "maru/base/check.h"
#include "maru/base/file.h"
#include "maru/base/log.h"
#include "maru/base/text.h"
#include "shape.h"

using namespace maru;
using base::Json;
using http::Method;

namespace {

constexpr std::array<std::string_view, 9> kLeftOut = {"import",       "export",       "init",
                                                      "project-runs", "/predictions", "webhooks",
                                                      "/events",      "validate",     "/drift"};

// Every field that some route reads, well formed.
constexpr std::string_view kFields = R"({
  "run_id": "$RUN", "run_uuid": "$RUN", "run_ids": ["$RUN"], "runs": ["$RUN"], "experiment_id": "$EXPERIMENT",
  "experiment_ids": ["$EXPERIMENT"], "experiment_name": "e", "name": "m", "new_name": "m2", "key": "k", "value": "0.5", "timestamp": 5,
  "step": 3, "start_step": 0, "end_step": 9, "metric_key": "k", "metric_keys": ["k"], "keys": ["k"], "run_name": "r", "user_id": "u",
  "start_time": 1, "end_time": 2, "status": "FINISHED", "lifecycle_stage": "active", "artifact_location": "", "description": "d",
  "metrics": [{"key": "k", "value": 1.5, "timestamp": 7, "step": 1}], "params": [{"key": "p", "value": "v"}], "tags": [{"key": "t", "value": "v"}],
  "filter": "metrics.k > 0 AND params.p = 'v'", "filter_string": "name LIKE 'm%'", "order_by": ["metrics.k DESC"], "max_results": 10,
  "page_token": "", "run_view_type": "ALL", "view_type": "ALL", "path": "a/b", "artifact_path": "a", "tag_key": "t", "source": "runs:/$RUN/model",
  "version": "1", "versions": [], "alias": "champion", "stage": "Staging", "stages": ["None"], "archive_existing_versions": true, "reason": "x",
  "model_id": "$MODEL", "model_type": "a", "source_run_id": "$RUN", "model_json": "{\"artifact_path\": \"m\", \"flavors\": {}, \"run_id\": \"$RUN\"}",
  "models": [{"model_id": "$MODEL", "step": 1}], "datasets": [{"dataset": {"name": "d", "digest": "1", "source_type": "s", "source": "{}",
  "schema": "{}", "profile": "{}"}, "tags": [{"key": "c", "value": "v"}]}], "dataset": {"name": "d", "digest": "1"}, "request_id": "tr-1",
  "trace_id": "tr-1", "trace_ids": ["tr-1"], "request_ids": ["tr-1"], "max_timestamp_millis": 9, "locations": [{"type": "MLFLOW_EXPERIMENT",
  "mlflow_experiment": {"experiment_id": "$EXPERIMENT"}}], "trace": {"trace_info": {"trace_id": "tr-1", "trace_location": {"type":
  "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "$EXPERIMENT"}}, "request_time": "2025-01-01T00:00:00Z", "state": "OK",
  "execution_duration": "1.5s", "trace_metadata": {"a": "b"}, "tags": {"c": "d"}}}, "timestamp_ms": 4, "execution_time_ms": 3,
  "request_metadata": [{"key": "a", "value": "b"}], "assessment": {"assessment_name": "n", "feedback": {"value": 1}, "source":
  {"source_type": "HUMAN", "source_id": "x"}, "trace_id": "tr-1"}, "assessment_id": "a-1", "update_mask": "tags", "num_parts": 2, "upload_id": "u",
  "parts": [{"part_number": 1, "etag": "e"}], "inputs": [{"name": "age", "shape": [1, 1], "datatype": "FP64", "data": [1]}],
  "instances": [{"age": 1}], "dataframe_split": {"columns": ["age"], "data": [[1]]}, "dataframe_records": [{"age": 1}], "feedback":
  [{"id": "i", "label": "1"}], "model": "m", "route": {"kind": "weights", "arms": [{"selector": "champion", "weight": 1}]}, "role": "viewer",
  "sources": ["x.csv"], "columns": [{"name": "a", "type": "integer"}], "q": "m", "of": "run:$RUN", "limit": 5, "offset": 0, "points": 50,
  "cursor": "", "sort": "name", "fields": ["metrics.k"], "project": "default", "notes": "n", "x_axis": "step", "from_us": 1, "to_us": 9
})";

// The body in pieces of 100 bytes.
class Reader final : public http::BodyReader {
 public:
  explicit Reader(std::string bytes)
      : bytes_(std::make_shared<const std::string>(std::move(bytes))) {}
  base::Result<Piece> next() override {
    const std::string_view piece = std::string_view(*bytes_).substr(at_, 100);
    at_ += piece.size();
    return Piece{piece, bytes_};
  }

 private:
  const std::shared_ptr<const std::string> bytes_;
  std::size_t at_ = 0;
};

class Collector final : public http::BodyWriter {
 public:
  base::Status write(std::string_view bytes) override {
    size += bytes.size();
    return {};
  }
  std::size_t size = 0;
};

class House {
 public:
  House() {
    MARU_CHECK(::mkdtemp(folder_.data()) != nullptr);
    base::LogOptions quiet;
    quiet.level = base::LogLevel::kError;
    base::init_log(quiet);
    app::HomeOptions options;
    options.folder = folder_ + "/home";
    options.group_window_us = 0;
    auto opened = app::Home::open(options);
    MARU_CHECK(opened.has_value());
    home_ = std::move(*opened);
    home_->start(app::Home::Background::kVerb);
    home_->wait_ready();
    for (auto& route : home_->router().routes()) {
      bool left_out = false;
      for (const auto word : kLeftOut)
        left_out = left_out || route.pattern.find(word) != std::string::npos;
      if (!left_out) routes_.push_back(std::move(route));
    }
    furnish();
  }
  ~House() {
    home_->stop();
    home_.reset();
    static_cast<void>(base::remove_tree(folder_));
  }
  House(const House&) = delete;
  House& operator=(const House&) = delete;

  void ask(base::Rng& rng, std::string_view input) {
    if (++asked_ % 2000 == 0) furnish();  // what was removed comes back
    const http::RouteInfo& route = routes_[rng.below(routes_.size())];
    http::Request request;
    request.method = route.method;
    request.path = path_of(route.pattern, rng, input);
    request.target = request.path;
    Json fields = Json::object();
    const std::uint64_t share = 2 + rng.below(4);
    for (const auto& [name, value] : std::as_const(fields_).members())
      if (rng.below(share) != 0) fields.set(name, value);
    fields = misshape(std::move(fields), rng, input);
    if (route.method == Method::kGet || rng.below(16) == 0) {
      for (const auto& [name, value] : std::as_const(fields).members())
        if (rng.below(6) != 0)
          request.query.emplace_back(name, value.is_string() ? value.as_string() : value.dump());
    } else {
      request.body = rng.below(8) == 0 ? std::string(input) : fields.dump();
    }
    request.headers.set("Content-Type", "application/json");
    request.headers.set("Host", "localhost");
    if (rng.below(8) == 0) request.headers.set("Range", std::string(input.substr(0, 100)));
    check(request);
  }

 private:
  void furnish() {
    fields_ = {};
    const std::string experiment =
        call("/api/2.0/mlflow/experiments/create",
             Json::object({{"name", "e" + std::to_string(asked_)}}))["experiment_id"]
            .as_string();
    const std::string run =
        call("/api/2.0/mlflow/runs/create",
             Json::object({{"experiment_id", experiment}}))["run"]["info"]["run_id"]
            .as_string();
    const std::string model =
        call("/api/2.0/mlflow/logged-models",
             Json::object({{"experiment_id", experiment},
                           {"name", "lm"},
                           {"source_run_id", run}}))["model"]["info"]["model_id"]
            .as_string();
    MARU_CHECK(!experiment.empty() && !run.empty() && !model.empty());
    std::string text(kFields);
    known_ = {experiment, run, model, "m", "k", "1", "champion", "tr-1", "a/b.txt"};
    for (const auto& [word, id] :
         {std::pair{"$EXPERIMENT", experiment}, {"$RUN", run}, {"$MODEL", model}}) {
      for (std::size_t at = 0; (at = text.find(word, at)) != std::string::npos;)
        text.replace(at, std::string_view(word).size(), id);
    }
    const auto fields = base::parse_json(text);
    MARU_CHECK(fields.has_value());
    fields_ = *fields;
  }

  Json call(const std::string& path, const Json& body) {
    http::Request request;
    request.method = Method::kPost;
    request.path = request.target = path;
    request.body = body.dump();
    request.headers.set("Content-Type", "application/json");
    const auto response = answer(request);
    const auto json = base::parse_json(response.body);
    MARU_CHECK(response.status == 200 && json);
    return *json;
  }

  http::Response answer(http::Request& request) {
    const auto match = home_->router().match(request.method, request.path);
    if (match.options != nullptr && match.options->stream_body)
      request.body_stream = std::make_shared<Reader>(std::exchange(request.body, {}));
    base::Context context;
    context.principal = {"fuzz", base::Role::kAdmin};
    return home_->router().handle(request, context);
  }

  void check(http::Request& request) {
    const std::string body = request.body;
    http::Response response = answer(request);
    Collector collector;
    if (response.stream) static_cast<void>(response.stream(collector));
    // 501 and 503 are answers: not built here, nothing loaded.
    bool fine = response.status < 500 || response.status == 501 || response.status == 503;
    if (fine && response.headers.get("Content-Type").starts_with("application/json") &&
        !base::trim(response.body).empty())  // /ping has "\n", as MLflow's scoring server
      fine = base::parse_json(response.body).has_value();
    if (fine) return;
    std::fprintf(stderr, "%s %s\n", std::string(http::method_name(request.method)).c_str(),
                 request.path.c_str());
    for (const auto& [name, value] : request.query)
      std::fprintf(stderr, "  ?%s=%s\n", name.c_str(), value.c_str());
    std::fprintf(stderr, "%s\n=> %d %s\n", body.c_str(), response.status, response.body.c_str());
    std::abort();
  }

  std::string path_of(const std::string& pattern, base::Rng& rng, std::string_view input) const {
    std::string out;
    for (std::size_t at = 0; at < pattern.size();) {
      if (pattern[at] != '{') {
        out += pattern[at++];
        continue;
      }
      at = pattern.find('}', at) + 1;
      std::string value =
          rng.below(5) == 0 ? std::string(input.substr(0, 300)) : known_[rng.below(known_.size())];
      if (!base::is_valid_utf8(value) || value.empty()) value = "x";  // as the server makes sure
      out += value;
    }
    return out;
  }

  std::string folder_ = "/tmp/maru-fuzz-XXXXXX";
  std::unique_ptr<app::Home> home_;
  std::vector<http::RouteInfo> routes_;
  std::vector<std::string> known_;
  Json fields_;
  std::uint64_t asked_ = 0;
};

House& house() {
  static House instance;
  return instance;
}

}  // namespace

void fuzz_one(std::string_view input) {
  base::Rng rng = rng_of(input);
  house().ask(rng, input);
}

std::vector<std::string> fuzz_seeds() {
  return {"a",
          "../x",
          "metrics.k > 1 ORDER",
          "bytes=0-5",
          R"({"a": [1, {"b": null}]})",
          "name = 'm' AND tags.`t` LIKE '%v'"};
}
