#include "dataset_verbs.h"

#include <algorithm>

#include "maru/base/file.h"
#include "maru/base/text.h"
#include "output.h"

namespace maru::app {

using base::Json;
using base::Result;
using http::Method;

namespace {

constexpr std::size_t kNarrowestColumn = 10;

std::string api_path(const std::string& dataset, const std::string& rest) {
  return "/api/v1/datasets/" + http::percent_encode(dataset) + rest;
}

std::pair<std::string, std::string> split_at(const std::string& selector) {
  const auto at = selector.rfind('@');
  if (at == std::string::npos) return {selector, ""};
  return {selector.substr(0, at), selector.substr(at + 1)};
}

// The text itself, or of the file behind an `@`.
Result<std::string> text_or_file(const std::string& text) {
  if (text.size() < 2 || text.front() != '@') return text;
  return base::read_file(text.substr(1));
}

Result<Json> pairs(const std::vector<std::string>& given, const char* flag) {
  Json out = Json::object();
  for (const auto& item : given) {
    const auto at = item.find('=');
    if (at == std::string::npos || at == 0)
      return base::fail(base::Code::kInvalidArgument, "not NAME=TEXT: " + item, flag);
    out.set(item.substr(0, at), item.substr(at + 1));
  }
  return out;
}

// The entries of `given` over those that were said before.
Result<Json> merged(const Json& before, const std::vector<std::string>& given, const char* flag) {
  TRY_ASSIGN(const Json more, pairs(given, flag));
  Json out = before.is_object() ? before : Json::object();
  for (const auto& [name, value] : more.members()) out.set(name, value);
  return out;
}

std::string cell_text(const Json& cell) {
  if (cell.is_null()) return "";
  return cell.is_string() ? cell.as_string() : cell.dump();
}

std::string one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r' || c == '\t'; }, ' ');
  return text;
}

std::string count_text(const Json& value) { return base::format_count(value.as_int()); }

std::string words(const Json& list) {
  std::vector<std::string> out;
  for (const auto& item : list.items()) out.push_back(item.as_string());
  return base::join(out, ", ");
}

void print_about(const Json& about) {
  for (const auto& [label, key] : {std::pair{"owner", "owner"}, std::pair{"licence", "licence"}})
    if (!about[key].as_string().empty())
      print(std::string(label) + "  " + about[key].as_string() + "\n");
  if (about["tags"].size() > 0) print("tags  " + words(about["tags"]) + "\n");
  if (!about["description"].as_string().empty())
    print("\n" + about["description"].as_string() + "\n\n");
  for (const auto& [column, text] : about["columns"].members())
    print("  " + bold(column) + "  " + text.as_string() + "\n");
  for (const auto& [column, text] : about["sensitive"].members())
    print("  " + bold(column) + "  sensitive: " + text.as_string() + "\n");
}

std::string snapshot_kind(const Json& row) {
  if (!row["dropped"].as_string().empty()) return "gone: " + row["dropped"].as_string();
  const std::string from =
      row["source"].as_string().empty() ? row["query"].as_string() : row["source"].as_string();
  return one_line(from);
}

std::string key_text(const Json& key, const Json& values) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < key.size(); ++i)
    out.push_back(key.items()[i].as_string() + " " + cell_text(values.items()[i]));
  return base::join(out, ", ");
}

void print_rows(const char* title, const Json& rows) {
  if (rows.size() == 0) return;
  print(std::string(title) + "\n");
  for (const auto& row : rows.items()) {
    std::string line;
    for (const auto& [name, value] : row.members())
      line += (line.empty() ? "  " : "  ") + name + "=" + one_line(cell_text(value));
    print(line.substr(0, terminal_width() * 2) + "\n");
  }
}

std::string name_of(const Json& side) {
  return side["dataset"].as_string() + "@" + std::to_string(side["number"].as_int());
}

void print_columns(const Json& diff) {
  for (const auto& column : diff["new_columns"].items())
    print("+ column " + column["name"].as_string() + " (" + column["type"].as_string() + ")\n");
  for (const auto& column : diff["gone_columns"].items())
    print("- column " + column["name"].as_string() + " (" + column["type"].as_string() + ")\n");
  for (const auto& change : diff["types"].items())
    print("~ column " + change["column"].as_string() + ": " + change["before"].as_string() +
          " became " + change["after"].as_string() + "\n");
}

