#include "registry_source.h"

#include <algorithm>
#include <array>
#include <limits>

#include "maru/api/replay.h"
#include "maru/base/file.h"
#include "maru/base/hash.h"
#include "maru/base/json.h"
#include "maru/base/log.h"
#include "maru/model/logged_tensor.h"

namespace maru::app {
namespace {

constexpr std::uint64_t kRehearsedRows = 32;
constexpr std::int64_t kRehearsalNs = 200'000'000;

data::ColumnType logged_type(model::InputKind kind) {
  switch (kind) {
    case model::InputKind::kText:
      return data::ColumnType::kText;
    case model::InputKind::kTimestamp:
      return data::ColumnType::kTimestamp;
    default:
      return data::ColumnType::kFloat;
  }
}

// The inputs, column by column in the order of the log's schema.
void copy_inputs(const model::Signature& signature, const model::InputBatch& batch,
                 monitor::LoggedCall& out) {
  std::size_t numbers = 0;
  for (const model::InputColumn& column : batch.columns) numbers += column.numbers.size();
  out.numbers.reserve(numbers);
  const auto append = [](const auto& from, auto& to) {
    to.insert(to.end(), from.begin(), from.end());
  };
  for (std::size_t i = 0; i < signature.inputs.size(); ++i) {
    const model::InputColumn& column = batch.columns[i];
    switch (logged_type(signature.inputs[i].kind)) {
      case data::ColumnType::kText:
        append(column.texts, out.texts);
        break;
      case data::ColumnType::kTimestamp:
        append(column.times, out.times);
        break;
      default:
        append(column.numbers, out.numbers);
    }
  }
}

using SchemaPtr = std::shared_ptr<const monitor::LogSchema>;

SchemaPtr schema_of(const model::Signature& signature) {
  monitor::LogSchema out;
  for (const auto& input : signature.inputs)
    out.inputs.emplace_back(input.name, logged_type(input.kind));
  return std::make_shared<const monitor::LogSchema>(std::move(out));
}

// The schemas of the bundles that this thread logged last: calls come by the thousand, and a schema is a list of names.
SchemaPtr known_schema(const std::shared_ptr<const model::Bundle>& bundle) {
  struct Known {
    std::weak_ptr<const model::Bundle> bundle;
    SchemaPtr schema;
  };
  thread_local std::array<Known, 8> known;
  thread_local std::size_t next = 0;
  for (const Known& one : known)
    if (!one.bundle.owner_before(bundle) && !bundle.owner_before(one.bundle)) return one.schema;
  known[next] = {bundle, schema_of(bundle->signature())};
  const SchemaPtr out = known[next].schema;
  next = (next + 1) % known.size();
  return out;
}

}  // namespace

RegistrySource::RegistrySource(tracking::Tracking& tracking, std::string folder,
                               std::string project)
    : tracking_(tracking), folder_(std::move(folder)), project_(std::move(project)) {}

base::Result<std::string> RegistrySource::folder(const std::string& model, int version) {
  // A model that was removed may come back under its name: the moment tells its versions from the former ones.
  TRY_ASSIGN(const auto facts, tracking_.registry().get_version(project_, model, version));
  const std::string key =
      base::sha256_hex(project_ + "\n" + model + "\n" + std::to_string(version) + "\n" +
                       std::to_string(facts.created_us));
  const std::string path = base::join_path(folder_, key.substr(0, 32));
  const std::lock_guard lock(mutex_);
  if (base::is_folder(path)) return path;
  const std::string fresh = path + ".new";
  TRY(base::remove_tree(fresh));
  TRY(tracking_.registry().export_version(project_, model, version, fresh));
  TRY(base::rename_durable(fresh, path));
  return path;
}

base::Result<int> RegistrySource::resolve(const std::string& model, const std::string& selector) {
  return tracking_.registry().resolve(project_, model, selector);
}

base::Result<std::vector<std::pair<std::string, std::vector<int>>>> RegistrySource::models() {
  TRY_ASSIGN(const auto models, tracking_.registry().list_models(project_));
  std::vector<std::pair<std::string, std::vector<int>>> out;
  for (const auto& model : models) {
    std::vector<int> versions;
    for (const auto& version : model.versions) {
      if (version.state == "ready") versions.push_back(version.version);
    }
    out.emplace_back(model.name, std::move(versions));
  }
  return out;
}

base::Result<serve::FeatureSource::State> DatasetFeatures::current(const std::string& project,
                                                                   const std::string& dataset) {
  TRY_ASSIGN(const data::Snapshot snapshot, datasets_.resolve(project, dataset));
  return State{snapshot.id, snapshot.created_us, snapshot.rows};
}

base::Result<data::Table> DatasetFeatures::read(const std::string& snapshot,
                                                const std::vector<std::string>& columns) {
  TRY_ASSIGN(const data::Snapshot found, datasets_.snapshot(snapshot));
  return datasets_.read(found, columns);
}

namespace {

// Whose call, when, and where its time went.
void copy_call(serve::PredictionRecord& record, monitor::LoggedCall& out) {
  out.id = std::move(record.id);
  out.principal = std::move(record.principal);
  out.version = record.version;
  out.time_us = record.time_us;
  out.parse_us = record.parse_ns / 1000;
  out.queue_us = record.queue_ns / 1000;
  out.features_us = record.features_ns / 1000;
  out.model_us = record.model_ns / 1000;
  out.post_us = record.post_ns / 1000;
  out.total_us = record.total_ns / 1000;
  if (record.cpu_ns >= 0) out.cpu_us = static_cast<double>(record.cpu_ns) * 1e-3;
  out.trace_id = std::move(record.trace_id);
}

// One row a call: each input as a text, the answer's tensors as the prediction. What is too large keeps its size, so that the log sheds and counts it.
void log_tensors(monitor::PredictionLog& log, serve::PredictionRecord& record) {
  monitor::LogSchema schema;
  monitor::LoggedCall call;
  std::size_t bytes = 0;
  for (const auto* tensors : {record.tensors, record.answer})
    for (const model::TensorValue& tensor : *tensors) bytes += model::logged_tensor_bytes(tensor);
  const bool small = bytes <= monitor::kLogRowBytes;
  for (const model::TensorValue& tensor : *record.tensors) {
    schema.inputs.emplace_back(tensor.name, data::ColumnType::kText);
    call.texts.push_back(small ? model::logged_tensor(tensor) : std::string());
  }
  std::string answer = small ? "{" : std::string(std::min(bytes, monitor::kLogRowBytes + 1), ' ');
  if (small) {
    for (const model::TensorValue& tensor : *record.answer) {
      if (answer.size() > 1) answer += ',';
      base::append_json_string(answer, tensor.name);
      answer += ':' + model::logged_tensor(tensor);
    }
    answer += '}';
  }
  call.predicted = {0};
  call.classes = std::make_shared<const std::vector<std::string>>(1, std::move(answer));
  call.scores = {std::numeric_limits<double>::quiet_NaN()};
  copy_call(record, call);
  log.append(record.endpoint, std::make_shared<const monitor::LogSchema>(std::move(schema)),
             std::move(call));
}

}  // namespace

std::vector<std::int64_t> LogRehearsal::ask(const std::string& endpoint,
                                            const model::Bundle& bundle) {
  std::vector<std::int64_t> out;
  if (log_.first_time(endpoint, 0) == INT64_MAX) return out;  // reads no file
  monitor::LogQuery newest;
  newest.limit = kRehearsedRows;
  newest.whole = true;
  const auto table = log_.query(endpoint, newest);
  if (!table) {
    base::log_warn("a version is not tried on logged calls",
                   {{"endpoint", endpoint}, {"reason", table.error().text()}});
    return out;
  }
  const std::int64_t start_ns = clock_.monotonic_ns();
  for (std::size_t row = 0; row < table->rows() && clock_.monotonic_ns() - start_ns < kRehearsalNs;
       ++row) {
    const auto asked = api::replay(bundle, table->slice(row, 1), clock_);
    if (asked && asked->rows.front().error.empty()) out.push_back(asked->rows.front().model_ns);
  }
  return out;
}

void LogSink::record(serve::PredictionRecord&& record) {
  if (!record.error.empty() || record.shadow || !record.bundle) return;
  if (record.tensors != nullptr) return log_tensors(log_, record);
  const model::Signature& signature = record.bundle->signature();
  const model::Predictions& outputs = *record.outputs;
  monitor::LoggedCall call;
  call.rows = outputs.rows;
  if (signature.task != model::Task::kRegression) {
    call.classes =
        std::shared_ptr<const std::vector<std::string>>(record.bundle, &signature.classes);
    call.predicted.reserve(call.rows);
  }
  call.scores.reserve(call.rows);
  for (std::size_t row = 0; row < call.rows; ++row) {
    const std::size_t k =
        call.classes || outputs.width > 1 ? model::predicted_class(signature, outputs, row) : 0;
    call.scores.push_back(outputs.score(row, outputs.width > 1 ? k : 0));
    if (call.classes) call.predicted.push_back(static_cast<std::int32_t>(k));
  }
  copy_inputs(signature, *record.inputs, call);
  copy_call(record, call);
  log_.append(record.endpoint, known_schema(record.bundle), std::move(call));
}

}  // namespace maru::app
