#include <CLI/CLI.hpp>

#include "dataset_verbs.h"

namespace maru::app {
namespace {

struct Line {
  const Invocation& invocation;
  DatasetOptions& options;
  std::function<int()>& verb;
};
using Action = int (*)(const Invocation&, const DatasetOptions&);

CLI::App* add(CLI::App& parent, const Line& line, const char* name, const char* help,
              const char* example, Action action) {
  CLI::App* command = parent.add_subcommand(name, help);
  command->footer(std::string("Example:\n  ") + example);
  command->callback([&verb = line.verb, &i = line.invocation, &o = line.options, action] {
    verb = [&i, &o, action] { return action(i, o); };
  });
  return command;
}

void add_catalogue(CLI::App& data, const Line& line) {
  DatasetOptions& o = line.options;
  CLI::App* tag = add(data, line, "tag", "name a snapshot: sales@gold",
                      "maru data tag sales@3 gold", &data_tag);
  tag->add_option("snapshot", o.name, "NAME or NAME@NUMBER")->required();
  tag->add_option("tag", o.tag)->required();
  tag->add_flag("--remove", o.remove, "take the tag away");
  CLI::App* describe = add(data, line, "describe", "who owns a dataset, what it is, what is in it",
                           "maru data describe sales --owner Kim --tag finance", &data_describe);
  describe->add_option("dataset", o.name)->required();
  describe->add_option("--owner", o.owner);
  describe->add_option("--description", o.description, "Markdown, or @FILE");
  describe->add_option("--licence", o.licence);
  describe->add_option("--tag", o.tags, "words to find it by; replaces those that were");
  describe->add_option("--column", o.columns, "NAME=what it means");
  describe->add_option("--sensitive", o.sensitive, "NAME=what it holds, as email");
  CLI::App* search = add(data, line, "search", "datasets by names, columns, descriptions, owners",
                         "maru data search fare", &data_search);
  search->add_option("words", o.key)->required();
  CLI::App* log = add(data, line, "log", "the snapshots of a dataset and where they came from",
                      "maru data log sales", &data_log);
  log->add_option("dataset", o.name)->required();
  log->add_option("--limit", o.limit)->capture_default_str();
}

void add_diff(CLI::App& data, const Line& line) {
  DatasetOptions& o = line.options;
  CLI::App* diff = add(data, line, "diff", "columns, rows and values that differ, by key",
                       "maru data diff sales@1 sales@2 --key id", &data_diff);
  diff->add_option("before", o.name, "NAME@NUMBER, NAME@TAG or NAME@DATE")->required();
  diff->add_option("after", o.second)->required();
  CLI::Option* key =
      diff->add_option("--key", o.key, "columns that name a row (default: one is looked for)")
          ->delimiter(',');
  diff->add_flag("--rows", o.whole_rows, "whole rows, without a key")->excludes(key);
  diff->add_option("--examples", o.examples, "of each kind, at most 100")->capture_default_str();
  diff->add_flag("--gate", o.gate, "exit code 3 when something differs");
}

void add_sample(CLI::App& data, const Line& line) {
  DatasetOptions& o = line.options;
  CLI::App* sample = add(data, line, "sample", "some rows into a file, the same for the same seed",
                         "maru data sample sales --rows 10000 --out sample.parquet", &data_sample);
  sample->add_option("dataset", o.name, "NAME or NAME@NUMBER")->required();
  sample->add_option("--rows", o.rows)->capture_default_str();
  sample->add_option("--seed", o.seed)->capture_default_str();
  CLI::Option* by = sample->add_option("--by", o.by, "a column: all rows of a value or none");
  sample->add_option("--stratify", o.stratify, "a column: every value in its share")->excludes(by);
  sample->add_option("--out", o.out, "CSV, JSON lines or Parquet by its ending")->required();
}

void add_retention(CLI::App& data, const Line& line) {
  DatasetOptions& o = line.options;
  CLI::App* retention =
      add(data, line, "retention", "how long snapshots of a dataset live",
          "maru data retention sales --keep-last 10 --keep-days 90", &data_retention);
  retention->add_option("dataset", o.name)->required();
  CLI::Option* all = retention->add_flag("--keep-all", o.keep_all, "a lake: the whole history");
  retention->add_option("--keep-last", o.keep_last, "so many snapshots live")->excludes(all);
  retention->add_option("--keep-days", o.keep_days, "so long")->excludes(all);
  retention->add_option("--window", o.window, "COLUMN=DAYS: a warehouse's rolling window of rows");
  CLI::App* gc = add(data, line, "gc", "drop what no policy keeps and free what nothing reaches",
                     "maru data gc --dry-run", &data_gc);
  gc->add_option("dataset", o.name, "default: all");
  gc->add_flag("--dry-run", o.dry_run, "say what would go");
  CLI::App* erase =
      add(data, line, "erase", "forget rows for good: in the newest snapshot and all older",
          "maru data erase sales --column email --value kim@example.com --yes", &data_erase);
  erase->add_option("dataset", o.name)->required();
  erase->add_option("--column", o.by)->required();
  erase->add_option("--value", o.values, "several may be given")->required();
  erase->add_flag("--yes", o.yes, "it cannot be undone");
}

void add_sql(CLI::App& app, const Line& line) {
  DatasetOptions& o = line.options;
  CLI::App* command = add(app, line, "sql", "ask every dataset and snapshot by name",
                          "maru sql 'SELECT city, avg(fare) FROM sales GROUP BY city'", &sql);
  command->add_option("text", o.text, "one SELECT, or @FILE")->required();
  CLI::Option* csv = command->add_flag("--csv", o.csv, "all rows as CSV");
  CLI::Option* jsonl = command->add_flag("--jsonl", o.jsonl, "all rows as JSON lines");
  csv->excludes(jsonl);
  CLI::Option* out =
      command->add_option("--out", o.out, "all rows into a .csv, .jsonl or .parquet");
  CLI::Option* save =
      command->add_option("--save", o.save, "all rows as a snapshot of this dataset");
  save->excludes(csv)->excludes(jsonl)->excludes(out);
  command->add_flag("--append", o.append, "with --save: behind the newest rows")->needs(save);
  command->add_option("--limit", o.limit, "rows that are shown")->capture_default_str();
  command->add_option("--timeout", o.timeout_s, "seconds")->capture_default_str();
}

}  // namespace

void add_datasets(CLI::App& app, CLI::App& data, const Invocation& invocation,
                  DatasetOptions& options, std::function<int()>& verb) {
  const Line line{invocation, options, verb};
  add_catalogue(data, line);
  add_diff(data, line);
  add_sample(data, line);
  add_retention(data, line);
  add_sql(app, line);
}

}  // namespace maru::app