void print_diff(const Json& diff) {
  const std::string by =
      diff["key"].size() == 0
          ? "whole rows"
          : "by " + words(diff["key"]) + (diff["key_found"].as_bool() ? " (found)" : "");
  print(bold(name_of(diff["before"]) + " -> " + name_of(diff["after"])) + "  " + by + "\n");
  if (diff["same"].as_bool()) {
    print("the same rows\n");
    return;
  }
  print_columns(diff);
  print("rows: " + green("+" + count_text(diff["added"])) + " " +
        red("-" + count_text(diff["removed"])) + " ~" + count_text(diff["changed"]) + "   (" +
        count_text(diff["shared_rows"]) + " rows in shared parts)\n");
  for (const auto& column : diff["columns"].items()) {
    print(bold(column["column"].as_string()) + "  " + count_text(column["rows"]) + " rows\n");
    for (const auto& example : column["examples"].items()) {
      const auto shown = [](const Json& value) {
        return value.is_null() ? std::string("(missing)") : one_line(value.as_string());
      };
      print("  " + key_text(diff["key"], example["key"]) + ": " + shown(example["before"]) +
            " -> " + shown(example["after"]) + "\n");
    }
  }
  print_rows("added, for example", diff["added_rows"]);
  print_rows("removed, for example", diff["removed_rows"]);
}

void print_result(const Json& result) {
  const auto& columns = result["columns"].items();
  const std::size_t most = std::max<std::size_t>(1, terminal_width() / kNarrowestColumn);
  const std::size_t shown = std::min(columns.size(), most);
  TextTable table;
  for (std::size_t c = 0; c < shown; ++c) {
    const std::string type = columns[c]["type"].as_string();
    table.column(columns[c]["name"].as_string(), type == "integer" || type == "float"
                                                     ? TextTable::Align::kRight
                                                     : TextTable::Align::kLeft);
  }
  for (const auto& row : result["rows"].items()) {
    std::vector<std::string> cells;
    for (std::size_t c = 0; c < shown; ++c) cells.push_back(one_line(cell_text(row.items()[c])));
    table.row(std::move(cells));
  }
  print(table.text());
  std::string note = base::format_count(result["row_count"].as_int()) + " rows" +
                     (result["truncated"].as_bool() ? " and more (--limit)" : "") + " in " +
                     base::format_seconds(result["seconds"].as_double());
  if (shown < columns.size())
    note += "; " + std::to_string(columns.size() - shown) + " columns more (--csv, --json)";
  print(dim(note) + "\n");
}

Result<std::string> format_of(const std::string& file) {
  const std::string name = base::to_lower_ascii(file);
  if (name.ends_with(".csv")) return std::string("csv");
  if (name.ends_with(".jsonl") || name.ends_with(".ndjson")) return std::string("jsonl");
  if (name.ends_with(".parquet")) return std::string("parquet");
  return base::fail(base::Code::kInvalidArgument, "unknown kind of output file: " + file,
                    "use .csv, .jsonl or .parquet");
}

// An answer's bytes into a file that appears whole or not at all.
base::Status fetch_into(Session& session, Method method, const std::string& path, const Json& body,
                        const std::string& file) {
  const std::string partial = file + ".part";
  std::FILE* out = std::fopen(partial.c_str(), "wb");
  if (out == nullptr) return base::fail(base::Code::kInvalidArgument, "cannot be written: " + file);
  base::Status status =
      session.fetch(method, path, body, [&](std::string_view piece) -> base::Status {
        if (std::fwrite(piece.data(), 1, piece.size(), out) == piece.size()) return {};
        return base::fail(base::Code::kNoSpace, "cannot be written to its end: " + file);
      });
  if (std::fclose(out) != 0 && status)
    status = base::fail(base::Code::kNoSpace, "cannot be written to its end: " + file);
  if (status) return base::rename_durable(partial, file);
  std::remove(partial.c_str());
  return status;
}

