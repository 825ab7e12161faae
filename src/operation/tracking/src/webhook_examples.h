#pragma once
#include <string>

#include "maru/base/json.h"

namespace maru::tracking {
// The example that a test of a webhook sends, as MLflow has it (mlflow/webhooks/types.py).
base::Json example_payload(const std::string& entity, const std::string& action);
}  // namespace maru::tracking
