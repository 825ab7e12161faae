#include "replay.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "maru/base/clock.h"
#include "maru/http/client.h"

namespace maru::app {
namespace {

using base::Json;

Json cell(const data::Column& column, std::size_t row) {
  if (!column.is_valid(row)) return {};
  switch (column.type) {
    case data::ColumnType::kBool:
      return column.integers[row] != 0;
    case data::ColumnType::kInteger:
      return column.integers[row];
    case data::ColumnType::kFloat:
      return column.reals[row];
    case data::ColumnType::kTimestamp:
      return base::format_time_us(column.integers[row]);
    case data::ColumnType::kText:
      break;
  }
  return column.text(row);
}

http::EgressPolicy loopback_policy() {
  http::EgressPolicy policy;
  policy.allow_private = true;
  return policy;
}

// One connection's share of the rows: every `stride`-th from `first`.
class Sender {
 public:
  Sender(const std::vector<ReplayRow>& rows, const ReplayOptions& options, std::size_t first)
      : rows_(rows), options_(options), first_(first), client_(loopback_policy()) {}

  base::Status run() {
    const std::int64_t start_ns = base::system_clock().monotonic_ns();
    std::size_t done = 0;
    for (std::size_t at = first_; at < rows_.size(); at += options_.connections) {
      wait_turn(start_ns, done++);
      send(rows_[at]);
      if (totals.ids.size() - labelled_ >= options_.feedback_every) TRY(send_labels());
    }
    return send_labels();
  }

  ReplayTotals totals;

 private:
  void wait_turn(std::int64_t start_ns, std::size_t done) {
    if (options_.per_second <= 0) return;
    const double due_ns = static_cast<double>(done) * 1e9 *
                          static_cast<double>(options_.connections) / options_.per_second;
    const auto left_ns =
        start_ns + static_cast<std::int64_t>(due_ns) - base::system_clock().monotonic_ns();
    if (left_ns <= 0) return;
    std::unique_lock lock(mutex_);
    never_.wait_for(lock, std::chrono::nanoseconds(left_ns));
  }

  void send(const ReplayRow& row) {
    http::ClientRequest request;
    request.method = http::Method::kPost;
    request.url =
        options_.url + "/api/v1/endpoints/" + http::percent_encode(options_.endpoint) + "/predict";
    request.headers.set("Content-Type", "application/json");
    request.body = row.body;
    const std::int64_t start_ns = base::system_clock().monotonic_ns();
    auto response = client_.send(request);
    totals.latency_us.push_back(
        static_cast<double>(base::system_clock().monotonic_ns() - start_ns) / 1e3);
    ++totals.sent;
    auto answer = response && response->status == 200
                      ? base::parse_json(response->body)
                      : base::Result<Json>(base::fail(base::Code::kUnavailable, "no answer"));
    if (!answer) {
      ++totals.failed;
      return;
    }
    totals.ids.push_back((*answer)["id"].as_string());
    totals.scores.push_back((*answer)["predictions"].at(0)["probability"].as_double(NAN));
    totals.labels.push_back(row.label ? 1 : 0);
  }

  base::Status send_labels() {
    if (labelled_ == totals.ids.size()) return {};
    Json list = Json::array();
    for (; labelled_ < totals.ids.size(); ++labelled_)
      list.push(
          Json::object({{"id", totals.ids[labelled_]}, {"label", totals.labels[labelled_] > 0.5}}));
    http::ClientRequest request;
    request.method = http::Method::kPost;
    request.url =
        options_.url + "/api/v1/endpoints/" + http::percent_encode(options_.endpoint) + "/feedback";
    request.headers.set("Content-Type", "application/json");
    request.body = list.dump();
    TRY_ASSIGN(const auto response, client_.send(request));
    if (response.status != 200)
      return base::fail(base::Code::kUnavailable, "feedback was refused: " + response.body);
    return {};
  }

  const std::vector<ReplayRow>& rows_;
  const ReplayOptions& options_;
  std::size_t first_, labelled_ = 0;
  http::Client client_;
  std::mutex mutex_;
  std::condition_variable never_;
};

}  // namespace

std::vector<ReplayRow> replay_rows(const data::Table& table, const std::string& label) {
  std::vector<ReplayRow> out;
  const data::Column* truth = table.find(label);
  for (std::size_t row = 0; row < table.rows(); ++row) {
    if (truth != nullptr && !truth->is_valid(row)) continue;
    Json fields = Json::object();
    for (const auto& column : table.columns) {
      if (column.name != label) fields.set(column.name, cell(column, row));
    }
    ReplayRow item;
    item.body = R"({"instances":[)" + fields.dump() + "]}";
    item.label = truth != nullptr && truth->number(row) > 0.5;
    out.push_back(std::move(item));
  }
  return out;
}

base::Result<ReplayTotals> replay(const std::vector<ReplayRow>& rows,
                                  const ReplayOptions& options) {
  std::vector<std::unique_ptr<Sender>> senders;
  std::vector<base::Status> results(options.connections);
  for (std::size_t i = 0; i < options.connections; ++i)
    senders.push_back(std::make_unique<Sender>(rows, options, i));
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < options.connections; ++i)
      threads.emplace_back([&, i] { results[i] = senders[i]->run(); });
  }
  ReplayTotals out;
  for (std::size_t i = 0; i < senders.size(); ++i) {
    TRY(results[i]);
    add(out, senders[i]->totals);
  }
  return out;
}

void add(ReplayTotals& into, const ReplayTotals& from) {
  into.sent += from.sent;
  into.failed += from.failed;
  into.latency_us.insert(into.latency_us.end(), from.latency_us.begin(), from.latency_us.end());
  into.scores.insert(into.scores.end(), from.scores.begin(), from.scores.end());
  into.labels.insert(into.labels.end(), from.labels.begin(), from.labels.end());
  into.ids.insert(into.ids.end(), from.ids.begin(), from.ids.end());
}

double percentile(std::vector<double> values, double p) {
  if (values.empty()) return NAN;
  const auto at = static_cast<std::size_t>(p * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(at), values.end());
  return values[at];
}

}  // namespace maru::app
