// The way in: bytes to requests to handlers. The way out is in connection_out.cpp.
#include "connection.h"

#include <boost/asio/write.hpp>
#include <utility>

#include "maru/base/id.h"
#include "maru/base/log.h"
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

// Whether an inline route's handler may run on the I/O thread for this request.
bool fits_inline(const RouteOptions& options, const Request& request) {
  return request.body.size() <= options.inline_body_bytes &&
         (!options.inline_if || options.inline_if(request));
}

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

bool plain_id(std::string_view text) {
  if (text.empty() || text.size() > 128) return false;
  for (const char c : text) {
    if (c <= 0x20 || c >= 0x7f) return false;
  }
  return true;
}

}  // namespace

Connection::Connection(std::shared_ptr<ServerCore> core, IoLoop& loop, tcp::socket socket,
                       std::string peer_address)
    : core_(std::move(core)),
      loop_(loop),
      socket_(std::move(socket)),
      peer_address_(std::move(peer_address)) {
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
  phase_ = Phase::kClosed;
  loop_.connections.erase(self);
  if (exchange_) exchange_->context.cancel.cancel();
  if (in_pipe_)
    in_pipe_->fail({base::Code::kCancelled, "the peer has closed the connection", "", nullptr});
  if (out_pipe_) out_pipe_->abort();
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
  keep_alive_ = false;
  if (events_) events_->close();
}

void Connection::sweep(std::int64_t now_ns, bool beat) {
  if (beat && events_) events_->push_raw(":\n\n");
  if (write_deadline_ != 0 && now_ns >= write_deadline_) return close();
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
  reading_ = false;
  if (phase_ == Phase::kClosed) return;
  if (error) {
    // A peer that is gone before its request is whole gets no answer; one that only stopped sending waits for the one in work.
    if (phase_ != Phase::kBusy || events_) close();
    return;
  }
  end_ += size;
  process();
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

void Connection::refuse_bytes(Fault fault) {
  const char* hint = fault.status == 413 ? "send it in smaller pieces" : "";
  send_error({code_of(fault.status), fault.message, hint, nullptr}, fault.status);
}

void Connection::on_head() {
  Head& head = parser_.head();
  exchange_ = std::make_shared<Exchange>();
  Exchange& exchange = *exchange_;
  ++core_->requests;
  read_deadline_ = 0;
  keep_alive_ = head.keep_alive && !core_->draining;
  exchange.request.method = head.method;
  exchange.request.headers = std::move(head.headers);
  exchange.request.peer = peer_;
  exchange.request.tls = tls_ != nullptr;
  exchange.request.received_ns = core_->now_ns();
  exchange.head_only = head.method == Method::kHead;
  exchange.context.clock = core_->options.clock;
  const Headers& headers = exchange.request.headers;
  const std::string_view id = headers.get("X-Request-Id");
  exchange.context.trace_id = plain_id(id) ? std::string(id) : base::new_id(*core_->options.clock);
  exchange.gzip_wanted = accepts_gzip(headers.get("Accept-Encoding"));
  std::string authority;
  const base::Status target = parse_target(head.target, exchange.request, authority);
  if (!target) return send_error(target.error(), 0);
  if (!admit(exchange, authority) || !find_route(exchange)) return;
  begin_body();
}

// Host and Origin; answers and returns false when they are foreign.
bool Connection::admit(Exchange& exchange, const std::string& authority) {
  const Headers& headers = exchange.request.headers;
  const std::string_view host =
      authority.empty() ? headers.get("Host") : std::string_view(authority);
  if (!core_->hosts.host_allowed(host)) {
    send_error({base::Code::kPermissionDenied,
                "this server does not answer to the name " + std::string(host),
                "add it to http.allowed-hosts", nullptr},
               0);
    return false;
  }
  const std::string_view origin = headers.get("Origin");
  if (!core_->hosts.origin_allowed(origin, host)) {
    send_error({base::Code::kPermissionDenied,
                "requests of pages from another origin are refused: " + std::string(origin),
                "add its host to http.allowed-hosts", nullptr},
               0);
    return false;
  }
  return true;
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
  exchange.context.principal = {"anonymous", base::Role::kNone};
  base::Result<base::Principal> who = exchange.context.principal;
  if (core_->authenticate) who = core_->authenticate(exchange.request);
  base::Status allowed;
  if (who) {
    exchange.context.principal = std::move(*who);
    allowed = check_permission(*exchange.options, exchange.context);
  } else if (exchange.options->permission != Permission::kPublic) {
    allowed = tl::unexpected<base::Error>(std::move(who).error());
  }
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
  if (buffer_.size() < kLargeBuffer) {
    buffer_.resize(kLargeBuffer);
  }
  read();
}

void Connection::start_handler() {
  Exchange& exchange = *exchange_;
  if (exchange.options->stream_body) {
    const std::weak_ptr<Connection> weak = weak_from_this();
    const std::shared_ptr<ServerCore> core = core_;
    IoLoop* loop = &loop_;
    in_pipe_ = std::make_shared<InPipe>([weak, core, loop] {
      core->post(*loop, [weak] {
        const auto self = weak.lock();
        if (!self || self->phase_ != Phase::kStream) return;
        self->resting_ = false;
        self->process();
      });
    });
    exchange.request.body_stream = in_pipe_;
  }
  RunOn where = exchange.options->run_on;
  // A handler that waits for a body must not wait on the thread that brings it.
  if (where == RunOn::kInline && exchange.options->stream_body) where = RunOn::kBlocking;
  if (where == RunOn::kInline && !fits_inline(*exchange.options, exchange.request))
    where = RunOn::kServe;
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
  base::Pool* pool = where == RunOn::kServe      ? core_->options.serve_pool
                     : where == RunOn::kBlocking ? core_->options.blocking_pool
                                                 : core_->options.work_pool;
  const base::Status queued =
      pool->submit([self = shared_from_this(), ex = exchange_] { self->run_job(ex); });
  if (queued) return;
  ++core_->shed;
  send_error(queued.error(), 503);
}

void Connection::answer_later(const std::shared_ptr<Exchange>& exchange, Response& response) {
  const auto later = std::move(response.later);
  later([self = shared_from_this(), core = core_, loop = &loop_,
         gzip = exchange->gzip_wanted](Response answer) {
    compress_body(answer, gzip, kGzipInlineBytes);
    core->post(*loop, [self, moved = std::make_shared<Response>(std::move(answer))] {
      if (self->phase_ != Phase::kClosed) self->send(std::move(*moved));
    });
  });
}

// On a pool's thread: touches only the exchange and what is safe to share.
void Connection::run_job(const std::shared_ptr<Exchange>& exchange) {
  const auto self = shared_from_this();
  Response response = exchange->ready ? std::move(*exchange->ready)
                                      : run_handler(*exchange->options, *exchange->handler,
                                                    exchange->request, exchange->context);
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
  bool good = false;
  try {
    const base::Status status = writer(*pipe);
    good = status.has_value();
    if (!good)
      base::log_warn("a streamed response ended early",
                     {{"path", exchange->request.path}, {"reason", status.error().text()}});
  } catch (const std::exception& thrown) {
    base::log_error("a streamed response threw",
                    {{"path", exchange->request.path}, {"what", thrown.what()}});
  }
  pipe->finish(good);
}

}  // namespace maru::http
