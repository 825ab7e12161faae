#pragma once
#include <optional>
#include <string>
#include <vector>

#include "mlflow/wire.h"

// Artifacts as the routes see them: paths, URIs and answers.
namespace maru::api::mlflow {

// The path as it was given, without slashes at its end; kInvalidArgument "Invalid path" when any number of percent-decodings makes it
// absolute, lead upwards, or hold '#', a backslash or NUL.
base::Result<std::string> safe_path(std::string_view path);

// Where the files of a run are: "mlflow-artifacts:/..." unless its experiment keeps them elsewhere.
base::Result<std::string> run_root(const Services& services, const std::string& run_id);

// The path below the proxy that a URI means ("mlflow-artifacts:/a", "http://host/api/2.0/mlflow-artifacts/artifacts/a"); empty for others.
std::optional<std::string> proxy_path(const std::string& uri);
// Where a URI of the proxy, or "runs:/<id>/path", leads; kNotFound for files that the server does not keep.
base::Result<tracking::ArtifactPlace> place_of(const Services& services, const std::string& uri);
// All files below a URI with paths relative to it; none when the server does not keep them.
std::vector<tracking::Artifact> files_at(const Services& services, const std::string& uri);

// [{"path", "is_dir", "file_size"}] of one folder, each path behind `prefix`.
base::Result<Json> list_json(const Services& services, const tracking::ArtifactPlace& place,
                             const std::string& prefix);
// The bytes of an artifact as an attachment; ETag, If-None-Match and one Range are understood.
base::Result<Response> send_artifact(const Services& services, const Request& request,
                                     const tracking::ArtifactPlace& place);
// Takes the streamed body into the writer; the artifact is there when it returns.
base::Result<tracking::Artifact> receive_body(const Request& request,
                                              tracking::ArtifactWriter& writer);

}  // namespace maru::api::mlflow
