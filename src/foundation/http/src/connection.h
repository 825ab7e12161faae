#pragma once
#include "asio_config.h"

#include <array>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <thread>
#include <unordered_set>

#include "body.h"
#include "event_stream.h"
#include "file_pipe.h"
#include "head.h"
#include "hosts.h"
#include "maru/http/server.h"
#include "maru/http/trace.h"
#include "pipe.h"
#include "response_head.h"
#include "run_handler.h"

namespace maru::http {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

class Connection;
class Http2;

// One event loop on one thread. A connection lives on the loop it was given, so its state needs no lock.
struct IoLoop {
  asio::io_context context{1};
  asio::steady_timer sweep{context};
  std::unordered_set<std::shared_ptr<Connection>> connections;  // the open ones
  std::string date;
  std::int64_t date_second = -1;
  std::int64_t beat_ns = 0;  // when event streams got their last comment
  std::thread thread;
};

// What all connections of a server share.
struct ServerCore {
  ServerCore(ServerOptions o, const Router& r, Authenticate a)
      : options(std::move(o)),
        router(r),
        authenticate(std::move(a)),
        hosts(options.host, options.allowed_hosts) {}

  const ServerOptions options;
  const Router& router;
  const Authenticate authenticate;
  const HostList hosts;
  std::unique_ptr<asio::ssl::context> tls;
  std::vector<std::unique_ptr<IoLoop>> loops;

  std::atomic<bool> draining{false};
  std::shared_mutex post_mutex;  // stopped is set only while nobody posts
  bool stopped = false;

  std::mutex peers_mutex;
  std::map<std::string, std::size_t, std::less<>> peers;

  std::mutex open_mutex;
  std::condition_variable all_closed;
  std::atomic<std::uint64_t> open{0}, total{0}, requests{0}, responses_4xx{0}, responses_5xx{0},
      shed{0};

  std::int64_t now_ns() const { return options.clock->monotonic_ns(); }

  // Runs `task` on the loop's thread; false, and dropped, once the server has stopped.
  template <class Task>
  bool post(IoLoop& loop, Task task);
};

// What a request needs until it is answered; shared with the pool's thread.
struct Exchange {
  Request request;
  base::Context context;
  const RouteOptions* options = nullptr;
  const Handler* handler = nullptr;
  std::optional<Response> ready;  // the handler has run already
  bool gzip_wanted = false;
  bool head_only = false;
};

// One socket: reads requests one after another and answers each before it looks at the next. All methods run on the loop's thread,
// except run_job. Owned by its loop until close(), and by its pending operations.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  // `rpc_only`: came to the address that speaks gRPC alone.
  Connection(std::shared_ptr<ServerCore> core, IoLoop& loop, tcp::socket socket,
             std::string peer_address, bool rpc_only);
  ~Connection();
  void start();
  void sweep(std::int64_t now_ns, bool beat);
  void drain();  // closes when idle, else after the answer in work
  void close();
  // Runs `task` and sends what comes of it, while the connection is open and speaks HTTP/2.
  void with_http2(const std::function<void(Http2&)>& task);
  Http2* http2() { return http2_.get(); }  // once made, there until the end

 private:
  // kHead: waits for a request. kBody: collects its body. kStream: passes it on while the handler runs. kContinue: tells the peer to
  // send the body. kBusy: the request is whole and being answered. kLinger: answered for good; waits for the peer to hang up.
  enum class Phase : std::uint8_t {
    kHandshake,
    kHead,
    kBody,
    kStream,
    kContinue,
    kBusy,
    kHttp2,
    kLinger,
    kClosed
  };
  enum class Source : std::uint8_t { kNone, kFile, kPipe, kEvents };
  using Buffers = std::array<asio::const_buffer, 3>;

  // in
  void read();
  void on_read(error_code error, std::size_t size);
  bool read_well(error_code error);
  void read_into_pipe();
  void process();
  void step();
  void step_head();
  void step_body();
  void step_http2();
  bool begins_http2();  // true when the first bytes are, or may become, HTTP/2's
  void flush_http2();
  void on_head();
  bool admit(Exchange& exchange, const std::string& authority);
  bool find_route(Exchange& exchange);
  void begin_body();
  void send_continue();
  void refuse_bytes(Fault fault);
  void start_handler();
  // Sends what `later` of the response answers, whenever it does.
  void answer_later(const std::shared_ptr<Exchange>& exchange, Response& response);
  void run_job(const std::shared_ptr<Exchange>& exchange);
  std::string_view unread() const { return {buffer_.data() + begin_, end_ - begin_}; }
  void consume(std::size_t size);

  // out
  enum class Next : std::uint8_t { kWrite, kWait, kEnd, kBroken };
  void send(Response response);
  void send_now(Response response);
  bool hold_refusal(Response& response);
  void release_refusal();
  void send_error(const base::Error& error, int status);
  void choose_source(Framing& framing, bool bodyless);
  bool open_file();
  void close_file();
  void pump();
  Next next_piece();
  Next next_file_piece();
  Next next_pipe_piece();
  Next next_event_piece();
  Next end_of_pieces();
  Next drain_file_pipe();
  void read_file_piece();
  void frame_piece();
  bool write();  // sends pending_; true when it is all gone already
  void write_rest();
  void on_written(error_code error, std::size_t size);
  void finish_response();
  void log_answer(bool cut);  // to the access log
  void linger();
  void arm(std::int64_t& deadline, std::int64_t timeout_ms) {
    deadline = core_->now_ns() + timeout_ms * 1'000'000;
  }
  const std::string& date();

  std::shared_ptr<ServerCore> core_;
  IoLoop& loop_;
  tcp::socket socket_;
  std::unique_ptr<asio::ssl::stream<tcp::socket&>> tls_;
  std::string peer_address_;
  std::string peer_;
  bool rpc_only_;
  Phase phase_ = Phase::kHandshake;
  std::unique_ptr<Http2> http2_;

  std::vector<char> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  bool reading_ = false;
  bool processing_ = false;
  bool again_ = false;
  bool resting_ = false;  // the body's pipe is full
  bool body_broken_ = false;
  HeadParser parser_;
  std::unique_ptr<BodyDecoder> decoder_;
  std::shared_ptr<InPipe> in_pipe_;
  std::string decoded_;
  std::shared_ptr<Exchange> exchange_;
  bool keep_alive_ = true;
  bool head_started_ = false;
  bool fresh_ = true;  // before its first request

  Source source_ = Source::kNone;
  Response response_;
  std::string head_;
  std::string piece_;
  std::string frame_;
  Buffers pending_{};
  std::unique_ptr<asio::steady_timer> refusal_timer_;
  std::optional<Response> held_refusal_;
  std::int64_t refused_ns_ = 0;  // when the last refusal was sent
  bool sending_ = false;
  bool writing_ = false;
  bool pumping_ = false;
  bool chunked_ = false;
  bool last_piece_ = false;
  bool length_known_ = false;
  std::uint64_t left_ = 0;  // of the announced length
  int file_ = -1;
  std::uint64_t file_at_ = 0;
  bool reading_file_ = false;
  bool has_file_piece_ = false;
  std::shared_ptr<FilePipe> file_pipe_;  // of a large file to a peer without TLS
  std::size_t piped_ = 0;                // bytes in it that the socket has not taken
  std::shared_ptr<OutPipe> out_pipe_;
  std::shared_ptr<EventStream> events_;

  std::int64_t read_deadline_ = 0;
  std::int64_t write_deadline_ = 0;
};

}  // namespace maru::http
