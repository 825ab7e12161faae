#pragma once
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "socket_peer.h"

namespace maru::http::test {

using Pairs = std::vector<std::pair<std::string, std::string>>;

// What came back on one stream.
struct Http2Answer {
  std::map<std::string, std::string> headers, trailers;
  std::string body;
  bool closed = false;
  std::uint32_t error = 0;  // of the RST_STREAM, when there was one
  std::string status() const { return at(headers, ":status"); }
  // Of the trailers, or of the headers when there were no others.
  std::string grpc_status() const {
    const std::string late = at(trailers, "grpc-status");
    return late.empty() ? at(headers, "grpc-status") : late;
  }
  std::string grpc_message() const {
    const std::string late = at(trailers, "grpc-message");
    return late.empty() ? at(headers, "grpc-message") : late;
  }
  // The messages of a gRPC answer.
  std::vector<std::string> messages() const {
    std::vector<std::string> out;
    for (std::size_t i = 0; i + 5 <= body.size();) {
      std::size_t size = 0;
      for (std::size_t k = 1; k < 5; ++k)
        size = size << 8 | static_cast<unsigned char>(body[i + k]);
      out.push_back(body.substr(i + 5, size));
      i += 5 + size;
    }
    return out;
  }

 private:
  static std::string at(const std::map<std::string, std::string>& of, const std::string& name) {
    const auto found = of.find(name);
    return found == of.end() ? "" : found->second;
  }
};

inline std::string framed(std::string_view message, bool packed = false) {
  std::string out(1, packed ? '\1' : '\0');
  for (int shift = 24; shift >= 0; shift -= 8)
    out += static_cast<char>(message.size() >> static_cast<unsigned>(shift));
  return out + std::string(message);
}

// A client of HTTP/2 on one socket, driven by hand.
class Http2Peer {
 public:
  explicit Http2Peer(std::uint16_t port, bool manual_windows = false) : socket_(port) {
    const int on = 1;
    ::setsockopt(socket_.fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    nghttp2_session_callbacks* table = nullptr;
    nghttp2_session_callbacks_new(&table);
    nghttp2_session_callbacks_set_on_header_callback(table, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(table, on_chunk);
    nghttp2_session_callbacks_set_on_stream_close_callback(table, on_close);
    nghttp2_session_callbacks_set_on_frame_recv_callback(table, on_frame);
    nghttp2_option* options = nullptr;
    nghttp2_option_new(&options);
    if (manual_windows) nghttp2_option_set_no_auto_window_update(options, 1);
    nghttp2_session_client_new2(&session_, table, this, options);
    nghttp2_option_del(options);
    nghttp2_session_callbacks_del(table);
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, nullptr, 0);
  }
  ~Http2Peer() { nghttp2_session_del(session_); }
  Http2Peer(const Http2Peer&) = delete;
  Http2Peer& operator=(const Http2Peer&) = delete;

  nghttp2_session* session() { return session_; }
  Peer& socket() { return socket_; }
  std::uint32_t goaway() const { return goaway_; }
  bool gone_away() const { return gone_away_; }
  std::size_t pings() const { return pings_; }
  Http2Answer& stream(std::int32_t id) { return answers_[id]; }

  // Starts a request; `end`: without a body.
  std::int32_t start(const Pairs& fields, bool end) {
    std::vector<nghttp2_nv> pairs;
    for (const auto& [name, value] : fields)
      pairs.push_back({reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
                       reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())),
                       name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
    nghttp2_data_provider provider{};
    provider.source.ptr = this;
    provider.read_callback = read_body;
    const std::int32_t id = nghttp2_submit_request(session_, nullptr, pairs.data(), pairs.size(),
                                                   end ? nullptr : &provider, nullptr);
    answers_[id];
    flush();
    return id;
  }
  void write(std::int32_t id, std::string_view bytes, bool end) {
    Out& out = outs_[id];
    out.bytes += bytes;
    out.end = out.end || end;
    nghttp2_session_resume_data(session_, id);
    flush();
  }
  bool sent(std::int32_t id) { return outs_[id].at == outs_[id].bytes.size(); }
  void reset(std::int32_t id) {
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
    flush();
  }
  static Pairs rpc(const std::string& path, const Pairs& more = {}) {
    Pairs out{{":method", "POST"}, {":scheme", "http"},
              {":path", path},     {":authority", "127.0.0.1"},
              {"te", "trailers"},  {"content-type", "application/grpc"}};
    out.insert(out.end(), more.begin(), more.end());
    return out;
  }
  // A unary call to its end.
  Http2Answer call(const std::string& path, std::string_view message, const Pairs& more = {}) {
    const std::int32_t id = start(rpc(path, more), false);
    write(id, framed(message), true);
    return wait(id);
  }
  Http2Answer request(const std::string& method, const std::string& path, const Pairs& more = {},
                      std::string_view body = {}) {
    Pairs fields{
        {":method", method}, {":scheme", "http"}, {":path", path}, {":authority", "127.0.0.1"}};
    fields.insert(fields.end(), more.begin(), more.end());
    const std::int32_t id = start(fields, body.empty());
    if (!body.empty()) write(id, body, true);
    return wait(id);
  }
  Http2Answer wait(std::int32_t id) {
    wait_until([&] { return answers_[id].closed; });
    return answers_[id];
  }
  // Reads until `done`; false when the connection ended or nothing came for ten seconds.
  template <class Done>
  bool wait_until(Done done) {
    flush();
    while (!done()) {
      if (!socket_.more()) return done();
      feed();
    }
    return true;
  }
  void feed() {
    std::string bytes;
    bytes.swap(socket_.left());
    nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(bytes.data()),
                             bytes.size());
    flush();
  }
  bool flush() {
    for (;;) {
      const std::uint8_t* bytes = nullptr;
      const ssize_t size = nghttp2_session_mem_send(session_, &bytes);
      if (size <= 0) return size == 0;
      if (!socket_.send({reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size)}))
        return false;
    }
  }

