#include "maru/stats/profile.h"

#include <algorithm>
#include <charconv>

namespace maru::stats {
namespace {

using base::Json;

Json whole(std::uint64_t value) { return static_cast<std::int64_t>(value); }
std::uint64_t count_of(const Json& json) { return static_cast<std::uint64_t>(json.as_int()); }

Json top_json(const std::vector<TopValue>& values) {
  Json out = Json::array();
  for (const auto& value : values)
    out.push(Json::object({{"value", value.value}, {"count", whole(value.count)}}));
  return out;
}

std::vector<TopValue> top_of(const Json& json) {
  std::vector<TopValue> out;
  for (const auto& item : json.items())
    out.push_back({item["value"].as_string(), count_of(item["count"])});
  return out;
}

Json outlier_json(const std::vector<Outlier>& values) {
  Json out = Json::array();
  for (const auto& value : values)
    out.push(Json::object({{"value", value.value}, {"row", whole(value.row)}}));
  return out;
}

std::vector<Outlier> outliers_of(const Json& json) {
  std::vector<Outlier> out;
  for (const auto& item : json.items())
    out.push_back({item["value"].as_double(), count_of(item["row"])});
  return out;
}

Json names_json(const std::vector<std::string>& names) {
  Json out = Json::array();
  for (const auto& name : names) out.push(name);
  return out;
}

std::vector<std::string> names_of(const Json& json) {
  std::vector<std::string> out;
  for (const auto& item : json.items()) out.push_back(item.as_string());
  return out;
}

// What came with the streaming profile; profiles that were stored before lack it.
void add_details(const ColumnProfile& p, Json& out) {
  out.set("meaning_reason", p.meaning_reason).set("confidence", p.confidence);
  out.set("markers", names_json(p.markers));
  out.set("nan", whole(p.nan)).set("trimmed", whole(p.trimmed)).set("sum", p.sum);
  out.set("mad", p.mad).set("iqr", p.iqr).set("entropy", p.entropy).set("gini", p.gini);
  out.set("length_std", p.length_std).set("bytes_mean", p.bytes_mean);
  out.set("mode_ties", whole(p.mode_ties)).set("seen_once", whole(p.seen_once));
  out.set("min_text", p.min_text).set("max_text", p.max_text);
  out.set("rising", p.rising).set("falling", p.falling);
  out.set("distinct_error", p.distinct_error).set("rank_error", p.rank_error);
  out.set("count_error", whole(p.count_error));
  out.set("outliers_iqr", whole(p.outliers_iqr)).set("outliers_robust", whole(p.outliers_robust));
  out.set("low", outlier_json(p.low)).set("high", outlier_json(p.high));
  out.set("odd_row", p.odd_row == UINT64_MAX ? Json() : whole(p.odd_row));
  out.set("odd_text", p.odd_text);
  out.set("weighted_mean", p.weighted_mean ? Json(*p.weighted_mean) : Json());
  out.set("weighted_std", p.weighted_std ? Json(*p.weighted_std) : Json());
}

void read_details(const Json& json, ColumnProfile& out) {
  out.meaning_reason = json["meaning_reason"].as_string();
  out.confidence = json["confidence"].as_double();
  out.markers = names_of(json["markers"]);
  out.nan = count_of(json["nan"]);
  out.trimmed = count_of(json["trimmed"]);
  out.sum = json["sum"].as_double();
  out.mad = json["mad"].as_double();
  out.iqr = json["iqr"].as_double();
  out.entropy = json["entropy"].as_double();
  out.gini = json["gini"].as_double();
  out.length_std = json["length_std"].as_double();
  out.bytes_mean = json["bytes_mean"].as_double();
  out.mode_ties = count_of(json["mode_ties"]);
  out.seen_once = count_of(json["seen_once"]);
  out.min_text = json["min_text"].as_string();
  out.max_text = json["max_text"].as_string();
  out.rising = json["rising"].as_bool();
  out.falling = json["falling"].as_bool();
  out.distinct_error = json["distinct_error"].as_double();
  out.rank_error = json["rank_error"].as_double();
  out.count_error = count_of(json["count_error"]);
  out.outliers_iqr = count_of(json["outliers_iqr"]);
  out.outliers_robust = count_of(json["outliers_robust"]);
  out.low = outliers_of(json["low"]);
  out.high = outliers_of(json["high"]);
  if (json["odd_row"].is_number()) out.odd_row = count_of(json["odd_row"]);
  out.odd_text = json["odd_text"].as_string();
  if (json["weighted_mean"].is_number()) out.weighted_mean = json["weighted_mean"].as_double();
  if (json["weighted_std"].is_number()) out.weighted_std = json["weighted_std"].as_double();
}

Json columns_json(const std::vector<ColumnProfile>& columns) {
  Json out = Json::array();
  for (const auto& column : columns) out.push(column.to_json());
  return out;
}

base::Result<std::vector<ColumnProfile>> columns_of(const Json& json) {
  std::vector<ColumnProfile> out;
  for (const auto& item : json.items()) {
    TRY_ASSIGN(ColumnProfile column, ColumnProfile::from_json(item));
    out.push_back(std::move(column));
  }
  return out;
}

}  // namespace

Json ColumnProfile::to_json() const {
  Json bins = Json::array(), points = Json::object();
  for (const auto& bin : histogram)
    bins.push(Json::object({{"low", bin.low}, {"high", bin.high}, {"count", bin.count}}));
  Json step_values = Json::array(), step_rows = Json::array();
  for (const auto& [value, rows] : steps) {
    step_values.push(value);
    step_rows.push(rows);
  }
  for (const auto& [probability, value] : quantiles)
    points.set(base::format_double(probability), value);
  Json out = Json::object({{"name", name},
                           {"type", std::string(data::type_name(type))},
                           {"meaning", meaning},
                           {"count", whole(count)},
                           {"missing", whole(missing)},
                           {"distinct", whole(distinct)},
                           {"zeros", whole(zeros)},
                           {"negatives", whole(negatives)},
                           {"infinite", whole(infinite)},
                           {"min", min},
                           {"max", max},
                           {"mean", mean},
                           {"std", std_sample},
                           {"std_population", std},
                           {"skewness", skewness},
                           {"kurtosis", kurtosis},
                           {"quantiles", points},
                           {"histogram", bins},
                           {"steps", Json::object({{"values", step_values}, {"rows", step_rows}})},
                           {"length_min", length_min},
                           {"length_max", length_max},
                           {"length_mean", length_mean},
                           {"top", top_json(top)},
                           {"categories", top_json(categories)},
                           {"mode", mode}});
  add_details(*this, out);
  return out;
}

base::Result<ColumnProfile> ColumnProfile::from_json(const Json& json) {
  ColumnProfile out;
  out.name = json["name"].as_string();
  TRY_ASSIGN(out.type, data::parse_type(json["type"].as_string()));
  out.meaning = json["meaning"].as_string();
  out.count = count_of(json["count"]);
  out.missing = count_of(json["missing"]);
  out.distinct = count_of(json["distinct"]);
  out.zeros = count_of(json["zeros"]);
  out.negatives = count_of(json["negatives"]);
  out.infinite = count_of(json["infinite"]);
  out.min = json["min"].as_double();
  out.max = json["max"].as_double();
  out.mean = json["mean"].as_double();
  out.std = json["std_population"].as_double();
  out.std_sample = json["std"].as_double();
  out.skewness = json["skewness"].as_double();
  out.kurtosis = json["kurtosis"].as_double();
  for (const auto& [text, value] : json["quantiles"].members()) {
    double probability = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), probability);
    if (error != std::errc() || end != text.data() + text.size())
      return base::fail(base::Code::kInvalidArgument,
                        "a profile has a quantile of no probability: " + text);
    out.quantiles.emplace_back(probability, value.as_double());
  }
  const Json &step_values = json["steps"]["values"], &step_rows = json["steps"]["rows"];
  for (std::size_t i = 0; i < std::min(step_values.size(), step_rows.size()); ++i)
    out.steps.emplace_back(step_values.at(i).as_double(), step_rows.at(i).as_double());
  for (const auto& bin : json["histogram"].items())
    out.histogram.push_back(
        {bin["low"].as_double(), bin["high"].as_double(), bin["count"].as_double()});
  out.length_min = json["length_min"].as_double();
  out.length_max = json["length_max"].as_double();
  out.length_mean = json["length_mean"].as_double();
  out.top = top_of(json["top"]);
  out.categories = top_of(json["categories"]);
  out.mode = json["mode"].as_string();
  read_details(json, out);
  return out;
}

