// gRPC over HTTP/2: its headers, messages and trailers.
#include "access_log.h"
#include "admission.h"
#include "http2.h"
#include "http2_post.h"

namespace maru::http {
namespace {

using base::Code;

constexpr std::size_t kInlineMessages = 64;  // of one stream before others have their turn
constexpr Http2Field kOpening[] = {{":status", "200"},
                                   {"content-type", "application/grpc"},
                                   {"grpc-accept-encoding", "identity,gzip,deflate"}};
constexpr Http2Field kGood[] = {{"grpc-status", "0"}};

base::Status run_message(RpcStream& stream, const Exchange& exchange, base::Context& context,
                         std::vector<std::string>& out) {
  TRY(context.alive());
  base::Status status;
  const auto ran = call_handler(
      [&](const Request& request, base::Context& at) -> base::Result<Response> {
        status = stream.on_message(request.body, at, out);
        return Response();
      },
      exchange.request, context);
  if (!ran) return tl::unexpected<base::Error>(ran.error());
  return status;
}

base::Error unknown_method(const RpcRouter& router, const std::string& path) {
  return {Code::kUnimplemented,
          (router.knows_service(path) ? "no such gRPC method: " : "no such gRPC service: ") + path,
          "ask grpc.reflection.v1.ServerReflection for what there is", nullptr};
}

}  // namespace

void Http2::rpc_head(Http2Call& call, Http2Head& head) {
  call.rpc = true;
  call.exchange = open_exchange(*core_, Method::kPost, std::move(head.headers), peer_, tls_);
  Exchange& exchange = *call.exchange;
  Request& request = exchange.request;
  request.path = std::move(head.path);
  const auto refuse = [&](base::Error error) {
    rpc_finish(call, tl::unexpected<base::Error>(std::move(error)));
  };
  if (head.fault) return refuse({Code::kTooLarge, head.fault.message, "", nullptr});
  if (const auto allowed = check_names(*core_, request, head.authority); !allowed)
    return refuse(allowed.error());
  call.method = head.method == "POST" ? core_->options.rpc->find(request.path) : nullptr;
  if (call.method == nullptr) return refuse(unknown_method(*core_->options.rpc, request.path));
  if (const auto allowed = check_caller(*core_, call.method->options, exchange); !allowed)
    return refuse(allowed.error());
  const std::string_view coding = request.headers.get("grpc-encoding");
  const Coding packing = coding.empty() ? Coding::kIdentity : parse_coding(coding);
  if (packing == Coding::kUnknown)
    return refuse({Code::kUnimplemented,
                   "messages cannot be compressed as " + std::string(coding.substr(0, 40)),
                   "use gzip, deflate or identity", nullptr});
  if (const std::string_view timeout = request.headers.get("grpc-timeout"); !timeout.empty()) {
    const auto ns = parse_rpc_timeout(timeout);
    if (!ns)
      return refuse({Code::kInvalidArgument,
                     "grpc-timeout is not a timeout: " + std::string(timeout),
                     "at most 8 digits and one of H, M, S, m, u, n", nullptr});
    exchange.context.deadline_ns = request.received_ns + *ns;
  }
  const std::size_t most = call.method->options.max_body_bytes;
  call.reader.emplace(packing, most > 0 ? most : core_->options.max_body_bytes);
  if (!call.method->stream) return;
  auto stream = call.method->stream(request, exchange.context);
  if (!stream) return refuse(stream.error());
  call.stream = std::move(*stream);
  if (call.stream->stays_open()) rpc_respond(call);
}

void Http2::rpc_data(Http2Call& call, std::string_view bytes) {
  if (call.stream) {
    if (!reserve(call, bytes.size()))
      return rpc_finish(call,
                        base::fail(Code::kResourceExhausted, "this connection sends too much"));
    call.unread.append(bytes);
    return rpc_advance(call);
  }
  session_.consume(call.id, bytes.size());
  const auto fits = [&](std::size_t size) {
    if (size <= call.buffered || reserve(call, size - call.buffered)) return true;
    rpc_finish(call, base::fail(Code::kResourceExhausted,
                                "this connection has too many large requests in work",
                                "send fewer at a time"));
    return false;
  };
  if (!fits(call.buffered + bytes.size())) return;
  while (!bytes.empty()) {
    if (call.has_message)
      return rpc_finish(call, base::fail(Code::kUnimplemented,
                                         "this method takes one message; the call has more"));
    auto got = call.reader->next(bytes, call.exchange->request.body);
    if (!got) return rpc_finish(call, tl::unexpected<base::Error>(got.error()));
    call.has_message = *got;
  }
  (void)fits(call.exchange->request.body.size());
}

void Http2::rpc_end(Http2Call& call) {
  if (call.stream) return rpc_advance(call);
  if (call.has_message) return rpc_start(call);
  if (call.reader->between_messages())
    return rpc_finish(
        call, base::fail(Code::kUnimplemented, "this method takes one message; the call has none"));
  rpc_finish(call, base::fail(Code::kInvalidArgument, "the call ended within a message"));
}

void Http2::rpc_start(Http2Call& call) {
  Exchange& exchange = *call.exchange;
  if (const base::Status alive = exchange.context.alive(); !alive) return rpc_finish(call, alive);
  const RunOn where = place_of(call.method->options, exchange.request);
  if (where == RunOn::kInline)
    return rpc_answer(call, call_handler(call.method->unary, exchange.request, exchange.context));
  begin_work(call);
  const auto result = std::make_shared<base::Result<Response>>(Response());
  auto back = poster([id = call.id, result](Http2& self) {
    if (Http2Call* at = self.end_work(id)) self.rpc_answer(*at, std::move(*result));
  });
  const base::Status queued =
      pool_of(*core_, where).submit([ex = call.exchange, method = call.method, result, back] {
        // What nobody waits for any more is not begun.
        if (const base::Status alive = ex->context.alive(); !alive)
          *result = tl::unexpected<base::Error>(alive.error());
        else
          *result = call_handler(method->unary, ex->request, ex->context);
        back();
      });
  if (queued) return;
  ++core_->shed;
  call.in_work = false;
  rpc_finish(call, queued);
}

void Http2::rpc_answer(Http2Call& call, base::Result<Response> result) {
  if (!result) return rpc_finish(call, tl::unexpected<base::Error>(std::move(result).error()));
  if (result->later) return rpc_answer_later(call, *result);
  rpc_send(call, result->body);
  rpc_finish(call, {});
}

void Http2::rpc_answer_later(Http2Call& call, Response& response) {
  begin_work(call);
  const auto result = std::make_shared<base::Result<Response>>(Response());
  auto back = poster([id = call.id, result](Http2& self) {
    if (Http2Call* at = self.end_work(id)) self.rpc_answer(*at, std::move(*result));
  });
  const auto later = std::move(response.later);
  later([result, back, exchange = call.exchange](base::Result<Response> answer) {
    *result = std::move(answer);
    back();
  });
}

// The next message of a stream; the peer may send as many bytes as were taken.
base::Result<bool> Http2::rpc_next(Http2Call& call, std::string& message) {
  std::string_view left = std::string_view(call.unread).substr(call.unread_at);
  const std::size_t before = left.size();
  auto got = call.reader->next(left, message);
  session_.consume(call.id, before - left.size());
  call.unread_at = call.unread.size() - left.size();
  if (got && *got) {
    buffered_ -= call.buffered - left.size();
    call.buffered = left.size();
  }
  if (left.empty()) {
    call.unread.clear();
    call.unread_at = 0;
  } else if (call.unread_at > call.unread.size() / 2) {
    call.unread.erase(0, call.unread_at);
    call.unread_at = 0;
  }
  return got;
}

void Http2::rpc_advance(Http2Call& call) {
  call.rested = false;
  for (std::size_t i = 0; !call.in_work && !call.answered; ++i) {
    if (session_.unsent(call.id) >= kMaxUnsent) {
      call.rested = true;  // progress() comes back
      return;
    }
    if (i == kInlineMessages) {
      return post([id = call.id](Http2& self) {
        if (Http2Call* at = self.find(id)) self.rpc_advance(*at);
      });
    }
    std::string message;
    const auto got = rpc_next(call, message);
    if (!got) return rpc_finish(call, tl::unexpected<base::Error>(got.error()));
    if (!*got) break;
    rpc_message_in(call, std::move(message));
  }
  if (call.in_work || call.answered) return;
  if (call.whole && !call.reader->between_messages())
    return rpc_finish(call, base::fail(Code::kInvalidArgument, "the call ended within a message"));
  if (call.whole && !call.stream->stays_open()) return rpc_finish(call, {});
  if (ending_ == Ending::kNo) return;
  std::vector<std::string> last;
  call.stream->on_drain(last);
  for (const std::string& message : last) rpc_send(call, message);
  rpc_finish(call, base::fail(Code::kUnavailable, "the server is shutting down", "connect again"));
}

void Http2::rpc_message_in(Http2Call& call, std::string message) {
  Exchange& exchange = *call.exchange;
  exchange.request.body = std::move(message);
  const RunOn where = place_of(call.method->options, exchange.request);
  if (where == RunOn::kInline) {
    std::vector<std::string> out;
    const base::Status status = run_message(*call.stream, exchange, exchange.context, out);
    for (const std::string& answer : out) rpc_send(call, answer);
    if (!status) rpc_finish(call, status);
    return;
  }
  begin_work(call);
  struct Done {
    base::Status status;
    std::vector<std::string> out;
  };
  const auto done = std::make_shared<Done>();
  auto back = poster([id = call.id, done](Http2& self) {
    if (Http2Call* at = self.end_work(id)) self.rpc_done(*at, done->status, done->out);
  });
  const base::Status queued =
      pool_of(*core_, where).submit([stream = call.stream, ex = call.exchange, done, back] {
        done->status = run_message(*stream, *ex, ex->context, done->out);
        back();
      });
  if (queued) return;
  ++core_->shed;
  call.in_work = false;
  rpc_finish(call, queued);
}

void Http2::rpc_done(Http2Call& call, base::Status status, std::vector<std::string>& out) {
  for (const std::string& answer : out) rpc_send(call, answer);
  if (!status) return rpc_finish(call, status);
  rpc_advance(call);
}

void Http2::rpc_respond(Http2Call& call) {
  if (call.responded) return;
  call.responded = true;
  const Request& request = call.exchange->request;
  if (!request.trace && !request.times) return session_.respond(call.id, kOpening, false);
  Fields fields(std::begin(kOpening), std::end(kOpening));
  const std::string trace = request.trace ? request.trace->header() : "";
  const std::string timing =
      request.times ? server_timing(*request.times, core_->now_ns() - request.received_ns) : "";
  if (request.trace) fields.push_back({"traceparent", trace, false});
  if (request.times) fields.push_back({"server-timing", timing, false});
  session_.respond(call.id, fields, false);
}

void Http2::rpc_send(Http2Call& call, std::string_view message) {
  rpc_respond(call);
  std::string prefix;
  append_rpc_prefix(prefix, message.size());
  session_.write(call.id, prefix);
  session_.write(call.id, message);
}

void Http2::rpc_finish(Http2Call& call, const base::Status& status) {
  if (call.answered) return;
  call.answered = true;
  call.read_deadline = 0;
  session_.consume(call.id, call.unread.size() - call.unread_at);
  call.unread.clear();
  call.unread_at = 0;
  if (call.exchange)
    log_access(*core_, {*call.exchange, "grpc", status ? 0 : rpc_status(status.error().code)});
  if (status) {
    rpc_respond(call);
    return session_.end(call.id, kGood);
  }
  if (call.whole || call.responded) return rpc_tell(call, status.error());
  call.verdict = [this, id = call.id, error = status.error()] {
    if (Http2Call* at = find(id)) rpc_tell(*at, error);
  };
}

void Http2::rpc_tell(Http2Call& call, const base::Error& error) {
  ++(base::http_status(error.code) >= 500 ? core_->responses_5xx : core_->responses_4xx);
  const std::string code = std::to_string(rpc_status(error.code));
  const std::string message = encode_rpc_message(rpc_message(error));
  Fields fields;
  if (!call.responded) fields.assign(std::begin(kOpening), std::end(kOpening));
  fields.push_back({"grpc-status", code});
  fields.push_back({"grpc-message", message, false});
  if (call.exchange) fields.push_back({"x-request-id", call.exchange->context.trace_id, false});
  const std::string trace =
      call.exchange && call.exchange->request.trace ? call.exchange->request.trace->header() : "";
  if (!trace.empty()) fields.push_back({"traceparent", trace, false});
  if (call.responded) return session_.end(call.id, fields);
  call.responded = true;
  session_.respond(call.id, fields, true);
}

// Deadlines, and what a stream has to say by itself.
void Http2::rpc_tick(Http2Call& call) {
  base::Context& context = call.exchange->context;
  if (context.expired()) {
    context.cancel.cancel();
    return rpc_finish(call, base::fail(Code::kDeadlineExceeded, "the call's deadline has passed"));
  }
  if (!call.stream || call.in_work) return;
  std::vector<std::string> out;
  const base::Status status = call.stream->on_tick(context, out);
  for (const std::string& message : out) rpc_send(call, message);
  if (!status) rpc_finish(call, status);
}

}  // namespace maru::http
