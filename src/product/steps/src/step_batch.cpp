#include <algorithm>
#include <charconv>

#include "maru/base/clock.h"
#include "maru/base/file.h"
#include "maru/base/hash.h"
#include "maru/base/text.h"
#include "maru/data/row_format.h"
#include "maru/data/row_stream.h"
#include "maru/model/tensor.h"
#include "maru/serve/batch.h"
#include "maru/steps/batch.h"
#include "step_functions.h"

namespace maru::steps {
namespace {

using base::Code;
using base::Result;
using base::Status;

constexpr std::int64_t kMaxThreads = 256;
constexpr std::size_t kShardCells = 4u << 20;  // 32 MB of numbers

bool is_path(const std::string& text) { return !text.empty() && text.front() == '/'; }

bool has_place(const std::string& pattern) {
  return pattern.find("{time}") != std::string::npos ||
         pattern.find("{date}") != std::string::npos || pattern.find("{run}") != std::string::npos;
}

void replace_all(std::string& text, std::string_view what, std::string_view with) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size())
    text.replace(at, what.size(), with);
}

Status check_output(const Json& body, bool repeats) {
  const std::string& output = body["output"].as_string();
  if (output.empty())
    return base::fail(Code::kInvalidArgument, "`output` is missing", "name a file with --output");
  for (const char* key : {"output", "errors"}) {
    const std::string& path = body[key].as_string();
    if (path.empty()) continue;
    if (!is_path(path))
      return base::fail(Code::kInvalidArgument,
                        "`" + std::string(key) + "` must be an absolute path: " + path);
    TRY(data::RowFormat::open(path, {}));
    const std::string folder = base::parent_path(path);
    if (!has_place(folder) && !base::is_folder(folder))
      return base::fail(Code::kNotFound, "the folder of the output is not there: " + folder,
                        "make it first");
  }
  if (body["errors"].as_string() == output)
    return base::fail(Code::kInvalidArgument, "output and errors are one file: " + output);
  const bool overwrite = body["overwrite"].as_bool();
  if (repeats && !overwrite && !has_place(output))
    return base::fail(Code::kInvalidArgument, "each run would write the same file: " + output,
                      "put {time} or {date} in its name, or let it be replaced with --overwrite");
  if (!repeats && !overwrite && base::path_exists(output) && !base::path_exists(output + ".batch"))
    return base::fail(Code::kAlreadyExists, "the output exists: " + output,
                      "choose another one, or replace it with --overwrite");
  return {};
}

Status check_input(const Services& services, const std::string& project, const Json& input) {
  if (!input.is_array() || input.size() == 0)
    return base::fail(Code::kInvalidArgument, "`input` names no file and no dataset");
  std::vector<std::string> paths;
  for (const auto& one : input.items()) paths.push_back(one.as_string());
  if (!is_path(paths.front())) {
    if (paths.size() > 1)
      return base::fail(Code::kInvalidArgument,
                        "`input` is one dataset, or absolute paths: " + paths.front());
    TRY(services.datasets->resolve(project, paths.front()));
    return {};
  }
  for (const auto& path : paths)
    if (!is_path(path))
      return base::fail(Code::kInvalidArgument,
                        "`input` is one dataset, or absolute paths: " + path);
  return {};
}

Status check_numbers(const Json& body) {
  for (const auto& [key, most] :
       {std::pair<const char*, std::int64_t>{"shard_rows", 4 << 20}, {"threads", kMaxThreads}}) {
    if (!body.has(key)) continue;
    const Json& value = body[key];
    if (!value.is_int() || value.as_int() < 1 || value.as_int() > most)
      return base::fail(Code::kInvalidArgument, "`" + std::string(key) +
                                                    "` is a number from 1 to " +
                                                    std::to_string(most) + ", not " + value.dump());
  }
  return {};
}

