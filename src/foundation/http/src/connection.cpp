// The way in: bytes to requests to handlers. The way out is in connection_out.cpp.
#include "connection.h"

#include <boost/asio/write.hpp>
#include <utility>

#include "admission.h"
#include "http2.h"
#include "maru/http/limits.h"
#include "post.h"
#include "target.h"

namespace maru::http {
namespace {

constexpr std::size_t kSmallBuffer = 4 << 10;  // what an idle connection holds
constexpr std::size_t kLargeBuffer = 64 << 10;
constexpr std::size_t kGzipInlineBytes = 256
                                         << 10;  // an I/O thread packs no more than this at once
constexpr std::size_t kGzipPoolBytes = 64u << 20;
// Room for a head within every limit, and a little of what follows.
static_assert(kLargeBuffer > kMaxRequestLineBytes + kMaxHeaderBytes + 1024);

base::Code code_of(int status) {
  switch (status) {
    case 408:
      return base::Code::kDeadlineExceeded;
    case 413:
    case 414:
    case 431:
      return base::Code::kTooLarge;
    case 415:
    case 417:
    case 501:
    case 505:
      return base::Code::kUnimplemented;
    case 500:
      return base::Code::kInternal;
    default:
      return base::Code::kInvalidArgument;
  }
}

}  // namespace

Connection::Connection(std::shared_ptr<ServerCore> core, IoLoop& loop, tcp::socket socket,
                       std::string peer_address, bool rpc_only)
    : core_(std::move(core)),
      loop_(loop),
      socket_(std::move(socket)),
      peer_address_(std::move(peer_address)),
      rpc_only_(rpc_only) {
  if (core_->tls) tls_ = std::make_unique<asio::ssl::stream<tcp::socket&>>(socket_, *core_->tls);
}

Connection::~Connection() {
  {
    const std::lock_guard lock(core_->peers_mutex);
    const auto at = core_->peers.find(peer_address_);
    if (at != core_->peers.end() && --at->second == 0) core_->peers.erase(at);
  }
  {
    const std::lock_guard lock(core_->open_mutex);
    --core_->open;
  }
  core_->all_closed.notify_all();
}

void Connection::start() {
  if (core_->draining) return;
  loop_.connections.insert(shared_from_this());
  error_code ignored;
  socket_.set_option(tcp::no_delay(true), ignored);
  socket_.non_blocking(true, ignored);
  const auto remote = socket_.remote_endpoint(ignored);
  peer_ = peer_address_ + ":" + std::to_string(remote.port());
  arm(read_deadline_, core_->options.header_timeout_ms);
  if (!tls_) {
    phase_ = Phase::kHead;
    return read();
  }
  tls_->async_handshake(asio::ssl::stream_base::server,
                        [self = shared_from_this()](error_code error) {
                          if (error || self->phase_ != Phase::kHandshake) return self->close();
                          self->phase_ = Phase::kHead;
                          self->read();
                        });
}

void Connection::close() {
  if (phase_ == Phase::kClosed) return;
  const auto self = shared_from_this();
  if (sending_ || phase_ == Phase::kBusy || phase_ == Phase::kStream) log_answer(true);
  phase_ = Phase::kClosed;
  loop_.connections.erase(self);
  if (exchange_) exchange_->context.cancel.cancel();
  if (http2_) http2_->close();
  if (in_pipe_)
    in_pipe_->fail({base::Code::kCancelled, "the peer has closed the connection", "", nullptr});
  if (out_pipe_) out_pipe_->abort();
  if (refusal_timer_) refusal_timer_->cancel();
  held_refusal_.reset();
  error_code ignored;
  socket_.close(ignored);
  close_file();
  // Not response_ or the pieces: a cancelled write may still point into them.
  events_.reset();
  out_pipe_.reset();
  in_pipe_.reset();
  exchange_.reset();
}

void Connection::drain() {
  if (phase_ == Phase::kHandshake || (phase_ == Phase::kHead && begin_ == end_)) return close();
  if (phase_ == Phase::kHttp2) return with_http2([](Http2& http2) { http2.drain(); });
  keep_alive_ = false;
  if (events_) events_->close();
  release_refusal();
}

void Connection::sweep(std::int64_t now_ns, bool beat) {
  if (beat && events_) events_->push_raw(":\n\n");
  if (write_deadline_ != 0 && now_ns >= write_deadline_) return close();
  if (phase_ == Phase::kHttp2) {
    if (!http2_->sweep(now_ns, beat)) return close();
    return flush_http2();
  }
  if (read_deadline_ == 0 || now_ns < read_deadline_) return;
  read_deadline_ = 0;
  if (phase_ == Phase::kStream) {
    in_pipe_->fail(
        {base::Code::kDeadlineExceeded, "the body of the request stopped coming", "", nullptr});
    body_broken_ = true;
  } else if ((phase_ == Phase::kHead && head_started_) || phase_ == Phase::kBody) {
    send_error({base::Code::kDeadlineExceeded, "the request did not come in time",
                "send it without long pauses", nullptr},
               408);
  } else {
    close();
  }
}

void Connection::consume(std::size_t size) {
  begin_ += size;
  if (begin_ == end_) begin_ = end_ = 0;
}

void Connection::read() {
  if (reading_ || phase_ == Phase::kClosed) return;
  if (begin_ > 0 && end_ == buffer_.size()) {
    std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_),
              buffer_.begin() + static_cast<std::ptrdiff_t>(end_), buffer_.begin());
    end_ -= begin_;
    begin_ = 0;
  }
  if (end_ == buffer_.size()) {
    if (buffer_.size() >= kLargeBuffer) return;
    buffer_.resize(buffer_.empty() ? kSmallBuffer : kLargeBuffer);
  }
  reading_ = true;
  const auto space = asio::buffer(buffer_.data() + end_, buffer_.size() - end_);
  auto handler = [self = shared_from_this()](error_code error, std::size_t size) {
    self->on_read(error, size);
  };
  if (tls_)
    tls_->async_read_some(space, std::move(handler));
  else
    socket_.async_read_some(space, std::move(handler));
}

