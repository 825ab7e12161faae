#include <array>

#include "layout.h"
#include "maru/transform/features.h"

namespace maru::transform {
namespace {

using base::Code;
using base::fail;
using base::Json;

constexpr std::array<const char*, 7> kEncodings = {"number",   "scaled", "ordinal", "one_hot",
                                                   "calendar", "words",  "dropped"};

Json strings(const std::vector<std::string>& values) {
  Json out = Json::array();
  for (const std::string& value : values) out.push(value);
  return out;
}

Json reals(const std::vector<double>& values) {
  Json out = Json::array();
  for (const double value : values) out.push(value);
  return out;
}

std::vector<std::string> read_strings(const Json& json) {
  std::vector<std::string> out;
  for (const Json& item : json.items()) out.push_back(item.as_string());
  return out;
}

std::vector<double> read_reals(const Json& json) {
  std::vector<double> out;
  for (const Json& item : json.items()) out.push_back(item.as_double());
  return out;
}

Json integers(const std::vector<std::int64_t>& values) {
  Json out = Json::array();
  for (const std::int64_t value : values) out.push(value);
  return out;
}

// Spellings and the words they are: as many of the one as of the other, each word within the vocabulary.
base::Status read_spellings(const Json& json, FeatureColumn& out) {
  out.spellings = read_strings(json["spellings"]);
  for (const Json& item : json["spelling_of"].items()) out.spelling_of.push_back(item.as_int());
  const auto words = static_cast<std::int64_t>(out.vocabulary.size());
  bool sound = out.spellings.size() == out.spelling_of.size();
  for (const std::int64_t word : out.spelling_of) sound = sound && word >= 0 && word < words;
  if (sound) return {};
  return fail(Code::kDataLoss, "the spellings of `" + out.name + "` do not fit its words");
}

base::Result<FeatureColumn> read_column(const Json& json) {
  FeatureColumn out;
  out.name = json["name"].as_string();
  TRY_ASSIGN(out.type, data::parse_type(json["type"].as_string()));
  const std::string& encoding = json["encoding"].as_string();
  bool known = false;
  for (std::size_t i = 0; i < kEncodings.size(); ++i) {
    if (encoding != kEncodings[i]) continue;
    out.encoding = static_cast<Encoding>(i);
    known = true;
  }
  if (!known) return fail(Code::kInvalidArgument, "unknown encoding: " + encoding);
  out.reason = json["reason"].as_string();
  out.vocabulary = read_strings(json["vocabulary"]);
  out.rare_code = json["rare_code"].as_double(-1);
  out.center = json["center"].as_double();
  out.scale = json["scale"].as_double(1);
  out.fill = json["fill"].as_double();
  out.missing_indicator = json["missing_indicator"].as_bool();
  out.parts = read_strings(json["parts"]);
  out.part_center = read_reals(json["part_center"]);
  out.part_scale = read_reals(json["part_scale"]);
  TRY(read_spellings(json, out));
  return out;
}

}  // namespace

base::Json FeaturePlan::to_json() const {
  Json list = Json::array();
  for (const FeatureColumn& column : columns) {
    Json item = Json::object({{"name", column.name},
                              {"type", data::type_name(column.type)},
                              {"encoding", kEncodings[static_cast<std::size_t>(column.encoding)]},
                              {"reason", column.reason}});
    if (!column.vocabulary.empty()) item.set("vocabulary", strings(column.vocabulary));
    if (column.encoding == Encoding::kOrdinal) item.set("rare_code", column.rare_code);
    if (column.encoding == Encoding::kScaled)
      item.set("center", column.center).set("scale", column.scale).set("fill", column.fill);
    if (column.missing_indicator) item.set("missing_indicator", true);
    if (!column.parts.empty()) item.set("parts", strings(column.parts));
    if (!column.part_center.empty())
      item.set("part_center", reals(column.part_center))
          .set("part_scale", reals(column.part_scale));
    if (!column.spellings.empty())
      item.set("spellings", strings(column.spellings))
          .set("spelling_of", integers(column.spelling_of));
    list.push(std::move(item));
  }
  return Json::object({{"columns", std::move(list)}, {"feature_names", strings(feature_names)}});
}

base::Result<FeaturePlan> FeaturePlan::from_json(const base::Json& json) {
  if (!json["columns"].is_array())
    return fail(Code::kInvalidArgument, "a feature plan needs `columns`");
  FeaturePlan out;
  for (const Json& item : json["columns"].items()) {
    TRY_ASSIGN(FeatureColumn column, read_column(item));
    out.columns.push_back(std::move(column));
  }
  out.feature_names = read_strings(json["feature_names"]);
  if (out.feature_names != names_of(out))
    return fail(Code::kDataLoss, "the feature names do not belong to the columns of the plan");
  return out;
}

}  // namespace maru::transform