Json Profile::to_json() const {
  Json together = Json::array(), pairs = Json::array(), equal = Json::array(),
       alone = Json::array(), parts = Json::array(), ragged = Json::array();
  for (const auto& item : missing_together)
    together.push(
        Json::object({{"columns", names_json(item.columns)}, {"rows", whole(item.rows)}}));
  for (const auto& item : associations)
    pairs.push(Json::object({{"a", item.a},
                             {"b", item.b},
                             {"measure", item.measure},
                             {"value", item.value},
                             {"rows", whole(item.rows)}}));
  for (const auto& group : equal_columns) equal.push(names_json(group));
  for (const auto& item : outliers)
    alone.push(
        Json::object({{"row", whole(item.row)}, {"score", item.score}, {"column", item.column}}));
  for (const auto& item : slices)
    parts.push(Json::object({{"column", item.column},
                             {"value", item.value},
                             {"rows", whole(item.rows)},
                             {"columns", columns_json(item.columns)}}));
  for (const auto row : ragged_examples) ragged.push(whole(row));
  return Json::object({{"rows", whole(rows)},
                       {"duplicate_rows", whole(duplicate_rows)},
                       {"duplicate_error", duplicate_error},
                       {"rows_with_missing", whole(rows_with_missing)},
                       {"missing_together", together},
                       {"ragged_rows", whole(ragged_rows)},
                       {"ragged_examples", ragged},
                       {"sample_rows", whole(sample_rows)},
                       {"associations", pairs},
                       {"candidate_keys", names_json(candidate_keys)},
                       {"equal_columns", equal},
                       {"outliers", alone},
                       {"slices", parts},
                       {"label", label},
                       {"weight", weight},
                       {"notes", names_json(notes)},
                       {"columns", columns_json(columns)}});
}

