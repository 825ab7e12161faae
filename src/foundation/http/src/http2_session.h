#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "head.h"
#include "maru/base/clock.h"
#include "maru/http/limits.h"
#include "maru/http/message.h"

namespace maru::http {

// What a client that knows HTTP/2 sends first.
inline constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

struct Http2Head {
  std::string method, path, authority;
  Headers headers;
  Fault fault;  // what is too large about it
};

struct Http2Field {
  std::string_view name, value;  // the name in lower case
  bool indexed = true;           // false: a value that is not worth a place in the peer's table
};

// What a session tells its owner, from within feed() and output(). The owner may answer, write, end and reset there.
class Http2Events {
 public:
  virtual ~Http2Events() = default;
  virtual void on_head(std::int32_t stream, Http2Head&& head) = 0;
  virtual void on_data(std::int32_t stream, std::string_view bytes) = 0;
  virtual void on_end(std::int32_t stream) = 0;   // the request is whole
  virtual void on_gone(std::int32_t stream) = 0;  // answered, reset by either side, or cut off
};

// The server's side of one HTTP/2 connection (RFC 9113) without a socket: bytes in, events out, bytes out. Flow control follows consume(): a peer sends no
// more than a window ahead of it. Floods of frames that carry nothing end the connection (limits.h). Not thread safe.
class Http2Session {
 public:
  enum class Reset : std::uint8_t { kNone, kRefused, kCancel, kCalm, kInternal };

  Http2Session(Http2Events& events, const base::Clock& clock);
  ~Http2Session();

  // False: the connection is over, once output() is sent.
  bool feed(std::string_view bytes);
  // Appends what is to be sent, about `most` bytes; true when there may be more.
  bool output(std::string& out, std::size_t most);
  bool finished() const;  // nothing more will come or go

  // `end`: no body follows. A stream that is gone ignores all of these.
  void respond(std::int32_t stream, std::span<const Http2Field> fields, bool end);
  void proceed(std::int32_t stream);  // 100: the peer may send the body
  void write(std::int32_t stream, std::string_view bytes);
  void end(std::int32_t stream);
  void end(std::int32_t stream, std::span<const Http2Field> trailers);
  void reset(std::int32_t stream, Reset reason);
  void consume(std::int32_t stream,
               std::size_t size);                 // of on_data: the peer may send as much again
  void discard(std::size_t size);                 // of on_data, likewise, on other streams alone
  std::size_t unsent(std::int32_t stream) const;  // written, and not taken by the peer
  std::uint64_t sent(std::int32_t stream) const;  // bytes of its body so far
  // Streams of which something was sent since the last call.
  std::vector<std::int32_t> take_progress();

  void answered();  // a request was served: its peer may send a few more frames
  void ping();
  bool ping_waits() const;  // for its answer
  void notice();            // no new streams, please; those on their way are served
  void goaway();            // streams beyond the last seen one are not
  void calm();              // ends the connection with ENHANCE_YOUR_CALM
  std::size_t streams() const;

  struct Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace maru::http
