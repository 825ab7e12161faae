#pragma once
#include <cstdint>
#include <string>

#include "maru/base/clock.h"
#include "maru/base/result.h"
#include "maru/serve/serve.h"

namespace maru::serve {

// What a version is loaded for.
struct Purpose {
  std::string takes_over;  // the endpoint that another version answers until then; "": none
  bool bounded = false;    // its time for a call must be known
};

// Asks the version before anybody else does, so that lazy allocations and caches are paid: the latest logged calls of the endpoint it takes over, its sample rows one
// by one and all together, or, for a model of tensors that this process runs (any model, when its time must be known), tensors of zeros. Gives the p99 of a call in
// nanoseconds, -1 when nothing could be measured. Fails when its own sample rows fail; a logged call or zeros that it does not take are no fault.
base::Result<std::int64_t> warm_up(const model::Bundle& bundle, base::Clock& clock,
                                   Rehearsal* rehearsal, const Purpose& purpose);

}  // namespace maru::serve
