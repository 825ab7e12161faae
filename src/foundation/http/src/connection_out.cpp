// The way out of a connection: heads, bodies, files, streams and events, one piece at a time.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>

#include "access_log.h"
#include "connection.h"
#include "post.h"

namespace maru::http {
namespace {

constexpr std::size_t kFilePiece = 256 << 10;
constexpr std::size_t kJoinBytes = 8
                                   << 10;  // bodies up to here travel in one buffer with their head
constexpr int kPeerLeft = 499;             // in the access log: nobody waited for the answer
constexpr std::int64_t kLingerMs = 2'000;
constexpr std::int64_t kDrainLingerMs =
    300;  // a stopping server waits less for its peers to hang up

bool has_no_body(int status) { return status < 200 || status == 204 || status == 304; }

// Reads exactly `size` bytes, or returns "".
std::string read_exactly(int fd, std::uint64_t at, std::size_t size) {
  std::string out(size, '\0');
  std::size_t done = 0;
  while (done < size) {
    const ssize_t got = ::pread(fd, out.data() + done, size - done, static_cast<off_t>(at + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return {};
    done += static_cast<std::size_t>(got);
  }
  return out;
}

}  // namespace

const std::string& Connection::date() {
  const std::int64_t now_us = core_->options.clock->now_us();
  if (now_us / 1'000'000 != loop_.date_second) {
    loop_.date_second = now_us / 1'000'000;
    loop_.date = http_date(now_us);
  }
  return loop_.date;
}

void Connection::send_error(const base::Error& error, int status) {
  const Head& head = parser_.head();
  // Bytes that cannot be told from a request, or a body that nobody read, end the connection.
  const bool unread_body = phase_ != Phase::kBusy && (head.chunked || head.content_length > 0);
  if (unread_body || (status != 0 && status != 503)) keep_alive_ = false;
  const bool known_route = exchange_ && exchange_->options != nullptr;
  Response response =
      known_route ? format_error(exchange_->options, error, exchange_->request, exchange_->context)
      : exchange_ ? core_->router.refused(error, exchange_->request, exchange_->context)
                  : error_response(error, "");
  if (status != 0) response.status = status;
  if (response.status == 401) response.headers.set("WWW-Authenticate", "Bearer");
  if (response.status == 503) response.headers.set("Retry-After", "1");
  send(std::move(response));
}

// Keeps a refusal for a while, if this peer was refused just before and has asked again at once.
bool Connection::hold_refusal(Response& response) {
  const bool refusal = response.status == 429 || response.status == 503;
  if (!refusal || !response.headers.has("Retry-After")) return false;
  const std::int64_t now_ns = core_->now_ns();
  const bool again = refused_ns_ != 0 && now_ns - refused_ns_ < kRefusalMemoryMs * 1'000'000;
  refused_ns_ = now_ns;
  if (!again || core_->draining || phase_ == Phase::kStream) return false;
  phase_ = Phase::kBusy;
  read_deadline_ = 0;
  held_refusal_ = std::move(response);
  if (!refusal_timer_) refusal_timer_ = std::make_unique<asio::steady_timer>(loop_.context);
  refusal_timer_->expires_after(std::chrono::milliseconds(core_->options.refusal_delay_ms));
  refusal_timer_->async_wait([self = shared_from_this()](error_code) { self->release_refusal(); });
  return true;
}

void Connection::release_refusal() {
  if (!held_refusal_) return;
  Response response = std::move(*held_refusal_);
  held_refusal_.reset();
  refused_ns_ = core_->now_ns();
  send_now(std::move(response));
}

void Connection::send(Response response) {
  if (phase_ == Phase::kClosed || sending_ || held_refusal_) return;
  if (!hold_refusal(response)) send_now(std::move(response));
}

void Connection::send_now(Response response) {
  if (phase_ == Phase::kClosed) return;
  if (phase_ != Phase::kStream) {
    phase_ = Phase::kBusy;
    read_deadline_ = 0;
  }
  if (phase_ == Phase::kStream || core_->draining) keep_alive_ = false;
  response_ = std::move(response);
  if (!response_.file_path.empty() && !open_file()) {
    response_ = error_response({base::Code::kNotFound, "the file cannot be read", "", nullptr},
                               exchange_ ? std::string_view(exchange_->context.trace_id) : "");
  }
  if (response_.status >= 500)
    ++core_->responses_5xx;
  else if (response_.status >= 400)
    ++core_->responses_4xx;
  Framing framing;
  framing.minor_version = parser_.head().minor_version;
  framing.date = date();
  if (exchange_) {
    const Request& request = exchange_->request;
    framing.request_id = exchange_->context.trace_id;
    if (request.trace) framing.traceparent = request.trace->header();
    if (request.times)
      framing.server_timing = server_timing(*request.times, core_->now_ns() - request.received_ns);
  }
  sending_ = true;
  last_piece_ = false;
  const bool head_only = exchange_ && exchange_->head_only;
  choose_source(framing, has_no_body(response_.status) || head_only);
  framing.keep_alive = keep_alive_;
  head_.clear();
  append_head(head_, response_, framing);
  std::string_view body;
  if (source_ == Source::kNone && !head_only && !has_no_body(response_.status)) {
    body = response_.whole_body();
  }
  if (body.size() <= kJoinBytes) {
    head_ += body;
    body = {};
  }
  pending_ = {asio::buffer(head_), asio::buffer(body.data(), body.size()), asio::const_buffer()};
  if (write()) pump();
}

// Where the body comes from and how its end is told.
void Connection::choose_source(Framing& framing, bool bodyless) {
  source_ = Source::kNone;
  chunked_ = false;
  length_known_ = false;
  const std::string_view announced = response_.headers.get("Content-Length");
  if (file_ >= 0) {
    framing.length = left_;
    if (bodyless) return close_file();
    source_ = Source::kFile;
    return;
  }
  const bool live =
      response_.events != nullptr || out_pipe_ != nullptr || response_.stream != nullptr;
  if (!live) {
    const std::size_t size = response_.whole_body().size();
    if (!has_no_body(response_.status)) framing.length = size;
    return;
  }
  if (!announced.empty() && response_.events == nullptr) {
    std::uint64_t length = 0;
    std::from_chars(announced.data(), announced.data() + announced.size(), length);
    framing.length = left_ = length;
    length_known_ = true;
  }
  if (bodyless) {
    if (out_pipe_) out_pipe_->abort();
    out_pipe_.reset();
    response_.events.reset();
    return;
  }
  if (!length_known_) {
    framing.chunked = chunked_ = framing.minor_version == 1;
    if (!chunked_) keep_alive_ = false;
  }
  if (response_.events == nullptr) {
    source_ = Source::kPipe;
    return;
  }
  source_ = Source::kEvents;
  events_ = std::move(response_.events);
  const std::shared_ptr<ServerCore> core = core_;
  events_->set_wake([core, loop = &loop_, weak = weak_from_this()] {
    core->post(*loop, [weak] {
      if (const auto self = weak.lock()) self->pump();
    });
  });
  if (core_->draining) events_->close();
  read();  // to notice that the peer hangs up
}

bool Connection::open_file() {
  const int fd = ::open(response_.file_path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat info {};
  if (fd < 0 || ::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    if (fd >= 0) ::close(fd);
    return false;
  }
  const auto size = static_cast<std::uint64_t>(info.st_size);
  if (response_.file_offset > size || response_.file_length > size - response_.file_offset) {
    ::close(fd);
    return false;
  }
  file_ = fd;
  file_at_ = response_.file_offset;
  left_ = response_.file_length > 0 ? response_.file_length : size - response_.file_offset;
  if (!tls_ && left_ >= FilePipe::kBytes) file_pipe_ = FilePipe::open();
  return true;
}

// A read in progress closes the file itself when it is done.
void Connection::close_file() {
  if (file_ >= 0 && !reading_file_) ::close(file_);
  if (!reading_file_) file_ = -1;
  file_pipe_.reset();
  piped_ = 0;
}

// A loop rather than recursion: a fast peer takes piece after piece at once.
void Connection::pump() {
  if (!sending_ || pumping_ || writing_ || phase_ == Phase::kClosed) return;
  pumping_ = true;
  Next next = Next::kWrite;
  bool gone = true;
  while (next == Next::kWrite && gone) {
    next = next_piece();
    if (next == Next::kWrite) gone = write();
  }
  pumping_ = false;
  if (next == Next::kBroken) close();
  if (next == Next::kEnd) finish_response();
}

Connection::Next Connection::next_piece() {
  if (phase_ == Phase::kClosed) return Next::kWait;
  if (last_piece_) return Next::kEnd;
  switch (source_) {
    case Source::kNone:
      return Next::kEnd;
    case Source::kFile:
      return next_file_piece();
    case Source::kPipe:
      return next_pipe_piece();
    case Source::kEvents:
      return next_event_piece();
  }
  return Next::kEnd;
}

Connection::Next Connection::next_file_piece() {
  if (reading_file_) return Next::kWait;
  if (has_file_piece_) {
    has_file_piece_ = false;
    const std::size_t size = file_pipe_ ? piped_ : piece_.size();
    if (size == 0) return Next::kBroken;  // the file has become shorter
    file_at_ += size;
    left_ -= size;
    pending_ = {asio::buffer(piece_), asio::const_buffer(), asio::const_buffer()};
    if (!file_pipe_) return Next::kWrite;
  }
  if (piped_ > 0) return drain_file_pipe();
  if (left_ == 0) return Next::kEnd;
  read_file_piece();
  return reading_file_ ? Next::kWait : next_file_piece();
}

Connection::Next Connection::drain_file_pipe() {
  const auto gone = file_pipe_->drain(socket_.native_handle(), piped_);
  if (!gone) return Next::kBroken;
  piped_ -= *gone;
  pending_ = {};
  if (piped_ == 0) return Next::kWrite;  // nothing of it is left to write: the next piece
  writing_ = true;
  arm(write_deadline_, core_->options.body_idle_timeout_ms);
  socket_.async_wait(tcp::socket::wait_write, [self = shared_from_this()](error_code error) {
    self->write_deadline_ = 0;
    self->writing_ = false;
    if (error || self->phase_ == Phase::kClosed) return self->close();
    self->pump();
  });
  return Next::kWait;
}

// On the blocking pool, so that a slow disk holds up this file only; with its queue full, here.
void Connection::read_file_piece() {
  struct Piece {
    std::string bytes;
    std::size_t piped = 0;
  };
  const auto most = file_pipe_ ? FilePipe::kBytes : kFilePiece;
  const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(left_, most));
  const auto take = [fd = file_, at = file_at_, size, pipe = file_pipe_] {
    return pipe ? Piece{{}, pipe->fill(fd, at, size)} : Piece{read_exactly(fd, at, size), 0};
  };
  const auto keep = [](Connection& self, Piece& piece) {
    self.piece_ = std::move(piece.bytes);
    self.piped_ = piece.piped;
    self.has_file_piece_ = true;
  };
  reading_file_ = true;
  const base::Status queued =
      core_->options.blocking_pool->submit([self = shared_from_this(), fd = file_, take, keep] {
        auto piece = std::make_shared<Piece>(take());
        const bool posted = self->core_->post(self->loop_, [self, piece, keep] {
          self->reading_file_ = false;
          if (self->phase_ == Phase::kClosed) return self->close_file();
          keep(*self, *piece);
          self->pump();
        });
        if (!posted) ::close(fd);
      });
  if (queued) return;
  Piece piece = take();
  keep(*this, piece);
  reading_file_ = false;
}

Connection::Next Connection::next_pipe_piece() {
  const OutPipe::State state = out_pipe_->take(piece_);
  if (!piece_.empty()) {
    if (length_known_ && piece_.size() > left_) return Next::kBroken;
    left_ -= length_known_ ? piece_.size() : 0;
    frame_piece();
    return Next::kWrite;
  }
  if (state == OutPipe::State::kOpen) return Next::kWait;
  // Cut off rather than ended, so that the peer knows.
  if (state == OutPipe::State::kFailed || (length_known_ && left_ > 0)) return Next::kBroken;
  return end_of_pieces();
}

Connection::Next Connection::next_event_piece() {
  const bool open = events_->take(piece_);
  if (!piece_.empty()) {
    frame_piece();
    return Next::kWrite;
  }
  return open ? Next::kWait : end_of_pieces();
}

Connection::Next Connection::end_of_pieces() {
  last_piece_ = true;
  if (!chunked_) return Next::kEnd;
  frame_ = "0\r\n\r\n";
  pending_ = {asio::buffer(frame_), asio::const_buffer(), asio::const_buffer()};
  return Next::kWrite;
}

void Connection::frame_piece() {
  static constexpr std::string_view kLineEnd = "\r\n";
  if (!chunked_) {
    pending_ = {asio::buffer(piece_), asio::const_buffer(), asio::const_buffer()};
    return;
  }
  std::array<char, 20> digits;
  const auto end =
      std::to_chars(digits.data(), digits.data() + digits.size(), piece_.size(), 16).ptr;
  frame_.assign(digits.data(), end);
  frame_ += kLineEnd;
  pending_ = {asio::buffer(frame_), asio::buffer(piece_),
              asio::buffer(kLineEnd.data(), kLineEnd.size())};
}

namespace {

// Takes `size` bytes off the front; true when nothing is left.
bool advance(std::array<asio::const_buffer, 3>& buffers, std::size_t size) {
  bool empty = true;
  for (asio::const_buffer& buffer : buffers) {
    const std::size_t step = std::min(size, buffer.size());
    buffer += step;
    size -= step;
    if (buffer.size() > 0) empty = false;
  }
  return empty;
}

}  // namespace

bool Connection::write() {
  if (!tls_) {
    // Most answers fit into the socket's buffer: no trip through the event loop.
    error_code error;
    const std::size_t size = socket_.write_some(pending_, error);
    if (error && error != asio::error::would_block && error != asio::error::try_again) {
      close();
      return false;
    }
    if (advance(pending_, error ? 0 : size)) return true;
  }
  writing_ = true;
  write_rest();
  return false;
}

void Connection::write_rest() {
  arm(write_deadline_, core_->options.body_idle_timeout_ms);
  auto handler = [self = shared_from_this()](error_code error, std::size_t size) {
    self->on_written(error, size);
  };
  if (tls_)
    tls_->async_write_some(pending_, std::move(handler));
  else
    socket_.async_write_some(pending_, std::move(handler));
}

void Connection::on_written(error_code error, std::size_t size) {
  write_deadline_ = 0;
  if (error || phase_ == Phase::kClosed) {
    writing_ = false;
    return close();
  }
  if (!advance(pending_, size)) return write_rest();
  writing_ = false;
  if (phase_ == Phase::kHttp2) return flush_http2();
  pump();
}

void Connection::log_answer(bool cut) {
  if (core_->options.access_log == nullptr || !exchange_) return;
  const std::size_t size = response_.whole_body().size();
  log_access(*core_, {*exchange_, "http/1.1", sending_ ? response_.status : kPeerLeft,
                      source_ == Source::kNone ? static_cast<std::int64_t>(size) : -1, cut});
}

void Connection::finish_response() {
  log_answer(false);
  sending_ = false;
  source_ = Source::kNone;
  close_file();
  out_pipe_.reset();
  events_.reset();
  exchange_.reset();
  response_ = Response();
  if (piece_.capacity() > kFilePiece / 4) std::string().swap(piece_);
  const bool unread_body = phase_ == Phase::kStream;
  if (!unread_body) in_pipe_.reset();
  if (!keep_alive_ || unread_body || core_->draining) return linger();
  phase_ = Phase::kHead;
  parser_.reset();
  head_started_ = false;
  arm(read_deadline_, core_->options.keep_alive_timeout_ms);
  process();
}

// To close at once would reset the connection while the peer still sends, and the answer would be lost with it.
void Connection::linger() {
  phase_ = Phase::kLinger;
  if (in_pipe_)
    in_pipe_->fail({base::Code::kCancelled, "the request has been answered", "", nullptr});
  in_pipe_.reset();
  arm(read_deadline_, core_->draining ? kDrainLingerMs : kLingerMs);
  if (tls_ && !reading_) {
    tls_->async_shutdown([self = shared_from_this()](error_code) { self->close(); });
    return;
  }
  error_code ignored;
  socket_.shutdown(tcp::socket::shutdown_send, ignored);
  process();
}

}  // namespace maru::http
