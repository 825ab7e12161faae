#include "maru/stats/schema.h"

#include <algorithm>
#include <cmath>

#include "maru/base/text.h"
#include "maru/stats/expectation.h"

namespace maru::stats {
namespace {

using base::Code;
using base::Json;

constexpr std::size_t kMaxDomain = 100;  // more distinct texts than this are not a closed list
constexpr double kMissingSlack = 0.05;   // how much more may be missing than was seen

const std::vector<std::string> kRuleKeys = {"name",   "type",        "required", "missing_max",
                                            "min",    "max",         "domain",   "domain_mass_min",
                                            "unique", "description", "meaning",  "absent_in"};
const std::vector<std::string> kSchemaKeys = {"columns", "allow_new_columns", "rows_min",
                                              "owner",   "version",           "expectations"};
const std::vector<std::string> kExpectationKeys = {"kind",     "column",      "columns",
                                                   "value",    "where",       "mostly",
                                                   "severity", "description", "confidence"};
constexpr const char* kSeverities[] = {"info", "warning", "error"};

Json names_json(const std::vector<std::string>& names) {
  Json out = Json::array();
  for (const auto& name : names) out.push(name);
  return out;
}

base::Status check_keys(const Json& json, const std::vector<std::string>& known,
                        const std::string& where) {
  if (!json.is_object()) return base::fail(Code::kInvalidArgument, where + " must be an object");
  for (const auto& [key, value] : json.members()) {
    if (std::find(known.begin(), known.end(), key) == known.end())
      return base::fail(Code::kInvalidArgument, where + " has an unknown key: " + key,
                        base::did_you_mean(key, known));
  }
  return {};
}

ColumnRule infer_rule(const ColumnProfile& profile) {
  ColumnRule rule;
  rule.name = profile.name;
  rule.type = profile.type;
  rule.meaning = profile.meaning;
  const double share = profile.count == 0 ? 0
                                          : static_cast<double>(profile.missing) /
                                                static_cast<double>(profile.count);
  rule.missing_max = share == 0 ? 0 : std::min(1.0, share + kMissingSlack);
  // A list is closed only when values repeat: ids and free text are not a domain.
  const bool repeats =
      profile.distinct > 0 && static_cast<double>(profile.count - profile.missing) >=
                                  10.0 * static_cast<double>(profile.distinct);
  if (profile.type == data::ColumnType::kText && profile.distinct <= kMaxDomain &&
      profile.categories.size() == profile.distinct && repeats) {
    for (const auto& value : profile.categories) rule.domain.push_back(value.value);
    rule.domain_mass_min = 0.99;
  }
  return rule;
}

}  // namespace

Json Schema::to_json() const {
  Json list = Json::array();
  for (const auto& rule : columns) {
    Json domain = Json::array();
    for (const auto& value : rule.domain) domain.push(value);
    list.push(Json::object({{"name", rule.name},
                            {"type", std::string(data::type_name(rule.type))},
                            {"required", rule.required},
                            {"missing_max", rule.missing_max},
                            {"min", rule.min ? Json(*rule.min) : Json()},
                            {"max", rule.max ? Json(*rule.max) : Json()},
                            {"domain", domain},
                            {"domain_mass_min", rule.domain_mass_min},
                            {"unique", rule.unique},
                            {"description", rule.description},
                            {"meaning", rule.meaning},
                            {"absent_in", names_json(rule.absent_in)}}));
  }
  Json rules = Json::array();
  for (const auto& item : expectations) rules.push(item.to_json());
  return Json::object({{"columns", list},
                       {"allow_new_columns", allow_new_columns},
                       {"rows_min", static_cast<std::int64_t>(rows_min)},
                       {"owner", owner},
                       {"version", version},
                       {"expectations", rules}});
}

base::Result<Schema> Schema::from_json(const Json& json) {
  Schema out;
  TRY(check_keys(json, kSchemaKeys, "schema"));
  out.allow_new_columns = json["allow_new_columns"].as_bool(true);
  out.rows_min = static_cast<std::uint64_t>(std::max<std::int64_t>(0, json["rows_min"].as_int(1)));
  for (const auto& item : json["columns"].items()) {
    const std::string where = "schema column " + item["name"].as_string();
    TRY(check_keys(item, kRuleKeys, where));
    ColumnRule rule;
    rule.name = item["name"].as_string();
    if (rule.name.empty())
      return base::fail(Code::kInvalidArgument, "schema has a column without a name");
    TRY_ASSIGN(rule.type, data::parse_type(item["type"].as_string()));
    rule.required = item["required"].as_bool(true);
    rule.missing_max = item["missing_max"].as_double(1);
    if (item["min"].is_number()) rule.min = item["min"].as_double();
    if (item["max"].is_number()) rule.max = item["max"].as_double();
    for (const auto& value : item["domain"].items()) rule.domain.push_back(value.as_string());
    rule.domain_mass_min = item["domain_mass_min"].as_double(1);
    rule.unique = item["unique"].as_bool();
    rule.description = item["description"].as_string();
    rule.meaning = item["meaning"].as_string();
    for (const auto& name : item["absent_in"].items()) rule.absent_in.push_back(name.as_string());
    out.columns.push_back(std::move(rule));
  }
  out.owner = json["owner"].as_string();
  out.version = static_cast<int>(json["version"].as_int(1));
  for (const auto& item : json["expectations"].items()) {
    TRY_ASSIGN(Expectation expectation, Expectation::from_json(item));
    out.expectations.push_back(std::move(expectation));
  }
  return out;
}

Json Expectation::to_json() const {
  return Json::object({{"kind", kind},
                       {"column", column},
                       {"columns", names_json(columns)},
                       {"value", value},
                       {"where", where},
                       {"mostly", mostly},
                       {"severity", kSeverities[static_cast<int>(severity)]},
                       {"description", description},
                       {"confidence", confidence}});
}

base::Result<Expectation> Expectation::from_json(const Json& json) {
  TRY(check_keys(json, kExpectationKeys, "expectation"));
  Expectation out;
  out.kind = json["kind"].as_string();
  out.column = json["column"].as_string();
  for (const auto& name : json["columns"].items()) out.columns.push_back(name.as_string());
  out.value = json["value"];
  out.where = json["where"].as_string();
  out.mostly = json["mostly"].as_double(1);
  if (!(out.mostly >= 0 && out.mostly <= 1))
    return base::fail(Code::kInvalidArgument, "`mostly` is a share: between 0 and 1", out.kind);
  const std::string severity = json["severity"].as_string();
  for (int i = 0; i < 3; ++i)
    if (severity == kSeverities[i]) out.severity = static_cast<Severity>(i);
  out.description = json["description"].as_string();
  out.confidence = json["confidence"].as_double();
  std::vector<std::string> names;
  for (const auto& kind : expectation_kinds()) names.push_back(kind.name);
  if (std::find(names.begin(), names.end(), out.kind) == names.end())
    return base::fail(Code::kInvalidArgument, "unknown kind of expectation: " + out.kind,
                      base::did_you_mean(out.kind, names));
  return out;
}

Schema infer_schema(const Profile& profile) {
  Schema out;
  for (const auto& column : profile.columns) out.columns.push_back(infer_rule(column));
  return out;
}

bool has_errors(const std::vector<Anomaly>& anomalies) {
  return std::any_of(anomalies.begin(), anomalies.end(),
                     [](const Anomaly& a) { return a.severity == Severity::kError; });
}

Json Anomaly::to_json() const {
  static constexpr const char* kNames[] = {"info", "warning", "error"};
  Json rows_json = Json::array();
  for (const auto row : examples) rows_json.push(static_cast<std::int64_t>(row));
  return Json::object({{"column", column},
                       {"kind", kind},
                       {"severity", kNames[static_cast<int>(severity)]},
                       {"message", message},
                       {"slice", slice},
                       {"fix", fix},
                       {"rows", static_cast<std::int64_t>(rows)},
                       {"examples", rows_json},
                       {"proposal", proposal},
                       {"trace", trace}});
}

}  // namespace maru::stats
