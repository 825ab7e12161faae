#include "cli.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <map>

#include "dataset_verbs.h"
#include "maru/base/config.h"
#include "maru/base/text.h"
#include "output.h"
#include "source_verbs.h"
#include "tracking_verbs.h"
#include "verbs.h"

namespace maru::app {
namespace {

constexpr int kUsage = 2;

// Everything a command line can fill; lives as long as the parser.
struct Arguments {
  Invocation common;
  ImportOptions import;
  ProfileOptions profile;
  ProtectOptions protect;
  std::vector<std::string> tokens;
  SchemaOptions schema;
  CompareOptions compare;
  ValidateOptions validate;
  InitOptions init;
  RunOptions run;
  PredictOptions predict;
  UpOptions up;
  DemoOptions demo;
  TrackingOptions tracking;
  DatasetOptions dataset;
  EndpointOptions endpoint;
  ServeOptions serve;
  BatchOptions batch;
  StreamOptions stream;
  std::string name, second, alias = "champion", reason, role = "viewer", task, budget;
  std::function<int()> verb;
};

// Adds a verb with an example; its callback chooses what runs.
CLI::App* verb(CLI::App& parent, Arguments& a, const char* name, const char* help,
               const char* example, std::function<int()> action) {
  CLI::App* command = parent.add_subcommand(name, help);
  command->footer(std::string("Example:\n  ") + example);
  command->callback([&a, action = std::move(action)] { a.verb = action; });
  return command;
}

CLI::App* group(CLI::App& parent, const char* name, const char* help) {
  CLI::App* command = parent.add_subcommand(name, help);
  command->require_subcommand(1);
  return command;
}

void add_compare(CLI::App& data, Arguments& a) {
  for (const char* name : {"compare", "drift"}) {  // one verb, the second its older name
    CLI::App* compare =
        verb(data, a, name, "what changed between two snapshots or two files, and why",
             "maru data compare sales@1 sales@2 --html report.html",
             [&a] { return data_compare(a.common, a.compare); });
    compare->add_option("old", a.compare.before, "NAME@NUMBER, or a file")->required();
    compare->add_option("new", a.compare.after, "NAME@NUMBER, or a file")->required();
    compare->add_option("--rule", a.compare.rule, "maru, evidently or tfdv: whose verdict")
        ->capture_default_str();
    compare->add_flag("--profiles", a.compare.profiles, "from the stored profiles, reading no row");
    compare->add_option("--html", a.compare.html, "a report in one file that needs nothing else");
    compare->add_option("--language", a.compare.language, "of the report: en or ko")
        ->capture_default_str();
    compare->add_flag("--gate", a.compare.gate, "exit code 3 when there is drift");
  }
  verb(data, a, "quarantine", "set the rows apart that break an expectation",
       "maru data quarantine sales", [&a] { return data_quarantine(a.common, a.name); })
      ->add_option("dataset", a.name)
      ->required();
}

void add_sensitive(CLI::App& data, Arguments& a) {
  verb(data, a, "sensitive", "columns about persons: e-mail, phone, names, cards, ...",
       "maru data sensitive customers.csv",
       [&a] { return data_sensitive(a.common, a.profile.files); })
      ->add_option("source", a.profile.files, "files, or a dataset")
      ->required();
  CLI::App* protect = verb(data, a, "protect", "a copy whose sensitive columns are not",
                           "maru data protect customers --column email=hash --column phone=mask",
                           [&a] { return data_protect(a.common, a.protect); });
  protect->add_option("dataset", a.protect.dataset)->required();
  protect->add_option("--column", a.protect.columns,
                      "COLUMN=drop|mask|hash|token|generalise (default: what is proposed)");
  protect->add_option("--into", a.protect.into, "the copy's dataset (default: NAME_protected)");
  verb(data, a, "reveal", "what tokens stand for (role admin; audited)",
       "maru data reveal t_0pZ...", [&a] { return data_reveal(a.common, a.tokens); })
      ->add_option("token", a.tokens)
      ->required();
}

void add_import(CLI::App& data, Arguments& a) {
  CLI::App* import = verb(data, a, "import", "take files in as a new snapshot",
                          "maru data import sales-*.csv --name sales",
                          [&a] { return data_import(a.common, a.import); });
  import
      ->add_option("files", a.import.files,
                   "CSV, TSV, JSON, Parquet, Arrow, TFRecord or ARFF; patterns and .gz/.zst/.zip "
                   "welcome; or addresses: postgresql:// mysql:// sqlite:/// s3:// https://")
      ->required();
  import->add_option("--name", a.import.name, "the dataset (default: the first file's name)");
  import->add_flag("--no-header", a.import.no_header, "the first row is data");
  import->add_flag("--fill-ragged", a.import.fill_ragged,
                   "pad or cut rows of a wrong length instead of refusing them");
  import
      ->add_option("--ragged", a.import.ragged,
                   "rows of a wrong length: reject them all, pad (or cut) them, or dead: keep "
                   "them in NAME_dead")
      ->check(CLI::IsMember({"reject", "pad", "dead"}));
  import->add_option("--encoding", a.import.encoding,
                     "of text files, such as SHIFT_JIS (default: found out)");
  CLI::Option* append = import->add_flag("--append", a.import.append,
                                         "put the rows behind those of the newest snapshot");
  import
      ->add_flag("--fill-missing", a.import.fill_missing,
                 "columns that the new rows lack stay empty")
      ->needs(append);
  import->add_option("--key", a.import.key, "the same key again adds nothing: for retries")
      ->needs(append);
}

void add_streams(CLI::App& app, Arguments& a) {
  CLI::App* stream = group(app, "stream", "events that become rows of a dataset");
  StreamOptions& o = a.stream;
  CLI::App* add = verb(*stream, a, "add", "take the events of a topic into a dataset",
                       "maru stream add clicks kafka://broker:9092/clicks --every 10s",
                       [&a] { return stream_add(a.common, a.stream); });
  add->add_option("name", o.name)->required();
  add->add_option("address", o.address,
                  "kafka://host:9092/topic, nats://host:4222/stream, or push [push]");
  add->add_option("--dataset", o.dataset, "where the rows go (default: the stream's name)");
  add->add_option("--format", o.format, "json or csv")->capture_default_str();
  add->add_option("--columns", o.columns,
                  "id:integer,price:float,name: names and types; CSV needs all");
  add->add_option("--on-change", o.on_change,
                  "columns that are not known: widen the dataset, or dead letters [widen]");
  add->add_option("--event-time", o.event_time, "the column that says when it happened");
  add->add_option("--event-key", o.event_key, "the column that names an event; it is taken once");
  add->add_option("--max-future", o.max_future, "how far an event may be ahead of the clock")
      ->capture_default_str();
  add->add_option("--future", o.future, "events further ahead: keep or dead")
      ->capture_default_str();
  add->add_option("--every", o.every, "longest time of a batch")->capture_default_str();
  add->add_option("--rows", o.rows, "most rows of a batch")->capture_default_str();
  add->add_option("--from", o.from, "at the first start: earliest or latest")
      ->capture_default_str();
  verb(*stream, a, "list", "all streams", "maru stream list",
       [&a] { return stream_list(a.common); });
  const auto one = [&](const char* name, const char* help, const char* example,
                       int (*action)(const Invocation&, const std::string&)) {
    verb(*stream, a, name, help, example, [&a, action] { return action(a.common, a.name); })
        ->add_option("name", a.name)
        ->required();
  };
  one("show", "state, rate, lag and counts", "maru stream show clicks", stream_show);
  one("start", "start one that is stopped or failed", "maru stream start clicks", stream_start);
  one("stop", "stop it after the batch at hand", "maru stream stop clicks", stream_stop);
  one("remove", "forget it; the dataset stays", "maru stream remove clicks", stream_remove);
  one("dead", "events that could not become rows, and why", "maru stream dead clicks", stream_dead);
}

void add_data(CLI::App& app, Arguments& a) {
  CLI::App* data = group(app, "data", "datasets and their snapshots");
  add_import(*data, a);
  add_sensitive(*data, a);
  verb(*data, a, "list", "all datasets", "maru data list", [&a] { return data_list(a.common); });
  verb(*data, a, "show", "snapshots of a dataset", "maru data show sales",
       [&a] { return data_show(a.common, a.name); })
      ->add_option("dataset", a.name)
      ->required();
  CLI::App* profile = verb(*data, a, "profile", "statistics of every column of files or a dataset",
                           "maru data profile adult.csv --label income",
                           [&a] { return data_profile(a.common, a.profile); });
  profile
      ->add_option("source", a.profile.files,
                   "files, read where they lie; or NAME or NAME@NUMBER of a dataset")
      ->required();
  profile->add_option("--label", a.profile.label, "what every column tells about this one");
  profile->add_option("--weight", a.profile.weight, "a column of weights");
  profile->add_option("--by", a.profile.slice_by,
                      "the same for each of the commonest values of a column");
  profile->add_option("--html", a.profile.html, "a report in one file that needs nothing else");
  profile->add_option("--threads", a.profile.threads, "for files [2]");
  CLI::App* validate =
      verb(*data, a, "validate", "check a snapshot against its schema", "maru data validate sales",
           [&a] { return data_validate(a.common, a.validate); });
  validate->add_option("dataset", a.validate.dataset)->required();
  validate->add_option("--schema", a.validate.schema_file,
                       "a schema file instead of the saved one");
  add_compare(*data, a);
  add_datasets(app, *data, a.common, a.dataset, a.verb);
  CLI::App* schema = group(app, "schema", "what columns must look like");
  CLI::App* suggest = verb(
      *schema, a, "suggest", "expectations that the data suggests, with how sure",
      "maru schema suggest sales --accept", [&a] { return schema_suggest(a.common, a.schema); });
  suggest->add_option("dataset", a.schema.dataset)->required();
  suggest->add_flag("--accept", a.schema.accept, "add them to the schema");
  for (const bool out : {true, false}) {
    CLI::App* move =
        verb(*schema, a, out ? "export" : "import",
             out ? "the schema in another tool's words" : "take a schema over from another tool",
             out ? "maru schema export sales contract.yaml --format odcs"
                 : "maru schema import sales schema.pbtxt --format tfdv",
             [&a, out] {
               return out ? schema_export(a.common, a.schema) : schema_import(a.common, a.schema);
             });
    move->add_option("dataset", a.schema.dataset)->required();
    move->add_option("file", a.schema.file)->required();
    move->add_option("--format", a.schema.format, "json, tfdv, jsonschema or odcs [json]");
  }
  verb(*schema, a, "show", "the saved schema", "maru schema show sales",
       [&a] { return schema_show(a.common, a.name); })
      ->add_option("dataset", a.name)
      ->required();
  verb(*schema, a, "accept", "take the newest snapshot as the new normal",
       "maru schema accept sales", [&a] { return schema_accept(a.common, a.name); })
      ->add_option("dataset", a.name)
      ->required();
}

// One option for each key of the configuration; the most used have a short name beside.
void add_settings(CLI::App& command, base::Config::Values& values) {
  const std::map<std::string_view, std::string> short_names = {{"http.listen", "--listen,"},
                                                               {"http.tls-cert", "--tls-cert,"},
                                                               {"http.tls-key", "--tls-key,"}};
  for (const auto& key : base::config_keys()) {
    std::string flag(key.name);
    std::replace(flag.begin(), flag.end(), '.', '-');
    const auto at = short_names.find(key.name);
    const std::string names = (at == short_names.end() ? "" : at->second) + "--" + flag;
    std::string help(key.help);
    if (!key.default_value.empty()) help += " [" + std::string(key.default_value) + "]";
    command
        .add_option_function<std::string>(
            names,
            [&values, name = std::string(key.name)](const std::string& text) {
              values[name] = text;
            },
            help)
        ->group("Configuration (also KEY = VALUE in maru.conf of the home, and MARU_KEY)");
  }
  command
      .add_option_function<std::string>(
          "--allow-host",
          [&values](const std::string& text) {
            std::string& hosts = values["http.allowed-hosts"];
            hosts += (hosts.empty() ? "" : ",") + text;
          },
          "one more host name that requests may carry")
      ->trigger_on_parse()
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->expected(1);
}

void add_loop(CLI::App& app, Arguments& a) {
  CLI::App* init_command =
      verb(app, a, "init", "look at data and write maru.yaml", "maru init churn.csv --label Churn",
           [&a] { return init(a.common, a.init); });
  init_command->add_option("files", a.init.files)->required();
  init_command->add_option("--label", a.init.label, "a column, an SQL expression, @last or @N")
      ->required();
  init_command->add_option("--out", a.init.out, "where the project file goes");
  init_command->add_option("--name", a.init.name, "the project's name");
  init_command->add_option("--budget", a.budget, "time for the search, as 60s");
  init_command->add_flag("--force", a.init.force, "overwrite an existing project file");
  verb(app, a, "run", "run the whole loop of a project file", "maru run maru.yaml --budget 30s",
       [&a] { return run(a.common, a.run); })
      ->add_option("file", a.run.file, "default maru.yaml");
  app.get_subcommand("run")->add_option("--budget", a.run.budget,
                                        "time for the search, instead of the file's");
  CLI::App* predict_command = verb(app, a, "predict", "score a file with a registered model",
                                   "maru predict churn@champion new.csv --output scored.csv",
                                   [&a] { return predict(a.common, a.predict); });
  predict_command->add_option("model", a.predict.model, "NAME, NAME@ALIAS or NAME/VERSION")
      ->required();
  predict_command->add_option("file", a.predict.file)->required();
  predict_command->add_flag("--explain", a.predict.explain,
                            "also tell what each column added to the raw score");
  predict_command->add_option("--output", a.predict.output,
                              "CSV, JSON lines or Parquet by its ending");
  CLI::App* up_command =
      verb(app, a, "up", "serve this home: UI, API, schedules", "maru up --listen 127.0.0.1:7400",
           [&a] { return up(a.common, a.up); });
  add_settings(*up_command, a.up.settings);
  CLI::App* serve_command =
      verb(app, a, "serve", "serve model files alone, from a home that goes away with the process",
           "maru serve churn.ubj --listen 127.0.0.1:7400",
           [&a] { return serve_files(a.common, a.serve); });
  serve_command->add_option("files", a.serve.files, "ONNX, XGBoost, LightGBM, or model folders")
      ->required();
  serve_command->add_option("--name", a.serve.name, "of the model (default: the file's)");
  add_settings(*serve_command, a.serve.up.settings);
  CLI::App* demo_command = verb(app, a, "demo", "the whole loop on real flights, in under a minute",
                                "maru demo", [&a] { return demo(a.common, a.demo); });
  demo_command->add_flag("--exit", a.demo.exit, "stop after the report instead of serving on");
  add_settings(*demo_command, a.demo.settings);
}

void add_batch_options(CLI::App& command, BatchOptions& batch) {
  command.add_option("--input", batch.input,
                     "CSV, TSV, Parquet, JSON lines or ARFF files, patterns, or one dataset");
  command.add_option(
      "--output", batch.output,
      "CSV, JSON lines or Parquet by its ending; {time}, {date}, {run} are filled in");
  command.add_option("--errors", batch.errors,
                     "where bad rows are told (default: OUTPUT.errors.csv, if there are any)");
  command
      .add_option("--columns", batch.columns,
                  "of the input, that stand before the answer: all, none or a,b,c")
      ->capture_default_str();
  command.add_flag("--overwrite", batch.overwrite, "replace an output that exists");
  command.add_option("--shard-rows", batch.shard_rows,
                     "rows that are safe on disk at a time (default 65536)");
  command.add_option("--threads", batch.threads, "that score (default: one a core)");
}

void add_batch(CLI::App& app, Arguments& a) {
  CLI::App* command =
      app.add_subcommand("batch", "score whole files with a model, resumable and by schedule");
  command->footer(
      "Example:\n  maru batch churn@champion --input 'new-*.parquet' --output scored.parquet\n"
      "  maru batch churn.ubj --input new.csv --output scored.csv");
  command->add_option("model", a.batch.model, "NAME, NAME@ALIAS, NAME/VERSION or a model file");
  add_batch_options(*command, a.batch);
  command->require_subcommand(0, 1);
  command->callback([&a, command] {
    if (command->get_subcommands().empty()) a.verb = [&a] { return batch(a.common, a.batch); };
  });
  CLI::App* schedule = verb(*command, a, "schedule", "do it again and again, while a server runs",
                            "maru batch schedule nightly churn --every day --input new.parquet "
                            "--output '/data/{date}.parquet'",
                            [&a] { return batch_schedule(a.common, a.batch); });
  schedule->add_option("name", a.batch.name, "of the schedule")->required();
  schedule->add_option("model", a.batch.model, "NAME, NAME@ALIAS or NAME/VERSION")->required();
  schedule
      ->add_option("--every", a.batch.every, "30m, hour, day, week, or cron as `15 3 * * *` (UTC)")
      ->required();
  add_batch_options(*schedule, a.batch);
  verb(*command, a, "list", "jobs and schedules", "maru batch list",
       [&a] { return batch_list(a.common); });
  verb(*command, a, "remove", "end a schedule", "maru batch remove nightly",
       [&a] { return batch_remove(a.common, a.batch.name); })
      ->add_option("name", a.batch.name)
      ->required();
}

void add_models(CLI::App& app, Arguments& a) {
  CLI::App* model = group(app, "model", "the model registry");
  verb(*model, a, "list", "all models", "maru model list", [&a] { return model_list(a.common); });
  verb(*model, a, "show", "versions of a model", "maru model show churn",
       [&a] { return model_show(a.common, a.name); })
      ->add_option("model", a.name)
      ->required();
  verb(*model, a, "card", "the champion's model card", "maru model card churn",
       [&a] { return model_card(a.common, a.name); })
      ->add_option("model", a.name)
      ->required();
  CLI::App* promote = verb(*model, a, "promote", "point an alias at a version, at once",
                           "maru model promote churn/3",
                           [&a] { return model_promote(a.common, a.name, a.alias, a.reason); });
  promote->add_option("version", a.name, "NAME/VERSION")->required();
  promote->add_option("--alias", a.alias);
  promote->add_option("--reason", a.reason, "kept in the alias's history");
  CLI::App* rollback =
      verb(*model, a, "rollback", "go back to the version before", "maru model rollback churn",
           [&a] { return model_rollback(a.common, a.name, a.alias); });
  rollback->add_option("model", a.name)->required();
  rollback->add_option("--alias", a.alias);
  CLI::App* import = verb(*model, a, "import", "register a model folder or an ONNX file",
                          "maru model import ./bundle --name churn",
                          [&a] { return model_import(a.common, a.second, a.name, a.task); });
  import->add_option("path", a.second)->required();
  import->add_option("--name", a.name)->required();
  import->add_option("--alias", a.task, "also point this alias at it");
  CLI::App* export_command = verb(*model, a, "export", "write a version as an MLflow model folder",
                                  "maru model export churn@champion ./bundle",
                                  [&a] { return model_export(a.common, a.name, a.second); });
  export_command->add_option("model", a.name)->required();
  export_command->add_option("folder", a.second)->required();
}

void add_pipelines(CLI::App& app, Arguments& a) {
  CLI::App* pipeline = group(app, "pipeline", "runs and their tasks");
  verb(*pipeline, a, "list", "all pipelines", "maru pipeline list",
       [&a] { return pipeline_list(a.common); });
  verb(*pipeline, a, "runs", "runs of a pipeline", "maru pipeline runs churn",
       [&a] { return pipeline_runs(a.common, a.name); })
      ->add_option("pipeline", a.name)
      ->required();
  verb(*pipeline, a, "show", "tasks of a run", "maru pipeline show RUN",
       [&a] { return pipeline_show(a.common, a.name); })
      ->add_option("run", a.name)
      ->required();
  CLI::App* logs = verb(*pipeline, a, "logs", "what a task wrote", "maru pipeline logs RUN train",
                        [&a] { return pipeline_logs(a.common, a.name, a.task); });
  logs->add_option("run", a.name)->required();
  logs->add_option("task", a.task)->required();
  verb(*pipeline, a, "retry", "run failed tasks again", "maru pipeline retry RUN",
       [&a] { return pipeline_change(a.common, a.name, "retry"); })
      ->add_option("run", a.name)
      ->required();
  verb(*pipeline, a, "cancel", "stop a run", "maru pipeline cancel RUN",
       [&a] { return pipeline_change(a.common, a.name, "cancel"); })
      ->add_option("run", a.name)
      ->required();
}

void add_endpoint_changes(CLI::App& endpoint, Arguments& a) {
  EndpointOptions& e = a.endpoint;
  const auto add = [&](const char* name, const char* help, const char* example,
                       int (*action)(const Invocation&, const EndpointOptions&)) {
    CLI::App* command = verb(endpoint, a, name, help, example,
                             [&a, action] { return action(a.common, a.endpoint); });
    command->add_option("endpoint", e.name)->required();
    return command;
  };
  add("show", "arms, shares, what was learned", "maru endpoint show churn", endpoint_show);
  CLI::App* route = add("route", "set the route, as JSON, @FILE or `champion`",
                        "maru endpoint route churn champion", endpoint_route);
  route->add_option("route", e.route)->required();
  route->add_option("--model", e.model, "of a new endpoint");
  CLI::App* split =
      add("split", "share traffic by weights, as an A/B test",
          "maru endpoint split churn champion=90 5=10 --reward binary", endpoint_split);
  CLI::App* bandit =
      add("bandit", "let rewards decide the shares",
          "maru endpoint bandit churn champion 5 --policy thompson", endpoint_bandit);
  for (CLI::App* command : {split, bandit})
    command->add_option("arms", e.arms, "version or alias, with =WEIGHT")->required();
  bandit->add_option("--policy", e.policy, "thompson, ucb or epsilon_greedy");
  CLI::App* canary = add("canary", "release a version step by step, back by itself on a fault",
                         "maru endpoint canary churn 5 --steps 5%,25%,100%", endpoint_canary);
  canary->add_option("version", e.version)->required();
  e.steps = "5%,25%,100%";
  canary->add_option("--steps", e.steps, "shares of traffic")->capture_default_str();
  canary->add_option("--step-seconds", e.step_seconds, "at least, each step")
      ->capture_default_str();
  canary->add_option("--step-requests", e.step_requests, "of the canary, at least, each step")
      ->capture_default_str();
  for (CLI::App* command : {split, bandit, canary})
    command->add_option("--reward", e.reward, "binary or continuous");
  add("set", "lane, queue, batches, cache, bounds, fallback and features, as NAME=VALUE",
      "maru endpoint set slow queue_calls=200 batch_rows=32", endpoint_set)
      ->add_option("settings", e.settings, "docs/serving.md names them; NAME= is the default again")
      ->required();
  add("stop", "kill switch: the first arm answers everything", "maru endpoint stop churn",
      endpoint_stop);
  CLI::App* log = add("log", "logged predictions, or what share is logged",
                      "maru endpoint log churn --last 20", endpoint_log);
  log->add_option("--trace", e.trace, "only of this W3C trace id");
  log->add_option("--sample", e.sample, "from now on log this share of the answers, 0 to 1");
  CLI::App* replay =
      add("replay", "ask logged predictions again of a version, and tell what differs",
          "maru endpoint replay churn --version 5 --last 1000", endpoint_replay);
  replay->add_option("--version", e.version, "number or alias; the one that serves when absent");
  for (CLI::App* command : {log, replay}) {
    command->add_option("--id", e.ids, "of a prediction; several may be given");
    command->add_option("--last", e.last, "that many of the newest rows")->capture_default_str();
  }
  replay->add_option("--tolerance", e.tolerance, "of a value's size, above 1")
      ->capture_default_str();
}

void add_operations(CLI::App& app, Arguments& a) {
  CLI::App* endpoint = group(app, "endpoint", "what serves");
  verb(*endpoint, a, "list", "all endpoints", "maru endpoint list",
       [&a] { return endpoint_list(a.common); });
  add_endpoint_changes(*endpoint, a);
  CLI::App* monitor = group(app, "monitor", "what is watched");
  verb(*monitor, a, "alerts", "newest alerts", "maru monitor alerts",
       [&a] { return alert_list(a.common); });
  add_streams(app, a);
  CLI::App* secret = group(app, "secret", "what sources and streams sign in with");
  CLI::App* set = verb(*secret, a, "set", "keep a secret, read from standard input",
                       "maru secret set shop-db --host db.example.com < password.txt",
                       [&a] { return secret_set(a.common, a.name, a.second); });
  set->add_option("name", a.name)->required();
  set->add_option("--host", a.second, "the only host that it is sent to")->required();
  verb(*secret, a, "list", "names and hosts; never values", "maru secret list",
       [&a] { return secret_list(a.common); });
  verb(*secret, a, "remove", "forget a secret", "maru secret remove shop-db",
       [&a] { return secret_remove(a.common, a.name); })
      ->add_option("name", a.name)
      ->required();
  CLI::App* token = group(app, "token", "access tokens");
  CLI::App* create =
      verb(*token, a, "create", "make a token, shown once", "maru token create ci --role editor",
           [&a] { return token_create(a.common, a.name, a.role); });
  create->add_option("name", a.name)->required();
  create->add_option("--role", a.role, "viewer, editor, operator or admin");
  verb(*token, a, "list", "all tokens", "maru token list", [&a] { return token_list(a.common); });
  verb(*token, a, "revoke", "end a token", "maru token revoke ci",
       [&a] { return token_revoke(a.common, a.name); })
      ->add_option("name", a.name)
      ->required();
  verb(app, a, "config", "all settings, their values here and where they come from",
       "maru config --json", [&a] { return config(a.common); });
  verb(app, a, "doctor", "check this home and server", "maru doctor",
       [&a] { return doctor(a.common); });
  verb(app, a, "version", "version, commit, libraries", "maru version",
       [&a] { return version(a.common); });
}

void let_through(CLI::App& command) {
  command.fallthrough();
  for (auto* nested : command.get_subcommands({})) let_through(*nested);
}

// `--home`, `--server` and `--json` may stand anywhere on the line.
void add_common(CLI::App& app, Arguments& a) {
  app.add_option("--home", a.common.home, "home folder (else $MARU_HOME, else ~/.maru)");
  app.add_option("--server", a.common.server, "URL of a running server");
  app.add_flag("--json", a.common.json, "one JSON object on standard output");
  let_through(app);
}

std::vector<std::string> names_of(const CLI::App& app) {
  std::vector<std::string> out;
  for (const auto* command : app.get_subcommands([](const CLI::App*) { return true; }))
    out.push_back(command->get_name());
  return out;
}

// A word that is no verb: named, with the nearest one.
int unknown_verb(CLI::App& app, int argc, char** argv) {
  CLI::App* here = &app;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (!word.empty() && word.front() == '-') continue;
    CLI::App* next = nullptr;
    for (auto* command : here->get_subcommands([](const CLI::App*) { return true; })) {
      if (command->get_name() == word) next = command;
    }
    if (next == nullptr) {
      if (here->get_option_no_throw("model") != nullptr) return -1;  // it takes words of its own
      const auto known = names_of(*here);
      if (known.empty()) return -1;
      std::string hint = base::did_you_mean(word, known);
      if (hint.empty()) hint = "one of " + base::join(known, ", ");
      std::fprintf(stderr, "maru: unknown command `%s`; %s\n", word.c_str(), hint.c_str());
      return kUsage;
    }
    here = next;
  }
  return -1;
}

}  // namespace

int run_cli(int argc, char** argv) {
  CLI::App app{
      "Maru: the whole machine-learning system in one program.\nData in, model served, watched and "
      "retrained."};
  app.name("maru");
  app.footer("Start here:\n  maru demo\n  maru init FILE --label COLUMN && maru run && maru up");
  app.require_subcommand(1);
  Arguments a;
  add_data(app, a);
  add_loop(app, a);
  add_batch(app, a);
  add_models(app, a);
  add_pipelines(app, a);
  add_tracking(app, a.common, a.tracking, a.verb);
  add_operations(app, a);
  add_common(app, a);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    const int unknown = unknown_verb(app, argc, argv);
    if (unknown >= 0) return unknown;
    std::fprintf(stderr, "maru: %s; see `maru --help`\n", error.what());
    return kUsage;
  }
  if (!a.budget.empty()) {
    auto us = base::parse_duration_us(a.budget);
    if (!us) return report(us.error());
    a.init.budget_seconds = static_cast<double>(*us) / 1e6;
  }
  return a.verb();
}

}  // namespace maru::app
