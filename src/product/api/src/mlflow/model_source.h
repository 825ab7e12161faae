#pragma once
#include <string>

#include "mlflow/wire.h"

namespace maru::api::mlflow {

// Where a new version comes from, after the server has looked at what its client says.
struct ModelSource {
  std::string source;   // as told, with "models:/name@alias" made definite
  std::string storage;  // URI of the files
  std::string run_id, model_id;
};

// Resolves "models:/m-..." and "models:/name/version"; fills in the run and the logged model that are known from there. kInvalidArgument
// for a local path (unless the run or model keeps its files around it), and for a URI that leads upwards after any number of
// percent-decodings.
base::Result<ModelSource> resolve_source(const Services& services, ModelSource told,
                                         bool is_prompt);

// Where the registry itself keeps the files of a version that names no other place.
std::string version_uri(const tracking::ModelVersion& version);

}  // namespace maru::api::mlflow
