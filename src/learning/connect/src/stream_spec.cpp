#include <algorithm>
#include <cmath>

#include "address.h"
#include "feed.h"
#include "maru/base/text.h"
#include "maru/connect/stream.h"

namespace maru::connect {
namespace {

using base::Code;
using base::fail;
using base::Json;
using base::Status;

constexpr std::uint64_t kMaxBatchRows = 1'000'000;
constexpr std::int64_t kMaxBatchUs = 3'600'000'000;
constexpr std::size_t kMaxNameBytes = 100;

Status check_stream_name(const std::string& name) {
  constexpr std::string_view kLetters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
  if (!name.empty() && name.size() <= kMaxNameBytes &&
      name.find_first_not_of(kLetters) == std::string::npos)
    return {};
  return fail(Code::kInvalidArgument, "not a name of a stream: " + name.substr(0, kMaxNameBytes),
              "letters, digits, - _ . and at most 100 of them");
}

Status read_columns(const Json& value, StreamSpec& out) {
  for (const auto& item : value.items()) {
    EventColumn column;
    column.name = item.is_string() ? item.as_string() : item["name"].as_string();
    if (column.name.empty())
      return fail(Code::kInvalidArgument, "a column of `columns` has no name");
    if (!item["type"].is_null()) {
      TRY_ASSIGN(const data::ColumnType type, data::parse_type(item["type"].as_string()));
      column.type = type;
    }
    const bool twice = std::any_of(out.columns.begin(), out.columns.end(),
                                   [&](const auto& one) { return one.name == column.name; });
    if (twice) return fail(Code::kInvalidArgument, "two columns have one name: " + column.name);
    out.columns.push_back(std::move(column));
  }
  return {};
}

template <class T>
Status read_choice(const Json& value, const char* field, std::string_view first, T one,
                   std::string_view second, T two, T& out) {
  const std::string word = value[field].as_string_or(first);
  if (word != first && word != second)
    return fail(Code::kInvalidArgument, "`" + std::string(field) + "` is not known: " + word,
                std::string(first) + " or " + std::string(second));
  out = word == first ? one : two;
  return {};
}

}  // namespace

Status check_stream_address(const std::string& address) {
  if (address == "push") return {};
  if (!address.starts_with("kafka://") && !address.starts_with("nats://"))
    return fail(Code::kInvalidArgument, "not a stream: " + shown_address(address),
                "kafka://host:9092/topic, nats://host:4222/stream, or push");
  TRY_ASSIGN(const Address parsed, parse_address(address));
  if (!parsed.password.empty() || shown_address(address) != address)
    return fail(Code::kInvalidArgument,
                "a stream is kept, so its address holds no password: " + shown_address(address),
                "maru secret set NAME --host HOST, and secret=NAME in the address");
  if (parsed.path.size() < 2)
    return fail(Code::kInvalidArgument, "the address names no topic: " + shown_address(address),
                "kafka://host:9092/topic, nats://host:4222/stream");
  return {};
}

Json StreamSpec::to_json() const {
  Json listed = Json::array();
  for (const auto& column : columns)
    listed.push(Json::object(
        {{"name", column.name},
         {"type", column.type ? Json(std::string(data::type_name(*column.type))) : Json()}}));
  return Json::object({{"name", name},
                       {"address", address},
                       {"dataset", dataset},
                       {"format", format == EventFormat::kCsv ? "csv" : "json"},
                       {"columns", listed},
                       {"on_change", on_change == OnChange::kDead ? "dead" : "widen"},
                       {"event_time", event_time},
                       {"event_key", event_key},
                       {"max_future_seconds", static_cast<double>(max_future_us) / 1e6},
                       {"future", dead_when_future ? "dead" : "keep"},
                       {"batch_rows", static_cast<std::int64_t>(batch_rows)},
                       {"batch_seconds", static_cast<double>(batch_us) / 1e6},
                       {"from", from_latest ? "latest" : "earliest"}});
}

base::Result<StreamSpec> StreamSpec::from_json(const Json& value) {
  static const std::vector<std::string> kFields = {"name",       "address",    "dataset",
                                                   "format",     "columns",    "on_change",
                                                   "event_time", "event_key",  "max_future_seconds",
                                                   "future",     "batch_rows", "batch_seconds",
                                                   "from"};
  for (const auto& [name, member] : value.members())
    if (std::find(kFields.begin(), kFields.end(), name) == kFields.end()) {
      const std::string near = base::did_you_mean(name, kFields);
      return fail(Code::kInvalidArgument, "unknown field of a stream: " + name,
                  near.empty() ? base::join(kFields, ", ") : near);
    }
  StreamSpec out;
  out.name = value["name"].as_string();
  TRY(check_stream_name(out.name));
  out.address = value["address"].as_string_or("push");
  TRY(check_stream_address(out.address));
  out.dataset = value["dataset"].as_string_or(out.name);
  TRY(read_choice(value, "format", "json", EventFormat::kJson, "csv", EventFormat::kCsv,
                  out.format));
  TRY(read_choice(value, "on_change", "widen", OnChange::kWiden, "dead", OnChange::kDead,
                  out.on_change));
  TRY(read_choice(value, "future", "keep", false, "dead", true, out.dead_when_future));
  TRY(read_choice(value, "from", "earliest", false, "latest", true, out.from_latest));
  TRY(read_columns(value["columns"], out));
  if (out.format == EventFormat::kCsv && out.columns.empty())
    return fail(Code::kInvalidArgument, "events of CSV have no header: `columns` is missing",
                R"(for example --columns id:integer,price:float,name)");
  out.event_time = value["event_time"].as_string();
  out.event_key = value["event_key"].as_string();
  const double rows = value["batch_rows"].as_double(static_cast<double>(out.batch_rows));
  if (!(rows >= 1) || rows > static_cast<double>(kMaxBatchRows))
    return fail(Code::kInvalidArgument, "`batch_rows` is from 1 to 1000000");
  out.batch_rows = static_cast<std::uint64_t>(rows);
  const double seconds = value["batch_seconds"].as_double(5);
  if (!(seconds > 0) || seconds * 1e6 > static_cast<double>(kMaxBatchUs))
    return fail(Code::kInvalidArgument, "`batch_seconds` is above 0 and at most 3600");
  out.batch_us = std::llround(seconds * 1e6);
  const double ahead = value["max_future_seconds"].as_double(300);
  if (!(ahead >= 0) || ahead > 1e9)
    return fail(Code::kInvalidArgument, "`max_future_seconds` is from 0 to 1000000000");
  out.max_future_us = std::llround(ahead * 1e6);
  return out;
}

}  // namespace maru::connect
