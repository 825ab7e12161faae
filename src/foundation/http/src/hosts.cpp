#include "hosts.h"

#include <arpa/inet.h>

#include <algorithm>

#include "maru/base/text.h"

namespace maru::http {
namespace {

// "Name:80" -> "name"; "[::1]:80" -> "::1".
std::string host_of(std::string_view authority) {
  if (authority.starts_with('[')) {
    const std::size_t end = authority.find(']');
    return base::to_lower_ascii(authority.substr(1, end == std::string_view::npos ? end : end - 1));
  }
  std::string_view name = authority.substr(0, authority.find(':'));
  if (name.ends_with('.')) name.remove_suffix(1);
  return base::to_lower_ascii(name);
}

std::string without_default_port(std::string_view authority) {
  if (authority.ends_with(":80"))
    authority.remove_suffix(3);
  else if (authority.ends_with(":443"))
    authority.remove_suffix(4);
  return base::to_lower_ascii(authority);
}

bool is_address(const std::string& name) {
  in6_addr buffer{};
  return ::inet_pton(AF_INET, name.c_str(), &buffer) == 1 ||
         ::inet_pton(AF_INET6, name.c_str(), &buffer) == 1;
}

bool is_loopback(const std::string& name) {
  if (name == "localhost" || name == "::1") return true;
  return name.starts_with("127.") && is_address(name);
}

}  // namespace

HostList::HostList(std::string_view listen_host, std::vector<std::string> extra)
    : listen_host_(base::to_lower_ascii(listen_host)) {
  wildcard_listen_ = listen_host_ == "0.0.0.0" || listen_host_ == "::" || listen_host_.empty();
  for (const std::string& name : extra) {
    if (name == "*") any_ = true;
    extra_.push_back(base::to_lower_ascii(name));
  }
}

bool HostList::named(std::string_view authority) const {
  const std::string whole = base::to_lower_ascii(authority);
  const std::string host = host_of(authority);
  return any_ || std::any_of(extra_.begin(), extra_.end(), [&](const std::string& name) {
           return name == whole || name == host;
         });
}

bool HostList::host_allowed(std::string_view authority) const {
  if (authority.empty()) return true;  // HTTP/1.0 without a Host field: no browser does that
  const std::string host = host_of(authority);
  // A name can be pointed here by anyone who runs a name server; an address cannot.
  return is_loopback(host) || host == listen_host_ || named(authority) ||
         (wildcard_listen_ && is_address(host));
}

bool HostList::origin_allowed(std::string_view origin, std::string_view host) const {
  if (origin.empty() || any_) return true;
  const std::size_t scheme = origin.find("://");
  if (scheme == std::string_view::npos) return false;  // "null": a sandboxed page or a file
  const std::string_view authority = origin.substr(scheme + 3);
  return without_default_port(authority) == without_default_port(host) || named(authority);
}

}  // namespace maru::http
