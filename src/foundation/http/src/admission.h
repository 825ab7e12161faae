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
inline constexpr const char* kTimeoutHeader =
    "X-Request-Timeout";  // "250ms", "2s"; a number alone is seconds
// Credentials, permission and how long the caller waits; names the caller in the context.
base::Status check_caller(const ServerCore& core, const RouteOptions& options, Exchange& exchange);

// The answer of a handler whose turn has come on a pool's thread; kDeadlineExceeded or kCancelled when nobody waits for it any more.
Response run_waited(Exchange& exchange);

// Where an inline route's handler runs for this request, and any other's.
RunOn place_of(const RouteOptions& options, const Request& request);
base::Pool& pool_of(const ServerCore& core, RunOn where);

}  // namespace maru::http
