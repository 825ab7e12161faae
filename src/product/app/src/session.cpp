#include "session.h"

#include <cstdio>
#include <cstdlib>

#include "maru/base/file.h"
#include "settings.h"

namespace maru::app {
namespace {

using base::Code;
using base::Json;

constexpr std::int64_t kCallTimeoutMs = 24ll * 3600 * 1000;

base::Error error_of(const Json& body, int status) {
  base::Error error;
  error.message = body["message"].as_string_or("server answered " + std::to_string(status));
  error.hint = body["hint"].as_string();
  const std::string name = body["error_code"].as_string();
  for (int code = 0; code <= static_cast<int>(Code::kInternal); ++code) {
    if (base::code_name(static_cast<Code>(code)) == name) error.code = static_cast<Code>(code);
  }
  return error;
}

base::Result<Json> read_answer(int status, std::string_view body) {
  if (status == 204 || body.empty()) return Json::object();
  auto json = base::parse_json(body);
  if (status < 400)
    return json ? std::move(json)
                : base::Result<Json>(base::wrap(json.error(), "server's answer is not JSON"));
  return tl::unexpected<base::Error>(error_of(json ? *json : Json(), status));
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

http::EgressPolicy local_policy() {
  http::EgressPolicy policy;
  policy.allow_private = true;  // the user named the server; it is usually this machine
  return policy;
}

}  // namespace

std::string home_folder(const std::string& flag) {
  if (!flag.empty()) return flag;
  const std::string from_environment = environment("MARU_HOME");
  if (!from_environment.empty()) return from_environment;
  return base::join_path(environment("HOME"), ".maru");
}

std::string server_file(const std::string& home) { return base::join_path(home, "server.json"); }

base::Result<std::unique_ptr<Session>> Session::open(const std::string& home,
                                                     const std::string& server_url) {
  auto session = std::make_unique<Session>(Key{});
  session->token_ = environment("MARU_TOKEN");
  session->url_ = server_url;
  if (server_url.empty()) {
    TRY_ASSIGN(const auto settings, load_settings(home));
    auto opened = Home::open(home_options(home, settings));
    if (opened) {
      session->home_ = std::move(*opened);
      session->home_->start(Home::Background::kVerb);
      return session;
    }
    if (opened.error().code != Code::kUnavailable)
      return tl::unexpected<base::Error>(opened.error());
    // Somebody has the folder: a server says where it listens, another verb does not.
    auto found = base::read_file(server_file(home));
    if (!found) return tl::unexpected<base::Error>(opened.error());
    TRY_ASSIGN(const Json where, base::parse_json(*found));
    session->url_ = where["url"].as_string();
  }
  session->client_ = std::make_unique<http::Client>(local_policy());
  return session;
}

Session::~Session() = default;

base::Result<Json> Session::call(http::Method method, const std::string& path, const Json& body) {
  const std::string text = body.is_null() ? std::string() : body.dump();
  return remote() ? call_server(method, path, text) : call_here(method, path, text);
}

base::Result<Json> Session::call_server(http::Method method, const std::string& path,
                                        const std::string& body) {
  http::ClientRequest request;
  request.method = method;
  request.url = url_ + path;
  request.body = body;
  request.timeout_ms = kCallTimeoutMs;
  if (!body.empty()) request.headers.set("Content-Type", "application/json");
  if (!token_.empty()) request.headers.set("Authorization", "Bearer " + token_);
  auto response = client_->send(request);
  if (!response)
    return base::wrap(response.error(), "server cannot be reached: " + url_,
                      "is `maru up` running?");
  return read_answer(response->status, response->body);
}

http::Response Session::answer_here(http::Method method, const std::string& path,
                                    std::string body) {
  http::Request request;
  request.method = method;
  request.target = path;
  const std::size_t question = path.find('?');
  request.path = http::percent_decode(path.substr(0, question));
  if (question != std::string::npos) {
    std::string_view rest = std::string_view(path).substr(question + 1);
    while (!rest.empty()) {
      const std::size_t end = rest.find('&');
      const std::string_view pair = rest.substr(0, end);
      const std::size_t equals = pair.find('=');
      request.query.emplace_back(http::percent_decode(pair.substr(0, equals)),
                                 equals == std::string_view::npos
                                     ? std::string()
                                     : http::percent_decode(pair.substr(equals + 1)));
      rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    }
  }
  request.body = std::move(body);
  base::Context context;
  context.principal = {"local", base::Role::kAdmin};
  return home_->router().handle(request, context);
}

base::Result<Json> Session::call_here(http::Method method, const std::string& path,
                                      const std::string& body) {
  const http::Response response = answer_here(method, path, body);
  return read_answer(response.status, response.whole_body());
}

namespace {

struct Closed {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, Closed>;

constexpr std::size_t kMaxUploadBytes = std::size_t{4} << 30;
constexpr std::size_t kMaxErrorBytes = 64u << 10;

base::Status write_piece(std::FILE* file, std::string_view piece) {
  if (std::fwrite(piece.data(), 1, piece.size(), file) == piece.size()) return {};
  return base::fail(Code::kNoSpace, "a file cannot be written to its end");
}

base::Status copy_file(const std::string& from, const Session::Sink& sink) {
  const File file(std::fopen(from.c_str(), "rb"));
  if (file == nullptr) return base::fail(Code::kNotFound, "cannot be read: " + from);
  std::string piece(1u << 20, '\0');
  std::size_t got = 0;
  while ((got = std::fread(piece.data(), 1, piece.size(), file.get())) > 0)
    TRY(sink(std::string_view(piece).substr(0, got)));
  return {};
}

class SinkWriter final : public http::BodyWriter {
 public:
  explicit SinkWriter(const Session::Sink& sink) : sink_(sink) {}
  base::Status write(std::string_view bytes) override { return sink_(bytes); }

