// Requests of HTTP/2 that are no gRPC: the same routes as over HTTP/1.1.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "access_log.h"
#include "admission.h"
#include "http2.h"
#include "http2_post.h"
#include "maru/base/text.h"
#include "target.h"

namespace maru::http {
namespace {

using base::Code;

constexpr std::size_t kFilePiece = 256 << 10;
constexpr std::size_t kPackInlineBytes = 256 << 10;
constexpr std::size_t kPackPoolBytes = 64u << 20;

// Fields whose values come once: not for the peer's table.
bool one_time(std::string_view name) {
  return name == "date" || name == "x-request-id" || name == "traceparent" ||
         name == "server-timing";
}

// What HTTP/2 has no place for, or the session adds itself.
bool left_out(std::string_view name) {
  constexpr std::string_view kNames[] = {"connection", "keep-alive",       "transfer-encoding",
                                         "upgrade",    "proxy-connection", "content-length",
                                         "date",       "x-request-id"};
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

bool has_no_body(int status) { return status < 200 || status == 204 || status == 304; }

struct OpenFile {
  explicit OpenFile(int fd) : fd_(fd) {}
  ~OpenFile() {
    if (fd_ >= 0) ::close(fd_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  int fd_;
};

base::Status copy_file(int fd, std::uint64_t at, std::uint64_t length, BodyWriter& to) {
  std::string piece;
  while (length > 0) {
    piece.resize(static_cast<std::size_t>(std::min<std::uint64_t>(length, kFilePiece)));
    const ssize_t got = ::pread(fd, piece.data(), piece.size(), static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return base::fail(Code::kDataLoss, "the file has become shorter");
    TRY(to.write(std::string_view(piece).substr(0, static_cast<std::size_t>(got))));
    at += static_cast<std::uint64_t>(got);
    length -= static_cast<std::uint64_t>(got);
  }
  return {};
}

// A file's range as a body that a pool's thread writes.
bool stream_file(Response& response) {
  auto file = std::make_shared<OpenFile>(
      ::open(response.file_path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat info {};
  if (file->fd_ < 0 || ::fstat(file->fd_, &info) != 0 || !S_ISREG(info.st_mode)) return false;
  const auto size = static_cast<std::uint64_t>(info.st_size);
  const std::uint64_t at = response.file_offset;
  if (at > size || response.file_length > size - at) return false;
  const std::uint64_t length = response.file_length > 0 ? response.file_length : size - at;
  response.headers.set("Content-Length", std::to_string(length));
  response.file_path.clear();
  response.stream = [file, at, length](BodyWriter& to) {
    return copy_file(file->fd_, at, length, to);
  };
  return true;
}

}  // namespace

void Http2::plain_head(Http2Call& call, Http2Head& head) {
  const auto refuse = [&](Code code, const char* message, int status) {
    plain_error(call, {code, message, "", nullptr}, status);
  };
  if (head.fault) return refuse(Code::kTooLarge, head.fault.message, head.fault.status);
  Method method = Method::kGet;
  if (!find_method(head.method, method))
    return refuse(Code::kUnimplemented, "the method is not known", 501);
  call.exchange = open_exchange(*core_, method, std::move(head.headers), peer_, tls_);
  Exchange& exchange = *call.exchange;
  Request& request = exchange.request;
  std::string authority;
  if (const auto target = parse_target(head.path, request, authority); !target)
    return plain_error(call, target.error(), 0);
  const std::string host(head.authority.empty() ? request.headers.get("Host")
                                                : std::string_view(head.authority));
  if (!request.headers.has("Host")) request.headers.add("Host", host);
  if (const auto allowed = check_names(*core_, request, host); !allowed)
    return plain_error(call, allowed.error(), 0);
  Router::Match found = core_->router.match(method, request.path);
  if (found.options == nullptr)
    return plain_refuse(call, core_->router.not_found(request, exchange.context,
                                                      found.method_mismatch, found.allow));
  exchange.options = found.options;
  exchange.handler = found.handler;
  request.path_params = std::move(found.params);
  if (const auto allowed = check_caller(*core_, *exchange.options, exchange); !allowed)
    return plain_error(call, allowed.error(), 0);
  const Coding coding = parse_coding(request.headers.get("Content-Encoding"));
  if (coding == Coding::kUnknown)
    return refuse(Code::kUnimplemented, "the Content-Encoding is not known", 415);
  if (coding != Coding::kIdentity) call.inflater = std::make_unique<Inflater>(coding);
  if (base::to_lower_ascii(request.headers.get("Expect")) == "100-continue")
    session_.proceed(call.id);
  if (!exchange.options->stream_body) return;
  call.in_pipe = std::make_shared<InPipe>(poster([id = call.id](Http2& self) {
    Http2Call* at = self.find(id);
    if (at == nullptr) return;
    at->resting = false;
    at->read_deadline = self.core_->now_ns() + self.core_->options.body_idle_timeout_ms * 1'000'000;
    self.session_.consume(id, std::exchange(at->held, 0));
  }));
  request.body_stream = call.in_pipe;
  plain_start(call);
}

void Http2::plain_data(Http2Call& call, std::string_view bytes) {
  Exchange& exchange = *call.exchange;
  const std::size_t limit = exchange.options->max_body_bytes > 0 ? exchange.options->max_body_bytes
                                                                 : core_->options.max_body_bytes;
  std::string piece;
  std::string& out = call.in_pipe ? piece : exchange.request.body;
  const auto refuse = [&](Code code, const char* message, int status) {
    const base::Error error{code, message, "send it in smaller pieces", nullptr};
    session_.consume(call.id, bytes.size());
    if (call.in_pipe) return call.in_pipe->fail(error);
    plain_error(call, error, status);
  };
  const std::size_t had = out.size();
  if (call.inflater) {
    const std::uint64_t left = limit == ~std::size_t{0} ? ~std::uint64_t{0} : limit;
    if (const Fault fault = call.inflater->feed(bytes, out, left))
      return refuse(fault.status == 413 ? Code::kTooLarge : Code::kInvalidArgument, fault.message,
                    fault.status);
  } else {
    out.append(bytes);
  }
  call.received += out.size() - had;
  if (call.received > limit) return refuse(Code::kTooLarge, "the body is too large", 413);
  if (!call.in_pipe) {
    if (!reserve(call, out.size() - had))
      return refuse(Code::kResourceExhausted, "this connection has too many large requests", 429);
    return session_.consume(call.id, bytes.size());
  }
  call.held += bytes.size();
  call.resting = !call.in_pipe->push(piece);
  if (!call.resting) session_.consume(call.id, std::exchange(call.held, 0));
}

void Http2::plain_end(Http2Call& call) {
  if (call.exchange == nullptr || call.exchange->options == nullptr) return;
  const bool cut = call.inflater && !call.inflater->complete() && call.received > 0;
  const base::Error error{Code::kInvalidArgument, "the packed body is cut off", "", nullptr};
  if (call.in_pipe) return cut ? call.in_pipe->fail(error) : call.in_pipe->end();
  if (cut) return plain_error(call, error, 400);
  plain_start(call);
}

void Http2::plain_start(Http2Call& call) {
  Exchange& exchange = *call.exchange;
  RunOn where = place_of(*exchange.options, exchange.request);
  if (where == RunOn::kInline) {
    Response response =
        run_handler(*exchange.options, *exchange.handler, exchange.request, exchange.context);
    if (response.later) {
      begin_work(call);
      return plain_later(call.id, call.exchange, response);
    }
    if (!response.file_path.empty() && !stream_file(response))
      response = error_response({Code::kNotFound, "the file cannot be read", "", nullptr},
                                exchange.context.trace_id);
    if (!response.stream || exchange.head_only) {
      compress_body(response, exchange.gzip_wanted, kPackInlineBytes);
      return plain_respond(call, std::move(response));
    }
    where = RunOn::kBlocking;
    exchange.ready = std::move(response);
  }
  begin_work(call);
  const base::Status queued =
      pool_of(*core_, where)
          .submit([connection = connection_, core = core_, id = call.id, ex = call.exchange] {
            // The connection's Http2 lives as long as it does.
            if (const auto alive = connection.lock()) alive->http2()->plain_job(id, ex);
          });
  if (queued) return;
  ++core_->shed;
  call.in_work = false;
  plain_error(call, queued.error(), 503);
}

// On a pool's thread: touches only the exchange and what is safe to share.
void Http2::plain_job(std::int32_t id, const std::shared_ptr<Exchange>& exchange) {
  Response response = run_waited(*exchange);
  if (response.later) return plain_later(id, exchange, response);
  if (!response.file_path.empty() && !stream_file(response))
    response = error_response({Code::kNotFound, "the file cannot be read", "", nullptr},
                              exchange->context.trace_id);
  const auto writer = exchange->head_only ? nullptr : std::move(response.stream);
  const auto pipe = writer ? std::make_shared<OutPipe>(poster([id](Http2& self) {
    if (Http2Call* at = self.find(id)) self.plain_pump(*at);
  }))
                           : nullptr;
  if (!writer) compress_body(response, exchange->gzip_wanted, kPackPoolBytes);
  const auto moved = std::make_shared<Response>(std::move(response));
  post([id, pipe, moved](Http2& self) {
    Http2Call* at = self.end_work(id);
    if (at == nullptr) {
      if (pipe) pipe->abort();
      return;
    }
    at->out_pipe = pipe;
    self.plain_respond(*at, std::move(*moved));
  });
  if (writer) run_writer(writer, *pipe, exchange->request.path);
}

void Http2::plain_later(std::int32_t id, const std::shared_ptr<Exchange>& exchange,
                        Response& response) {
  const auto result = std::make_shared<Response>();
  auto back = poster([id, result](Http2& self) {
    if (Http2Call* at = self.end_work(id)) self.plain_respond(*at, std::move(*result));
  });
  const auto later = std::move(response.later);
  later([result, back, exchange](base::Result<Response> outcome) {
    *result =
        response_of(exchange->options, std::move(outcome), exchange->request, exchange->context);
    compress_body(*result, exchange->gzip_wanted, kPackInlineBytes);
    back();
  });
}

void Http2::plain_error(Http2Call& call, const base::Error& error, int status) {
  const bool known = call.exchange != nullptr && call.exchange->options != nullptr;
  Response response =
      known           ? format_error(call.exchange->options, error, call.exchange->request,
                                     call.exchange->context)
      : call.exchange ? core_->router.refused(error, call.exchange->request, call.exchange->context)
                      : error_response(error, "");
  if (status != 0) response.status = status;
  if (response.status == 401) response.headers.set("WWW-Authenticate", "Bearer");
  if (response.status == 503) response.headers.set("Retry-After", "1");
  plain_refuse(call, std::move(response));
}

void Http2::plain_refuse(Http2Call& call, Response response) {
  if (call.whole || call.responded || call.answered)
    return plain_respond(call, std::move(response));
  call.answered = true;
  call.verdict = [this, id = call.id, late = std::make_shared<Response>(std::move(response))] {
    Http2Call* at = find(id);
    if (at == nullptr) return;
    at->answered = false;
    plain_respond(*at, std::move(*late));
  };
}

void Http2::plain_respond(Http2Call& call, Response response) {
  if (call.responded || call.answered) return;
  call.responded = true;
  const bool head_only = call.exchange && call.exchange->head_only;
  if (response.status >= 400)
    ++(response.status >= 500 ? core_->responses_5xx : core_->responses_4xx);
  const bool live = response.events != nullptr || call.out_pipe != nullptr;
  const std::string_view body = response.whole_body();
  std::vector<std::pair<std::string, std::string>> texts;
  texts.emplace_back(":status", std::to_string(response.status));
  texts.emplace_back("date", http_date(core_->options.clock->now_us()));
  for (const auto& [name, value] : response.headers.all()) {
    std::string lower = base::to_lower_ascii(name);
    if (left_out(lower)) continue;
    std::string clean = value;
    std::replace_if(
        clean.begin(), clean.end(), [](char c) { return c == '\r' || c == '\n' || c == '\0'; },
        ' ');
    texts.emplace_back(std::move(lower), std::move(clean));
  }
  texts.emplace_back("x-content-type-options", "nosniff");
  if (call.exchange) {
    const Request& request = call.exchange->request;
    texts.emplace_back("x-request-id", call.exchange->context.trace_id);
    if (request.trace) texts.emplace_back("traceparent", request.trace->header());
    if (request.times)
      texts.emplace_back("server-timing",
                         server_timing(*request.times, core_->now_ns() - request.received_ns));
    log_access(*core_, {*call.exchange, "http/2", response.status,
                        live ? -1 : static_cast<std::int64_t>(body.size())});
  }
  const std::string_view announced = response.headers.get("Content-Length");
  if (!live && !has_no_body(response.status))
    texts.emplace_back("content-length", announced.empty() || !head_only
                                             ? std::to_string(body.size())
                                             : std::string(announced));
  if (live && !announced.empty()) {
    std::uint64_t length = 0;
    std::from_chars(announced.data(), announced.data() + announced.size(), length);
    call.length_left = length;
    texts.emplace_back("content-length", announced);
  }
  Fields fields;
  for (const auto& [name, value] : texts) fields.push_back({name, value, !one_time(name)});
  const bool bodyless = head_only || has_no_body(response.status) || (!live && body.empty());
  session_.respond(call.id, fields, bodyless);
  if (bodyless || !live) {
    call.answered = true;
    if (call.out_pipe) call.out_pipe->abort();
    call.out_pipe.reset();
    if (!bodyless) session_.write(call.id, body);
    if (!bodyless) session_.end(call.id);
    return;
  }
  if (response.events != nullptr) {
    call.events = std::move(response.events);
    call.events->set_wake(poster([id = call.id](Http2& self) {
      if (Http2Call* at = self.find(id)) self.plain_pump(*at);
    }));
    if (ending_ != Ending::kNo) call.events->close();
  }
  plain_pump(call);
}

void Http2::plain_pump(Http2Call& call) {
  std::string piece;
  while (call.responded && !call.answered && session_.unsent(call.id) < kMaxUnsent) {
    piece.clear();
    bool open = true, good = true;
    if (call.out_pipe) {
      const OutPipe::State state = call.out_pipe->take(piece);
      open = state == OutPipe::State::kOpen;
      good = state != OutPipe::State::kFailed;
    } else if (call.events) {
      open = call.events->take(piece);
    }
    if (call.length_left) {
      good = good && piece.size() <= *call.length_left;
      if (good) *call.length_left -= piece.size();
      if (piece.empty() && !open && *call.length_left > 0) good = false;
    }
    if (!good) {
      // Cut off rather than ended, so that the peer knows.
      call.answered = true;
      return session_.reset(call.id, Http2Session::Reset::kInternal);
    }
    session_.write(call.id, piece);
    if (!piece.empty()) continue;
    if (open) return;
    call.answered = true;
    return session_.end(call.id);
  }
}

}  // namespace maru::http
