// The one place that speaks to nghttp2.
#include "http2_session.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <cstring>
#include <unordered_map>

#include "maru/base/check.h"
#include "rpc_frame.h"

namespace maru::http {
namespace {

struct Stream {
  Http2Head head;
  std::size_t header_bytes = 0;
  std::size_t header_count = 0;
  bool head_told = false;
  bool peer_ended = false;
  bool responded = false;
  bool ended = false;  // `out` is all that comes
  bool deferred = false;
  bool moved = false;  // listed in `progress`
  std::string out;
  std::size_t out_at = 0;
  std::uint64_t sent = 0;
  bool has_trailers = false;
  std::vector<std::pair<std::string, std::string>> trailers;
};

std::string_view text_of(const std::uint8_t* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

nghttp2_nv pair_of(std::string_view name, std::string_view value, bool indexed) {
  nghttp2_nv out{};
  out.name = reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data()));
  out.namelen = name.size();
  out.value = reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data()));
  out.valuelen = value.size();
  out.flags = indexed ? NGHTTP2_NV_FLAG_NONE : NGHTTP2_NV_FLAG_NO_INDEX;
  return out;
}

std::uint32_t error_code_of(Http2Session::Reset reason) {
  switch (reason) {
    case Http2Session::Reset::kNone:
      return NGHTTP2_NO_ERROR;
    case Http2Session::Reset::kRefused:
      return NGHTTP2_REFUSED_STREAM;
    case Http2Session::Reset::kCancel:
      return NGHTTP2_CANCEL;
    case Http2Session::Reset::kCalm:
      return NGHTTP2_ENHANCE_YOUR_CALM;
    case Http2Session::Reset::kInternal:
      break;
  }
  return NGHTTP2_INTERNAL_ERROR;
}

bool carries_nothing(const nghttp2_frame_hd& frame) {
  if (frame.type == NGHTTP2_HEADERS) return false;
  if (frame.type != NGHTTP2_DATA) return true;
  return frame.length == 0 && (frame.flags & NGHTTP2_FLAG_END_STREAM) == 0;
}

}  // namespace

struct Http2Session::Impl {
  Impl(Http2Events& to, const base::Clock& source)
      : events(to), clock(source), budget(source.monotonic_ns()) {}
  ~Impl() { nghttp2_session_del(session); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  Http2Events& events;
  const base::Clock& clock;
  FrameBudget budget;
  nghttp2_session* session = nullptr;
  std::unordered_map<std::int32_t, std::unique_ptr<Stream>> streams;
  std::vector<std::int32_t> progress;
  bool broken = false;
  bool calming = false;
  bool pinged = false;

  Stream* find(std::int32_t id) {
    return static_cast<Stream*>(nghttp2_session_get_stream_user_data(session, id));
  }
  void open();
  void add_field(Stream& stream, std::string_view name, std::string_view value);
  void tell_head(std::int32_t id, Stream& stream);
  void received(const nghttp2_frame& frame);
  ssize_t fill(std::int32_t id, Stream& stream, std::uint8_t* into, std::size_t most,
               std::uint32_t* flags);
  void resume(std::int32_t id, Stream& stream);
  void calm();

  static Impl& of(void* user) { return *static_cast<Impl*>(user); }
};

namespace {

using Impl = Http2Session::Impl;

int on_begin_headers(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
  if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
  auto stream = std::make_unique<Stream>();
  nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, stream.get());
  Impl::of(user).streams[frame->hd.stream_id] = std::move(stream);
  return 0;
}

int on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
              std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
              std::uint8_t, void* user) {
  Stream* stream = Impl::of(user).find(frame->hd.stream_id);
  if (stream == nullptr) return 0;
  Impl::of(user).add_field(*stream, text_of(name, name_size), text_of(value, value_size));
  // A little beyond the limit is answered; without end is cut off.
  return stream->header_bytes > 4 * kMaxHeaderBytes ? NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE : 0;
}

int on_begin_frame(nghttp2_session*, const nghttp2_frame_hd* frame, void* user) {
  Impl& impl = Impl::of(user);
  if (carries_nothing(*frame) && !impl.budget.take(impl.clock.monotonic_ns())) impl.calm();
  return 0;
}

int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
  Impl::of(user).received(*frame);
  return 0;
}

int on_chunk(nghttp2_session* session, std::uint8_t, std::int32_t id, const std::uint8_t* bytes,
             std::size_t size, void* user) {
  Impl& impl = Impl::of(user);
  const Stream* stream = impl.find(id);
  if (stream == nullptr || stream->ended)
    nghttp2_session_consume_connection(session, size);  // nobody listens any more
  else
    impl.events.on_data(id, text_of(bytes, size));
  return 0;
}

int on_close(nghttp2_session* session, std::int32_t id, std::uint32_t, void* user) {
  Impl& impl = Impl::of(user);
  const auto at = impl.streams.find(id);
  if (at == impl.streams.end()) return 0;
  const auto gone = std::move(at->second);
  impl.streams.erase(at);
  nghttp2_session_set_stream_user_data(session, id, nullptr);
  if (gone->head_told) impl.events.on_gone(id);
  return 0;
}

