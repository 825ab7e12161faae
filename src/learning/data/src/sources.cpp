#include "sources.h"

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "byte_source.h"
#include "delimited.h"
#include "duckdb_handle.h"
#include "encoding.h"
#include "maru/base/file.h"
#include "maru/base/text.h"
#include "row_groups.h"

namespace maru::data {

namespace {

using base::Code;

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

base::Result<FileKind> kind_of(const std::string& path) {
  std::string name = base::to_lower_ascii(base::file_name(path));
  if (ends_with(name, ".zip")) {
    TRY_ASSIGN(const std::string inner, zip_entry_name(path));
    name = base::to_lower_ascii(base::file_name(inner));
  }
  for (const std::string_view packed : {".gz", ".zst"}) {
    if (ends_with(name, packed)) name.resize(name.size() - packed.size());
  }
  for (const std::string_view end : {".csv", ".tsv", ".txt", ".tab", ".data"}) {
    if (ends_with(name, end)) return FileKind::kDelimited;
  }
  for (const std::string_view end : {".json", ".jsonl", ".ndjson"}) {
    if (ends_with(name, end)) return FileKind::kJson;
  }
  if (ends_with(name, ".parquet") || ends_with(name, ".pq")) return FileKind::kParquet;
  if (ends_with(name, ".arff")) return FileKind::kArff;
  for (const std::string_view end : {".arrow", ".feather", ".arrows", ".ipc"}) {
    if (ends_with(name, end)) return FileKind::kArrow;
  }
  for (const std::string_view end : {".tfrecord", ".tfrecords", ".tfrec"}) {
    if (ends_with(name, end)) return FileKind::kTfRecord;
  }
  return base::fail(
      Code::kInvalidArgument, "unknown kind of file: " + path,
      "use .csv .tsv .txt .json .jsonl .ndjson .parquet .arrow .tfrecord .arff; texts also with "
      ".gz, .zst or .zip");
}

// A pattern takes what lies in its folder. A link in there that leads elsewhere takes more than its reader sees; a path that is named may be a link.
base::Status stays_inside(const std::string& folder, const std::string& path) {
  const auto real = [](const std::string& from) {
    const std::unique_ptr<char, decltype(&std::free)> out(::realpath(from.c_str(), nullptr),
                                                          &std::free);
    return out ? std::string(out.get()) : std::string();
  };
  const std::string inside = real(folder), to = real(path);
  if (to.empty()) return base::fail(Code::kNotFound, "a link that leads nowhere: " + path);
  if (inside == "/" || to.starts_with(inside + "/")) return {};
  return base::fail(Code::kPermissionDenied,
                    "a link out of the pattern's folder: " + path + " leads to " + to,
                    "name the file itself if it is meant");
}

base::Status add_files(const std::string& pattern, std::vector<std::string>& paths) {
  if (base::path_exists(pattern)) {
    if (base::is_folder(pattern))
      return base::fail(Code::kInvalidArgument, "a folder, not a file: " + pattern,
                        "name the files: " + base::join_path(pattern, "*.csv"));
    paths.push_back(pattern);
    return {};
  }
  if (pattern.find_first_of("*?[") == std::string::npos) {
    std::vector<std::string> near;
    const std::string folder = base::parent_path(pattern);
    if (const auto names = base::list_folder(folder.empty() ? "." : folder)) near = *names;
    return base::fail(Code::kNotFound, "no such file: " + pattern,
                      base::did_you_mean(base::file_name(pattern), near));
  }
  auto found = base::glob_files(pattern);
  if (!found)
    return base::fail(Code::kNotFound, "no file matches: " + pattern,
                      "check the folder and the pattern");
  const std::size_t star = pattern.find_first_of("*?[");
  const std::string folder = base::parent_path(pattern.substr(0, star) + "x");
  for (auto& path : *found) {
    if (base::is_folder(path)) continue;
    TRY(stays_inside(folder.empty() ? "." : folder, path));
    paths.push_back(std::move(path));
  }
  return {};
}

std::string file_list(const std::vector<std::string>& paths) {
  std::string list;
  for (const auto& path : paths) list += (list.empty() ? "" : ", ") + quote_literal(path);
  return "[" + list + "]";
}

base::Status same_columns(const std::vector<SqlColumn>& first, const std::vector<SqlColumn>& other,
                          const std::string& path) {
  RawTable raw;
  std::vector<std::string> a, b;
  for (const auto& column : first) a.push_back(column.name);
  for (const auto& column : other) b.push_back(column.name);
  const std::size_t width_a = a.size(), width_b = b.size();
  TRY(append_raw("", std::move(a), std::vector<Cells>(width_a), std::vector<bool>(width_a), raw));
  return append_raw(path, std::move(b), std::vector<Cells>(width_b), std::vector<bool>(width_b),
                    raw);
}

}  // namespace

base::Status set_ragged(ImportSpec& spec, std::string_view policy) {
  if (policy != "reject" && policy != "pad" && policy != "fill" && policy != "dead")
    return base::fail(Code::kInvalidArgument,
                      "unknown way with ragged rows: " + base::replace_invalid_utf8(policy),
                      "reject, pad or dead");
  spec.reject_ragged = policy == "reject";
  spec.ragged_apart = policy == "dead";
  return {};
}

base::Result<SourceFiles> find_sources(const std::vector<std::string>& patterns) {
  if (patterns.empty())
    return base::fail(Code::kInvalidArgument, "no source files were named",
                      "give a path or a pattern like data/*.csv");
  SourceFiles out;
  for (const auto& pattern : patterns) TRY(add_files(pattern, out.paths));
  if (out.paths.empty()) return base::fail(Code::kNotFound, "no file matches: " + patterns[0]);
  for (std::size_t i = 0; i < out.paths.size(); ++i) {
    TRY_ASSIGN(const FileKind kind, kind_of(out.paths[i]));
    if (i == 0) out.kind = kind;
    if (kind != out.kind) {
      return base::fail(
          Code::kInvalidArgument,
          "different kinds of file together: " + out.paths[0] + " and " + out.paths[i],
          "import them one after the other");
    }
    TRY_ASSIGN(const std::uint64_t bytes, base::file_size(out.paths[i]));
    if (bytes == 0)
      return base::fail(Code::kInvalidArgument, "the file is empty: " + out.paths[i],
                        "a table needs a header and at least one row");
    out.bytes += bytes;
  }
  return out;
}

base::Result<std::string> parquet_relation(Engine& engine, const std::vector<std::string>& paths) {
  std::vector<SqlColumn> first;
  for (const auto& path : paths) {
    auto columns = engine.describe("SELECT * FROM read_parquet(" + quote_literal(path) + ")");
    if (!columns)
      return base::wrap(columns.error(), "cannot read Parquet: " + path, "is the file whole?");
    if (first.empty())
      first = std::move(*columns);
    else
      TRY(same_columns(first, *columns, path));
  }
  return "read_parquet(" + file_list(paths) + ", union_by_name=true)";
}

base::Result<std::string> normalised_select(Engine& engine, const std::string& relation) {
  TRY_ASSIGN(const auto columns, engine.describe("SELECT * FROM " + relation));
  if (columns.empty()) return base::fail(Code::kInvalidArgument, "no columns: " + relation);
  std::string list;
  for (const auto& column : columns) {
    const std::string name = quote_identifier(column.name);
    std::string value = name;
    switch (column.type) {
      case ColumnType::kBool:
        break;
      case ColumnType::kInteger:
        value = name + "::BIGINT";
        break;
      case ColumnType::kFloat:
        value = name + "::DOUBLE";
        break;
      case ColumnType::kText:
        value = name + "::VARCHAR";
        break;
      case ColumnType::kTimestamp:
        value = name + "::TIMESTAMP";
        break;
    }
    if (column.sql_type ==
        "UBIGINT") {  // whole numbers beyond 64 signed bits keep every digit only as text
      TRY_ASSIGN(const Table fits,
                 engine.query("SELECT coalesce(max(" + name +
                              ") <= 9223372036854775807, true) FROM " + relation));
      value = name + (fits.columns[0].integers[0] != 0 ? "::BIGINT" : "::VARCHAR");
    }
    list += (list.empty() ? "" : ", ") + value + " AS " + name;
  }
  return "SELECT " + list + " FROM " + relation;
}

base::Result<Table> read_text_sources(const ImportSpec& spec, const SourceFiles& files,
                                      base::Context& context, std::vector<std::string>& notes,
                                      std::uint64_t limit) {
  RawTable raw;
  for (const auto& path : files.paths) {
    TRY(context.alive());
    const std::uint64_t have = raw.columns.empty() ? 0 : raw.columns[0].size();
    if (limit != 0 && have >= limit) break;
    TRY_ASSIGN(std::string bytes, read_unpacked(path, kMaxTextFileBytes));
    std::string note;
    TRY_ASSIGN(std::string text, to_utf8(std::move(bytes), path, note, spec.encoding));
    if (!note.empty()) raw.notes.push_back(note);
    const std::uint64_t left = limit == 0 ? 0 : limit - have;
    if (files.kind == FileKind::kArff)
      TRY(read_arff(std::move(text), path, left, raw));
    else
      TRY(read_delimited(std::move(text), path, spec, left, raw));
  }
  for (const auto& note : raw.notes) {
    if (std::find(notes.begin(), notes.end(), note) == notes.end()) notes.push_back(note);
  }
  return infer_table(std::move(raw));
}

base::Result<Table> read_files(Engine& engine, const ImportSpec& spec, base::Context& context,
                               std::vector<std::string>* notes, std::uint64_t limit) {
  TRY_ASSIGN(const SourceFiles files, find_sources(spec.sources));
  std::vector<std::string> found;
  if (files.kind == FileKind::kJson || files.kind == FileKind::kArrow ||
      files.kind == FileKind::kTfRecord) {
    TRY_ASSIGN(const auto source, open_groups(engine, spec, files, context));
    auto table = read_groups(*source, limit, context);
    if (notes != nullptr) *notes = source->notes();
    return table;
  }
  if (files.kind != FileKind::kParquet) {
    auto table = read_text_sources(spec, files, context, found, limit);
    if (notes != nullptr) *notes = std::move(found);
    return table;
  }
  TRY_ASSIGN(const std::string relation, parquet_relation(engine, files.paths));
  TRY_ASSIGN(Table table, engine.query("SELECT * FROM " + relation +
                                           (limit == 0 ? "" : " LIMIT " + std::to_string(limit)),
                                       &context));
  if (table.rows() == 0)
    return base::fail(Code::kInvalidArgument, "no rows: " + files.paths[0],
                      "a table needs at least one row");
  return table;
}

}  // namespace maru::data
