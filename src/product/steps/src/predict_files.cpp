#include <filesystem>

#include "maru/base/file.h"
#include "maru/base/id.h"
#include "step_functions.h"

namespace maru::steps {
namespace {

data::Column text_column(const std::string& name, const std::vector<std::string>& classes,
                         const std::vector<std::size_t>& picks) {
  data::Column out;
  out.name = name;
  out.type = data::ColumnType::kText;
  out.dictionary = classes;
  out.codes.reserve(picks.size());
  for (const auto pick : picks) out.codes.push_back(static_cast<std::int32_t>(pick));
  return out;
}

data::Column real_column(const std::string& name, const model::Predictions& predictions,
                         std::size_t k) {
  data::Column out;
  out.name = name;
  out.type = data::ColumnType::kFloat;
  out.reals.reserve(predictions.rows);
  for (std::size_t row = 0; row < predictions.rows; ++row)
    out.reals.push_back(predictions.score(row, k));
  return out;
}

// The input rows with the answer's columns behind them.
data::Table answer_table(data::Table rows, const model::Signature& signature,
                         const model::Predictions& predictions) {
  if (signature.task == model::Task::kRegression) {
    rows.columns.push_back(real_column("prediction", predictions, 0));
    return rows;
  }
  std::vector<std::size_t> picks;
  for (std::size_t row = 0; row < predictions.rows; ++row)
    picks.push_back(model::predicted_class(signature, predictions, row));
  rows.columns.push_back(text_column("prediction", signature.classes, picks));
  if (signature.task == model::Task::kBinary) {
    rows.columns.push_back(real_column("probability", predictions, 0));
    return rows;
  }
  for (std::size_t k = 0; k < signature.classes.size(); ++k) {
    rows.columns.push_back(real_column("probability_" + signature.classes[k], predictions, k));
  }
  return rows;
}

}  // namespace

base::Result<Json> predict_files(const Services& services, const PredictSpec& spec,
                                 base::Context& context) {
  const std::int64_t start_ns = services.clock->monotonic_ns();
  TRY_ASSIGN(const int version,
             services.tracking->registry().resolve(spec.project, spec.model, spec.selector));
  const std::string folder =
      (std::filesystem::temp_directory_path() / ("maru-predict-" + base::new_id(*services.clock)))
          .string();
  auto bundle = load_version(services, spec.project, spec.model, version, folder);
  TRY(base::remove_tree(folder));
  if (!bundle) return tl::unexpected<base::Error>(bundle.error());
  data::ImportSpec input;
  input.project = spec.project;
  input.dataset = "input";
  input.sources = spec.sources;
  TRY_ASSIGN(data::Table table, data::read_files(*services.engine, input, context));
  TRY_ASSIGN(const model::Predictions predictions, score(**bundle, table));
  const auto rows = static_cast<std::int64_t>(predictions.rows);
  Json out = Json::object({{"model", spec.model}, {"version", version}, {"rows", rows}});
  if (spec.output.empty()) {
    Json answers = Json::array();
    for (std::size_t row = 0; row < predictions.rows; ++row)
      answers.push(model::prediction_json((*bundle)->signature(), predictions, row));
    out.set("predictions", std::move(answers));
  } else {
    TRY(data::write_table(*services.engine,
                          answer_table(std::move(table), (*bundle)->signature(), predictions),
                          spec.output));
    out.set("output", spec.output);
  }
  return out.set("seconds", static_cast<double>(services.clock->monotonic_ns() - start_ns) / 1e9);
}

}  // namespace maru::steps