 private:
  const Session::Sink& sink_;
};

}  // namespace

base::Status Session::fetch_here(http::Method method, const std::string& path,
                                 const std::string& body, const Sink& sink) {
  const http::Response response = answer_here(method, path, body);
  if (response.status >= 400) {
    TRY(read_answer(response.status, response.body));
  }
  if (!response.file_path.empty()) return copy_file(response.file_path, sink);
  if (response.stream) {
    SinkWriter writer(sink);
    return response.stream(writer);
  }
  return sink(response.whole_body());
}

base::Status Session::fetch(http::Method method, const std::string& path, const Json& body,
                            const Sink& sink) {
  const std::string text = body.is_null() ? std::string() : body.dump();
  if (!remote()) return fetch_here(method, path, text, sink);
  http::ClientRequest request;
  request.method = method;
  request.url = url_ + path;
  request.body = text;
  request.timeout_ms = kCallTimeoutMs;
  if (!text.empty()) request.headers.set("Content-Type", "application/json");
  if (!token_.empty()) request.headers.set("Authorization", "Bearer " + token_);
  std::string head;  // what a failure says
  request.on_body = [&](std::string_view piece) {
    if (head.size() < kMaxErrorBytes) head += piece.substr(0, kMaxErrorBytes);
    return sink(piece);
  };
  auto response = client_->send(request);
  if (!response) return base::wrap(response.error(), "server cannot be reached: " + url_);
  if (response->status >= 400) {
    TRY(read_answer(response->status, head.empty() ? response->body : head));
  }
  return {};
}

base::Result<std::uint64_t> Session::download(const std::string& path, const std::string& file) {
  const std::string partial = file + ".part";
  File out(std::fopen(partial.c_str(), "wb"));
  if (out == nullptr) return base::fail(Code::kInvalidArgument, "cannot be written: " + file);
  base::Status filled = fetch(http::Method::kGet, path, {}, [&](std::string_view piece) {
    return write_piece(out.get(), piece);
  });
  if (filled && std::fflush(out.get()) != 0)
    filled = base::fail(Code::kNoSpace, "a file cannot be written to its end: " + file);
  out.reset();
  if (!filled) {
    std::remove(partial.c_str());
    return tl::unexpected<base::Error>(filled.error());
  }
  TRY(base::rename_durable(partial, file));
  return base::file_size(file);
}

base::Result<Json> Session::upload(const std::string& path, const std::string& file) {
  TRY_ASSIGN(std::string bytes, base::read_file(file, kMaxUploadBytes));
  if (!remote()) {
    const http::Response response = answer_here(http::Method::kPut, path, std::move(bytes));
    return read_answer(response.status, response.body);
  }
  http::ClientRequest request;
  request.method = http::Method::kPut;
  request.url = url_ + path;
  request.body = std::move(bytes);
  request.timeout_ms = kCallTimeoutMs;
  request.headers.set("Content-Type", "application/octet-stream");
  if (!token_.empty()) request.headers.set("Authorization", "Bearer " + token_);
  auto response = client_->send(request);
  if (!response) return base::wrap(response.error(), "server cannot be reached: " + url_);
  return read_answer(response->status, response->body);
}

}  // namespace maru::app