// The answer to standard output once it is whole: a failure prints nothing.
base::Status print_whole(Session& session, const Json& body) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> kept(std::tmpfile(), &std::fclose);
  if (kept == nullptr) return base::fail(base::Code::kInternal, "no room for a temporary file");
  TRY(session.fetch(Method::kPost, "/api/v1/sql", body,
                    [&](std::string_view piece) -> base::Status {
                      if (std::fwrite(piece.data(), 1, piece.size(), kept.get()) == piece.size())
                        return {};
                      return base::fail(base::Code::kNoSpace, "no room for the answer");
                    }));
  std::rewind(kept.get());
  std::string piece(1u << 16, '\0');
  for (std::size_t got = 0; (got = std::fread(piece.data(), 1, piece.size(), kept.get())) > 0;)
    print(piece.substr(0, got));
  return {};
}

Result<int> wrote(const Invocation& invocation, const std::string& file) {
  TRY_ASSIGN(const std::uint64_t bytes, base::file_size(file));
  if (invocation.json)
    print(Json::object({{"file", file}, {"bytes", static_cast<std::int64_t>(bytes)}}).dump() +
          "\n");
  else
    print(file + "  " + base::format_bytes(bytes) + "\n");
  return 0;
}

Result<int> sql_save(const Invocation& invocation, Session& session, const DatasetOptions& options,
                     const std::string& text) {
  TRY_ASSIGN(const Json saved,
             session.call(Method::kPost, api_path(options.save, "/sql"),
                          Json::object({{"sql", text}, {"append", options.append}})));
  if (invocation.json)
    print(saved.dump() + "\n");
  else
    print(bold(saved["dataset"].as_string() + "@" + std::to_string(saved["number"].as_int())) +
          "  " + count_text(saved["rows"]) + " rows" +
          (saved["unchanged"].as_bool() ? " (unchanged)" : "") + "\n");
  return 0;
}

}  // namespace

int data_tag(const Invocation& invocation, const DatasetOptions& options) {
  return with_session(invocation, [&](Session& session) -> Result<int> {
    const auto [dataset, snapshot] = split_at(options.name);
    const std::string path = api_path(dataset, "/tags/" + http::percent_encode(options.tag));
    if (options.remove) {
      TRY(session.call(Method::kDelete, path));
      print(invocation.json ? "{}\n" : "no longer: " + dataset + "@" + options.tag + "\n");
      return 0;
    }
    Json body = Json::object();
    if (!snapshot.empty()) body.set("snapshot", snapshot);
    TRY_ASSIGN(const Json result, session.call(Method::kPut, path, body));
    print(invocation.json ? result.dump() + "\n"
                          : bold(dataset + "@" + options.tag) + " is snapshot @" +
                                std::to_string(result["number"].as_int()) + "\n");
    return 0;
  });
}

int data_describe(const Invocation& invocation, const DatasetOptions& options) {
  return with_session(invocation, [&](Session& session) -> Result<int> {
    TRY_ASSIGN(const Json before, session.call(Method::kGet, api_path(options.name, "?limit=1")));
    Json body = Json::object();
    if (!options.owner.empty()) body.set("owner", options.owner);
    if (!options.licence.empty()) body.set("licence", options.licence);
    if (!options.description.empty()) {
      TRY_ASSIGN(const std::string text, text_or_file(options.description));
      body.set("description", text);
    }
    if (!options.tags.empty()) {
      Json tags = Json::array();
      for (const auto& tag : options.tags) tags.push(tag);
      body.set("tags", tags);
    }
    if (!options.columns.empty()) {
      TRY_ASSIGN(Json notes, merged(before["about"]["columns"], options.columns, "--column"));
      body.set("columns", std::move(notes));
    }
    if (!options.sensitive.empty()) {
      TRY_ASSIGN(Json notes,
                 merged(before["about"]["sensitive"], options.sensitive, "--sensitive"));
      body.set("sensitive", std::move(notes));
    }
    Json about = before["about"];
    if (body.size() > 0) {
      TRY_ASSIGN(about, session.call(Method::kPut, api_path(options.name, "/about"), body));
    }
    if (invocation.json)
      print(about.dump() + "\n");
    else
      print_about(about);
    return 0;
  });
}

