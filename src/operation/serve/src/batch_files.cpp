#include "batch_files.h"

#include "maru/base/text.h"

namespace maru::serve {

using base::Code;
using base::Json;
using base::Result;
using base::Status;

namespace {

constexpr int kFormat = 1;  // of the journal and of what the parts hold

std::string journal_path(const BatchSpec& spec) { return spec.output + ".batch"; }

// What a user reads when a key of the heading differs.
std::string difference(const Json& before, const Json& now) {
  if (!(before["input"] == now["input"])) return "the input changed";
  if (!(before["model"] == now["model"]) || !(before["version"] == now["version"]))
    return "the model is " + now["model"].as_string() + " v" +
           std::to_string(now["version"].as_int()) + " now, it was " + before["model"].as_string() +
           " v" + std::to_string(before["version"].as_int());
  if (!(before["model_mark"] == now["model_mark"])) return "the model's file changed";
  return "it was asked for in another way";
}

}  // namespace

Status BatchFiles::Part::open() {
  TRY_ASSIGN(file, base::AppendFile::open(part_path()));
  return {};
}

Status BatchFiles::Part::restart() {
  layouts.clear();
  TRY(file->truncate(0));
  const std::string head = format->head();
  TRY(file->append(head));
  bytes = head.size();
  return {};
}

Status BatchFiles::Part::add(const data::EncodedRows& rows) {
  if (rows.bytes.empty()) return {};
  TRY(file->append(rows.bytes));
  TRY(file->sync());
  return {};
}

BatchFiles::BatchFiles(const BatchSpec& spec, std::vector<data::StreamColumn> output_columns)
    : spec_(spec), columns_(std::move(output_columns)) {
  output_.path = spec.output;
  errors_.path = spec.errors.empty() ? spec.output + ".errors.csv" : spec.errors;
}

Json BatchFiles::heading() const {
  Json columns = Json::array();
  for (const auto& column : columns_)
    columns.push(column.name + ":" + std::string(data::type_name(column.type)));
  return Json::object({{"format", kFormat},
                       {"model", spec_.model},
                       {"version", spec_.version},
                       {"model_mark", spec_.model_mark},
                       {"input", spec_.input_mark},
                       {"errors", errors_.path},
                       {"shard_rows", static_cast<std::int64_t>(spec_.shard_rows)},
                       {"columns", std::move(columns)}});
}

Status BatchFiles::count(const Json& line) {
  const auto rows = static_cast<std::size_t>(line["rows"].as_int());
  shards_.push_back(rows);
  report_.rows += rows;
  report_.failed += static_cast<std::uint64_t>(line["failed"].as_int());
  report_.cpu_seconds += line["cpu_seconds"].as_double(0);
  output_.bytes += static_cast<std::uint64_t>(line["output_bytes"].as_int());
  errors_.bytes += static_cast<std::uint64_t>(line["errors_bytes"].as_int());
  output_.layouts.push_back(line["output"]);
  if (line["errors_bytes"].as_int() > 0) errors_.layouts.push_back(line["errors"]);
  return {};
}

// "" when the journal's shards count, else why not.
Result<std::string> BatchFiles::read_journal() {
  if (journal_->size() == 0) return std::string("nothing");
  TRY_ASSIGN(const std::string text, base::read_file(journal_path(spec_)));
  output_.bytes = output_.format->head().size();
  errors_.bytes = errors_.format->head().size();
  std::size_t number = 0;
  std::uint64_t whole = 0;  // bytes of lines that are whole
  for (std::size_t at = 0; at < text.size(); ++number) {
    const std::size_t end = text.find('\n', at);
    if (end == std::string::npos) break;  // the crash cut it
    const auto line = base::parse_json(std::string_view(text).substr(at, end - at));
    if (!line) return std::string("its journal is damaged");
    at = whole = end + 1;
    if (number == 0) {
      const Json now = heading();
      if (!(*line == now)) return difference(*line, now);
    } else if ((*line)["finished"].as_bool()) {
      finished_ = true;
    } else {
      TRY(count(*line));
    }
  }
  if (number == 0) return std::string("nothing");
  if (finished_) return std::string();
  if (output_.file->size() < output_.bytes || errors_.file->size() < errors_.bytes)
    return std::string("its files are not whole");
  TRY(journal_->truncate(whole));
  TRY(output_.file->truncate(output_.bytes));
  TRY(errors_.file->truncate(errors_.bytes));
  return std::string();
}

Status BatchFiles::open() {
  TRY_ASSIGN(output_.format, data::RowFormat::open(output_.path, columns_));
  TRY_ASSIGN(errors_.format,
             data::RowFormat::open(errors_.path, {{"row", data::ColumnType::kInteger},
                                                  {"reason", data::ColumnType::kText}}));
  const bool begun = base::path_exists(journal_path(spec_));
  if (base::is_folder(output_.path))
    return base::fail(Code::kInvalidArgument, "the output is a folder: " + output_.path);
  if (!begun && !spec_.overwrite && base::path_exists(output_.path))
    return base::fail(Code::kAlreadyExists, "the output exists: " + output_.path,
                      "choose another one, or replace it with --overwrite");
  auto journal = base::AppendFile::open(journal_path(spec_));
  if (!journal)
    return base::wrap(
        journal.error(), "the output cannot be written: " + output_.path,
        journal.error().code == Code::kNotFound ? "make its folder first" : journal.error().hint);
  journal_.emplace(std::move(*journal));
  TRY(output_.open());
  TRY(errors_.open());
  TRY_ASSIGN(const std::string why, read_journal());
  if (!why.empty()) return restart(why == "nothing" ? "" : why);
  report_.resumed_rows = report_.rows;
  return {};
}

Status BatchFiles::restart(const std::string& why) {
  if (!spec_.overwrite && base::path_exists(output_.path))
    return base::fail(Code::kAlreadyExists, "the output exists: " + output_.path,
                      "choose another one, or replace it with --overwrite");
  report_ = {};
  if (!why.empty()) report_.note = "began anew: " + why + " since the earlier try";
  shards_.clear();
  finished_ = false;
  TRY(journal_->truncate(0));
  TRY(output_.restart());
  TRY(errors_.restart());
  TRY(output_.file->sync());
  TRY(errors_.file->sync());
  return note_line(heading());
}

Status BatchFiles::note_line(const Json& line) {
  TRY(journal_->append(line.dump() + "\n"));
  return journal_->sync();
}

Status BatchFiles::add(const ScoredShard& shard, double cpu_seconds) {
  TRY(output_.add(shard.output));
  TRY(errors_.add(shard.errors));
  const Json line =
      Json::object({{"rows", static_cast<std::int64_t>(shard.rows)},
                    {"failed", static_cast<std::int64_t>(shard.failed)},
                    {"cpu_seconds", cpu_seconds},
                    {"output_bytes", static_cast<std::int64_t>(shard.output.bytes.size())},
                    {"output", shard.output.layout},
                    {"errors_bytes", static_cast<std::int64_t>(shard.errors.bytes.size())},
                    {"errors", shard.errors.layout}});
  TRY(note_line(line));
  return count(line);
}

Status BatchFiles::finish() {
  if (!finished_) {
    for (Part* part : {&output_, &errors_}) {
      TRY(part->file->append(part->format->tail(part->layouts)));
      TRY(part->file->sync());
    }
    TRY(note_line(Json::object({{"finished", true}})));
  }
  return publish();
}

Status BatchFiles::publish() {
  const bool told = report_.failed > 0 || !spec_.errors.empty();
  if (told) {
    report_.errors = errors_.path;
    if (base::path_exists(errors_.part_path()))
      TRY(base::rename_durable(errors_.part_path(), errors_.path));
  } else if (!base::is_folder(errors_.path)) {
    TRY(base::remove_tree(errors_.path));  // bad rows of an earlier output say nothing about this
  }
  TRY(base::remove_tree(errors_.part_path()));
  if (base::path_exists(output_.part_path()))
    TRY(base::rename_durable(output_.part_path(), output_.path));
  return base::remove_tree(journal_path(spec_));
}

}  // namespace maru::serve
