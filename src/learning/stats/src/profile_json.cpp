#include "maru/stats/profile.h"

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

}  // namespace

Json ColumnProfile::to_json() const {
  Json bins = Json::array(), points = Json::object();
  for (const auto& bin : histogram)
    bins.push(Json::object({{"low", bin.low}, {"high", bin.high}, {"count", bin.count}}));
  for (const auto& [probability, value] : quantiles)
    points.set(base::format_double(probability), value);
  return Json::object({{"name", name},
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
                       {"length_min", length_min},
                       {"length_max", length_max},
                       {"length_mean", length_mean},
                       {"top", top_json(top)},
                       {"categories", top_json(categories)},
                       {"mode", mode}});
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
  for (const auto& bin : json["histogram"].items())
    out.histogram.push_back(
        {bin["low"].as_double(), bin["high"].as_double(), bin["count"].as_double()});
  out.length_min = json["length_min"].as_double();
  out.length_max = json["length_max"].as_double();
  out.length_mean = json["length_mean"].as_double();
  out.top = top_of(json["top"]);
  out.categories = top_of(json["categories"]);
  out.mode = json["mode"].as_string();
  return out;
}

Json Profile::to_json() const {
  Json list = Json::array();
  for (const auto& column : columns) list.push(column.to_json());
  return Json::object(
      {{"rows", whole(rows)}, {"duplicate_rows", whole(duplicate_rows)}, {"columns", list}});
}

base::Result<Profile> Profile::from_json(const Json& json) {
  Profile out;
  out.rows = count_of(json["rows"]);
  out.duplicate_rows = count_of(json["duplicate_rows"]);
  for (const auto& item : json["columns"].items()) {
    TRY_ASSIGN(ColumnProfile column, ColumnProfile::from_json(item));
    out.columns.push_back(std::move(column));
  }
  return out;
}

}  // namespace maru::stats
