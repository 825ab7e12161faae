#include "batch_score.h"

#include <algorithm>

#include "maru/base/text.h"

namespace maru::serve {

using base::Code;
using base::Result;
using data::Column;
using data::ColumnType;
using model::Task;

namespace {

constexpr std::size_t kBlockRows = 2048;  // columns of a block stay in the L2 cache

Column named(std::string name, ColumnType type) {
  Column out;
  out.name = std::move(name);
  out.type = type;
  return out;
}

// The rows of one block behind those before.
void append_block(const model::Signature& signature, const model::Predictions& block,
                  std::vector<Column>& out) {
  std::size_t at = 0;
  if (signature.task != Task::kRegression) {
    auto& codes = out[at++].codes;
    for (std::size_t r = 0; r < block.rows; ++r)
      codes.push_back(static_cast<std::int32_t>(model::predicted_class(signature, block, r)));
  }
  for (std::size_t k = 0; at < out.size(); ++k, ++at)
    for (std::size_t r = 0; r < block.rows; ++r) out[at].reals.push_back(block.score(r, k));
}

// In the place of a row that the model refused.
void missing_row(const model::Signature& signature, model::Predictions& out) {
  out.task = signature.task;
  out.rows = 1;
  out.width = signature.task == Task::kMulticlass ? signature.classes.size() : 1;
  out.scores.assign(out.width, 0);
}

// The dictionary holds no value that no row has, in order of first appearance: the same rows give the same bytes.
void compact(Column& column, const std::vector<std::string>& classes) {
  std::vector<std::int32_t> fresh(classes.size(), -1);
  for (auto& code : column.codes) {
    if (code < 0) continue;
    auto& next = fresh[static_cast<std::size_t>(code)];
    if (next < 0) {
      next = static_cast<std::int32_t>(column.dictionary.size());
      column.dictionary.push_back(classes[static_cast<std::size_t>(code)]);
    }
    code = next;
  }
}

void take_away(const std::vector<std::string>& faults, std::vector<Column>& columns) {
  for (auto& column : columns) {
    column.valid.assign(faults.size(), 1);
    for (std::size_t r = 0; r < faults.size(); ++r) {
      if (faults[r].empty()) continue;
      column.valid[r] = 0;
      if (column.type == ColumnType::kText)
        column.codes[r] = -1;
      else
        column.reals[r] = 0;
    }
  }
}

data::Table errors_table(const std::vector<std::string>& faults, std::uint64_t first_row) {
  data::Table out;
  out.columns = {named("row", ColumnType::kInteger), named("reason", ColumnType::kText)};
  for (std::size_t r = 0; r < faults.size(); ++r) {
    if (faults[r].empty()) continue;
    out.columns[0].integers.push_back(static_cast<std::int64_t>(first_row + r));
    out.columns[1].codes.push_back(static_cast<std::int32_t>(out.columns[1].dictionary.size()));
    out.columns[1].dictionary.push_back(faults[r]);
  }
  return out;
}

}  // namespace

std::string ShardScorer::free_name(std::string name) const {
  const auto taken = [&](const std::string& wanted) {
    return std::any_of(columns_.begin(), columns_.end(),
                       [&](const auto& column) { return column.name == wanted; });
  };
  if (!taken(name)) return name;
  for (int n = 2;; ++n)
    if (const std::string next = name + "_" + std::to_string(n); !taken(next)) return next;
}

Result<ShardScorer> ShardScorer::make(const BatchSpec& spec,
                                      const std::vector<data::StreamColumn>& input) {
  if (spec.bundle->tensors() != nullptr)
    return base::fail(Code::kUnimplemented,
                      "batch prediction is for models of columns, not of tensors: " + spec.model,
                      "call the model's endpoint, or train or import it with named columns");
  ShardScorer out(spec);
  std::vector<std::string> names;
  for (const auto& column : input) names.push_back(column.name);
  const auto& signature = spec.bundle->signature();
  for (const auto& wanted : signature.inputs)
    if (wanted.required && std::find(names.begin(), names.end(), wanted.name) == names.end())
      return base::fail(Code::kInvalidArgument, "the input lacks the column `" + wanted.name + "`",
                        base::did_you_mean(wanted.name, names));
  for (const auto& name : spec.columns)
    if (std::find(names.begin(), names.end(), name) == names.end())
      return base::fail(Code::kInvalidArgument, "no column of the input has this name: " + name,
                        base::did_you_mean(name, names));
  for (const auto& column : input) {
    const auto& some = spec.columns;
    if (!spec.all_columns && std::find(some.begin(), some.end(), column.name) == some.end())
      continue;
    out.kept_.push_back(column.name);
    out.columns_.push_back(column);
  }
  const auto add = [&](const std::string& name, ColumnType type) {
    out.columns_.push_back({out.free_name(name), type});
  };
  add("prediction", signature.task == Task::kRegression ? ColumnType::kFloat : ColumnType::kText);
  if (signature.task == Task::kBinary) add("probability", ColumnType::kFloat);
  if (signature.task == Task::kMulticlass)
    for (const auto& name : signature.classes) add("probability_" + name, ColumnType::kFloat);
  return out;
}

Result<std::vector<Column>> ShardScorer::answers(const data::Table& rows,
                                                 std::vector<std::string>& faults) const {
  const auto& signature = spec_->bundle->signature();
  const auto& evaluator = spec_->bundle->evaluator();
  std::vector<Column> out;
  for (std::size_t c = kept_.size(); c < columns_.size(); ++c) {
    out.push_back(named(columns_[c].name, columns_[c].type));
    if (columns_[c].type == ColumnType::kFloat)
      out.back().reals.reserve(faults.size());
    else
      out.back().codes.reserve(faults.size());
  }
  // In ONNX Runtime a row's last bits may depend on its neighbours; alone, it gives what an online call gives.
  std::size_t step = evaluator.engine() == "native" ? kBlockRows : 1;
  model::InputBatch batch;
  model::Predictions block;
  std::vector<model::RowFault> bad;
  for (std::size_t from = 0, count = 0; from < faults.size(); from += count) {
    count = std::min(step, faults.size() - from);
    TRY(model::fill_rows(signature, rows, from, count, batch, bad));
    for (auto& fault : bad)
      if (auto& reason = faults[from + fault.row]; reason.empty()) reason = std::move(fault.reason);
    const base::Status predicted = evaluator.predict(batch, block);
    if (!predicted && predicted.error().code == Code::kInvalidArgument && count > 1) {
      // A row that the model itself refuses: which one, only each alone tells.
      step = 1;
      count = 0;
      continue;
    }
    if (!predicted && predicted.error().code != Code::kInvalidArgument)
      return tl::unexpected<base::Error>(predicted.error());
    if (!predicted) {
      if (faults[from].empty()) faults[from] = predicted.error().message;
      missing_row(signature, block);
    }
    append_block(signature, block, out);
  }
  return out;
}

Result<ScoredShard> ShardScorer::score(data::Table rows,
                                       const std::vector<data::RowProblem>& problems,
                                       std::uint64_t first_row, const BatchFiles& files) const {
  ScoredShard out;
  out.rows = rows.rows();
  std::vector<std::string> faults(out.rows);
  for (const auto& problem : problems) faults[problem.row] = problem.reason;
  TRY_ASSIGN(std::vector<Column> answer, answers(rows, faults));
  out.failed = static_cast<std::size_t>(
      std::count_if(faults.begin(), faults.end(), [](const auto& f) { return !f.empty(); }));
  if (out.failed > 0) take_away(faults, answer);
  for (auto& column : answer)
    if (column.type == ColumnType::kText) compact(column, spec_->bundle->signature().classes);
  data::Table written;
  for (const auto& name : kept_)
    written.columns.push_back(
        std::move(rows.columns[static_cast<std::size_t>(rows.index_of(name))]));
  for (auto& column : answer) written.columns.push_back(std::move(column));
  TRY_ASSIGN(out.output, files.output_format().encode(written));
  if (out.failed > 0) {
    TRY_ASSIGN(out.errors, files.errors_format().encode(errors_table(faults, first_row)));
  }
  return out;
}

}  // namespace maru::serve
