#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace maru::http {

// Which names a request may use for this server: the defence of a local server against pages that make a browser speak to it.
class HostList {
 public:
  HostList(std::string_view listen_host, std::vector<std::string> extra);
  bool host_allowed(std::string_view authority) const;
  // An Origin must be the page's own server (same authority as Host) or be named.
  bool origin_allowed(std::string_view origin, std::string_view host) const;

 private:
  bool named(std::string_view authority) const;

  std::string listen_host_;
  std::vector<std::string> extra_;
  bool any_ = false;
  bool wildcard_listen_ = false;
};

}  // namespace maru::http
