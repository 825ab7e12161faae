#include <algorithm>
#include <functional>
#include <limits>

#include "calendar.h"
#include "layout.h"
#include "maru/transform/features.h"

namespace maru::transform {
namespace {

using base::Code;
using base::fail;

constexpr double kClip =
    100;  // standard deviations: an infinity or a slipped unit must not drown a linear score
constexpr std::int64_t kToDouble = 11;  // TensorProto.DataType

Tensor real_row(std::vector<double> values) {
  Tensor out;
  out.shape = {1, static_cast<std::int64_t>(values.size())};
  out.reals = std::move(values);
  return out;
}
Tensor real_scalar(double value) {
  Tensor out;
  out.reals = {value};
  return out;
}
Tensor integers(std::vector<std::int64_t> values, std::vector<std::int64_t> shape) {
  Tensor out;
  out.type = TensorType::kInt64;
  out.shape = std::move(shape);
  out.integers = std::move(values);
  return out;
}

// What pandas and MLflow make of a missing text on its way into a string tensor. They mean missing too, unless training knew them as values:
// a stock client must not get another answer without a word.
void add_missing_spellings(std::vector<std::string>& keys,
                           const std::function<void(std::size_t)>& repeat) {
  const auto at = std::find(keys.begin(), keys.end(), std::string());
  if (at == keys.end()) return;
  const auto position = static_cast<std::size_t>(at - keys.begin());
  for (const char* spelling : {"nan", "None", "<NA>"}) {
    if (std::find(keys.begin(), keys.end(), spelling) != keys.end()) continue;
    keys.emplace_back(spelling);
    repeat(position);
  }
}

class Emitter {
 public:
  explicit Emitter(const FeaturePlan& plan) : plan_(plan), layout_(layout_of(plan)) {}

  base::Result<Graph> run(const std::string& output_name) {
    for (const FeatureColumn& column : plan_.columns) {
      if (column.encoding == Encoding::kDropped) continue;
      Port port;
      port.name = graph_input_name(column.name);
      port.shape = {-1, 1};
      if (column.type == data::ColumnType::kText) port.type = TensorType::kString;
      if (column.type == data::ColumnType::kTimestamp) port.type = TensorType::kInt64;
      graph_.inputs.push_back(std::move(port));
    }
    for (const std::size_t i : layout_.numbers) pieces_.push_back(input(i));
    scaled();
    ordinals();
    one_hot();
    for (const std::size_t i : layout_.words) words(plan_.columns[i]);
    for (const std::size_t i : layout_.calendars) calendar(plan_.columns[i]);
    if (pieces_.empty())
      return fail(Code::kFailedPrecondition, "no usable feature is left in the plan");
    graph_.add("Concat", pieces_, {output_name}).attributes["axis"] = std::int64_t{1};
    Port out;
    out.name = output_name;
    out.shape = {-1, static_cast<std::int64_t>(plan_.feature_names.size())};
    graph_.outputs.push_back(std::move(out));
    graph_.output_columns = plan_.feature_names;
    return std::move(graph_);
  }

 private:
  std::string input(std::size_t column) const {
    return graph_input_name(plan_.columns[column].name);
  }

  std::string node(const char* op, const std::string& stem, std::vector<std::string> inputs) {
    std::string out = graph_.fresh(stem);
    graph_.add(op, std::move(inputs), {out});
    return out;
  }
  std::string cast(const std::string& stem, const std::string& from, std::int64_t to) {
    std::string out = node("Cast", stem, {from});
    graph_.nodes.back().attributes["to"] = to;
    return out;
  }
  std::string joined(const std::string& stem, const std::vector<std::string>& parts) {
    if (parts.size() == 1) return parts.front();
    std::string out = node("Concat", stem, parts);
    graph_.nodes.back().attributes["axis"] = std::int64_t{1};
    return out;
  }

  // All numbers in one matrix: one node a step whatever their count.
  void scaled() {
    if (layout_.scaled.empty()) return;
    std::vector<std::string> parts;
    std::vector<double> fill, center, scale;
    for (const std::size_t i : layout_.scaled) {
      parts.push_back(input(i));
      fill.push_back(plan_.columns[i].fill);
      center.push_back(plan_.columns[i].center);
      scale.push_back(plan_.columns[i].scale);
    }
    const std::string raw = joined("numbers", parts);
    const std::string missing = node("IsNaN", "numbers_missing", {raw});
    const std::string filled =
        node("Where", "numbers_filled", {missing, graph_.constant("fill", real_row(fill)), raw});
    const std::string centered =
        node("Sub", "numbers_centered", {filled, graph_.constant("center", real_row(center))});
    const std::string divided =
        node("Div", "numbers_scaled", {centered, graph_.constant("scale", real_row(scale))});
    pieces_.push_back(node("Clip", "numbers_clipped",
                           {divided, graph_.constant("clip_low", real_scalar(-kClip)),
                            graph_.constant("clip_high", real_scalar(kClip))}));
    if (layout_.indicators.empty()) return;
    std::vector<std::int64_t> picks;
    for (const std::size_t at : layout_.indicators) picks.push_back(static_cast<std::int64_t>(at));
    std::string picked = missing;
    if (picks.size() < layout_.scaled.size()) {
      const auto count = static_cast<std::int64_t>(picks.size());
      picked = node("Gather", "missing_picked",
                    {missing, graph_.constant("missing_columns", integers(picks, {count}))});
      graph_.nodes.back().attributes["axis"] = std::int64_t{1};
    }
    pieces_.push_back(cast("missing_flags", picked, kToDouble));
  }

