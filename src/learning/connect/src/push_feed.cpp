// Events that were pushed to us, out of the log that made them durable.
#include "feed.h"
#include "maru/base/context.h"
#include "parallel.h"

namespace maru::connect {
namespace {

using base::Status;
using store::params;

constexpr std::int64_t kRequestsAtOnce = 64;
constexpr int kLookMs = 50;

class PushFeed final : public Feed {
 public:
  PushFeed(store::Database& db, const StreamSpec& spec, std::int64_t next)
      : db_(db), project_(spec.project), name_(spec.name), next_(next) {}

  Status poll(std::size_t most, int wait_ms, std::vector<Event>& events) override {
    base::Context context;
    for (int waited = 0;; waited += kLookMs) {
      const std::size_t before = events.size();
      TRY(take(most, events));
      if (events.size() > before || waited >= wait_ms) return {};
      TRY(pause(context, kLookMs));
    }
  }
  Status forget(store::Writer& writer, const std::map<int, std::int64_t>& next) override {
    const auto at = next.find(0);
    if (at == next.end()) return {};
    TRY(writer.execute(
        "DELETE FROM connect_push WHERE project = $1 AND stream = $2 AND first + events <= $3",
        params(project_, name_, at->second)));
    return {};
  }
  std::int64_t lag(const std::map<int, std::int64_t>& next) override {
    const auto at = next.find(0);
    const auto rows = db_.query(
        "SELECT coalesce(max(first + events), 0) FROM connect_push WHERE project = $1 AND stream = "
        "$2",
        params(project_, name_));
    if (!rows) return -1;
    return std::max<std::int64_t>(0, (*rows)[0].integer(0) - (at == next.end() ? 0 : at->second));
  }

 private:
  Status take(std::size_t most, std::vector<Event>& events) {
    const auto asked = params(project_, name_, next_, kRequestsAtOnce);
    std::size_t taken = 0;
    return db_.read([&](store::Reader& reader) {
      return reader.each(
          "SELECT first, events, body FROM connect_push WHERE project = $1 AND stream = $2 AND "
          "first + events > $3 ORDER BY first LIMIT $4",
          asked, [&](const store::Cursor& row) -> Status {
            std::int64_t offset = row.integer(0);
            std::string_view body = row.bytes(2);
            // Each event is its length in decimal digits, a blank, and its bytes.
            while (!body.empty() && taken < most) {
              std::size_t size = 0, at = 0;
              for (; at < body.size() && body[at] != ' '; ++at)
                size = size * 10 + static_cast<std::size_t>(body[at] - '0');
              if (at + 1 + size > body.size())
                return base::fail(base::Code::kDataLoss, "the log of pushed events is damaged");
              if (offset >= next_) {
                events.push_back({0, offset, std::string(body.substr(at + 1, size))});
                next_ = offset + 1;
                ++taken;
              }
              ++offset;
              body.remove_prefix(at + 1 + size);
            }
            return {};
          });
    });
  }

  store::Database& db_;
  const std::string project_, name_;
  std::int64_t next_;
};

}  // namespace

std::unique_ptr<Feed> open_push_feed(store::Database& db, const StreamSpec& spec,
                                     const std::map<int, std::int64_t>& next) {
  const auto at = next.find(0);
  return std::make_unique<PushFeed>(db, spec, at == next.end() ? 0 : at->second);
}

}  // namespace maru::connect