void Connection::on_read(error_code error, std::size_t size) {
  if (!read_well(error)) return;
  end_ += size;
  process();
}

bool Connection::read_well(error_code error) {
  reading_ = false;
  if (phase_ == Phase::kClosed) return false;
  // A peer that is gone before its request is whole gets no answer; one that only stopped sending waits for the one in work.
  if (error && (phase_ != Phase::kBusy || events_)) close();
  return !error;
}

// The bytes of a streamed body go from the socket to where the handler reads them.
void Connection::read_into_pipe() {
  if (reading_) return;
  const std::span<char> room = in_pipe_->room();
  const auto size = std::min<std::uint64_t>(room.size(), decoder_->plain_left());
  reading_ = true;
  auto handler = [self = shared_from_this(), pipe = in_pipe_](error_code error, std::size_t got) {
    if (!self->read_well(error)) return;
    // Else it was answered meanwhile: what still comes is nobody's.
    if (self->phase_ == Phase::kStream && !self->body_broken_) {
      self->decoder_->took(got);
      self->resting_ = !pipe->filled(got);
    }
    self->process();
  };
  const auto space = asio::buffer(room.data(), static_cast<std::size_t>(size));
  if (tls_)
    tls_->async_read_some(space, std::move(handler));
  else
    socket_.async_read_some(space, std::move(handler));
}

// A loop rather than recursion: thousands of pipelined requests may lie in one buffer.
void Connection::process() {
  again_ = true;
  if (processing_) return;
  processing_ = true;
  const auto self = shared_from_this();
  while (again_ && phase_ != Phase::kClosed) {
    again_ = false;
    step();
  }
  processing_ = false;
}