// What the model is made of: the same text for the same bytes.
Result<std::string> model_mark(const std::string& folder) {
  base::Sha256 hash;
  std::vector<std::string> names{"maru.json", "model.onnx"};
  if (!base::path_exists(base::join_path(folder, "model.onnx"))) {
    TRY_ASSIGN(names, base::list_folder(folder));
  }
  for (const auto& name : names) {
    const std::string path = base::join_path(folder, name);
    if (!base::path_exists(path) || base::is_folder(path)) continue;
    TRY_ASSIGN(const std::string bytes, base::read_file(path));
    hash.update(std::string(name) + '\0' + bytes);
  }
  return hash.hex_digest();
}

struct Opened {
  std::unique_ptr<data::RowStream> rows;
  std::string mark;
};

Result<Opened> open_input(const Services& services, pipeline::Attempt& attempt,
                          data::Engine& engine) {
  std::vector<std::string> sources;
  for (const auto& one : attempt.params["input"].items()) sources.push_back(one.as_string());
  Opened out;
  if (is_path(sources.front())) {
    TRY_ASSIGN(out.mark, data::files_mark(sources));
    TRY_ASSIGN(out.rows, data::RowStream::open_files(engine, sources, *attempt.context));
    return out;
  }
  TRY_ASSIGN(const auto snapshot, services.datasets->resolve(attempt.project, sources.front()));
  TRY(note_read(services, attempt, snapshot));
  TRY_ASSIGN(const std::string relation, services.datasets->relation(snapshot));
  out.mark = snapshot.id;
  TRY_ASSIGN(out.rows, data::RowStream::open_relation(engine, relation));
  return out;
}

void set_columns(const Json& columns, serve::BatchSpec& spec) {
  spec.all_columns = !columns.is_array() && columns.as_string() != "none";
  for (const auto& name : columns.items()) spec.columns.push_back(name.as_string());
}

// As asked, else as many as a few hundred megabytes of all shards on their way allow.
std::size_t shard_rows(const Json& params, std::size_t columns) {
  if (params.has("shard_rows")) return static_cast<std::size_t>(params["shard_rows"].as_int());
  return std::clamp<std::size_t>(kShardCells / std::max<std::size_t>(1, columns), 1024,
                                 serve::kBatchShardRows);
}

double per_million(double value, std::uint64_t rows) {
  return rows == 0 ? 0 : value * 1e6 / static_cast<double>(rows);
}

std::string engine_of(const model::Bundle& bundle) {
  const auto* tensors = bundle.tensors();
  if (tensors == nullptr) return std::string(bundle.evaluator().engine());
  return tensors->waits() ? "python" : "onnxruntime";
}

Json report_json(const Services& services, const serve::BatchSpec& spec,
                 const serve::BatchReport& report) {
  const std::uint64_t scored = report.rows - report.resumed_rows;
  Json out = Json::object(
      {{"model", spec.model},
       {"version", spec.version},
       {"engine", engine_of(*spec.bundle)},
       {"output", spec.output},
       {"rows", static_cast<std::int64_t>(report.rows)},
       {"failed", static_cast<std::int64_t>(report.failed)},
       {"errors", report.errors},
       {"resumed_rows", static_cast<std::int64_t>(report.resumed_rows)},
       {"seconds", report.seconds},
       {"rows_per_second", report.seconds > 0 ? static_cast<double>(scored) / report.seconds : 0.0},
       {"cpu_seconds", report.cpu_seconds},
       {"cpu_seconds_per_million", per_million(report.cpu_seconds, report.rows)},
       {"note", report.note}});
  if (services.cpu_hour_price > 0)
    out.set("cost_per_million",
            per_million(report.cpu_seconds / 3600 * services.cpu_hour_price, report.rows));
  return out;
}

}  // namespace

std::string expand_output(const std::string& pattern, const std::string& run_id) {
  std::int64_t ms = 0;  // a UUIDv7 begins with 48 bits of milliseconds
  std::from_chars(run_id.data(), run_id.data() + std::min<std::size_t>(12, run_id.size()), ms, 16);
  const std::string time = base::format_time_us(ms / 1000 * 1'000'000);  // 2026-01-31T06:00:00Z
  std::string compact;
  for (const char c : time)
    if (c != '-' && c != ':') compact += c;
  std::string out = pattern;
  replace_all(out, "{time}", compact);
  replace_all(out, "{date}", time.substr(0, 10));
  replace_all(out, "{run}", run_id);
  return out;
}

