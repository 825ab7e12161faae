#pragma once
#include <memory>

#include "maru/base/json.h"
#include "maru/base/result.h"
#include "maru/model/model.h"

namespace maru::serve {

// A constant answer for when there is no model yet, or when it failed: EndpointConfig::fallback, docs/serving.md. {"prediction": number}, or
// {"prediction": class, "classes": [...], "probability": p}: p of the second of two classes, else of the predicted one. As a bundle that takes rows of
// any columns. Null for null.
base::Result<std::shared_ptr<const model::Bundle>> fallback_bundle(const base::Json& declared);

// kFailedPrecondition unless the model answers with the fallback's task and classes.
base::Status check_fallback(const model::Bundle& fallback, const model::Bundle& model);

}  // namespace maru::serve
