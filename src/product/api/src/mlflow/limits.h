#pragma once
#include <string>
#include <vector>

#include "mlflow/wire.h"

// MLflow's limits of names, keys and values (mlflow/utils/validation.py), with its messages.
namespace maru::api::mlflow {

inline constexpr std::size_t kMaxKey = 250;
inline constexpr std::size_t kMaxParamValue = 6000;
inline constexpr std::size_t kMaxRunTagValue = 8000;
inline constexpr std::size_t kMaxExperimentTagValue = 5000;
inline constexpr std::size_t kMaxBatchMetrics = 1000, kMaxBatchParams = 100, kMaxBatchTags = 100,
                             kMaxBatchTotal = 1000;
inline constexpr std::size_t kMaxDatasetName = 500, kMaxDatasetDigest = 36,
                             kMaxDatasetSource = 65'535, kMaxDatasetSchema = 1'048'575,
                             kMaxDatasetProfile = 16'777'215;
inline constexpr std::size_t kMaxInputTagKey = 255, kMaxInputTagValue = 500;
inline constexpr std::size_t kMaxRuns = 50'000;
inline constexpr std::size_t kMaxHistory = 25'000;

// 1..250 characters of letters (of any script), digits and "/_-. :", no leading '/', equal to its normalised path.
base::Status check_wire_key(const char* what, const std::string& key);
base::Status check_run_id(const std::string& id);
base::Status check_length(const char* what, const std::string& text, std::size_t most);
base::Status check_experiment_id(const std::string& id);
// Values that are too long are cut, as MLflow's server does by default: the first `most` characters, whole ones.
std::string cut(std::string text, std::size_t most);
std::size_t characters(const std::string& text);

}  // namespace maru::api::mlflow