int data_search(const Invocation& invocation, const DatasetOptions& options) {
  return show_answer(
      invocation, Method::kGet,
      "/api/v1/catalogue?q=" + http::percent_encode(base::join(options.key, " ")),
      [](const Json& result) {
        if (result["hits"].size() == 0) print("nothing found\n");
        for (const auto& hit : result["hits"].items())
          print(bold(hit["dataset"].as_string()) + "  " + words(hit["where"]) + "\n");
      });
}

int data_log(const Invocation& invocation, const DatasetOptions& options) {
  return show_answer(
      invocation, Method::kGet, api_path(options.name, "?limit=" + std::to_string(options.limit)),
      [](const Json& result) {
        TextTable table;
        table.column("snapshot");
        table.column("rows", TextTable::Align::kRight);
        table.column("added", TextTable::Align::kRight);
        table.column("created");
        table.column("tags");
        table.column("from");
        for (const auto& row : result["snapshots"].items())
          table.row({"@" + std::to_string(row["number"].as_int()), count_text(row["rows"]),
                     row["parent"].as_string().empty() ? "" : "+" + count_text(row["added_rows"]),
                     age_text(row["created_us"].as_int()), words(row["tags"]), snapshot_kind(row)});
        print(table.text());
        const auto shown = static_cast<std::int64_t>(result["snapshots"].size());
        if (shown < result["total"].as_int())
          print(dim(std::to_string(result["total"].as_int() - shown) + " older (--limit)") + "\n");
      });
}

int data_diff(const Invocation& invocation, const DatasetOptions& options) {
  return with_session(invocation, [&](Session& session) -> Result<int> {
    Json key = Json::array();
    for (const auto& name : options.key) key.push(name);
    TRY_ASSIGN(
        const Json diff,
        session.call(Method::kPost, "/api/v1/diff",
                     Json::object({{"before", options.name},
                                   {"after", options.second},
                                   {"key", key},
                                   {"rows", options.whole_rows},
                                   {"examples", static_cast<std::int64_t>(options.examples)}})));
    if (invocation.json)
      print(diff.dump() + "\n");
    else
      print_diff(diff);
    return options.gate && !diff["same"].as_bool() ? 3 : 0;
  });
}

int data_sample(const Invocation& invocation, const DatasetOptions& options) {
  return with_session(invocation, [&](Session& session) -> Result<int> {
    TRY_ASSIGN(const std::string format, format_of(options.out));
    const auto [dataset, snapshot] = split_at(options.name);
    std::string path =
        api_path(dataset, "/sample?format=" + format + "&rows=" + std::to_string(options.rows) +
                              "&seed=" + std::to_string(options.seed));
    if (!snapshot.empty()) path += "&snapshot=" + http::percent_encode(snapshot);
    if (!options.by.empty()) path += "&by=" + http::percent_encode(options.by);
    if (!options.stratify.empty()) path += "&stratify=" + http::percent_encode(options.stratify);
    TRY(fetch_into(session, Method::kGet, path, {}, options.out));
    return wrote(invocation, options.out);
  });
}

int sql(const Invocation& invocation, const DatasetOptions& options) {
  return with_session(invocation, [&](Session& session) -> Result<int> {
    TRY_ASSIGN(const std::string text, text_or_file(options.text));
    if (!options.save.empty()) return sql_save(invocation, session, options, text);
    Json body = Json::object({{"sql", text}, {"timeout_s", options.timeout_s}});
    if (!options.out.empty()) {
      TRY_ASSIGN(const std::string format, format_of(options.out));
      body.set("format", format);
      TRY(fetch_into(session, Method::kPost, "/api/v1/sql", body, options.out));
      return wrote(invocation, options.out);
    }
    if (options.csv || options.jsonl) {
      body.set("format", options.csv ? "csv" : "jsonl");
      TRY(print_whole(session, body));
      return 0;
    }
    body.set("limit", static_cast<std::int64_t>(options.limit));
    TRY_ASSIGN(const Json result, session.call(Method::kPost, "/api/v1/sql", body));
    if (invocation.json)
      print(result.dump() + "\n");
    else
      print_result(result);
    return 0;
  });
}

}  // namespace maru::app
