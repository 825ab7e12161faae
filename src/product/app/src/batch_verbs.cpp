#include "maru/base/file.h"
#include "maru/base/text.h"
#include "output.h"
#include "place.h"
#include "verbs.h"

namespace maru::app {
namespace {

using base::Code;
using base::Json;
using base::Result;
using http::Method;

// A file of a model, as `maru serve` takes; a registered name has no dot and no slash that leads to one.
bool is_model_file(const std::string& text) {
  return text.find_first_of("./") != std::string::npos && base::path_exists(text);
}

// A file or a pattern; else it is a dataset.
bool is_file(const std::string& text) {
  return text.find_first_of("/*?[") != std::string::npos || base::path_exists(text) ||
         (text.find('@') == std::string::npos && text.find('.') != std::string::npos);
}

Result<Json> body_of(const BatchOptions& options) {
  if (options.input.empty())
    return base::fail(Code::kInvalidArgument, "no input is named",
                      "--input FILE, a pattern in quotes, or a dataset");
  if (options.output.empty())
    return base::fail(Code::kInvalidArgument, "no output is named", "--output FILE");
  Json input = Json::array();
  for (const auto& one : options.input) {
    if (!is_file(one)) {
      input.push(one);
      continue;
    }
    TRY_ASSIGN(std::string path, absolute_path(one));
    input.push(std::move(path));
  }
  TRY_ASSIGN(const std::string output, absolute_path(options.output));
  Json body = Json::object({{"input", std::move(input)},
                            {"output", output},
                            {"overwrite", options.overwrite},
                            {"trigger", "cli"}});
  if (!options.errors.empty()) {
    TRY_ASSIGN(const std::string errors, absolute_path(options.errors));
    body.set("errors", errors);
  }
  if (options.columns == "all" || options.columns == "none") {
    body.set("columns", options.columns);
  } else {
    Json names = Json::array();
    for (const auto& name : base::split(options.columns, ',')) names.push(name);
    body.set("columns", std::move(names));
  }
  if (options.shard_rows != 0) body.set("shard_rows", options.shard_rows);
  if (options.threads != 0) body.set("threads", options.threads);
  return body;
}

std::string count_text(const Json& value) { return base::format_count(value.as_int()); }

void print_job(const Json& job) {
  if (!job["note"].as_string().empty()) print(job["note"].as_string() + "\n");
  if (job["resumed_rows"].as_int() > 0)
    print(count_text(job["resumed_rows"]) + " rows were there from an earlier try\n");
  print(count_text(job["rows"]) + " rows by " + bold(job["model"].as_string()) + " v" +
        std::to_string(job["version"].as_int()) + " in " +
        base::format_seconds(job["seconds"].as_double()) + " (" +
        base::format_count(static_cast<std::int64_t>(job["rows_per_second"].as_double())) +
        " rows/s) → " + job["output"].as_string() + "\n");
  if (job["failed"].as_int() > 0)
    print(red(count_text(job["failed"]) + " bad rows") + " → " + job["errors"].as_string() + "\n");
  else
    print("no bad rows\n");
  std::string cost = number_text(job["cpu_seconds"].as_double(), 2) + " CPU seconds, " +
                     number_text(job["cpu_seconds_per_million"].as_double(), 2) +
                     " for a million rows";
  if (job.has("cost_per_million"))
    cost += ", which cost " + number_text(job["cost_per_million"].as_double(), 6);
  print(dim(cost) + "\n");
}

Result<int> run_job(const Invocation& invocation, Session& session, const Json& body) {
  TRY_ASSIGN(const Json submitted, session.call(Method::kPost, "/api/v1/batch", body));
  const std::string id = submitted["id"].as_string();
  TRY_ASSIGN(const Json run, follow_run(session, id, invocation.json));
  if (run["state"].as_string() != "succeeded") return tl::unexpected<base::Error>(run_error(run));
  TRY_ASSIGN(const Json job, session.call(Method::kGet, "/api/v1/batch/" + id));
  if (invocation.json)
    print(job.dump() + "\n");
  else
    print_job(job);
  return 0;
}

// A model file needs no server and no home: one is made, and goes away.
int batch_file(const Invocation& invocation, const std::string& file, Json body) {
  const auto place = Place::find(invocation.home);
  if (!place) return report(place.error());
  auto session = Session::open(place->folder(), invocation.server);
  if (!session) return report(session.error());
  const std::string name = model_name_of(file);
  const auto done = [&]() -> Result<int> {
    TRY_ASSIGN(const std::string path, absolute_path(file));
    TRY(import_champion(**session, path, name));
    body.set("model", name);
    return run_job(invocation, **session, body);
  }();
  return done ? *done : report(done.error());
}

std::string when_text(const Json& time_us) {
  return time_us.as_int() <= 0 ? "" : base::format_time_us(time_us.as_int());
}

void print_jobs(const Json& all) {
  TextTable jobs;
  for (const char* title : {"job", "model", "state", "rows", "bad", "output"}) jobs.column(title);
  for (const Json& job : all["jobs"].items()) {
    const std::string state = job["state"].as_string();
    jobs.row({job["id"].as_string(), job["model"].as_string(),
              state == "running" ? job["detail"].as_string() : state,
              job.has("rows") ? count_text(job["rows"]) : "",
              job.has("failed") ? count_text(job["failed"]) : "", job["output"].as_string()});
  }
  print(all["jobs"].size() > 0 ? jobs.text() : std::string("no batch has run\n"));
  if (all["schedules"].size() == 0) return;
  TextTable schedules;
  for (const char* title : {"schedule", "cron", "model", "next", "output"}) schedules.column(title);
  for (const Json& one : all["schedules"].items())
    schedules.row({one["name"].as_string(), one["cron"].as_string(), one["model"].as_string(),
                   when_text(one["next_tick_us"]), one["output"].as_string()});
  print("\n" + schedules.text());
}

std::string schedule_path(const std::string& name) {
  return "/api/v1/batch-schedules/" + http::percent_encode(name);
}

}  // namespace

int batch(const Invocation& invocation, const BatchOptions& options) {
  auto body = body_of(options);
  if (body && options.model.empty())
    body = base::fail(Code::kInvalidArgument, "no model is named",
                      "maru batch MODEL --input FILE --output FILE");
  if (!body) return report(body.error());
  if (is_model_file(options.model)) return batch_file(invocation, options.model, *body);
  if (options.model.find('/') != std::string::npos && options.model.find('.') != std::string::npos)
    return report(base::Error{Code::kNotFound, "no model at: " + options.model,
                              "name a model file, or NAME/VERSION of a registered model", nullptr});
  return with_session(invocation, [&](Session& session) -> Result<int> {
    const auto [name, selector] = split_model(options.model);
    body->set("model", name).set("selector", selector);
    return run_job(invocation, session, *body);
  });
}

int batch_schedule(const Invocation& invocation, const BatchOptions& options) {
  auto body = body_of(options);
  if (!body) return report(body.error());
  const auto [name, selector] = split_model(options.model);
  body->set("model", name).set("selector", selector).set("every", options.every);
  const auto show = [](const Json& made) {
    print("schedule " + bold(made["name"].as_string()) + ": next at " +
          when_text(made["next_tick_us"]) + "\n" + dim("it runs while `maru up` serves this home") +
          "\n");
  };
  return show_answer(invocation, Method::kPut, schedule_path(options.name), show, *body);
}

int batch_list(const Invocation& invocation) {
  return show_answer(invocation, Method::kGet, "/api/v1/batch", print_jobs);
}

int batch_remove(const Invocation& invocation, const std::string& name) {
  return show_answer(invocation, Method::kDelete, schedule_path(name),
                     [&](const Json&) { print("removed " + name + "\n"); });
}

}  // namespace maru::app
