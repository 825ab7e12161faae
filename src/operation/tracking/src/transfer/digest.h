#pragma once
#include <string>
#include <vector>

#include "maru/tracking/artifacts.h"
#include "maru/tracking/logged_models.h"
#include "maru/tracking/registry.h"
#include "runs.h"

namespace maru::tracking {

// SHA-256 over everything that an import promises to keep, in one order and one spelling. Experiments' ids and artifact URIs are not in
// it: they may differ here and there.
std::string digest_of(const WholeRun& whole);
std::string digest_of(const LoggedModel& model, bool deleted, const std::vector<Artifact>& files);
std::string digest_of(const ModelVersion& version);

// Brings points into the order and form in which they are kept: no repetitions, by (step, time, value), no negative zero.
void settle(std::vector<Point>& points);
double settled(double value);

}  // namespace maru::tracking
