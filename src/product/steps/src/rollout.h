#pragma once
#include "maru/base/json.h"
#include "maru/base/result.h"
#include "maru/pipeline/pipeline.h"
#include "maru/serve/serve.h"
#include "maru/steps/steps.h"

namespace maru::steps {

// The route that releases `version` beside the champion as a project file's `serve.rollout` asks: {"canary": ["5%", ...], "rollback_on": [...], "step": "10m",
// "step_requests": 200, "reward": "binary"}.
base::Json rollout_route(const base::Json& rollout, int version);
base::Status check_rollout(const base::Json& rollout);

// Whether a promotion is left to the rollout: there are steps, a server runs here that has callers, and its endpoint follows the champion.
bool rolls_out(const Services& services, const pipeline::Attempt& attempt,
               const base::Json& params);

// Puts the canary route and waits until it has passed its steps (the server then moves the alias) or went back; the reason, "" when it passed.
// A step that is started again goes on where the canary is.
base::Result<std::string> roll_out(const Services& services, pipeline::Attempt& attempt,
                                   const serve::EndpointConfig& endpoint, int version);

}  // namespace maru::steps
