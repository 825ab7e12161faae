#pragma once
struct sockaddr;

namespace maru::http {

// Whether an address is anything but a public unicast one: loopback, private, link-local (metadata services), shared, multicast, reserved,
// and the IPv6 forms that carry such an IPv4 address (mapped, compatible, 6to4, NAT64).
bool is_private_address(const sockaddr* address);

}  // namespace maru::http
