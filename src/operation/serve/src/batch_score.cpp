#include "batch_score.h"

#include <algorithm>
#include <unordered_map>

#include "maru/base/text.h"
#include "maru/model/tensor_rows.h"

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

// In the place of a row that has no answer.
void append_nothing(std::vector<Column>& out) {
  for (auto& column : out) {
    if (column.type == ColumnType::kText)
      column.codes.push_back(-1);
    else if (column.type == ColumnType::kFloat)
      column.reals.push_back(0);
    else
      column.integers.push_back(0);
  }
}

// The dictionary holds each value once and none that no row has, in order of first appearance: the same rows give the same bytes.
void compact(Column& column) {
  std::unordered_map<std::string, std::int32_t> codes;
  std::vector<std::string> dictionary;
  for (auto& code : column.codes) {
    if (code < 0) continue;
    const std::string& word = column.dictionary[static_cast<std::size_t>(code)];
    const auto [found, fresh] =
        codes.try_emplace(word, static_cast<std::int32_t>(dictionary.size()));
    if (fresh) dictionary.push_back(word);
    code = found->second;
  }
  column.dictionary = std::move(dictionary);
}

void take_away(const std::vector<std::string>& faults, std::vector<Column>& columns) {
  for (auto& column : columns) {
    column.valid.assign(faults.size(), 1);
    for (std::size_t r = 0; r < faults.size(); ++r) {
      if (faults[r].empty()) continue;
      column.valid[r] = 0;
      if (column.type == ColumnType::kText)
        column.codes[r] = -1;
      else if (column.type == ColumnType::kFloat)
        column.reals[r] = 0;
      else
        column.integers[r] = 0;
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
  ShardScorer out(spec);
  std::vector<std::string> names;
  for (const auto& column : input) names.push_back(column.name);
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
  TRY(spec.bundle->tensors() != nullptr ? out.use_tensors(names) : out.use_columns(names));
  return out;
}

base::Status ShardScorer::use_columns(const std::vector<std::string>& names) {
  const auto& signature = spec_->bundle->signature();
  for (const auto& wanted : signature.inputs)
    if (wanted.required && std::find(names.begin(), names.end(), wanted.name) == names.end())
      return base::fail(Code::kInvalidArgument, "the input lacks the column `" + wanted.name + "`",
                        base::did_you_mean(wanted.name, names));
  const auto add = [&](const std::string& name, ColumnType type) {
    columns_.push_back({free_name(name), type});
  };
  add("prediction", signature.task == Task::kRegression ? ColumnType::kFloat : ColumnType::kText);
  if (signature.task == Task::kBinary) add("probability", ColumnType::kFloat);
  if (signature.task == Task::kMulticlass)
    for (const auto& name : signature.classes) add("probability_" + name, ColumnType::kFloat);
  // In ONNX Runtime a row's last bits may depend on its neighbours; alone, it gives what an online call gives.
  block_rows_ = spec_->bundle->evaluator().engine() == "native" ? kBlockRows : 1;
  return {};
}

base::Status ShardScorer::use_tensors(const std::vector<std::string>& names) {
  const auto& model = *spec_->bundle->tensors();
  TRY_ASSIGN(fed_, model::columns_of_inputs(model.inputs(), names));
  TRY_ASSIGN(const auto answer, model::columns_of_outputs(model.outputs()));
  for (const auto& column : answer) columns_.push_back({free_name(column.name), column.type});
  block_rows_ = model.waits() ? kBlockRows : 1;  // another process is asked for many at a time
  return {};
}

base::Status ShardScorer::score_block(const data::Table& rows, std::size_t from, std::size_t count,
                                      std::vector<std::string>& faults,
                                      std::vector<Column>& out) const {
  std::vector<model::RowFault> bad;
  const auto note = [&] {
    for (auto& fault : bad)
      if (auto& reason = faults[from + fault.row]; reason.empty()) reason = std::move(fault.reason);
  };
  if (const auto* tensors = spec_->bundle->tensors()) {
    std::vector<model::TensorValue> asked, answer;
    TRY(model::fill_tensors(tensors->inputs(), fed_, rows, from, count, asked, bad));
    note();
    TRY(tensors->run(asked, {}, answer));
    return model::append_answer(answer, count, out);
  }
  thread_local model::InputBatch batch;
  thread_local model::Predictions block;
  const auto& signature = spec_->bundle->signature();
  TRY(model::fill_rows(signature, rows, from, count, batch, bad));
  note();
  TRY(spec_->bundle->evaluator().predict(batch, block));
  append_block(signature, block, out);
  return {};
}

Result<std::vector<Column>> ShardScorer::answers(const data::Table& rows,
                                                 std::vector<std::string>& faults) const {
  std::vector<Column> out;
  for (std::size_t c = kept_.size(); c < columns_.size(); ++c) {
    out.push_back(named(columns_[c].name, columns_[c].type));
    if (columns_[c].type == ColumnType::kFloat) out.back().reals.reserve(faults.size());
    if (columns_[c].type == ColumnType::kText && spec_->bundle->tensors() == nullptr)
      out.back().dictionary = spec_->bundle->signature().classes;
  }
  for (std::size_t from = 0; from < faults.size(); from += block_rows_) {
    const std::size_t count = std::min(block_rows_, faults.size() - from);
    const base::Status scored = score_block(rows, from, count, faults, out);
    if (scored) continue;
    if (scored.error().code != Code::kInvalidArgument)
      return tl::unexpected<base::Error>(scored.error());
    // A row that the model itself refuses: which one, only each alone tells.
    for (std::size_t row = from; row < from + count; ++row) {
      const base::Status alone = count == 1 ? scored : score_block(rows, row, 1, faults, out);
      if (alone) continue;
      if (alone.error().code != Code::kInvalidArgument)
        return tl::unexpected<base::Error>(alone.error());
      if (faults[row].empty()) faults[row] = alone.error().message;
      append_nothing(out);
    }
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
    if (column.type == ColumnType::kText) compact(column);
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