void Connection::step() {
  switch (phase_) {
    case Phase::kHead:
      return step_head();
    case Phase::kBody:
    case Phase::kStream:
      return step_body();
    case Phase::kHttp2:
      return step_http2();
    case Phase::kLinger:
      begin_ = end_ = 0;
      return read();
    case Phase::kBusy:
      if (events_) read();  // only to notice that the peer hangs up
      return;
    default:
      return;
  }
}

void Connection::step_head() {
  if (begin_ == end_) {
    if (core_->draining) return close();
    if (buffer_.size() > kSmallBuffer) std::vector<char>().swap(buffer_);
    return read();
  }
  if (!head_started_) {
    head_started_ = true;
    arm(read_deadline_, core_->options.header_timeout_ms);
  }
  if (fresh_ && begins_http2()) return;
  switch (parser_.parse(unread())) {
    case HeadParser::State::kMore:
      return read();
    case HeadParser::State::kBad:
      return refuse_bytes(parser_.fault());
    case HeadParser::State::kDone:
      break;
  }
  consume(parser_.consumed());
  on_head();
}

// A client with prior knowledge, or with h2 from ALPN, begins with the preface; no request of HTTP/1.1 does.
bool Connection::begins_http2() {
  const std::string_view first = unread().substr(0, kHttp2Preface.size());
  if (kHttp2Preface.starts_with(first)) {
    if (first.size() < kHttp2Preface.size()) {
      read();
      return true;
    }
    fresh_ = false;
    phase_ = Phase::kHttp2;
    read_deadline_ = 0;
    http2_ =
        std::make_unique<Http2>(core_, loop_, weak_from_this(), peer_, tls_ != nullptr, rpc_only_);
    if (core_->draining) http2_->drain();
    process();
    return true;
  }
  fresh_ = false;
  if (!rpc_only_) return false;
  send_error({base::Code::kUnimplemented, "this address speaks gRPC over HTTP/2 alone",
              "send HTTP/1.1 requests to the address of http.listen", nullptr},
             505);
  return true;
}

void Connection::step_http2() {
  const std::size_t size = end_ - begin_;
  const bool good = size == 0 || http2_->feed(unread());
  begin_ = end_ = 0;
  flush_http2();
  if (phase_ != Phase::kHttp2) return;
  if (!good) return linger();
  // A peer that fills the buffer gets a larger one, as long as it does.
  if (size == buffer_.size() && size < kLargeBuffer) buffer_.resize(kLargeBuffer);
  if (size < kSmallBuffer / 4 && buffer_.size() > kSmallBuffer)
    std::vector<char>(kSmallBuffer).swap(buffer_);
  read();
}

void Connection::with_http2(const std::function<void(Http2&)>& task) {
  if (phase_ != Phase::kHttp2) return;
  const auto self = shared_from_this();
  task(*http2_);
  flush_http2();
}

void Connection::flush_http2() {
  while (!writing_ && phase_ == Phase::kHttp2) {
    head_.clear();
    http2_->output(head_, kLargeBuffer);
    if (head_.empty()) break;
    pending_ = {asio::buffer(head_), asio::const_buffer(), asio::const_buffer()};
    if (!write()) return;
  }
  if (!writing_ && phase_ == Phase::kHttp2 && http2_->finished()) linger();
}

void Connection::refuse_bytes(Fault fault) {
  const char* hint = fault.status == 413 ? "send it in smaller pieces" : "";
  send_error({code_of(fault.status), fault.message, hint, nullptr}, fault.status);
}

void Connection::on_head() {
  Head& head = parser_.head();
  exchange_ = open_exchange(*core_, head.method, std::move(head.headers), peer_, tls_ != nullptr);
  Exchange& exchange = *exchange_;
  read_deadline_ = 0;
  keep_alive_ = head.keep_alive && !core_->draining;
  std::string authority;
  const base::Status target = parse_target(head.target, exchange.request, authority);
  if (!target) return send_error(target.error(), 0);
  if (!admit(exchange, authority) || !find_route(exchange)) return;
  begin_body();
}

