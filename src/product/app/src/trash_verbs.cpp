#include "maru/base/text.h"
#include "output.h"
#include "tracking_verbs.h"

namespace maru::app {
namespace {

using base::Code;
using base::Json;
using base::Result;
using http::Method;

constexpr std::size_t kShortId = 12;
constexpr std::int64_t kSecondsPerDay = 86'400;

// The one thing in the trash that is meant: by its whole id, an experiment's name, or the beginning of an id.
Result<Json> find(const Json& items, const std::string& text) {
  std::vector<Json> found;
  for (const auto& item : items.items()) {
    if (item["kind"].as_string() == "model") continue;
    if (item["id"].as_string() == text ||
        (item["kind"].as_string() == "experiment" && item["name"].as_string() == text))
      return item;
    if (item["kind"].as_string() == "run" && item["id"].as_string().starts_with(text))
      found.push_back(item);
  }
  if (found.size() == 1) return found[0];
  if (found.empty())
    return base::fail(Code::kNotFound, "the trash has nothing like this: " + text,
                      "see `maru tracking trash list`");
  return base::fail(Code::kInvalidArgument,
                    std::to_string(found.size()) + " ids in the trash begin so: " + text,
                    "type more of it");
}

}  // namespace

int trash_list(const Invocation& invocation, const TrackingOptions&) {
  return with_session(invocation, [&](Session& session) -> Result<int> {
    TRY_ASSIGN(const Json trash, session.call(Method::kGet, "/api/v1/trash?limit=10000"));
    if (invocation.json) {
      print(trash.dump() + "\n");
      return 0;
    }
    if (trash["items"].size() == 0) {
      print("The trash is empty.\n");
      return 0;
    }
    TextTable table;
    for (const char* title : {"kind", "name", "id", "deleted", "kept by"}) table.column(title);
    for (const auto& item : trash["items"].items())
      table.row({item["kind"].as_string(), item["name"].as_string(),
                 item["id"].as_string().substr(0, kShortId), age_text(item["deleted_us"].as_int()),
                 item["kept_by"].as_string()});
    print(table.text());
    print(dim("back: maru tracking trash restore ID") + "\n");
    return 0;
  });
}

int trash_restore(const Invocation& invocation, const TrackingOptions& options) {
  return with_session(invocation, [&](Session& session) -> Result<int> {
    TRY_ASSIGN(const Json trash, session.call(Method::kGet, "/api/v1/trash?limit=10000"));
    Json restored = Json::array();
    for (const auto& name : options.names) {
      TRY_ASSIGN(const Json item, find(trash["items"], name));
      TRY_ASSIGN(const Json done,
                 session.call(Method::kPost, "/api/v1/trash/restore",
                              Json::object({{"kind", item["kind"]}, {"id", item["id"]}})));
      restored.push(done);
      if (!invocation.json)
        print(item["kind"].as_string() + " " + bold(item["name"].as_string()) + " is back\n");
    }
    if (invocation.json) print(Json::object({{"restored", restored}}).dump() + "\n");
    return 0;
  });
}

int trash_empty(const Invocation& invocation, const TrackingOptions& options) {
  return with_session(invocation, [&](Session& session) -> Result<int> {
    TRY_ASSIGN(const Json done,
               session.call(Method::kPost, "/api/v1/trash/empty",
                            Json::object({{"older_than_s", options.days * kSecondsPerDay}})));
    if (invocation.json) {
      print(done.dump() + "\n");
      return 0;
    }
    std::string line;
    for (const char* kind : {"experiments", "runs", "models", "traces", "blobs"}) {
      const std::string word = std::string(kind) == "blobs" ? "files" : kind;
      line += (line.empty() ? "" : ", ") + base::format_count(done[kind].as_int()) + " " + word;
    }
    print("gone for good: " + line + "\n");
    return 0;
  });
}

}  // namespace maru::app