  // string -> float is what ai.onnx.ml 3 offers; ranks below 2^24 are exact in float.
  void ordinals() {
    std::vector<std::string> codes;
    for (const std::size_t i : layout_.ordinals) {
      const FeatureColumn& column = plan_.columns[i];
      std::vector<std::string> keys = column.vocabulary;
      std::vector<double> values;
      for (std::size_t k = 0; k < keys.size(); ++k) {
        const auto rank = static_cast<double>(k);
        values.push_back(column.rare_code >= 0 && rank >= column.rare_code ? rank + 1 : rank);
      }
      add_missing_spellings(keys, [&](std::size_t same) { values.push_back(values[same]); });
      codes.push_back(graph_.fresh("code"));
      Node& encoder = graph_.add("LabelEncoder", {input(i)}, {codes.back()}, "ai.onnx.ml");
      encoder.attributes["keys_strings"] = std::move(keys);
      encoder.attributes["values_floats"] = std::move(values);
      encoder.attributes["default_float"] = column.rare_code;
    }
    if (!codes.empty()) pieces_.push_back(cast("codes_double", joined("codes", codes), kToDouble));
  }

  void one_hot() {
    std::vector<std::string> flags;
    for (const std::size_t i : layout_.one_hot) {
      const FeatureColumn& column = plan_.columns[i];
      std::vector<std::string> keys = column.vocabulary;
      const auto other = static_cast<std::int64_t>(keys.size());
      std::vector<std::int64_t> values;
      for (std::int64_t k = 0; k < other; ++k) values.push_back(k);
      keys.emplace_back();
      values.push_back(column.missing_indicator ? other + 1 : other);
      add_missing_spellings(keys, [&](std::size_t same) { values.push_back(values[same]); });
      const std::string code = graph_.fresh("code");
      Node& encoder = graph_.add("LabelEncoder", {input(i)}, {code}, "ai.onnx.ml");
      encoder.attributes["keys_strings"] = std::move(keys);
      encoder.attributes["values_int64s"] = std::move(values);
      encoder.attributes["default_int64"] = other;
      flags.push_back(equals_range(code, 0, other + (column.missing_indicator ? 2 : 1)));
    }
    if (!flags.empty()) pieces_.push_back(cast("flags_double", joined("flags", flags), kToDouble));
  }

  // TfIdfVectorizer counts the spellings of a word in one column; more than once is once.
  void words(const FeatureColumn& column) {
    const std::string flat =
        node("Reshape", "text",
             {graph_input_name(column.name), graph_.constant("flat", integers({-1}, {1}))});
    const std::string tokens = graph_.fresh("tokens");
    graph_.add("StringSplit", {flat}, {tokens, graph_.fresh("token_counts")})
        .attributes["delimiter"] = std::string(" ");
    const std::string counts = node("TfIdfVectorizer", "word_counts", {tokens});
    auto& attributes = graph_.nodes.back().attributes;
    attributes["mode"] = std::string("TF");
    attributes["min_gram_length"] = std::int64_t{1};
    attributes["max_gram_length"] = std::int64_t{1};
    attributes["max_skip_count"] = std::int64_t{0};
    attributes["ngram_counts"] = std::vector<std::int64_t>{0};
    attributes["ngram_indexes"] = column.spelling_of;
    attributes["pool_strings"] = column.spellings;
    pieces_.push_back(
        node("Clip", "word_flags",
             {cast("word_counts_double", counts, kToDouble),
              graph_.constant("none", real_scalar(0)), graph_.constant("once", real_scalar(1))}));
  }

  std::string equals_range(const std::string& code, std::int64_t first, std::int64_t count) {
    std::vector<std::int64_t> range;
    for (std::int64_t v = 0; v < count; ++v) range.push_back(first + v);
    return node("Equal", "flag", {code, graph_.constant("range", integers(range, {1, count}))});
  }

  std::string int_constant(const std::string& stem, std::int64_t value) {
    return graph_.constant(stem, integers({value}, {1}));
  }

  struct Civil {
    std::string year, month, day, day_of_year;
  };

