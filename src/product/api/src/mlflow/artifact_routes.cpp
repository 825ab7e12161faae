#include <cstdlib>

#include "maru/base/hash.h"
#include "maru/base/text.h"
#include "mlflow/artifact_files.h"

// The artifact proxy (mlflow.md §1.7) and the browser's ways to the same files.
namespace maru::api::mlflow {
namespace {

using base::Code;
using base::Result;
using tracking::ArtifactPlace;

constexpr std::size_t kMaxArtifactBytes = std::size_t{1} << 50;
constexpr std::size_t kMaxBrowserUploadBytes = 10u << 20;
constexpr std::int64_t kTicketUs = std::int64_t{24} * 3600 * 1'000'000;
constexpr std::string_view kRoot = "2.0/mlflow-artifacts/";

Result<ArtifactPlace> place_in_path(const Services& s, const Request& request) {
  TRY_ASSIGN(const std::string path, safe_path(request.param("path")));
  return s.tracking->artifacts().place(path);
}

Result<Response> upload(const Services& s, const Request& request) {
  TRY_ASSIGN(const ArtifactPlace place, place_in_path(s, request));
  TRY_ASSIGN(const auto writer, s.tracking->artifacts().create(place.owner, place.path));
  TRY(receive_body(request, *writer));
  return Response::json(Json::object());
}

Result<Response> list(const Services& s, const Request& request) {
  TRY_ASSIGN(const std::string path, safe_path(request.query_param("path")));
  TRY_ASSIGN(const ArtifactPlace place, s.tracking->artifacts().place(path));
  TRY_ASSIGN(Json files, list_json(s, place, ""));
  Json out = Json::object();
  if (files.size() > 0) out.set("files", std::move(files));
  return Response::json(out);
}

Result<Response> remove(const Services& s, const Request& request) {
  TRY_ASSIGN(const ArtifactPlace place, place_in_path(s, request));
  if (place.owner == tracking::Artifacts::kFreeOwner && place.path.empty())
    return base::fail(Code::kInvalidArgument, "Invalid path");
  TRY(s.tracking->artifacts().remove(place.owner, place.path));
  return Response::json(Json::object());
}

// ---- uploads in parts -------------------------------------------------------------------------

// What the client calls us, so that it finds the way back.
std::string own_url(const Request& request) {
  std::string_view scheme = request.headers.get("X-Forwarded-Proto");
  if (scheme != "https" && scheme != "http") scheme = request.tls ? "https" : "http";
  return std::string(scheme) + "://" + std::string(request.headers.get("Host"));
}

// `path` of a request body is the file on the client's disk; its name goes below the folder of the route.
Result<ArtifactPlace> upload_place(const Services& s, Fields& fields) {
  const std::string file = fields.required_text("path");
  TRY(fields.status());
  const std::size_t slash = file.find_last_of("/\\");
  const std::string name = slash == std::string::npos ? file : file.substr(slash + 1);
  TRY_ASSIGN(const std::string folder, safe_path(fields.text("folder")));
  TRY_ASSIGN(const std::string path, safe_path(folder.empty() ? name : folder + "/" + name));
  return s.tracking->artifacts().place(path);
}

std::string ticket_text(std::string_view kind, std::string_view object, std::string_view expires) {
  return std::string(kind) + "\n" + std::string(object) + "\n" + std::string(expires);
}

Result<std::string> signed_query(const Services& s, std::string_view kind,
                                 std::string_view object) {
  const std::string expires = std::to_string(s.clock->now_us() + kTicketUs);
  TRY_ASSIGN(const std::string signature,
             s.tracking->artifacts().sign(ticket_text(kind, object, expires)));
  return "?expires=" + expires + "&signature=" + signature;
}

base::Status check_ticket(const Services& s, const Request& request, std::string_view kind,
                          std::string_view object) {
  const std::string_view expires = request.query_param("expires");
  TRY_ASSIGN(const std::string expected,
             s.tracking->artifacts().sign(ticket_text(kind, object, expires)));
  if (!base::same_bytes(expected, request.query_param("signature")))
    return base::fail(Code::kPermissionDenied, "the signature of this address is not ours");
  TRY_ASSIGN(const std::uint64_t until, number_param(request, "expires", 0, ~std::uint64_t{0}));
  if (static_cast<std::int64_t>(until) < s.clock->now_us())
    return base::fail(Code::kPermissionDenied, "this address has expired", "ask for a new one");
  return {};
}

Result<Json> begin_upload(const Services& s, Fields& fields, const Request& request) {
  const auto parts = fields.integer("num_parts").value_or(1);
  TRY_ASSIGN(const ArtifactPlace place, upload_place(s, fields));
  if (parts < 1 || parts > tracking::Artifacts::kMaxParts)
    return base::fail(
        Code::kInvalidArgument,
        "Invalid value " + std::to_string(parts) +
            " for parameter 'num_parts' supplied: It must be at least 1 and at most " +
            std::to_string(tracking::Artifacts::kMaxParts));
  TRY_ASSIGN(const std::string id, s.tracking->artifacts().begin_upload(place.owner, place.path,
                                                                        static_cast<int>(parts)));
  Json credentials = Json::array();
  for (int number = 1; number <= static_cast<int>(parts); ++number) {
    const std::string object = id + "/" + std::to_string(number);
    TRY_ASSIGN(const std::string query, signed_query(s, "part", object));
    credentials.push(Json::object(
        {{"url", own_url(request) + "/api/" + std::string(kRoot) + "mpu/part/" + object + query},
         {"part_number", number},
         {"headers", Json::object()}}));
  }
  return Json::object({{"upload_id", id}, {"credentials", std::move(credentials)}});
}

Result<Response> put_part(const Services& s, const Request& request) {
  const std::string upload(request.param("upload")), number(request.param("number"));
  TRY(check_ticket(s, request, "part", upload + "/" + number));
  TRY_ASSIGN(const auto writer,
             s.tracking->artifacts().create_part(upload, std::atoi(number.c_str())));
  TRY_ASSIGN(const auto part, receive_body(request, *writer));
  Response out = Response::json(Json::object());
  out.headers.set("ETag", "\"" + part.sha256 + "\"");
  return out;
}

Result<Json> complete_upload(const Services& s, Fields& fields) {
  TRY_ASSIGN(const ArtifactPlace place, upload_place(s, fields));
  const std::string upload = fields.required_text("upload_id");
  std::vector<tracking::UploadPart> parts;
  for (auto& item : fields.objects("parts")) {
    const std::string etag = item.text("etag");
    parts.push_back(
        {static_cast<int>(item.required_integer("part_number")), std::string(base::trim(etag))});
    std::string& tag = parts.back().etag;
    if (tag.size() >= 2 && tag.front() == '"' && tag.back() == '"')
      tag = tag.substr(1, tag.size() - 2);
    fields.adopt(item);
  }
  TRY(fields.status());
  TRY(s.tracking->artifacts().complete_upload(upload, place, parts));
  return Json::object();
}

Result<Json> abort_upload(const Services& s, Fields& fields) {
  const std::string upload = fields.required_text("upload_id");
  TRY(fields.status());
  TRY(s.tracking->artifacts().abort_upload(upload));
  return Json::object();
}

// An address that needs no credentials for a while, for ranged reads from several connections at a time.
Result<Response> presign(const Services& s, const Request& request) {
  TRY_ASSIGN(const ArtifactPlace place, place_in_path(s, request));
  TRY_ASSIGN(const auto file, s.tracking->artifacts().open(place.owner, place.path));
  const std::string path(request.param("path"));
  TRY_ASSIGN(const std::string query, signed_query(s, "file", path));
  std::string url = own_url(request) + "/api/" + std::string(kRoot) + "signed";
  for (const auto& part : base::split(path, '/')) url += "/" + http::percent_encode(part);
  return Response::json(Json::object({{"url", url + query},
                                      {"headers", Json::object()},
                                      {"file_size", count(file.artifact.bytes)}}));
}

Result<Response> send_signed(const Services& s, const Request& request) {
  TRY(check_ticket(s, request, "file", request.param("path")));
  TRY_ASSIGN(const ArtifactPlace place, place_in_path(s, request));
  return send_artifact(s, request, place);
}

// ---- the browser's ways -----------------------------------------------------------------------

Result<Response> get_run_artifact(const Services& s, const Request& request) {
  std::string run(request.query_param("run_id"));
  if (run.empty()) run = request.query_param("run_uuid");
  TRY_ASSIGN(const std::string path, safe_path(request.query_param("path")));
  TRY_ASSIGN(const std::string root, run_root(s, run));
  TRY_ASSIGN(ArtifactPlace place, place_of(s, root));
  place.path += place.path.empty() ? path : "/" + path;
  return send_artifact(s, request, place);
}

Result<Response> get_version_artifact(const Services& s, const Request& request) {
  TRY_ASSIGN(const std::string path, safe_path(request.query_param("path")));
  TRY_ASSIGN(const std::uint64_t number, number_param(request, "version", 0, INT32_MAX));
  TRY_ASSIGN(const auto version,
             s.tracking->registry().get_version("default", std::string(request.query_param("name")),
                                                static_cast<int>(number)));
  const std::string uri = version.storage.empty() ? version.source : version.storage;
  TRY_ASSIGN(ArtifactPlace place, place_of(s, uri));
  place.path += place.path.empty() ? path : "/" + path;
  return send_artifact(s, request, place);
}

Result<Response> browser_upload(const Services& s, const Request& request) {
  const std::string run(request.query_param("run_uuid"));
  const auto wrong = [](const char* why) { return base::fail(Code::kInvalidArgument, why); };
  if (run.empty()) return wrong("Request must specify run_uuid.");
  if (request.query_param("path").empty()) return wrong("Request must specify path.");
  TRY_ASSIGN(const std::string path, safe_path(request.query_param("path")));
  if (request.body.empty()) return wrong("Request must specify data.");
  if (request.body.size() > kMaxBrowserUploadBytes)
    return wrong("Artifact size is too large. Max size is 10MB.");
  TRY(s.tracking->runs().get_run(run));
  TRY(s.tracking->artifacts().put_artifact(run, path, request.body));
  return Response::json(Json::object());
}

Result<Json> list_run_artifacts(const Services& s, Fields& fields) {
  std::string run = fields.text("run_id");
  if (run.empty()) run = fields.text("run_uuid");
  if (run.empty()) run = fields.required_text("run_id");
  TRY(fields.status());
  TRY_ASSIGN(const std::string path, safe_path(fields.text("path")));
  TRY_ASSIGN(const std::string root, run_root(s, run));
  Json out = Json::object({{"root_uri", root}});
  auto place = place_of(s, root);
  if (!place) return out;  // its files are kept elsewhere
  place->path += place->path.empty() ? path : (path.empty() ? "" : "/" + path);
  TRY_ASSIGN(Json files, list_json(s, *place, path));
  if (files.size() > 0) out.set("files", std::move(files));
  return out;
}

void add_upload_routes(Router& router, const std::string& root, const Services& s) {
  using Step = std::function<Result<Json>(Fields&, const Request&)>;
  const auto add = [&](const std::string& path, const Step& step) {
    const http::Handler handler = [step](const Request& request, Context&) -> Result<Response> {
      TRY_ASSIGN(Fields fields, Fields::of(request));
      TRY_ASSIGN(const Json answer, step(fields, request));
      return Response::json(answer);
    };
    for (const char* folder : {"", "/{folder...}"})
      router.add(Method::kPost, root + "mpu/" + path + folder, options(Permission::kWrite),
                 handler);
  };
  add("create",
      [s](Fields& fields, const Request& request) { return begin_upload(s, fields, request); });
  add("complete", [s](Fields& fields, const Request&) { return complete_upload(s, fields); });
  add("abort", [s](Fields& fields, const Request&) { return abort_upload(s, fields); });
}

}  // namespace

void add_artifact_routes(Router& router, const Services& s) {
  http::RouteOptions streaming = options(Permission::kWrite);
  streaming.stream_body = true;
  streaming.max_body_bytes = kMaxArtifactBytes;
  const auto get = [s](const Request& request, Context&) -> Result<Response> {
    TRY_ASSIGN(const ArtifactPlace place, place_in_path(s, request));
    return send_artifact(s, request, place);
  };
  for (const char* prefix : {"/api/", "/ajax-api/"}) {
    const std::string root = prefix + std::string(kRoot);
    router.add(Method::kPut, root + "artifacts/{path...}", streaming,
               [s](const Request& request, Context&) { return upload(s, request); });
    router.add(Method::kGet, root + "artifacts/{path...}", options(Permission::kRead), get);
    router.add(Method::kGet, root + "artifacts", options(Permission::kRead),
               [s](const Request& request, Context&) { return list(s, request); });
    router.add(Method::kDelete, root + "artifacts/{path...}", options(Permission::kWrite),
               [s](const Request& request, Context&) { return remove(s, request); });
    router.add(Method::kGet, root + "presigned/{path...}", options(Permission::kRead),
               [s](const Request& request, Context&) { return presign(s, request); });
    add_upload_routes(router, root, s);
  }
  // Who holds a signed address needs no other credentials.
  http::RouteOptions open_upload = streaming;
  open_upload.permission = Permission::kPublic;
  const std::string root = "/api/" + std::string(kRoot);
  router.add(Method::kPut, root + "mpu/part/{upload}/{number}", open_upload,
             [s](const Request& request, Context&) { return put_part(s, request); });
  router.add(Method::kGet, root + "signed/{path...}", options(Permission::kPublic),
             [s](const Request& request, Context&) { return send_signed(s, request); });

  for (const char* pattern : {"/get-artifact", "/ajax-api/2.0/mlflow/get-artifact"}) {
    router.add(Method::kGet, pattern, options(Permission::kRead),
               [s](const Request& request, Context&) { return get_run_artifact(s, request); });
  }
  for (const char* pattern :
       {"/model-versions/get-artifact", "/ajax-api/2.0/mlflow/model-versions/get-artifact",
        // Joined to a server's address that ends with a slash.
        "//model-versions/get-artifact"}) {
    router.add(Method::kGet, pattern, options(Permission::kRead),
               [s](const Request& request, Context&) { return get_version_artifact(s, request); });
  }
  router.add(Method::kPost, "/ajax-api/2.0/mlflow/upload-artifact", options(Permission::kWrite),
             [s](const Request& request, Context&) { return browser_upload(s, request); });
  add_call(router, 2, Method::kGet, "artifacts/list", Permission::kRead,
           [s](Fields& fields, Context&) { return list_run_artifacts(s, fields); });
}

}  // namespace maru::api::mlflow