// Host and Origin; answers and returns false when they are foreign.
bool Connection::admit(Exchange& exchange, const std::string& authority) {
  const std::string_view host =
      authority.empty() ? exchange.request.headers.get("Host") : std::string_view(authority);
  const base::Status allowed = check_names(*core_, exchange.request, host);
  if (!allowed) send_error(allowed.error(), 0);
  return allowed.has_value();
}

// Route, credentials and permission, all before the body is read.
bool Connection::find_route(Exchange& exchange) {
  Router::Match found = core_->router.match(exchange.request.method, exchange.request.path);
  if (found.options == nullptr) {
    const Head& head = parser_.head();
    if (head.chunked || head.content_length > 0) keep_alive_ = false;
    phase_ = Phase::kBusy;
    send(core_->router.not_found(exchange.request, exchange.context, found.method_mismatch,
                                 found.allow));
    return false;
  }
  exchange.options = found.options;
  exchange.handler = found.handler;
  exchange.request.path_params = std::move(found.params);
  const base::Status allowed = check_caller(*core_, *exchange.options, exchange);
  if (allowed) return true;
  send_error(allowed.error(), 0);
  return false;
}

void Connection::begin_body() {
  const Head& head = parser_.head();
  Exchange& exchange = *exchange_;
  const Coding coding = parse_coding(exchange.request.headers.get("Content-Encoding"));
  const std::size_t limit = exchange.options->max_body_bytes > 0 ? exchange.options->max_body_bytes
                                                                 : core_->options.max_body_bytes;
  const bool has_body = head.chunked || head.content_length > 0;
  if (!has_body && !exchange.options->stream_body) {
    phase_ = Phase::kBusy;
    return start_handler();
  }
  decoder_ = std::make_unique<BodyDecoder>(head, has_body ? coding : Coding::kIdentity, limit);
  if (decoder_->fault()) return refuse_bytes(decoder_->fault());
  body_broken_ = false;
  resting_ = false;
  phase_ = exchange.options->stream_body ? Phase::kStream : Phase::kBody;
  if (head.expect_continue && begin_ == end_ && has_body) return send_continue();
  if (phase_ == Phase::kStream) start_handler();
  process();
}

void Connection::send_continue() {
  static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  const Phase next = std::exchange(phase_, Phase::kContinue);
  arm(write_deadline_, core_->options.body_idle_timeout_ms);
  auto handler = [self = shared_from_this(), next](error_code error, std::size_t) {
    if (self->phase_ == Phase::kClosed) return;
    if (error) return self->close();
    self->write_deadline_ = 0;
    self->phase_ = next;
    if (next == Phase::kStream) self->start_handler();
    self->process();
  };
  const auto bytes = asio::buffer(kContinue.data(), kContinue.size());
  if (tls_)
    asio::async_write(*tls_, bytes, std::move(handler));
  else
    asio::async_write(socket_, bytes, std::move(handler));
}

void Connection::step_body() {
  if (resting_ || body_broken_) return;
  const bool streaming = phase_ == Phase::kStream;
  std::string& out = streaming ? decoded_ : exchange_->request.body;
  // Collected bodies are bounded by the decoder's limit, streamed ones by the pipe.
  consume(decoder_->feed(unread(), out, streaming ? kPipeBytes : ~std::size_t{0}));
  if (const Fault fault = decoder_->fault()) {
    if (!streaming) return refuse_bytes(fault);
    in_pipe_->fail({code_of(fault.status), fault.message, "", nullptr});
    body_broken_ = true;
    return;
  }
  if (streaming && !decoded_.empty()) {
    resting_ = !in_pipe_->push(decoded_);
    decoded_.clear();
  }
  if (decoder_->done()) {
    decoder_.reset();
    read_deadline_ = 0;
    phase_ = Phase::kBusy;
    if (streaming)
      in_pipe_->end();
    else
      start_handler();
    return;
  }
  if (resting_) {
    read_deadline_ = 0;
    return;
  }
  if (begin_ < end_) return process();
  arm(read_deadline_, core_->options.body_idle_timeout_ms);
  if (streaming && decoder_->plain_left() > 0) return read_into_pipe();
  // Many clients send a small body in a packet of its own: it needs no larger buffer.
  const Head& head = parser_.head();
  const bool small = !head.chunked && head.content_length <= kSmallBuffer;
  if (!small && buffer_.size() < kLargeBuffer) buffer_.resize(kLargeBuffer);
  read();
}

