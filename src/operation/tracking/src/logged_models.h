#pragma once
#include <span>
#include <string>
#include <vector>

#include "maru/base/clock.h"
#include "maru/store/database.h"
#include "maru/tracking/logged_models.h"

namespace maru::tracking {

// Records points of logged models inside the caller's transaction (a run's log-batch); sending them again changes nothing.
// kNotFound for a model that is not there, kInvalidArgument for a bad key. An infinite value becomes the largest finite one.
base::Status log_model_metrics(store::Writer& writer, std::span<const ModelMetric> points);

std::span<const store::Migration> logged_model_migrations();

}  // namespace maru::tracking