  // civil_from_days of calendar.cpp, node by node. Every dividend is >= 0, so Div's truncation does no harm.
  Civil civil(const std::string& days) {
    const auto add = [&](const std::string& a, std::int64_t k) {
      return node("Add", "t", {a, int_constant("k", k)});
    };
    const auto mul = [&](const std::string& a, std::int64_t k) {
      return node("Mul", "t", {a, int_constant("k", k)});
    };
    const auto div = [&](const std::string& a, std::int64_t k) {
      return node("Div", "t", {a, int_constant("k", k)});
    };
    const auto sub = [&](const std::string& a, const std::string& b) {
      return node("Sub", "t", {a, b});
    };
    const auto plus = [&](const std::string& a, const std::string& b) {
      return node("Add", "t", {a, b});
    };
    const std::string z = add(days, 719468);
    const std::string doe = node("Mod", "t", {z, int_constant("k", 146097)});
    const std::string era = div(sub(z, doe), 146097);
    const std::string yoe =
        div(sub(plus(sub(doe, div(doe, 1460)), div(doe, 36524)), div(doe, 146096)), 365);
    const std::string doy = sub(doe, sub(plus(mul(yoe, 365), div(yoe, 4)), div(yoe, 100)));
    const std::string mp = div(add(mul(doy, 5), 2), 153);
    const std::string old_year = node("Less", "t", {mp, int_constant("k", 10)});
    Civil out;
    out.day = add(sub(doy, div(add(mul(mp, 153), 2), 5)), 1);
    out.month = node("Where", "t", {old_year, add(mp, 3), add(mp, -9)});
    const std::string year = plus(yoe, mul(era, 400));
    out.year = node("Where", "t", {old_year, year, add(year, 1)});
    out.day_of_year = node("Where", "t", {old_year, add(doy, 60), add(doy, -305)});
    return out;
  }

  void calendar(const FeatureColumn& column) {
    const std::string time = graph_input_name(column.name);
    const std::string missing =
        node("Equal", "time_missing",
             {time, int_constant("missing_time", std::numeric_limits<std::int64_t>::min())});
    const std::string known =
        node("Where", "time_known", {missing, int_constant("epoch", 0), time});
    // Div truncates toward zero and Mod is floored: only an exact multiple divides alike before 1970.
    const std::string in_day = node("Mod", "in_day", {known, int_constant("day_us", kDayUs)});
    const std::string midnight = node("Sub", "midnight", {known, in_day});
    const std::string days = node("Div", "days", {midnight, int_constant("day_us", kDayUs)});
    Civil date;
    const auto part = [&](const std::string& name) -> std::string {
      if (name == "hour") return node("Div", "hour", {in_day, int_constant("hour_us", kHourUs)});
      if (name == "minute_of_day")
        return node("Div", "minute", {in_day, int_constant("minute_us", kMinuteUs)});
      if (name == "elapsed_days") return days;
      if (name == "weekday")
        return node("Mod", "weekday",
                    {node("Add", "t", {days, int_constant("monday", 3)}), int_constant("week", 7)});
      if (date.year.empty()) date = civil(days);
      return name == "year"    ? date.year
             : name == "month" ? date.month
             : name == "day"   ? date.day
                               : date.day_of_year;
    };
    const CalendarSplit split = calendar_split(column);
    const bool linear = !column.part_scale.empty();
    std::vector<std::string> plain;
    std::vector<double> center, scale;
    for (const std::size_t at : split.plain) {
      plain.push_back(part(column.parts[at]));
      if (linear) center.push_back(column.part_center[at]);
      if (linear) scale.push_back(column.part_scale[at]);
    }
    if (!plain.empty()) {
      std::string values = cast("parts_double", joined("parts", plain), kToDouble);
      if (linear)
        values = node("Sub", "parts_centered",
                      {values, graph_.constant("part_center", real_row(center))});
      if (linear)
        values =
            node("Div", "parts_scaled", {values, graph_.constant("part_scale", real_row(scale))});
      const double absent = linear ? 0.0 : std::numeric_limits<double>::quiet_NaN();
      pieces_.push_back(node("Where", "parts_known",
                             {missing, graph_.constant("absent", real_row({absent})), values}));
    }
    std::vector<std::string> flags;
    for (const std::size_t at : split.flags) {
      std::int64_t first = 0, count = 0;
      part_range(column.parts[at], first, count);
      const std::string value =
          node("Where", "part_known", {missing, int_constant("none", -1), part(column.parts[at])});
      flags.push_back(equals_range(value, first, count));
    }
    if (linear && column.missing_indicator) flags.push_back(missing);
    if (!flags.empty())
      pieces_.push_back(cast("time_flags", joined("time_flags", flags), kToDouble));
  }

  const FeaturePlan& plan_;
  const Layout layout_;
  Graph graph_;
  std::vector<std::string> pieces_;
};

}  // namespace

base::Result<Graph> emit_features(const FeaturePlan& plan, const std::string& output_name) {
  return Emitter(plan).run(output_name);
}

}  // namespace maru::transform
