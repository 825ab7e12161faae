#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "maru/base/json.h"
#include "maru/base/result.h"

namespace maru::base {
struct StageTimes;  // stage_times.h
}

namespace maru::http {

class EventStream;    // sse.h
struct TraceContext;  // trace.h

enum class Method : std::uint8_t { kGet, kHead, kPost, kPut, kPatch, kDelete, kOptions };
std::string_view method_name(Method method);

// Names compare without case; order and duplicates are kept.
class Headers {
 public:
  void set(std::string_view name, std::string_view value);  // replaces all of that name
  void add(std::string_view name, std::string_view value);
  std::string_view get(std::string_view name) const;  // first value, or ""
  bool has(std::string_view name) const;
  void remove(std::string_view name);
  const std::vector<std::pair<std::string, std::string>>& all() const { return all_; }

 private:
  std::vector<std::pair<std::string, std::string>> all_;
};

// Pulls a body piece by piece, without a copy; next() blocks its (pool) thread until a piece is full (256 KiB) or the body ends. A piece's
// bytes stand as long as its owner is held; no bytes mean the end. Errors end the body.
class BodyReader {
 public:
  struct Piece {
    std::string_view bytes;
    std::shared_ptr<const void> owner;
  };
  virtual ~BodyReader() = default;
  virtual base::Result<Piece> next() = 0;
};

struct Request {
  Method method = Method::kGet;
  std::string target;  // as sent
  std::string path;    // percent-decoded once; never contains NUL, ".." segments or backslashes
  std::vector<std::pair<std::string, std::string>> query;        // decoded, in order
  std::vector<std::pair<std::string, std::string>> path_params;  // filled by the router
  Headers headers;
  std::string body;                         // whole and decompressed, unless the route streams
  std::shared_ptr<BodyReader> body_stream;  // set when the route asked for a streamed body
  std::string peer;                         // "127.0.0.1:5312"
  bool tls = false;
  std::int64_t received_ns = 0;               // monotonic, when the head was complete
  std::shared_ptr<const TraceContext> trace;  // null: the caller brought none
  std::shared_ptr<base::StageTimes> times;    // null: the caller did not ask

  std::string_view query_param(std::string_view name, std::string_view fallback = {}) const;
  std::string_view param(std::string_view name) const;  // path parameter, "" when absent
};

// Writes a response body from a pool thread. write() blocks while the peer's window is full (bounded buffer) and fails when the peer is gone.
class BodyWriter {
 public:
  virtual ~BodyWriter() = default;
  virtual base::Status write(std::string_view bytes) = 0;
};

struct Response {
  int status = 200;
  Headers headers;
  std::string body;
  std::string_view static_body;  // instead of `body`, unless empty: bytes that outlive the server
  // Instead of a body: called on the route's pool (kBlocking for an inline route); chunked unless Content-Length is set.
  std::function<base::Status(BodyWriter&)> stream;
  // Instead of a body: a file range, sent without holding it in memory.
  std::string file_path;
  std::uint64_t file_offset = 0;
  std::uint64_t file_length = 0;  // 0: to the end of the file
  // Instead of an answer: called once, at once, with a function that takes the answer or the failure later, once, on any thread. For work that another
  // thread finishes (a database's writer, a model's queue), so that no thread waits for it. Must not block. The handler's request and context live until that
  // function has been called and destroyed.
  std::function<void(std::function<void(base::Result<Response>)>)> later;
  // Instead of a body: live events, made by EventHub::subscribe.
  std::shared_ptr<EventStream> events;

  std::string_view whole_body() const {
    return static_body.empty() ? std::string_view(body) : static_body;
  }
  static Response json(const base::Json& value, int status = 200);
  static Response json_text(std::string text, int status = 200);
  static Response text(std::string text, int status = 200,
                       std::string_view type = "text/plain; charset=utf-8");
  static Response empty(int status = 204);
};

// Maru's own error body: {"error_code", "message", "hint", "request_id"}.
Response error_response(const base::Error& error, std::string_view request_id = {});
std::string percent_decode(std::string_view text);  // bad escapes are kept as they are
std::string percent_encode(std::string_view text);  // all but unreserved

}  // namespace maru::http
