// One HTTP/2 connection: which requests are open, what they hold, how they end.
#include "http2.h"

#include "admission.h"
#include "http2_post.h"

namespace maru::http {

Http2::Http2(std::shared_ptr<ServerCore> core, IoLoop& loop, std::weak_ptr<Connection> connection,
             std::string peer, bool tls, bool rpc_only)
    : core_(std::move(core)),
      loop_(loop),
      connection_(std::move(connection)),
      peer_(std::move(peer)),
      tls_(tls),
      rpc_only_(rpc_only),
      session_(*this, *core_->options.clock),
      heard_ns_(core_->now_ns()),
      idle_since_ns_(heard_ns_) {}

Http2::~Http2() = default;

bool Http2::feed(std::string_view bytes) {
  heard_ns_ = core_->now_ns();
  return session_.feed(bytes);
}

bool Http2::output(std::string& out, std::size_t most) {
  const bool more = session_.output(out, most);
  progress();
  return more;
}

bool Http2::finished() const { return session_.finished(); }

Http2Call* Http2::find(std::int32_t id) {
  const auto at = calls_.find(id);
  return at == calls_.end() ? nullptr : at->second.get();
}

void Http2::on_head(std::int32_t id, Http2Head&& head) {
  auto made = std::make_unique<Http2Call>();
  Http2Call& call = *made;
  calls_[id] = std::move(made);
  call.id = id;
  call.stalled_ns = heard_ns_;
  call.read_deadline = heard_ns_ + core_->options.body_idle_timeout_ms * 1'000'000;
  const bool rpc = is_rpc_type(head.headers.get("content-type"));
  if (rpc && core_->options.rpc != nullptr) return rpc_head(call, head);
  if (!rpc_only_) return plain_head(call, head);
  plain_error(call,
              {base::Code::kUnimplemented, "this address speaks gRPC alone",
               "send HTTP requests to the address of http.listen", nullptr},
              415);
}

void Http2::on_data(std::int32_t id, std::string_view bytes) {
  Http2Call* call = find(id);
  if (call == nullptr || call->answered) return session_.discard(bytes.size());
  call->read_deadline = heard_ns_ + core_->options.body_idle_timeout_ms * 1'000'000;
  if (call->rpc)
    rpc_data(*call, bytes);
  else
    plain_data(*call, bytes);
}

void Http2::on_end(std::int32_t id) {
  Http2Call* call = find(id);
  if (call == nullptr) return;
  call->whole = true;
  call->read_deadline = 0;
  if (call->answered) return conclude(*call);
  if (call->rpc)
    rpc_end(*call);
  else
    plain_end(*call);
}

void Http2::on_gone(std::int32_t id) {
  const auto at = calls_.find(id);
  if (at == calls_.end()) return;
  const std::unique_ptr<Http2Call> call = std::move(at->second);
  calls_.erase(at);
  release(*call);
  session_.consume(id, call->held);
  if (call->exchange) call->exchange->context.cancel.cancel();
  if (call->in_pipe)
    call->in_pipe->fail(
        {base::Code::kCancelled, "the peer has cancelled the request", "", nullptr});
  if (call->out_pipe) call->out_pipe->abort();
  if (call->answered) session_.answered();
  // Resetting what is in work must not get a peer more than its share of it.
  if (call->in_work && ++abandoned_ > kMaxAbandoned) session_.calm();
  if (calls_.empty()) idle_since_ns_ = core_->now_ns();
}

// False, with nothing taken, when the connection holds too much already.
bool Http2::reserve(Http2Call& call, std::size_t size) {
  if (buffered_ + size > kMaxBuffered) return false;
  buffered_ += size;
  call.buffered += size;
  return true;
}

void Http2::release(Http2Call& call) {
  buffered_ -= call.buffered;
  call.buffered = 0;
}

void Http2::begin_work(Http2Call& call) { call.in_work = true; }

Http2Call* Http2::end_work(std::int32_t id) {
  Http2Call* call = find(id);
  if (call == nullptr) {
    if (abandoned_ > 0) --abandoned_;
    return nullptr;
  }
  call->in_work = false;
  return call->answered ? nullptr : call;
}

// Streams of which the peer has taken something may have more to say.
void Http2::progress() {
  for (const std::int32_t id : session_.take_progress()) {
    Http2Call* call = find(id);
    if (call == nullptr || session_.unsent(id) >= kMaxUnsent) continue;
    if (call->rested) {
      post([id](Http2& self) {
        if (Http2Call* again = self.find(id)) self.rpc_advance(*again);
      });
    } else if (call->out_pipe || call->events) {
      post([id](Http2& self) {
        if (Http2Call* again = self.find(id)) self.plain_pump(*again);
      });
    }
  }
}

bool Http2::sweep(std::int64_t now_ns, bool beat) {
  std::vector<std::int32_t> ids;
  for (const auto& [id, call] : calls_) ids.push_back(id);
  for (const std::int32_t id : ids)
    if (Http2Call* call = find(id)) sweep_call(*call, now_ns, beat);
  const auto passed = [now_ns](std::int64_t since_ns, std::int64_t timeout_ms) {
    return now_ns - since_ns >= timeout_ms * 1'000'000;
  };
  const ServerOptions& options = core_->options;
  if (ending_ == Ending::kNoticed) {
    // A request that was on its way when the notice went out has come by now.
    ending_ = Ending::kSaid;
    session_.goaway();
  }
  if (session_.ping_waits()) return !passed(pinged_ns_, options.ping_timeout_ms);
  if (calls_.empty()) {
    if (passed(idle_since_ns_, options.http2_idle_timeout_ms)) drain();
  } else if (passed(heard_ns_, options.ping_after_ms)) {
    pinged_ns_ = now_ns;
    session_.ping();
  }
  return true;
}

void Http2::sweep_call(Http2Call& call, std::int64_t now_ns, bool beat) {
  if (beat && call.events) call.events->push_raw(":\n\n");
  const std::uint64_t sent = session_.sent(call.id);
  if (session_.unsent(call.id) == 0 || sent != call.sent_seen) {
    call.sent_seen = sent;
    call.stalled_ns = now_ns;
  } else if (now_ns - call.stalled_ns >= core_->options.body_idle_timeout_ms * 1'000'000) {
    return session_.reset(call.id, Http2Session::Reset::kCancel);
  }
  if (call.answered && !call.whole && session_.unsent(call.id) == 0 &&
      std::exchange(call.lingered, true)) {
    if (!call.verdict) return session_.reset(call.id, Http2Session::Reset::kNone);
    call.lingered = false;
    conclude(call);
  }
  if (call.answered) return;
  const bool streams = call.stream != nullptr && call.reader && call.reader->between_messages();
  if (call.read_deadline != 0 && now_ns >= call.read_deadline && !streams && !call.resting) {
    const base::Error late{base::Code::kDeadlineExceeded, "the request did not come in time",
                           "send it without long pauses", nullptr};
    call.read_deadline = 0;
    if (call.rpc) return rpc_finish(call, tl::unexpected<base::Error>(late));
    if (call.in_pipe) return call.in_pipe->fail(late);
    return plain_error(call, late, 408);
  }
  if (call.rpc) rpc_tick(call);
}

void Http2::conclude(Http2Call& call) {
  if (const auto verdict = std::exchange(call.verdict, nullptr)) verdict();
}

void Http2::drain() {
  if (ending_ != Ending::kNo) return;
  ending_ = Ending::kNoticed;
  session_.notice();
  for (const auto& [id, call] : calls_) {
    if (call->events) call->events->close();
    if (call->stream) rpc_advance(*call);
  }
}

void Http2::close() {
  for (const auto& [id, call] : calls_) {
    if (call->exchange) call->exchange->context.cancel.cancel();
    if (call->in_pipe)
      call->in_pipe->fail(
          {base::Code::kCancelled, "the peer has closed the connection", "", nullptr});
    if (call->out_pipe) call->out_pipe->abort();
  }
  calls_.clear();
}

}  // namespace maru::http