 private:
  struct Out {
    std::string bytes;
    std::size_t at = 0;
    bool end = false;
  };
  static Http2Peer& of(void* user) { return *static_cast<Http2Peer*>(user); }
  static int on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                       std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                       std::uint8_t, void* user) {
    Http2Answer& answer = of(user).answers_[frame->hd.stream_id];
    const bool late = frame->headers.cat == NGHTTP2_HCAT_HEADERS && !answer.headers.empty() &&
                      answer.headers[":status"] != "100";
    (late ? answer.trailers
          : answer.headers)[std::string(reinterpret_cast<const char*>(name), name_size)] =
        std::string(reinterpret_cast<const char*>(value), value_size);
    return 0;
  }
  static int on_chunk(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* bytes,
                      std::size_t size, void* user) {
    of(user).answers_[id].body.append(reinterpret_cast<const char*>(bytes), size);
    return 0;
  }
  static int on_close(nghttp2_session*, std::int32_t id, std::uint32_t error, void* user) {
    of(user).answers_[id].closed = true;
    of(user).answers_[id].error = error;
    return 0;
  }
  static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    if (frame->hd.type == NGHTTP2_GOAWAY) {
      of(user).gone_away_ = true;
      of(user).goaway_ = frame->goaway.error_code;
    }
    if (frame->hd.type == NGHTTP2_PING && (frame->hd.flags & NGHTTP2_FLAG_ACK) == 0)
      ++of(user).pings_;
    return 0;
  }
  static ssize_t read_body(nghttp2_session*, std::int32_t id, std::uint8_t* into, std::size_t most,
                           std::uint32_t* flags, nghttp2_data_source*, void* user) {
    Out& out = of(user).outs_[id];
    const std::size_t size = std::min(most, out.bytes.size() - out.at);
    out.bytes.copy(reinterpret_cast<char*>(into), size, out.at);
    out.at += size;
    if (out.end && out.at == out.bytes.size())
      *flags |= NGHTTP2_DATA_FLAG_EOF;
    else if (size == 0)
      return NGHTTP2_ERR_DEFERRED;
    return static_cast<ssize_t>(size);
  }

  Peer socket_;
  nghttp2_session* session_ = nullptr;
  std::map<std::int32_t, Http2Answer> answers_;
  std::map<std::int32_t, Out> outs_;
  bool gone_away_ = false;
  std::uint32_t goaway_ = 0;
  std::size_t pings_ = 0;
};

}  // namespace maru::http::test