ssize_t read_body(nghttp2_session*, std::int32_t id, std::uint8_t* into, std::size_t most,
                  std::uint32_t* flags, nghttp2_data_source* source, void* user) {
  return Impl::of(user).fill(id, *static_cast<Stream*>(source->ptr), into, most, flags);
}

struct Callbacks {
  nghttp2_session_callbacks* table = nullptr;
  nghttp2_option* options = nullptr;
  Callbacks() {
    MARU_CHECK(nghttp2_session_callbacks_new(&table) == 0 && nghttp2_option_new(&options) == 0);
    nghttp2_session_callbacks_set_on_begin_headers_callback(table, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(table, on_header);
    nghttp2_session_callbacks_set_on_begin_frame_callback(table, on_begin_frame);
    nghttp2_session_callbacks_set_on_frame_recv_callback(table, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(table, on_chunk);
    nghttp2_session_callbacks_set_on_stream_close_callback(table, on_close);
    nghttp2_option_set_no_auto_window_update(options, 1);
    nghttp2_option_set_no_closed_streams(options, 1);
  }
  ~Callbacks() {
    nghttp2_session_callbacks_del(table);
    nghttp2_option_del(options);
  }
  Callbacks(const Callbacks&) = delete;
  Callbacks& operator=(const Callbacks&) = delete;
};

}  // namespace

void Http2Session::Impl::open() {
  static const Callbacks kCallbacks;
  MARU_CHECK(nghttp2_session_server_new2(&session, kCallbacks.table, this, kCallbacks.options) ==
             0);
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, kMaxStreams},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kStreamWindow},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<std::uint32_t>(kMaxHeaderBytes)}};
  nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, std::size(settings));
  nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0, kConnectionWindow);
}

void Http2Session::Impl::add_field(Stream& stream, std::string_view name, std::string_view value) {
  if (stream.head_told) return;                            // trailers of a request say nothing here
  stream.header_bytes += name.size() + value.size() + 32;  // as RFC 9113 counts
  ++stream.header_count;
  Http2Head& head = stream.head;
  if (stream.header_bytes > kMaxHeaderBytes) head.fault = {431, "the header fields are too large"};
  if (stream.header_count > kMaxHeaderCount) head.fault = {431, "too many header fields"};
  if (head.fault) return;
  if (name == ":path") {
    if (value.size() > kMaxRequestLineBytes)
      head.fault = {414, "the request line is too long"};
    else
      head.path = value;
  } else if (name == ":method") {
    head.method = value;
  } else if (name == ":authority") {
    head.authority = value;
  } else if (name.empty() || name.front() != ':') {
    head.headers.add(name, value);
  }
}

void Http2Session::Impl::tell_head(std::int32_t id, Stream& stream) {
  stream.head_told = true;
  events.on_head(id, std::move(stream.head));
}