Result<pipeline::PipelineSpec> batch_pipeline(const Services& services, const Json& body,
                                              const std::string& name, bool repeats) {
  static const std::vector<std::string> kKeys{"project", "model",   "selector",   "input",
                                              "output",  "errors",  "columns",    "overwrite",
                                              "threads", "trigger", "shard_rows", "every"};
  for (const auto& [key, value] : body.members())
    if (std::find(kKeys.begin(), kKeys.end(), key) == kKeys.end())
      return base::fail(Code::kInvalidArgument, "unknown key of a batch: " + key,
                        base::did_you_mean(key, kKeys));
  const std::string project = body["project"].as_string_or("default");
  TRY(check_input(services, project, body["input"]));
  TRY(check_output(body, repeats));
  TRY(check_numbers(body));
  const Json& columns = body["columns"];
  if (!columns.is_null() && !columns.is_array() && columns.as_string() != "all" &&
      columns.as_string() != "none")
    return base::fail(Code::kInvalidArgument,
                      "`columns` is all, none or a list of names: " + columns.dump());
  const std::string model = body["model"].as_string();
  TRY(services.tracking->registry().resolve(project, model, body["selector"].as_string()));
  pipeline::TaskSpec task;
  task.name = "batch";
  task.kind = kBatchKind;
  task.cache = false;
  for (const char* key : {"model", "selector", "input", "output", "errors", "columns", "overwrite",
                          "shard_rows", "threads"})
    if (!body[key].is_null()) task.params.set(key, body[key]);
  pipeline::PipelineSpec out;
  out.name = name;
  out.tasks.push_back(std::move(task));
  TRY(out.validate());
  return out;
}

Result<Json> run_batch(const Services& services, pipeline::Attempt& attempt) {
  const Json& params = attempt.params;
  serve::BatchSpec spec;
  spec.model = params["model"].as_string();
  TRY_ASSIGN(spec.version, services.tracking->registry().resolve(attempt.project, spec.model,
                                                                 params["selector"].as_string()));
  const std::string folder = base::join_path(attempt.work_folder, "model");
  TRY(services.tracking->registry().export_version(attempt.project, spec.model, spec.version,
                                                   folder));
  TRY_ASSIGN(spec.bundle, services.load ? services.load(folder) : model::Bundle::load(folder));
  TRY_ASSIGN(spec.model_mark, model_mark(folder));
  spec.output = expand_output(params["output"].as_string(), attempt.run_id);
  spec.errors = expand_output(params["errors"].as_string(), attempt.run_id);
  spec.overwrite = params["overwrite"].as_bool();
  spec.threads = static_cast<std::size_t>(params["threads"].as_int(0));
  set_columns(params["columns"], spec);
  // An engine of its own with one thread: reading costs what this task's thread costs, and pages of the server do not wait for it.
  data::EngineOptions options;
  options.temp_folder = base::join_path(attempt.work_folder, "tmp");
  options.threads = 1;
  TRY_ASSIGN(const auto engine, data::Engine::open(options));
  TRY_ASSIGN(Opened input, open_input(services, attempt, *engine));
  spec.input_mark = input.mark;
  spec.shard_rows = shard_rows(params, input.rows->columns().size());
  say(attempt,
      "scoring with " + spec.model + " v" + std::to_string(spec.version) + " into " + spec.output);
  TRY_ASSIGN(const serve::BatchReport report, serve::run_batch(spec, *input.rows, *attempt.context,
                                                               attempt.progress, *services.clock));
  if (!report.note.empty()) say(attempt, report.note);
  if (report.resumed_rows > 0)
    say(attempt, base::format_count(static_cast<std::int64_t>(report.resumed_rows)) +
                     " rows were there from an earlier try");
  say(attempt, base::format_count(static_cast<std::int64_t>(report.rows)) + " rows, " +
                   base::format_count(static_cast<std::int64_t>(report.failed)) + " bad");
  return report_json(services, spec, report);
}

}  // namespace maru::steps
