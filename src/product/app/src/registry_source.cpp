#include "registry_source.h"

#include "maru/base/file.h"
#include "maru/base/hash.h"

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

void LogSink::record(serve::PredictionRecord&& record) {
  if (!record.error.empty() || record.shadow || !record.bundle) return;
  const model::Signature& signature = record.bundle->signature();
  monitor::LogSchema schema;
  for (const auto& input : signature.inputs)
    schema.inputs.emplace_back(input.name, logged_type(input.kind));
  std::vector<monitor::LoggedRow> rows(record.outputs.rows);
  for (std::size_t row = 0; row < rows.size(); ++row) {
    monitor::LoggedRow& out = rows[row];
    // A batch is one request with one id; its later rows get the id with their number.
    out.id = row == 0 ? record.id : record.id + "-" + std::to_string(row);
    out.principal = record.principal;
    out.version = record.version;
    out.time_us = record.time_us;
    const std::size_t k =
        record.outputs.width > 1 ? model::predicted_class(signature, record.outputs, row) : 0;
    out.score = record.outputs.score(row, k);
    if (signature.task != model::Task::kRegression)
      out.prediction = signature.classes[model::predicted_class(signature, record.outputs, row)];
    out.parse_us = record.parse_ns / 1000;
    out.queue_us = record.queue_ns / 1000;
    out.model_us = record.model_ns / 1000;
    out.total_us = record.total_ns / 1000;
    copy_inputs(signature, record.inputs, row, out);
  }
  log_.append(record.endpoint, schema, std::move(rows));
}

}  // namespace maru::app
