#include <charconv>
#include <string_view>
#include <vector>

#include "maru/app/home.h"
#include "maru/base/check.h"
#include "maru/base/text.h"

// The embedded web UI (tools/embed/README.md has the format): served from the binary's own pages, never copied.
extern "C" const char maru_web_archive_begin[];
extern "C" const char maru_web_archive_end[];

namespace maru::app {
namespace {

using base::Context;
using http::Method;
using http::Permission;
using http::Request;
using http::Response;

struct WebFile {
  std::string path, type, etag, encoding;
  std::string_view bytes;
};

std::size_t number(std::string_view text) {
  std::size_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::vector<WebFile> read_archive() {
  const std::string_view all(
      maru_web_archive_begin,
      static_cast<std::size_t>(maru_web_archive_end - maru_web_archive_begin));
  const std::size_t end = all.find("\n\n");
  MARU_CHECK(all.rfind("maru-web 1 ", 0) == 0 && end != std::string_view::npos);
  const std::string_view stored = all.substr(end + 2);
  std::vector<WebFile> out;
  const auto lines = base::split(all.substr(0, end), '\n');
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const auto cells = base::split(lines[i], '\t');
    if (cells.size() != 7) continue;
    const std::string_view bytes = stored.substr(number(cells[4]), number(cells[5]));
    out.push_back({cells[0], cells[1], cells[2], cells[3], bytes});
  }
  return out;
}

constexpr const char* kContentPolicy =
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "frame-ancestors 'none'; base-uri 'self'; form-action 'self'";

base::Result<Response> serve_file(const WebFile& file, const Request& request, bool immutable) {
  Response response;
  response.headers.set("ETag", file.etag);
  response.headers.set("Cache-Control",
                       immutable ? "public, max-age=31536000, immutable" : "no-cache");
  response.headers.set("X-Content-Type-Options", "nosniff");
  response.headers.set("Referrer-Policy", "same-origin");
  response.headers.set("Content-Security-Policy", kContentPolicy);
  if (request.headers.get("If-None-Match") == file.etag) {
    response.status = 304;
    return response;
  }
  response.headers.set("Content-Type", file.type);
  response.headers.set("Vary", "Accept-Encoding");
  if (file.encoding == "gzip") {
    if (request.headers.get("Accept-Encoding").find("gzip") == std::string_view::npos) {
      return base::fail(base::Code::kInvalidArgument, "this page is stored compressed",
                        "send `Accept-Encoding: gzip` (curl: --compressed)");
    }
    response.headers.set("Content-Encoding", "gzip");
  }
  response.static_body = file.bytes;
  return response;
}

}  // namespace

void add_web_routes(http::Router& router) {
  auto files = std::make_shared<const std::vector<WebFile>>(read_archive());
  const WebFile* index = nullptr;
  for (const auto& file : *files) {
    if (file.path == "/index.html") index = &file;
    const bool hashed = file.path.rfind("/assets/", 0) == 0;
    router.add(Method::kGet, file.path, {Permission::kPublic, http::RunOn::kInline},
               [files, &file, hashed](const Request& request, Context&) {
                 return serve_file(file, request, hashed);
               });
  }
  MARU_CHECK(index != nullptr);
  const auto page = [files, index](const Request& request, Context&) {
    return serve_file(*index, request, false);
  };
  // KServe's clients ask here whether the server lives; a browser says that it wants a page.
  router.add(Method::kGet, "/", {Permission::kPublic, http::RunOn::kInline},
             [page](const Request& request, Context& context) -> base::Result<Response> {
               if (request.headers.get("Accept").find("text/html") == std::string_view::npos)
                 return Response::json_text(R"({"status":"alive"})");
               return page(request, context);
             });
  for (const char* pattern : {"/p", "/p/{rest...}"})
    router.add(Method::kGet, pattern, {Permission::kPublic, http::RunOn::kInline}, page);
}

}  // namespace maru::app
