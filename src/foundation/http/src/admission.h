#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "connection.h"

// What HTTP/1.1 and HTTP/2 settle alike before a byte of a body is read.
namespace maru::http {

// A request as it begins: its headers, where it came from, its id.
std::shared_ptr<Exchange> open_exchange(ServerCore& core, Method method, Headers&& headers,
                                        const std::string& peer, bool tls);
// Host and Origin.
base::Status check_names(const ServerCore& core, const Request& request, std::string_view host);
// Credentials and permission; names the caller in the context.
base::Status check_caller(const ServerCore& core, const RouteOptions& options, Exchange& exchange);

// Where an inline route's handler runs for this request, and any other's.
RunOn place_of(const RouteOptions& options, const Request& request);
base::Pool& pool_of(const ServerCore& core, RunOn where);

}  // namespace maru::http
