#pragma once
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "connection.h"
#include "http2_session.h"
#include "maru/http/rpc.h"
#include "rpc_frame.h"

namespace maru::http {

// One request of an HTTP/2 connection until its stream is gone.
struct Http2Call {
  std::int32_t id = 0;
  std::shared_ptr<Exchange> exchange;  // nullptr: refused before it was one
  bool whole = false;                  // the peer has sent all of it
  bool in_work = false;                // a handler runs, or will
  bool answered = false;               // nothing is added to what was written
  bool lingered = false;               // at the last sweep already
  // A refusal that waits until the peer has sent its request, or has had a moment for it: some clients take one that comes earlier for a failure.
  std::function<void()> verdict;
  std::size_t buffered = 0;  // of its body in memory here
  std::int64_t read_deadline = 0;
  std::uint64_t sent_seen = 0;
  std::int64_t stalled_ns = 0;  // since when the peer takes nothing

  // gRPC
  bool rpc = false;
  const RpcMethod* method = nullptr;
  std::optional<RpcReader> reader;
  bool has_message = false;           // of a unary call
  std::shared_ptr<RpcStream> stream;  // of a streaming one
  std::string unread;                 // its bytes from `unread_at` on wait for their turn
  std::size_t unread_at = 0;
  bool rested = false;  // until the peer takes more of the answers
  bool responded = false;

  // plain
  std::unique_ptr<Inflater> inflater;
  std::shared_ptr<InPipe> in_pipe;
  std::uint64_t received = 0;  // of its body, unpacked
  std::size_t held = 0;        // bytes that the peer may not replace yet
  bool resting = false;        // the pipe is full
  std::shared_ptr<OutPipe> out_pipe;
  std::shared_ptr<EventStream> events;
  std::optional<std::uint64_t> length_left;
};

// The requests of one HTTP/2 connection: gRPC calls to the RpcRouter, all others to the Router. All methods run on the loop's thread; only jobs run elsewhere,
// and they come back by posting to the connection. Its owner sends output() after each call.
class Http2 final : private Http2Events {
 public:
  Http2(std::shared_ptr<ServerCore> core, IoLoop& loop, std::weak_ptr<Connection> connection,
        std::string peer, bool tls, bool rpc_only);
  ~Http2() override;

  bool feed(std::string_view bytes);
  bool output(std::string& out, std::size_t most);
  bool finished() const;
  // False: the peer is dead or has nothing to say; the connection may close.
  bool sweep(std::int64_t now_ns, bool beat);
  void drain();
  void close();  // the connection is gone

 private:
  using Fields = std::vector<Http2Field>;

  void on_head(std::int32_t id, Http2Head&& head) override;
  void on_data(std::int32_t id, std::string_view bytes) override;
  void on_end(std::int32_t id) override;
  void on_gone(std::int32_t id) override;

  Http2Call* find(std::int32_t id);
  bool reserve(Http2Call& call, std::size_t size);
  void release(Http2Call& call);
  void begin_work(Http2Call& call);
  Http2Call* end_work(std::int32_t id);  // nullptr: the peer has lost interest
  void progress();
  void sweep_call(Http2Call& call, std::int64_t now_ns, bool beat);
  void conclude(Http2Call& call);
  // Runs `task(Http2&)` on the loop's thread while the connection lives.
  template <class Task>
  void post(Task task);
  template <class Task>
  std::function<void()> poster(Task task);

  // http2_rpc.cpp
  void rpc_head(Http2Call& call, Http2Head& head);
  void rpc_data(Http2Call& call, std::string_view bytes);
  void rpc_end(Http2Call& call);
  void rpc_start(Http2Call& call);
  void rpc_answer(Http2Call& call, base::Result<Response> result);
  void rpc_answer_later(Http2Call& call, Response& response);
  void rpc_advance(Http2Call& call);
  base::Result<bool> rpc_next(Http2Call& call, std::string& message);
  void rpc_message_in(Http2Call& call, std::string message);
  void rpc_done(Http2Call& call, base::Status status, std::vector<std::string>& out);
  void rpc_send(Http2Call& call, std::string_view message);
  void rpc_respond(Http2Call& call);
  void rpc_finish(Http2Call& call, const base::Status& status);
  void rpc_tell(Http2Call& call, const base::Error& error);
  void rpc_tick(Http2Call& call);

  // http2_plain.cpp
  void plain_head(Http2Call& call, Http2Head& head);
  void plain_data(Http2Call& call, std::string_view bytes);
  void plain_end(Http2Call& call);
  void plain_start(Http2Call& call);
  void plain_job(std::int32_t id, const std::shared_ptr<Exchange>& exchange);
  void plain_later(std::int32_t id, const std::shared_ptr<Exchange>& exchange, Response& response);
  void plain_error(Http2Call& call, const base::Error& error, int status);
  void plain_respond(Http2Call& call, Response response);
  void plain_refuse(Http2Call& call, Response response);
  void plain_pump(Http2Call& call);

  std::shared_ptr<ServerCore> core_;
  IoLoop& loop_;
  std::weak_ptr<Connection> connection_;
  std::string peer_;
  bool tls_;
  bool rpc_only_;
  Http2Session session_;
  std::unordered_map<std::int32_t, std::unique_ptr<Http2Call>> calls_;
  std::size_t buffered_ = 0;
  std::size_t abandoned_ = 0;  // in work for streams that are gone
  std::int64_t heard_ns_;
  std::int64_t idle_since_ns_;
  std::int64_t pinged_ns_ = 0;
  enum class Ending : std::uint8_t { kNo, kNoticed, kSaid } ending_ = Ending::kNo;
};

}  // namespace maru::http
