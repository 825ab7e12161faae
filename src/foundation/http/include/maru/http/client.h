#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "maru/http/message.h"

namespace maru::http {

struct EgressPolicy {
  std::vector<std::string> allowed_schemes = {"https", "http"};
  bool allow_private = false;              // loopback, RFC 1918, link-local, metadata addresses
  std::vector<std::string> allowed_hosts;  // exceptions to allow_private
  std::size_t max_redirects = 3;           // never to another host
  std::size_t max_body_bytes = 256u << 20;
};

struct ClientRequest {
  Method method = Method::kGet;
  std::string url;
  Headers headers;
  std::string body;
  std::int64_t timeout_ms = 30'000;   // for the whole answer; 0: as long as it keeps coming
  std::int64_t stall_timeout_ms = 0;  // no byte for so long ends it; 0: timeout_ms alone
  std::int64_t connect_timeout_ms = 5'000;
  std::string unix_socket;  // connect here instead of the URL's host
  // Status and fields before the first byte of the body; a failure ends the request with it. Not of a redirect that is followed.
  std::function<base::Status(int status, const Headers&)> on_head;
  std::function<base::Status(std::string_view)>
      on_body;  // streams the answer instead of collecting it
};

struct ClientResponse {
  int status = 0;
  Headers headers;
  std::string body;
};

// libcurl behind one policy: resolves once and connects to the address that was checked. Blocking; call from a pool thread. Reuses connections. Thread safe.
class Client {
 public:
  explicit Client(EgressPolicy policy = {});
  ~Client();
  base::Result<ClientResponse> send(const ClientRequest& request);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace maru::http
