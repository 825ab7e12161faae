#include <filesystem>

#include "maru/base/file.h"
#include "maru/base/id.h"
#include "maru/model/explain.h"
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

// base, raw_score and a column for each input's contribution, behind the answer; of several classes each with its class.
void add_contributions(data::Table& rows, const model::Signature& signature,
                       const model::Explanation& explanation) {
  for (std::size_t k = 0; k < explanation.width; ++k) {
    const std::string of = explanation.width > 1 ? "_" + signature.classes[k] : "";
    const auto add = [&](const std::string& name, auto value) {
      data::Column column;
      column.name = name + of;
      column.type = data::ColumnType::kFloat;
      for (std::size_t row = 0; row < explanation.rows; ++row) column.reals.push_back(value(row));
      rows.columns.push_back(std::move(column));
    };
    add("base", [&](std::size_t) { return explanation.base[k]; });
    add("raw_score", [&](std::size_t row) { return explanation.raw(row, k); });
    for (std::size_t c = 0; c < explanation.columns; ++c)
      add("contribution_" + signature.inputs[c].name,
          [&](std::size_t row) { return explanation.of(row, k, c); });
  }
}

base::Result<model::Explanation> explained(const model::Bundle& bundle, const data::Table& table) {
  model::InputBatch batch;
  TRY(model::fill_from_table(bundle.signature(), table, batch));
  model::Explanation out;
  TRY(bundle.evaluator().explain(batch, out));
  return out;
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
  model::Explanation explanation;
  if (spec.explain) {
    TRY_ASSIGN(explanation, explained(**bundle, table));
  }
  const auto rows = static_cast<std::int64_t>(predictions.rows);
  Json out = Json::object({{"model", spec.model}, {"version", version}, {"rows", rows}});
  if (spec.output.empty()) {
    Json answers = Json::array();
    for (std::size_t row = 0; row < predictions.rows; ++row)
      answers.push(model::prediction_json((*bundle)->signature(), predictions, row));
    out.set("predictions", std::move(answers));
    Json explanations = Json::array();
    for (std::size_t row = 0; row < explanation.rows; ++row)
      explanations.push(model::explanation_json((*bundle)->signature(), explanation, row));
    if (spec.explain) out.set("explanations", std::move(explanations));
  } else {
    data::Table answers = answer_table(std::move(table), (*bundle)->signature(), predictions);
    if (spec.explain) add_contributions(answers, (*bundle)->signature(), explanation);
    TRY(data::write_table(*services.engine, answers, spec.output));
    out.set("output", spec.output);
  }
  return out.set("seconds", static_cast<double>(services.clock->monotonic_ns() - start_ns) / 1e9);
}

}  // namespace maru::steps