base::Result<Profile> Profile::from_json(const Json& json) {
  Profile out;
  out.rows = count_of(json["rows"]);
  out.duplicate_rows = count_of(json["duplicate_rows"]);
  out.duplicate_error = json["duplicate_error"].as_double();
  out.rows_with_missing = count_of(json["rows_with_missing"]);
  out.ragged_rows = count_of(json["ragged_rows"]);
  out.sample_rows = count_of(json["sample_rows"]);
  out.label = json["label"].as_string();
  out.weight = json["weight"].as_string();
  out.notes = names_of(json["notes"]);
  out.candidate_keys = names_of(json["candidate_keys"]);
  for (const auto& row : json["ragged_examples"].items())
    out.ragged_examples.push_back(count_of(row));
  for (const auto& item : json["missing_together"].items())
    out.missing_together.push_back({names_of(item["columns"]), count_of(item["rows"])});
  for (const auto& item : json["associations"].items())
    out.associations.push_back({item["a"].as_string(), item["b"].as_string(),
                                item["measure"].as_string(), item["value"].as_double(),
                                count_of(item["rows"])});
  for (const auto& item : json["equal_columns"].items())
    out.equal_columns.push_back(names_of(item));
  for (const auto& item : json["outliers"].items())
    out.outliers.push_back(
        {count_of(item["row"]), item["score"].as_double(), item["column"].as_string()});
  for (const auto& item : json["slices"].items()) {
    TRY_ASSIGN(auto columns, columns_of(item["columns"]));
    out.slices.push_back({item["column"].as_string(), item["value"].as_string(),
                          count_of(item["rows"]), std::move(columns)});
  }
  TRY_ASSIGN(out.columns, columns_of(json["columns"]));
  return out;
}

}  // namespace maru::stats
