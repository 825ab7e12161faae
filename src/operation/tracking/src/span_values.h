#pragma once
#include "maru/tracking/otlp.h"

namespace maru::tracking {

// An object of pairs whose keys may repeat: the last value stays, at the first place.
base::Json object_of_pairs(base::Json::Object members);
// kFailedPrecondition when an id is missing or all zeros.
base::Status check_span(const Span& span);
tl::unexpected<base::Error> too_many_spans();

}  // namespace maru::tracking