void Http2Session::Impl::received(const nghttp2_frame& frame) {
  const std::int32_t id = frame.hd.stream_id;
  if (frame.hd.type == NGHTTP2_PING && (frame.hd.flags & NGHTTP2_FLAG_ACK) != 0) pinged = false;
  if (frame.hd.type != NGHTTP2_HEADERS && frame.hd.type != NGHTTP2_DATA) return;
  Stream* stream = find(id);
  if (stream == nullptr || calming) return;
  if (frame.hd.type == NGHTTP2_HEADERS && !stream->head_told) tell_head(id, *stream);
  if ((frame.hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return;
  stream = find(id);
  if (stream == nullptr) return;
  stream->peer_ended = true;
  events.on_end(id);
}

ssize_t Http2Session::Impl::fill(std::int32_t id, Stream& stream, std::uint8_t* into,
                                 std::size_t most, std::uint32_t* flags) {
  const std::size_t size = std::min(most, stream.out.size() - stream.out_at);
  if (size == 0 && !stream.ended) {
    stream.deferred = true;
    return NGHTTP2_ERR_DEFERRED;
  }
  if (size > 0) {
    std::memcpy(into, stream.out.data() + stream.out_at, size);
    budget.sent_piece();
  }
  stream.out_at += size;
  stream.sent += size;
  if (!stream.moved) {
    stream.moved = true;
    progress.push_back(id);
  }
  if (stream.out_at < stream.out.size()) return static_cast<ssize_t>(size);
  stream.out.clear();
  stream.out_at = 0;
  if (!stream.ended) return static_cast<ssize_t>(size);
  *flags |= NGHTTP2_DATA_FLAG_EOF;
  if (!stream.has_trailers) return static_cast<ssize_t>(size);
  *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
  thread_local std::vector<nghttp2_nv> fields;
  fields.clear();
  for (const auto& [name, value] : stream.trailers) fields.push_back(pair_of(name, value, true));
  nghttp2_submit_trailer(session, id, fields.data(), fields.size());
  return static_cast<ssize_t>(size);
}

void Http2Session::Impl::resume(std::int32_t id, Stream& stream) {
  if (!stream.deferred) return;
  stream.deferred = false;
  nghttp2_session_resume_data(session, id);
}

void Http2Session::Impl::calm() {
  if (calming) return;
  calming = true;
  nghttp2_session_terminate_session(session, NGHTTP2_ENHANCE_YOUR_CALM);
}

Http2Session::Http2Session(Http2Events& events, const base::Clock& clock)
    : impl_(std::make_unique<Impl>(events, clock)) {
  impl_->open();
}
Http2Session::~Http2Session() = default;

bool Http2Session::feed(std::string_view bytes) {
  if (impl_->broken) return false;
  const ssize_t taken = nghttp2_session_mem_recv(
      impl_->session, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  if (taken < 0) impl_->broken = true;
  return taken >= 0;
}

bool Http2Session::output(std::string& out, std::size_t most) {
  while (out.size() < most) {
    const std::uint8_t* bytes = nullptr;
    const ssize_t size = nghttp2_session_mem_send(impl_->session, &bytes);
    if (size < 0) impl_->broken = true;
    if (size <= 0) return false;
    out.append(text_of(bytes, static_cast<std::size_t>(size)));
  }
  return true;
}

bool Http2Session::finished() const {
  return impl_->broken || (nghttp2_session_want_read(impl_->session) == 0 &&
                           nghttp2_session_want_write(impl_->session) == 0);
}

void Http2Session::respond(std::int32_t id, std::span<const Http2Field> fields, bool end) {
  Stream* stream = impl_->find(id);
  if (stream == nullptr || stream->responded) return;
  stream->responded = true;
  stream->ended = end;
  thread_local std::vector<nghttp2_nv> pairs;  // nghttp2 keeps copies
  pairs.clear();
  for (const Http2Field& field : fields)
    pairs.push_back(pair_of(field.name, field.value, field.indexed));
  nghttp2_data_provider body{};
  body.source.ptr = stream;
  body.read_callback = read_body;
  nghttp2_submit_response(impl_->session, id, pairs.data(), pairs.size(), end ? nullptr : &body);
}

void Http2Session::proceed(std::int32_t id) {
  const nghttp2_nv field = pair_of(":status", "100", true);
  nghttp2_submit_headers(impl_->session, NGHTTP2_FLAG_NONE, id, nullptr, &field, 1, nullptr);
}

void Http2Session::write(std::int32_t id, std::string_view bytes) {
  Stream* stream = impl_->find(id);
  if (stream == nullptr || stream->ended || bytes.empty()) return;
  stream->out.append(bytes);
  impl_->resume(id, *stream);
}

void Http2Session::end(std::int32_t id) {
  Stream* stream = impl_->find(id);
  if (stream == nullptr || stream->ended) return;
  stream->ended = true;
  impl_->resume(id, *stream);
}

void Http2Session::end(std::int32_t id, std::span<const Http2Field> trailers) {
  Stream* stream = impl_->find(id);
  if (stream == nullptr || stream->ended) return;
  stream->has_trailers = true;
  for (const Http2Field& field : trailers) stream->trailers.emplace_back(field.name, field.value);
  end(id);
}

void Http2Session::reset(std::int32_t id, Reset reason) {
  nghttp2_submit_rst_stream(impl_->session, NGHTTP2_FLAG_NONE, id, error_code_of(reason));
}

void Http2Session::consume(std::int32_t id, std::size_t size) {
  if (size > 0) nghttp2_session_consume(impl_->session, id, size);
}

void Http2Session::discard(std::size_t size) {
  if (size > 0) nghttp2_session_consume_connection(impl_->session, size);
}

std::size_t Http2Session::unsent(std::int32_t id) const {
  const Stream* stream = impl_->find(id);
  return stream == nullptr ? 0 : stream->out.size() - stream->out_at;
}

std::uint64_t Http2Session::sent(std::int32_t id) const {
  const Stream* stream = impl_->find(id);
  return stream == nullptr ? 0 : stream->sent;
}

std::vector<std::int32_t> Http2Session::take_progress() {
  std::vector<std::int32_t> out;
  out.swap(impl_->progress);
  for (const std::int32_t id : out)
    if (Stream* stream = impl_->find(id)) stream->moved = false;
  return out;
}

void Http2Session::answered() { impl_->budget.answered(); }

void Http2Session::ping() {
  impl_->pinged = true;
  nghttp2_submit_ping(impl_->session, NGHTTP2_FLAG_NONE, nullptr);
}

bool Http2Session::ping_waits() const { return impl_->pinged; }
void Http2Session::notice() { nghttp2_submit_shutdown_notice(impl_->session); }

void Http2Session::goaway() {
  nghttp2_submit_goaway(impl_->session, NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(impl_->session), NGHTTP2_NO_ERROR,
                        nullptr, 0);
}

void Http2Session::calm() { impl_->calm(); }
std::size_t Http2Session::streams() const { return impl_->streams.size(); }

}  // namespace maru::http
