#include "maru/base/context.h"

namespace maru::base {

Status Context::alive() const {
  if (cancel.cancelled()) return fail(Code::kCancelled, "the request was cancelled");
  if (expired()) {
    return fail(Code::kDeadlineExceeded, "the time limit of the request has passed",
                "give it more time or less work");
  }
  return {};
}

}  // namespace maru::base
