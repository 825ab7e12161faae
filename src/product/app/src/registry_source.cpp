#include "registry_source.h"

#include <algorithm>
#include <limits>

#include "maru/base/file.h"
#include "maru/base/hash.h"
#include "maru/base/json.h"
#include "maru/model/logged_tensor.h"

namespace maru::app {
namespace {

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

// The inputs of one row, in the order of the log's schema.
void copy_inputs(const model::Signature& signature, const model::InputBatch& batch, std::size_t row,
                 monitor::LoggedRow& out) {
  for (std::size_t i = 0; i < signature.inputs.size(); ++i) {
    const model::InputColumn& column = batch.columns[i];
    switch (logged_type(signature.inputs[i].kind)) {
      case data::ColumnType::kText:
        out.texts.push_back(column.texts[row]);
        break;
      case data::ColumnType::kTimestamp:
        out.times.push_back(column.times[row]);
        break;
      default:
        out.numbers.push_back(column.numbers[row]);
    }
  }
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
void copy_call(const serve::PredictionRecord& record, monitor::LoggedRow& out) {
  out.principal = record.principal;
  out.version = record.version;
  out.time_us = record.time_us;
  out.parse_us = record.parse_ns / 1000;
  out.queue_us = record.queue_ns / 1000;
  out.features_us = record.features_ns / 1000;
  out.model_us = record.model_ns / 1000;
  out.post_us = record.post_ns / 1000;
  out.total_us = record.total_ns / 1000;
  if (record.cpu_ns >= 0) out.cpu_us = static_cast<double>(record.cpu_ns) * 1e-3;
  out.trace_id = record.trace_id;
}

// One row a call: each input as a text, the answer's tensors as the prediction. What is too large keeps its size, so that the log sheds and counts it.
void log_tensors(monitor::PredictionLog& log, const serve::PredictionRecord& record) {
  monitor::LogSchema schema;
  std::vector<monitor::LoggedRow> rows(1);
  monitor::LoggedRow& row = rows.front();
  std::size_t bytes = 0;
  for (const auto* tensors : {record.tensors, record.answer})
    for (const model::TensorValue& tensor : *tensors) bytes += model::logged_tensor_bytes(tensor);
  const bool small = bytes <= monitor::kLogRowBytes;
  for (const model::TensorValue& tensor : *record.tensors) {
    schema.inputs.emplace_back(tensor.name, data::ColumnType::kText);
    row.texts.push_back(small ? model::logged_tensor(tensor) : std::string());
  }
  row.prediction = small ? "{" : std::string(std::min(bytes, monitor::kLogRowBytes + 1), ' ');
  if (small) {
    for (const model::TensorValue& tensor : *record.answer) {
      if (row.prediction.size() > 1) row.prediction += ',';
      base::append_json_string(row.prediction, tensor.name);
      row.prediction += ':' + model::logged_tensor(tensor);
    }
    row.prediction += '}';
  }
  row.id = record.id;
  row.score = std::numeric_limits<double>::quiet_NaN();
  copy_call(record, row);
  log.append(record.endpoint, schema, std::move(rows));
}

}  // namespace

void LogSink::record(serve::PredictionRecord&& record) {
  if (!record.error.empty() || record.shadow || !record.bundle) return;
  if (record.tensors != nullptr) return log_tensors(log_, record);
  const model::Signature& signature = record.bundle->signature();
  monitor::LogSchema schema;
  for (const auto& input : signature.inputs)
    schema.inputs.emplace_back(input.name, logged_type(input.kind));
  std::vector<monitor::LoggedRow> rows(record.outputs.rows);
  for (std::size_t row = 0; row < rows.size(); ++row) {
    monitor::LoggedRow& out = rows[row];
    // A batch is one request with one id; its later rows get the id with their number.
    out.id = row == 0 ? record.id : record.id + "-" + std::to_string(row);
    copy_call(record, out);
    const std::size_t k =
        record.outputs.width > 1 ? model::predicted_class(signature, record.outputs, row) : 0;
    out.score = record.outputs.score(row, k);
    if (signature.task != model::Task::kRegression)
      out.prediction = signature.classes[model::predicted_class(signature, record.outputs, row)];
    copy_inputs(signature, record.inputs, row, out);
  }
  log_.append(record.endpoint, schema, std::move(rows));
}

}  // namespace maru::app
