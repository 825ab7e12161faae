#pragma once
#include "maru/http/router.h"

namespace maru::http {

// Runs one handler; exceptions become kInternal.
base::Result<Response> call_handler(const Handler& handler, const Request& request,
                                    base::Context& context);
// The same as a response: failures go through the route's error format.
Response run_handler(const RouteOptions& options, const Handler& handler, const Request& request,
                     base::Context& context);
// The same format for a failure that happened before the handler.
// The answer, or the failure in the route's format.
Response response_of(const RouteOptions* options, base::Result<Response> result,
                     const Request& request, const base::Context& context);
Response format_error(const RouteOptions* options, const base::Error& error, const Request& request,
                      const base::Context& context);
base::Status check_permission(const RouteOptions& options, const base::Context& context);

}  // namespace maru::http