void Connection::start_handler() {
  Exchange& exchange = *exchange_;
  if (exchange.options->stream_body) {
    const std::weak_ptr<Connection> weak = weak_from_this();
    const std::shared_ptr<ServerCore> core = core_;
    IoLoop* loop = &loop_;
    const auto on_space = [weak, core, loop] {
      core->post(*loop, [weak] {
        const auto self = weak.lock();
        if (!self || self->phase_ != Phase::kStream) return;
        self->resting_ = false;
        self->process();
      });
    };
    const Head& head = parser_.head();
    const bool known =
        !head.chunked &&
        parse_coding(exchange.request.headers.get("Content-Encoding")) == Coding::kIdentity;
    in_pipe_ = std::make_shared<InPipe>(on_space, known ? head.content_length : kPieceBytes);
    exchange.request.body_stream = in_pipe_;
  }
  RunOn where = place_of(*exchange.options, exchange.request);
  if (where == RunOn::kInline) {
    Response response =
        run_handler(*exchange.options, *exchange.handler, exchange.request, exchange.context);
    if (response.later) return answer_later(exchange_, response);
    if (!response.stream || exchange.head_only) {
      compress_body(response, exchange.gzip_wanted, kGzipInlineBytes);
      return send(std::move(response));
    }
    where = RunOn::kBlocking;
    exchange_->ready = std::move(response);
  }
  const base::Status queued =
      pool_of(*core_, where).submit([self = shared_from_this(), ex = exchange_] {
        self->run_job(ex);
      });
  if (queued) return;
  ++core_->shed;
  send_error(queued.error(), 503);
}

void Connection::answer_later(const std::shared_ptr<Exchange>& exchange, Response& response) {
  const auto later = std::move(response.later);
  later([self = shared_from_this(), core = core_, loop = &loop_,
         exchange](base::Result<Response> outcome) {
    Response answer =
        response_of(exchange->options, std::move(outcome), exchange->request, exchange->context);
    compress_body(answer, exchange->gzip_wanted, kGzipInlineBytes);
    core->post(*loop, [self, moved = std::make_shared<Response>(std::move(answer))] {
      if (self->phase_ != Phase::kClosed) self->send(std::move(*moved));
    });
  });
}

// On a pool's thread: touches only the exchange and what is safe to share.
void Connection::run_job(const std::shared_ptr<Exchange>& exchange) {
  const auto self = shared_from_this();
  Response response = run_waited(*exchange);
  if (response.later) return answer_later(exchange, response);
  if (!response.stream || exchange->head_only) {
    compress_body(response, exchange->gzip_wanted, kGzipPoolBytes);
    core_->post(loop_, [self, moved = std::make_shared<Response>(std::move(response))] {
      if (self->phase_ != Phase::kClosed) self->send(std::move(*moved));
    });
    return;
  }
  const auto writer = std::move(response.stream);
  response.stream = nullptr;
  const std::shared_ptr<ServerCore> core = core_;
  IoLoop* loop = &loop_;
  const auto pipe = std::make_shared<OutPipe>([core, loop, weak = weak_from_this()] {
    core->post(*loop, [weak] {
      if (const auto alive = weak.lock()) alive->pump();
    });
  });
  const bool posted =
      core_->post(loop_, [self, pipe, moved = std::make_shared<Response>(std::move(response))] {
        if (self->phase_ == Phase::kClosed) return pipe->abort();
        self->out_pipe_ = pipe;
        self->send(std::move(*moved));
      });
  if (!posted) pipe->abort();
  run_writer(writer, *pipe, exchange->request.path);
}

}  // namespace maru::http
