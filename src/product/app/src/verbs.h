#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "maru/base/config.h"
#include "session.h"

namespace maru::app {

// What every verb knows. A verb prints its answer and returns the exit code.
struct Invocation {
  std::string home, server;
  bool json = false;
};

struct ImportOptions {
  std::vector<std::string> files;
  std::string name;
  bool no_header = false, fill_ragged = false, append = false, fill_missing = false;
  std::string key, ragged, encoding;
};
// The API's path of NAME or NAME@NUMBER, which then has a query already.
std::string dataset_path(const std::string& selector, const std::string& rest);
// Whether a verb's argument is files rather than the name of a dataset.
bool names_files(const std::string& source);
struct ProtectOptions {
  std::string dataset, into;
  std::vector<std::string> columns;  // COLUMN=ACTION
};
struct ProfileOptions {
  std::vector<std::string> files;  // or one dataset
  std::string label, weight, html;
  std::vector<std::string> slice_by;
  std::size_t threads = 2;
};
struct CompareOptions {
  std::string before, after;  // NAME@NUMBER, or a file
  std::string rule = "maru", html, language = "en";
  bool profiles = false, gate = false;
};
struct ValidateOptions {
  std::string dataset, schema_file;
};
int data_import(const Invocation& invocation, const ImportOptions& options);
int data_list(const Invocation& invocation);
int data_show(const Invocation& invocation, const std::string& dataset);
int data_profile(const Invocation& invocation, const ProfileOptions& options);
int data_validate(const Invocation& invocation, const ValidateOptions& options);
int data_compare(const Invocation& invocation, const CompareOptions& options);
struct SchemaOptions {
  std::string dataset, file, format = "json";
  bool accept = false;
};
int data_quarantine(const Invocation& invocation, const std::string& dataset);
int data_sensitive(const Invocation& invocation, const std::vector<std::string>& sources);
int data_protect(const Invocation& invocation, const ProtectOptions& options);
int data_reveal(const Invocation& invocation, const std::vector<std::string>& tokens);
int schema_suggest(const Invocation& invocation, const SchemaOptions& options);
int schema_export(const Invocation& invocation, const SchemaOptions& options);
int schema_import(const Invocation& invocation, const SchemaOptions& options);
int schema_show(const Invocation& invocation, const std::string& dataset);
int schema_accept(const Invocation& invocation, const std::string& dataset);

struct InitOptions {
  std::vector<std::string> files;
  std::string label, out = "maru.yaml", name;
  double budget_seconds = 60;
  bool force = false;
};
struct RunOptions {
  std::string file = "maru.yaml", budget;
};
int init(const Invocation& invocation, const InitOptions& options);
int run(const Invocation& invocation, const RunOptions& options);

struct PredictOptions {
  std::string model, file, output;
  bool explain = false;
};
int predict(const Invocation& invocation, const PredictOptions& options);
int model_list(const Invocation& invocation);
int model_show(const Invocation& invocation, const std::string& model);
int model_card(const Invocation& invocation, const std::string& model);
int model_promote(const Invocation& invocation, const std::string& model_version,
                  const std::string& alias, const std::string& reason);
int model_rollback(const Invocation& invocation, const std::string& model,
                   const std::string& alias);
int model_import(const Invocation& invocation, const std::string& path, const std::string& name,
                 const std::string& alias);
int model_export(const Invocation& invocation, const std::string& model, const std::string& folder);

struct BatchOptions {
  std::string model, output, errors, columns = "all", name, every;
  std::vector<std::string> input;
  bool overwrite = false;
  std::int64_t shard_rows = 0, threads = 0;  // 0: as the server likes
};
int batch(const Invocation& invocation, const BatchOptions& options);
int batch_schedule(const Invocation& invocation, const BatchOptions& options);
int batch_list(const Invocation& invocation);
int batch_remove(const Invocation& invocation, const std::string& name);

int pipeline_list(const Invocation& invocation);
int pipeline_runs(const Invocation& invocation, const std::string& pipeline);
int pipeline_show(const Invocation& invocation, const std::string& run);
int pipeline_logs(const Invocation& invocation, const std::string& run, const std::string& task);
int pipeline_change(const Invocation& invocation, const std::string& run,
                    const std::string& what);  // "retry" | "cancel"

struct EndpointOptions {
  std::string name, model, route, reward, policy;
  std::vector<std::string> arms;  // "champion=90", "5=10"
  std::string version, steps;     // of a canary: "5%,25%,100%"
  double step_seconds = 600, step_requests = 200;
  std::vector<std::string> ids;  // of logged predictions; none: the last ones
  std::int64_t last = 100;
  double tolerance = 1e-9;
  double sample = -1;  // of the log; < 0: as it is
  std::string trace;
  std::vector<std::string> settings;  // "batch_rows=32"
};
int endpoint_list(const Invocation& invocation);
int endpoint_show(const Invocation& invocation, const EndpointOptions& options);
int endpoint_route(const Invocation& invocation, const EndpointOptions& options);   // as JSON
int endpoint_split(const Invocation& invocation, const EndpointOptions& options);   // weights
int endpoint_canary(const Invocation& invocation, const EndpointOptions& options);  // step by step
int endpoint_bandit(const Invocation& invocation, const EndpointOptions& options);
int endpoint_stop(const Invocation& invocation, const EndpointOptions& options);  // the kill switch
int endpoint_set(const Invocation& invocation, const EndpointOptions& options);
int endpoint_log(const Invocation& invocation, const EndpointOptions& options);
// Logged predictions asked again of a version; exit code 1 when some differ.
int endpoint_replay(const Invocation& invocation, const EndpointOptions& options);
int alert_list(const Invocation& invocation);
int token_create(const Invocation& invocation, const std::string& name, const std::string& role);
int token_list(const Invocation& invocation);
int token_revoke(const Invocation& invocation, const std::string& name);
int config(const Invocation& invocation);
int doctor(const Invocation& invocation);
int version(const Invocation& invocation);

struct UpOptions {
  base::Config::Values settings;  // given as flags
};
int up(const Invocation& invocation, const UpOptions& options);
struct ServeOptions {
  std::vector<std::string> files;
  std::string name;  // of a single file; "": the file's own
  UpOptions up;
};
int serve_files(const Invocation& invocation, const ServeOptions& options);

struct DemoOptions {
  bool exit = false, here = false;
  base::Config::Values settings;
};
int demo(const Invocation& invocation, const DemoOptions& options);

// Calls `body` with an open session; failures are reported.
int with_session(const Invocation& invocation,
                 const std::function<base::Result<int>(Session&)>& body);
// Fetches, prints JSON or lets `show` print for people.
int show_answer(const Invocation& invocation, http::Method method, const std::string& path,
                const std::function<void(const base::Json&)>& show, const base::Json& body = {});

// "name@alias" or "name/3" -> name and selector.
std::pair<std::string, std::string> split_model(const std::string& text);
base::Result<std::string> absolute_path(const std::string& path);
// Follows a run to its end with a progress line; the final run.
base::Result<base::Json> follow_run(Session& session, const std::string& run_id, bool quiet);
// The error of a run's failed task, with its code.
base::Error run_error(const base::Json& run);
// What `maru run` prints about a finished run: keys of DESIGN §7.
base::Json run_summary(const base::Json& run, const base::Json& model);

}  // namespace maru::app
