#include <CLI/CLI.hpp>

#include "tracking_verbs.h"

namespace maru::app {
namespace {

struct Line {
  const Invocation& invocation;
  TrackingOptions& options;
  std::function<int()>& verb;
};
using Action = int (*)(const Invocation&, const TrackingOptions&);

CLI::App* group(CLI::App& app, const char* name, const char* help) {
  CLI::App* out = app.add_subcommand(name, help);
  out->require_subcommand(1);
  return out;
}

CLI::App* add(CLI::App& parent, const Line& line, const char* name, const char* help,
              const char* example, std::function<int()> action) {
  CLI::App* command = parent.add_subcommand(name, help);
  command->footer(std::string("Example:\n  ") + example);
  command->callback([&verb = line.verb, action = std::move(action)] { verb = action; });
  return command;
}

CLI::App* add(CLI::App& parent, const Line& line, const char* name, const char* help,
              const char* example, Action action) {
  return add(parent, line, name, help, example,
             std::function<int()>(
                 [&i = line.invocation, &o = line.options, action] { return action(i, o); }));
}

std::function<int()> change(const Line& line,
                            int (*action)(const Invocation&, const TrackingOptions&,
                                          const std::string&),
                            const char* what) {
  return [&i = line.invocation, &o = line.options, action, what] { return action(i, o, what); };
}

void add_experiments(CLI::App& app, const Line& line) {
  TrackingOptions& o = line.options;
  CLI::App* experiment = group(app, "experiment", "groups of training runs");
  CLI::App* list =
      add(*experiment, line, "list", "all experiments", "maru experiment list", &experiment_list);
  list->add_flag("--deleted", o.deleted, "what is in the trash");
  add(*experiment, line, "show", "one experiment, its tags and how many runs it has",
      "maru experiment show vision/detector", &experiment_show)
      ->add_option("experiment", o.name, "name or id")
      ->required();
  add(*experiment, line, "create", "a new experiment; '/' in its name makes a hierarchy",
      "maru experiment create vision/detector", &experiment_create)
      ->add_option("name", o.name)
      ->required();
  CLI::App* rename = add(*experiment, line, "rename", "another name for the same experiment",
                         "maru experiment rename vision/detector vision/faces", &experiment_rename);
  rename->add_option("experiment", o.name, "name or id")->required();
  rename->add_option("new-name", o.second)->required();
  add(*experiment, line, "delete", "into the trash, with its runs",
      "maru experiment delete vision/detector", change(line, &experiment_change, "delete"))
      ->add_option("experiment", o.name, "name or id")
      ->required();
  add(*experiment, line, "restore", "out of the trash, with its runs",
      "maru experiment restore vision/detector", change(line, &experiment_change, "restore"))
      ->add_option("experiment", o.name, "name or id")
      ->required();
}

void add_search(CLI::App& command, TrackingOptions& o) {
  command.add_option("experiment", o.names, "names or ids (default: all experiments)");
  command.add_option("--filter", o.filter,
                     "as MLflow's, also with OR, NOT, (), IS NULL: metrics.auc > 0.8");
  command.add_option("--order-by", o.order_by, "metrics.auc DESC, start_time, params.depth");
  command
      .add_option("--columns", o.columns,
                  "fields to show, by comma: name,metrics.auc,params.depth,tags.team")
      ->delimiter(',');
  command.add_flag("--deleted", o.deleted, "what is in the trash");
}

void add_runs(CLI::App& app, const Line& line) {
  TrackingOptions& o = line.options;
  CLI::App* runs = group(app, "runs", "training runs");
  CLI::App* list =
      add(*runs, line, "list", "runs of some or all experiments, the newest first",
          "maru runs list churn --filter 'metrics.auc > 0.8' --order-by 'metrics.auc DESC'",
          &runs_list);
  add_search(*list, o);
  list->add_option("--limit", o.limit, "how many");
  add(*runs, line, "show", "one run: parameters, metrics, tags, files", "maru runs show 3f2a91c0",
      &runs_show)
      ->add_option("run", o.name, "id, or enough of its beginning")
      ->required();
  CLI::App* compare = add(*runs, line, "compare", "what differs between runs",
                          "maru runs compare 3f2a91c0 77be01aa", &runs_compare);
  compare->add_option("runs", o.names, "ids, or enough of their beginnings")
      ->required()
      ->expected(2, 8);
  compare->add_flag("--all", o.all, "also what is the same");
  for (const char* what : {"delete", "restore"}) {
    const bool away = what[0] == 'd';
    add(*runs, line, what, away ? "into the trash" : "out of the trash",
        away ? "maru runs delete 3f2a91c0" : "maru runs restore 3f2a91c0",
        change(line, &runs_change, what))
        ->add_option("runs", o.names, "ids, or enough of their beginnings")
        ->required();
  }
  CLI::App* out = add(*runs, line, "export", "runs as a table: CSV, or JSON lines",
                      "maru runs export churn --output runs.csv", &runs_export);
  add_search(*out, o);
  out->add_option("--output", o.output, "FILE.csv or FILE.jsonl")->required();
}

void add_artifacts(CLI::App& app, const Line& line) {
  TrackingOptions& o = line.options;
  CLI::App* artifact = group(app, "artifact", "files of runs");
  add(*artifact, line, "list", "files of a run", "maru artifact list 3f2a91c0", &artifact_list)
      ->add_option("run", o.name, "id, or enough of its beginning")
      ->required();
  CLI::App* get = add(*artifact, line, "get", "write a file of a run to disk",
                      "maru artifact get 3f2a91c0 plots/roc.png --output roc.png", &artifact_get);
  get->add_option("run", o.name, "id, or enough of its beginning")->required();
  get->add_option("path", o.second, "of the file within the run")->required();
  get->add_option("--output", o.output, "default: its own name, here");
  CLI::App* put = add(*artifact, line, "put", "add a file to a run",
                      "maru artifact put 3f2a91c0 report.html notes/report.html", &artifact_put);
  put->add_option("run", o.name, "id, or enough of its beginning")->required();
  put->add_option("file", o.second)->required();
  put->add_option("path", o.output, "within the run (default: the file's name)");
}

void add_trash(CLI::App& tracking, const Line& line) {
  TrackingOptions& o = line.options;
  CLI::App* trash = tracking.add_subcommand("trash", "what was deleted, until it goes for good");
  trash->require_subcommand(1);
  add(*trash, line, "list", "what is in it, the newest first", "maru tracking trash list",
      &trash_list);
  add(*trash, line, "restore", "take runs or experiments out of it",
      "maru tracking trash restore 3f2a91c0", &trash_restore)
      ->add_option("what", o.names, "ids, enough of their beginnings, or names of experiments")
      ->required();
  add(*trash, line, "empty", "let it go for good now, with its files",
      "maru tracking trash empty --older-than 7", &trash_empty)
      ->add_option("--older-than", o.days, "only what was deleted so many days ago")
      ->check(CLI::Range(0, 10'000));
}

}  // namespace

void add_tracking(CLI::App& app, const Invocation& invocation, TrackingOptions& options,
                  std::function<int()>& verb) {
  const Line line{invocation, options, verb};
  add_experiments(app, line);
  add_runs(app, line);
  add_artifacts(app, line);
  CLI::App* tracking =
      group(app, "tracking", "experiments of other servers, in and out; the trash");
  add_trash(*tracking, line);
  CLI::App* import = add(*tracking, line, "import",
                         "take in an mlruns folder, an MLflow database or TensorBoard events",
                         "maru tracking import ./mlruns", &tracking_import);
  import->add_option("path", options.name, "a folder, a SQLite file or postgresql://user@host/name")
      ->required();
  import->add_option("--kind", options.kind,
                     "mlruns, sqlite, postgresql or tensorboard (default: found out)");
  import->add_option("--artifact-root", options.artifact_root,
                     "where the artifacts are, when they were moved");
  import->add_option("--experiment", options.second, "TensorBoard: the experiment's name");
  CLI::App* out = add(*tracking, line, "export", "write experiments, runs and models to a folder",
                      "maru tracking export ./mlruns-out", &tracking_export);
  out->add_option("path", options.name, "a folder that does not exist")->required();
  out->add_option("--format", options.format, "mlruns or parquet");
  out->add_option("--experiment", options.names, "only these (default: all)");
}

}  // namespace maru::app
