#include "maru/api/replay.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "maru/model/logged_tensor.h"
#include "maru/model/tensor.h"
#include "maru/monitor/monitor.h"
#include "routes.h"

namespace maru::api {
namespace {

using base::Code;

const double kNone = std::numeric_limits<double>::quiet_NaN();

bool is_fixed(const std::string& name) {
  return std::any_of(std::begin(monitor::kLogColumns), std::end(monitor::kLogColumns),
                     [&](const char* fixed) { return name == fixed; });
}

struct LoggedInputs {
  std::map<std::string, const data::Column*> columns;
};

LoggedInputs inputs_of(const data::Table& table) {
  LoggedInputs out;
  for (const data::Column& column : table.columns)
    if (!is_fixed(column.name)) out.columns.emplace(monitor::input_name(column.name), &column);
  return out;
}

void fill_column(const data::Column& from, model::InputKind kind, model::InputColumn& to,
                 std::size_t rows) {
  for (std::size_t row = 0; row < rows; ++row) {
    if (!from.is_valid(row)) continue;
    if (kind == model::InputKind::kText)
      to.texts[row] = from.text(row);
    else if (kind == model::InputKind::kTimestamp)
      to.times[row] = from.integers[row];
    else
      to.numbers[row] = from.number(row);
  }
}

std::string text_at(const data::Table& table, const char* name, std::size_t row) {
  const data::Column* column = table.find(name);
  return column != nullptr && column->is_valid(row) ? std::string(column->text(row)) : "";
}

std::int64_t integer_at(const data::Table& table, const char* name, std::size_t row) {
  const data::Column* column = table.find(name);
  return column != nullptr && column->is_valid(row) ? column->integers[row] : 0;
}

ReplayRow begin_row(const data::Table& table, std::size_t row) {
  ReplayRow out;
  out.id = text_at(table, "id", row);
  out.time_us = integer_at(table, "time", row);
  out.version = integer_at(table, "version", row);
  return out;
}

bool same_double(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

Json answer_json(const std::string& prediction, double score) {
  Json out = Json::object();
  if (!prediction.empty()) out.set("prediction", prediction);
  return out.set("score", std::isfinite(score) ? Json(score) : Json());
}

base::Status replay_columns(const model::Bundle& bundle, const data::Table& table,
                            const base::Clock& clock, Replay& out) {
  const model::Signature& signature = bundle.signature();
  const LoggedInputs logged = inputs_of(table);
  model::InputBatch batch;
  batch.reset(signature, table.rows());
  for (std::size_t i = 0; i < signature.inputs.size(); ++i) {
    const model::Input& input = signature.inputs[i];
    const auto at = logged.columns.find(input.name);
    if (at == logged.columns.end())
      out.missing.push_back(input.name);
    else if (!model::interchangeable(input.kind, model::kind_of(at->second->type)))
      out.retyped.push_back(input.name);
    else
      fill_column(*at->second, input.kind, batch.columns[i], table.rows());
  }
  for (const auto& [name, column] : logged.columns)
    if (signature.index_of(name) < 0) out.unused.push_back(name);
  model::Predictions now;
  const std::int64_t start_ns = clock.monotonic_ns();
  TRY(bundle.evaluator().predict(batch, now));
  const std::int64_t model_ns = clock.monotonic_ns() - start_ns;
  const data::Column* scores = table.find("score");
  for (std::size_t row = 0; row < table.rows(); ++row) {
    ReplayRow item = begin_row(table, row);
    const std::string before = text_at(table, "prediction", row);
    const double score = scores != nullptr && scores->is_valid(row) ? scores->reals[row] : kNone;
    const std::size_t k =
        now.width > 1 ? model::predicted_class(signature, now, row) : std::size_t{0};
    std::string prediction;
    if (signature.task != model::Task::kRegression)
      prediction = signature.classes[model::predicted_class(signature, now, row)];
    const double value = now.score(row, k);
    item.model_ns = model_ns;
    item.logged = answer_json(before, score);
    item.now = answer_json(prediction, value);
    item.other_class = prediction != before;
    item.difference = same_double(value, score) ? 0 : std::abs(value - score);
    item.same_bits = !item.other_class && same_double(value, score);
    out.rows.push_back(std::move(item));
  }
  return {};
}

// The largest difference of any element; NaN when they cannot be compared.
double tensor_difference(const model::TensorValue& a, const model::TensorValue& b) {
  if (a.shape != b.shape || a.type != b.type) return kNone;
  if (a.type == model::Datatype::kBytes) return a.texts == b.texts ? 0 : kNone;
  double largest = 0;
  for (std::size_t at = 0; at < a.elements(); ++at) {
    const double x = model::element_as_double(a, at), y = model::element_as_double(b, at);
    if (same_double(x, y)) continue;
    if (!std::isfinite(x) || !std::isfinite(y)) return kNone;
    largest = std::max(largest, std::abs(x - y));
  }
  return largest;
}

base::Status replay_call(const model::TensorModel& model, const LoggedInputs& logged,
                         const data::Table& table, std::size_t row, const base::Clock& clock,
                         ReplayRow& item) {
  std::vector<model::TensorValue> inputs, outputs;
  for (const model::TensorSpec& spec : model.inputs()) {
    const auto at = logged.columns.find(spec.name);
    if (at == logged.columns.end() || !at->second->is_valid(row)) continue;
    TRY_ASSIGN(auto tensor, model::parse_logged_tensor(spec.name, at->second->text(row)));
    inputs.push_back(std::move(tensor));
  }
  TRY_ASSIGN(item.logged, base::parse_json(text_at(table, "prediction", row)));
  std::vector<std::string> wanted;
  for (const auto& [name, tensor] : item.logged.members()) wanted.push_back(name);
  const std::int64_t start_ns = clock.monotonic_ns();
  TRY(model.run(inputs, wanted, outputs));
  item.model_ns = clock.monotonic_ns() - start_ns;
  item.same_bits = true;
  item.now = Json::object();
  for (const model::TensorValue& output : outputs) {
    const std::string text = model::logged_tensor(output);
    const std::string before = item.logged[output.name].dump();
    TRY_ASSIGN(const auto then, model::parse_logged_tensor(output.name, before));
    const double difference = tensor_difference(then, output);
    item.same_bits = item.same_bits && then.shape == output.shape && then.bytes == output.bytes &&
                     then.texts == output.texts;
    item.difference = std::isnan(difference) ? kNone : std::max(item.difference, difference);
    TRY_ASSIGN(Json told, base::parse_json(text));
    item.now.set(output.name, std::move(told));
  }
  return {};
}

void replay_tensors(const model::TensorModel& model, const data::Table& table,
                    const base::Clock& clock, Replay& out) {
  const LoggedInputs logged = inputs_of(table);
  std::set<std::string> taken;
  for (const model::TensorSpec& spec : model.inputs()) {
    taken.insert(spec.name);
    if (logged.columns.count(spec.name) == 0) out.missing.push_back(spec.name);
  }
  for (const auto& [name, column] : logged.columns)
    if (taken.count(name) == 0) out.unused.push_back(name);
  for (std::size_t row = 0; row < table.rows(); ++row) {
    ReplayRow item = begin_row(table, row);
    if (const auto done = replay_call(model, logged, table, row, clock, item); !done) {
      item.error = done.error().text();
      item.difference = kNone;
    }
    out.rows.push_back(std::move(item));
  }
}

bool within(const ReplayRow& row, double tolerance) {
  if (!row.error.empty() || row.other_class) return false;
  const double size = std::max(1.0, std::abs(row.logged["score"].as_double(0)));
  return row.same_bits || row.difference <= tolerance * size;
}

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(); }

Json row_json(const ReplayRow& row) {
  Json out = Json::object({{"id", row.id},
                           {"time_us", row.time_us},
                           {"version", row.version},
                           {"logged", row.logged},
                           {"now", row.now},
                           {"difference", number(row.difference)},
                           {"other_class", row.other_class}});
  if (!row.error.empty()) out.set("error", row.error);
  return out;
}

struct Tally {
  std::uint64_t rows = 0, different = 0;
};

}  // namespace

base::Result<Replay> replay(const model::Bundle& bundle, const data::Table& table,
                            const base::Clock& clock) {
  Replay out;
  if (table.rows() == 0) return out;
  // Rows of columns have a score, calls of tensors have none.
  const data::Column* scores = table.find("score");
  const bool tensors = scores == nullptr || scores->missing() == table.rows();
  if (tensors != (bundle.tensors() != nullptr))
    return base::fail(Code::kFailedPrecondition,
                      tensors ? "the log holds tensors, and the version takes columns"
                              : "the log holds columns, and the version takes tensors",
                      "replay against a version of the same kind of model");
  if (tensors)
    replay_tensors(*bundle.tensors(), table, clock, out);
  else
    TRY(replay_columns(bundle, table, clock, out));
  return out;
}

Json replay_json(const Replay& replay, double tolerance) {
  std::uint64_t same_bits = 0, different = 0, classes = 0, failed = 0, compared = 0;
  double largest = 0, sum = 0;
  std::map<std::int64_t, Tally> by_version;
  std::vector<const ReplayRow*> other;
  for (const ReplayRow& row : replay.rows) {
    Tally& tally = by_version[row.version];
    ++tally.rows;
    same_bits += row.same_bits;
    classes += row.other_class;
    failed += !row.error.empty();
    if (std::isfinite(row.difference)) {
      ++compared;
      largest = std::max(largest, row.difference);
      sum += row.difference;
    }
    if (within(row, tolerance)) continue;
    ++tally.different;
    ++different;
    other.push_back(&row);
  }
  const auto weight = [](const ReplayRow* row) {
    return std::isfinite(row->difference) ? row->difference
                                          : std::numeric_limits<double>::infinity();
  };
  std::stable_sort(other.begin(), other.end(),
                   [&](const ReplayRow* a, const ReplayRow* b) { return weight(a) > weight(b); });
  if (other.size() > kReplayDifferences) other.resize(kReplayDifferences);
  Json told = Json::array(), versions = Json::array();
  for (const ReplayRow* row : other) told.push(row_json(*row));
  for (const auto& [version, tally] : by_version)
    versions.push(Json::object({{"version", version},
                                {"rows", count(tally.rows)},
                                {"different", count(tally.different)}}));
  return Json::object(
      {{"rows", count(replay.rows.size())},
       {"same_bits", count(same_bits)},
       {"different", count(different)},
       {"other_class", count(classes)},
       {"failed", count(failed)},
       {"tolerance", tolerance},
       {"largest_difference", largest},
       {"mean_difference", compared > 0 ? sum / static_cast<double>(compared) : 0.0},
       {"logged_by", std::move(versions)},
       {"inputs", Json::object({{"missing", text_array(replay.missing)},
                                {"unused", text_array(replay.unused)},
                                {"retyped", text_array(replay.retyped)}})},
       {"differences", std::move(told)}});
}

}  // namespace maru::api
