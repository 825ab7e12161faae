#include "lookup.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "declared.h"
#include "maru/base/config.h"
#include "maru/base/text.h"

namespace maru::serve {
namespace {

using base::Code;
using base::fail;
using base::Json;
using model::InputBatch;
using model::InputColumn;
using model::InputKind;

constexpr char kBetween = '\x1f';  // of the parts of a key

tl::unexpected<base::Error> wrong(const std::string& what, std::string hint = {}) {
  return fail(Code::kInvalidArgument, "features: " + what, std::move(hint));
}

bool is_missing(InputKind kind, const InputColumn& column, std::size_t row) {
  if (kind == InputKind::kText) return column.texts[row].empty();
  if (kind == InputKind::kTimestamp) return column.times[row] == model::kMissingTime;
  return std::isnan(column.numbers[row]);
}

void copy_cell(InputKind kind, const InputColumn& from, std::size_t from_row, InputColumn& to,
               std::size_t to_row) {
  if (kind == InputKind::kText)
    to.texts[to_row] = from.texts[from_row];
  else if (kind == InputKind::kTimestamp)
    to.times[to_row] = from.times[from_row];
  else
    to.numbers[to_row] = from.numbers[from_row];
}

// The parts of a key as one text, the same for 7 and 7.0; false when a part is missing.
bool append_key(InputKind kind, const InputColumn& column, std::size_t row, std::string& out) {
  if (is_missing(kind, column, row)) return false;
  if (kind == InputKind::kText) {
    out += column.texts[row];
  } else {
    char digits[40];
    const double number = kind == InputKind::kTimestamp ? 0 : column.numbers[row];
    const bool whole =
        kind == InputKind::kTimestamp || (number == std::floor(number) && std::fabs(number) < 9e15);
    const auto end =
        whole ? std::to_chars(digits, digits + sizeof digits,
                              kind == InputKind::kTimestamp ? column.times[row]
                                                            : static_cast<std::int64_t>(number))
              : std::to_chars(digits, digits + sizeof digits, number);
    out.append(digits, end.ptr);
  }
  out += kBetween;
  return true;
}

base::Status read_names(const Json& json, const std::string& what, std::vector<std::string>& out) {
  if (json.is_null()) return {};
  if (json.is_string()) {
    out = {json.as_string()};
    return {};
  }
  std::set<std::string> seen;
  for (const Json& name : json.items()) {
    if (!name.is_string() || name.as_string().empty() || !seen.insert(name.as_string()).second)
      return wrong("`" + what + "` must be different names of columns: " + name.dump());
    out.push_back(name.as_string());
  }
  return json.is_array() ? base::Status() : base::Status(wrong("`" + what + "` must be a list"));
}

base::Status read_choice(const Json& json, const std::string& what, bool& refuse) {
  if (json.is_null()) return {};
  if (json.as_string() != "default" && json.as_string() != "refuse")
    return wrong("`" + what + "` is \"default\" or \"refuse\": " + json.dump());
  refuse = json.as_string() == "refuse";
  return {};
}

model::Signature signature_of(const data::Table& table, const std::vector<std::string>& names) {
  model::Signature out;
  out.task = model::Task::kRegression;
  for (const std::string& name : names)
    if (const data::Column* column = table.find(name))
      out.inputs.push_back({name, model::kind_of(column->type), false, {}});
  return out;
}

std::uint64_t bytes_of(const InputBatch& batch) {
  std::uint64_t out = 0;
  for (const InputColumn& column : batch.columns) {
    out += (column.numbers.capacity() + column.times.capacity()) * 8;
    for (const std::string& text : column.texts)
      out += sizeof(std::string) + (text.size() > 15 ? text.capacity() : 0);
  }
  return out;
}

}  // namespace

base::Result<LookupSpec> LookupSpec::parse(const Json& json) {
  LookupSpec out;
  if (!json.is_object()) return wrong("must be an object", R"({"dataset": NAME, "key": COLUMN})");
  static const std::vector<std::string> kKnown = {"dataset", "key",   "columns", "defaults",
                                                  "missing", "stale", "max_age", "max_bytes"};
  TRY(known_keys(json, "features has an unknown key:", kKnown));
  out.dataset = json["dataset"].as_string();
  if (out.dataset.empty()) return wrong("`dataset` is missing");
  TRY(read_names(json["key"], "key", out.key));
  TRY(read_names(json["columns"], "columns", out.columns));
  if (out.key.empty()) return wrong("`key` is missing: the column that callers know a row by");
  if (out.columns.empty()) return wrong("`columns` is missing: what is looked up");
  for (const std::string& name : out.columns)
    if (std::find(out.key.begin(), out.key.end(), name) != out.key.end())
      return wrong("a column of the key cannot be looked up: " + name);
  if (!json["defaults"].is_null()) out.defaults = json["defaults"];
  if (!out.defaults.is_object()) return wrong("`defaults` must be a map of column to value");
  TRY(read_choice(json["missing"], "missing", out.refuse_missing));
  TRY(read_choice(json["stale"], "stale", out.refuse_stale));
  if (!json["max_age"].is_null()) {
    const auto age = base::parse_duration_us(json["max_age"].as_string());
    if (!age || *age <= 0)
      return wrong("`max_age` is a time such as \"1d\": " + json["max_age"].dump());
    out.max_age_us = *age;
  }
  const double bytes = json["max_bytes"].as_double(static_cast<double>(kLookupBytes));
  if (!(bytes >= 1 && bytes <= static_cast<double>(kLookupMostBytes)))
    return wrong("`max_bytes` must lie between 1 and 8 GiB: " + json["max_bytes"].dump());
  out.max_bytes = static_cast<std::uint64_t>(bytes);
  return out;
}

base::Result<FeatureTablePtr> Lookup::read() {
  TRY_ASSIGN(const FeatureSource::State state, source_->current(project_, spec_.dataset));
  const FeatureTablePtr now = table();
  if (now && now->snapshot == state.snapshot) {
    if (now->updated_us == state.updated_us) return now;
    auto same = std::make_shared<FeatureTable>(*now);  // imported again, unchanged
    same->updated_us = state.updated_us;
    return FeatureTablePtr(std::move(same));
  }
  const std::uint64_t least = state.rows * (8 * spec_.columns.size() + 64);
  const auto too_large = [&](std::uint64_t bytes) {
    return fail(Code::kTooLarge,
                "features: " + spec_.dataset + " takes " + base::format_bytes(bytes) +
                    " in memory, above " + base::format_bytes(spec_.max_bytes),
                "choose fewer `columns`, or raise `max_bytes`");
  };
  if (least > spec_.max_bytes) return too_large(least);
  std::vector<std::string> wanted = spec_.key;
  wanted.insert(wanted.end(), spec_.columns.begin(), spec_.columns.end());
  TRY_ASSIGN(const data::Table rows, source_->read(state.snapshot, wanted));
  for (const std::string& name : wanted)
    if (rows.find(name) == nullptr)
      return fail(Code::kNotFound, "features: " + spec_.dataset + " has no column: " + name);
  auto out = std::make_shared<FeatureTable>();
  out->snapshot = state.snapshot;
  out->updated_us = state.updated_us;
  out->rows = rows.rows();
  out->keys = signature_of(rows, spec_.key);
  out->columns = signature_of(rows, spec_.columns);
  InputBatch keys;
  TRY(model::fill_from_table(out->keys, rows, keys));
  TRY(model::fill_from_table(out->columns, rows, out->values));
  out->index.reserve(out->rows);
  std::string key;
  out->bytes = bytes_of(out->values);
  for (std::size_t row = 0; row < out->rows; ++row) {
    key.clear();
    bool whole = true;
    for (std::size_t k = 0; k < keys.columns.size() && whole; ++k)
      whole = append_key(out->keys.inputs[k].kind, keys.columns[k], row, key);
    if (!whole) continue;
    out->bytes += 64 + (key.size() > 15 ? key.size() : 0);
    out->index.emplace(key, static_cast<std::uint32_t>(row));
  }
  if (out->bytes > spec_.max_bytes) return too_large(out->bytes);
  if (now && out->keys.to_json() != now->keys.to_json())
    return fail(Code::kFailedPrecondition,
                "features: the key has another type in the new snapshot of " + spec_.dataset);
  if (now && out->columns.to_json() != now->columns.to_json())
    return fail(Code::kFailedPrecondition,
                "features: a column has another type in the new snapshot of " + spec_.dataset);
  return FeatureTablePtr(std::move(out));
}

base::Status Lookup::refresh() {
  auto next = read();
  const std::lock_guard lock(mutex_);
  reason_ = next ? std::string() : next.error().text();
  if (!next) return tl::unexpected<base::Error>(std::move(next.error()));
  table_.store(std::move(*next), std::memory_order_release);
  return {};
}

Json Lookup::report(std::int64_t now_us) const {
  Json out = Json::object({{"dataset", spec_.dataset},
                           {"found", static_cast<std::int64_t>(found.read())},
                           {"missing", static_cast<std::int64_t>(missing.read())},
                           {"stale", static_cast<std::int64_t>(stale.read())}});
  if (const FeatureTablePtr now = table()) {
    out.set("snapshot", now->snapshot)
        .set("rows", static_cast<std::int64_t>(now->rows))
        .set("bytes", static_cast<std::int64_t>(now->bytes))
        .set("updated_us", now->updated_us)
        .set("is_stale", spec_.max_age_us > 0 && now_us - now->updated_us > spec_.max_age_us);
  }
  const std::lock_guard lock(mutex_);
  return out.set("reason", reason_);
}

base::Result<std::shared_ptr<const LookupView>> LookupView::make(
    std::shared_ptr<Lookup> lookup, const model::Signature& signature) {
  const FeatureTablePtr table = lookup->table();
  auto out = std::make_shared<LookupView>();
  out->wide_ = signature;
  out->inputs_ = signature.inputs.size();
  std::vector<model::Input> looked_up;
  for (std::size_t c = 0; c < table->columns.inputs.size(); ++c) {
    const model::Input& column = table->columns.inputs[c];
    const int at = signature.index_of(column.name);
    if (at < 0) continue;
    const auto i = static_cast<std::size_t>(at);
    model::Input& input = out->wide_.inputs[i];
    if (!model::interchangeable(column.kind, input.kind))
      return fail(Code::kFailedPrecondition, "features: column `" + column.name + "` is a " +
                                                 std::string(model::kind_name(column.kind)) +
                                                 "; the model wants a " +
                                                 std::string(model::kind_name(input.kind)));
    input.required = false;
    out->fills_.push_back({i, c});
  }
  if (out->fills_.empty())
    return fail(Code::kFailedPrecondition,
                "features: no column of " + lookup->spec().dataset + " is an input of the model");
  // Defaults are read as a request's values are.
  model::Signature plain = table->columns;
  for (model::Input& input : plain.inputs)
    if (const int at = signature.index_of(input.name); at >= 0)
      input.kind = signature.inputs[static_cast<std::size_t>(at)].kind;
  if (const auto read =
          model::fill_from_rows(plain, Json::array({lookup->spec().defaults}), out->defaults_);
      !read)
    return wrong("`defaults`: " + read.error().message);
  for (const model::Input& key : table->keys.inputs) {
    int at = out->wide_.index_of(key.name);
    if (at >= 0 &&
        !model::interchangeable(key.kind, out->wide_.inputs[static_cast<std::size_t>(at)].kind))
      return fail(Code::kFailedPrecondition, "features: the key `" + key.name +
                                                 "` and the model's input are of different types");
    if (at < 0) {
      at = static_cast<int>(out->wide_.inputs.size());
      out->wide_.inputs.push_back(key);
      auto& unused = out->wide_.ignored;
      unused.erase(std::remove(unused.begin(), unused.end(), key.name), unused.end());
    }
    out->keys_.push_back(static_cast<std::size_t>(at));
  }
  out->lookup_ = std::move(lookup);
  return std::shared_ptr<const LookupView>(std::move(out));
}

base::Status LookupView::complete(InputBatch& batch, std::int64_t now_us, std::size_t shard) const {
  Lookup& lookup = *lookup_;
  const LookupSpec& spec = lookup.spec();
  const FeatureTablePtr table = lookup.table();
  const bool stale = spec.max_age_us > 0 && now_us - table->updated_us > spec.max_age_us;
  if (stale) lookup.stale.add(shard, batch.rows);
  if (stale && spec.refuse_stale)
    return fail(Code::kUnavailable, "the features of this endpoint are too old: " + spec.dataset,
                "import its newest rows: maru data import");
  std::string key;
  std::uint64_t found = 0;
  for (std::size_t row = 0; row < batch.rows; ++row) {
    key.clear();
    bool whole = true;
    for (std::size_t k = 0; k < keys_.size() && whole; ++k)
      whole = append_key(wide_.inputs[keys_[k]].kind, batch.columns[keys_[k]], row, key);
    const auto at = whole ? table->index.find(std::string_view(key)) : table->index.end();
    const bool there = at != table->index.end();
    found += there ? 1 : 0;
    if (!there && spec.refuse_missing) {
      lookup.missing.add(shard, 1);
      return fail(Code::kFailedPrecondition,
                  "no features are known for row " + std::to_string(row) + " of the request",
                  whole ? "its key is not in " + spec.dataset : "it has no key");
    }
    const bool use = there && !stale;
    for (const Fill& fill : fills_) {
      const InputKind kind = wide_.inputs[fill.input].kind;
      InputColumn& to = batch.columns[fill.input];
      if (!is_missing(kind, to, row)) continue;  // the caller knows better
      const InputColumn& from = (use ? table->values : defaults_).columns[fill.column];
      copy_cell(kind, from, use ? at->second : 0, to, row);
    }
  }
  lookup.found.add(shard, found);
  if (found < batch.rows) lookup.missing.add(shard, batch.rows - found);
  batch.columns.resize(inputs_);
  return {};
}

}  // namespace maru::serve
