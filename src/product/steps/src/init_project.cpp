#include <algorithm>

#include "maru/base/file.h"
#include "maru/base/text.h"
#include "maru/evaluate/evaluate.h"
#include "maru/stats/profile.h"
#include "maru/stats/schema.h"
#include "step_functions.h"

namespace maru::steps {
namespace {

using base::Code;

constexpr std::uint64_t kInitRows = 200'000;

struct Choices {
  std::string project, source_text, label, time;
  train::Labels labels;
  std::vector<std::string> label_columns;
  std::vector<stats::Leak> leaks;
  Json columns = Json::array();
  double budget_seconds = 60;
  std::vector<std::string> slices;
};

std::string project_name(const InitSpec& spec) {
  std::string stem = spec.name.empty() ? base::file_name(spec.sources.front()) : spec.name;
  if (spec.name.empty()) stem = stem.substr(0, stem.find('.'));
  std::string out;
  for (const char c : stem) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' ||
                       static_cast<unsigned char>(c) >= 0x80;
    out += plain ? c : '_';
  }
  return out.empty() ? "project" : out;
}

// A YAML scalar that reads back as the same text: plain when it is a simple word.
std::string quoted(const std::string& text) {
  const auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  const bool simple = !text.empty() && letter(text[0]) &&
                      std::all_of(text.begin(), text.end(),
                                  [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
  static const std::vector<std::string> kReserved = {"true", "false", "null", "yes", "no",
                                                     "on",   "off",   "y",    "n"};
  const std::string lower = base::to_lower_ascii(text);
  if (simple && std::find(kReserved.begin(), kReserved.end(), lower) == kReserved.end())
    return text;
  std::string out;
  base::append_json_string(out, text);
  return out;
}

std::string flow_list(const std::vector<std::string>& items) {
  std::vector<std::string> parts;
  for (const auto& item : items) parts.push_back(quoted(item));
  return "[" + base::join(parts, ", ") + "]";
}

// A timestamp column that moves through the file orders the rows.
std::string find_time(const data::Table& table, const std::vector<std::string>& label_columns) {
  for (const auto& column : table.columns) {
    if (column.type != data::ColumnType::kTimestamp || column.missing() > 0) continue;
    if (std::find(label_columns.begin(), label_columns.end(), column.name) != label_columns.end())
      continue;
    return column.name;
  }
  return {};
}

std::string role_reason(const stats::ColumnProfile& profile, const stats::Leak* leak,
                        std::string& role) {
  role = "feature";
  if (leak != nullptr) {
    role = "excluded";
    return leak->reason;
  }
  if (profile.distinct <= 1) {
    role = "unused";
    return "constant";
  }
  if (profile.meaning == "id") {
    role = "unused";
    return "an id: " + base::format_count(static_cast<std::int64_t>(profile.distinct)) +
           " distinct values";
  }
  std::string reason = std::string(data::type_name(profile.type)) + ", " +
                       base::format_count(static_cast<std::int64_t>(profile.distinct)) +
                       " distinct";
  if (profile.missing > 0)
    reason += ", " + base::format_count(static_cast<std::int64_t>(profile.missing)) + " missing";
  return reason;
}

void describe_columns(Choices& choices, const stats::Profile& profile) {
  for (const auto& column : profile.columns) {
    const auto leak = std::find_if(choices.leaks.begin(), choices.leaks.end(),
                                   [&](const stats::Leak& l) { return l.column == column.name; });
    std::string role;
    std::string reason = role_reason(column, leak == choices.leaks.end() ? nullptr : &*leak, role);
    if (std::find(choices.label_columns.begin(), choices.label_columns.end(), column.name) !=
        choices.label_columns.end()) {
      role = "label";
      reason = column.name == choices.label ? "what is predicted" : "the label is computed from it";
    } else if (column.name == choices.time) {
      role = "time";
      reason = "orders the rows: test is the newest part";
    }
    if (role == "feature" && column.type == data::ColumnType::kText && column.distinct >= 2 &&
        column.distinct <= 12 && choices.slices.size() < 2) {
      choices.slices.push_back(column.name);
    }
    choices.columns.push(Json::object({{"name", column.name},
                                       {"type", std::string(data::type_name(column.type))},
                                       {"role", role},
                                       {"reason", reason}}));
  }
}

std::string column_comments(const Choices& choices) {
  std::string out;
  for (const auto& column : choices.columns.items()) {
    std::string name = column["name"].as_string();
    for (auto& c : name) c = (c == '\n' || c == '\r') ? ' ' : c;
    out += "#   " + name + ": " + column["role"].as_string() + ", " + column["reason"].as_string() +
           "\n";
  }
  return out;
}

std::string write_yaml(const Choices& choices, std::uint64_t rows) {
  const std::string metric = evaluate::default_metric(choices.labels.task);
  std::string out = "# Written by `maru init` from " +
                    base::format_count(static_cast<std::int64_t>(rows)) +
                    " rows. Every choice may be changed.\n";
  out += "project: " + quoted(choices.project) + "\n";
  out += "data:\n  " + quoted(choices.project) + ": {source: " + choices.source_text;
  if (!choices.time.empty()) out += ", time: " + quoted(choices.time);
  out += "}\n";
  out += "# columns as found:\n" + column_comments(choices);
  out += "predict:\n  label: " + quoted(choices.label) + "\n";
  out += "  task: " + std::string(model::task_name(choices.labels.task));
  if (!choices.labels.classes.empty() && choices.labels.classes.size() <= 10)
    out += "  # classes: " + flow_list(choices.labels.classes);
  out += "\n";
  std::vector<std::string> leaking;
  for (const auto& leak : choices.leaks) {
    leaking.push_back(leak.column);
    out += "  # left out: " + leak.column + ", " + leak.reason + "\n";
  }
  out += "  exclude: " + flow_list(leaking) + "\n";
  out += choices.time.empty() ? "split: {test: 20%}  # random, seeded, classes kept in proportion\n"
                              : "split: {by: " + quoted(choices.time) +
                                    ", test: 20%}  # the newest rows are the test\n";
  out += "train: {automl: {budget: " + std::to_string(static_cast<long>(choices.budget_seconds)) +
         "s, metric: " + metric + "}, seed: 1}\n";
  out += "evaluate:\n  slices: " + flow_list(choices.slices) + "\n";
  out +=
      "  gates: {" + metric + ": {not_worse_than: champion}, latency_p99: 10ms, memory: 512MiB}\n";
  out += "serve: {endpoint: " + quoted(choices.project) + "}\n";
  out +=
      "monitor: {window: 1d, drift: {columns: all}, retrain: {when: [drift, performance], "
      "cooldown: 1d}}\n";
  return out;
}

base::Status choose_label(const InitSpec& spec, const Services& services, const data::Table& table,
                          Choices& choices, data::Column& label_column) {
  std::vector<std::string> names;
  for (const auto& column : table.columns) names.push_back(column.name);
  TRY_ASSIGN(choices.label, resolve_label(spec.label, names));
  choices.label_columns = columns_in(choices.label, names);
  if (choices.label_columns.empty()) {
    std::string hint = base::did_you_mean(choices.label, names);
    if (hint.empty()) hint = "columns: " + base::join(names, ", ");
    return base::fail(Code::kNotFound, "label is no column of the data: " + choices.label, hint);
  }
  const std::string name = "maru_init_rows";
  TRY(services.engine->register_table(name, table));
  auto values = services.engine->query("SELECT " + label_sql(choices.label, names) +
                                       " AS label FROM " + data::quote_identifier(name));
  TRY(services.engine->drop(name));
  if (!values) return base::wrap(values.error(), "label cannot be computed: " + choices.label);
  label_column = std::move(values->columns.front());
  label_column.name = choices.label;
  return {};
}

}  // namespace

base::Result<InitResult> init_project(const Services& services, const InitSpec& spec,
                                      base::Context& context) {
  if (spec.sources.empty())
    return base::fail(Code::kInvalidArgument, "no data file was named",
                      "maru init FILE --label COLUMN");
  data::ImportSpec input;
  input.dataset = project_name(spec);
  input.sources = spec.sources;
  TRY_ASSIGN(data::Table table,
             data::read_files(*services.engine, input, context, nullptr, kInitRows));
  Choices choices;
  choices.project = input.dataset;
  choices.budget_seconds = spec.budget_seconds;
  choices.source_text =
      spec.sources.size() == 1 ? quoted(spec.sources.front()) : flow_list(spec.sources);
  data::Column label_column;
  TRY(choose_label(spec, services, table, choices, label_column));
  std::vector<std::uint32_t> labelled;
  for (std::size_t row = 0; row < label_column.rows(); ++row) {
    if (label_column.is_valid(row)) labelled.push_back(static_cast<std::uint32_t>(row));
  }
  if (labelled.empty())
    return base::fail(Code::kRefused, "label is missing in every row: " + choices.label,
                      "choose another label");
  data::Table only_label;
  only_label.columns.push_back(label_column);
  label_column = only_label.take(labelled).columns.front();
  table = table.take(labelled);
  auto encoded = train::encode_labels(label_column);
  if (!encoded) {
    // The command was right; the data cannot be learnt from.
    base::Error refused = encoded.error();
    refused.code = Code::kRefused;
    return tl::unexpected<base::Error>(std::move(refused));
  }
  choices.labels = std::move(*encoded);
  choices.time = find_time(table, choices.label_columns);
  std::vector<std::string> features;
  for (const auto& column : table.columns) {
    if (std::find(choices.label_columns.begin(), choices.label_columns.end(), column.name) ==
        choices.label_columns.end())
      features.push_back(column.name);
  }
  if (features.empty())
    return base::fail(Code::kInvalidArgument, "no column is left to learn from besides the label");
  choices.leaks = stats::find_leaks(table, label_column, features, {});
  describe_columns(choices, stats::profile_table(table));
  InitResult out;
  out.yaml = write_yaml(choices, table.rows());
  Json leakage = Json::array();
  for (const auto& leak : choices.leaks)
    leakage.push(Json::object({{"column", leak.column}, {"reason", leak.reason}}));
  out.summary = Json::object({{"project", choices.project},
                              {"task", std::string(model::task_name(choices.labels.task))},
                              {"label", choices.label},
                              {"columns", choices.columns},
                              {"leakage", leakage}});
  return out;
}

}  // namespace maru::steps
