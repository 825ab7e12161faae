#include "address.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <iterator>

namespace maru::http {
namespace {

struct Block {
  std::uint32_t network;
  int bits;
};

// IANA's special-purpose registry (RFC 6890) and multicast.
constexpr Block kBlocks[] = {{0x00000000, 8},  {0x0a000000, 8},  {0x64400000, 10}, {0x7f000000, 8},
                             {0xa9fe0000, 16}, {0xac100000, 12}, {0xc0000000, 24}, {0xc0000200, 24},
                             {0xc0586300, 24}, {0xc0a80000, 16}, {0xc6120000, 15}, {0xc6336400, 24},
                             {0xcb007100, 24}, {0xe0000000, 3}};

bool is_private_v4(std::uint32_t address) {
  return std::any_of(std::begin(kBlocks), std::end(kBlocks), [&](const Block& block) {
    return (address ^ block.network) >> (32 - block.bits) == 0;
  });
}

std::uint32_t word_at(const unsigned char* bytes) {
  return (std::uint32_t{bytes[0]} << 24) | (std::uint32_t{bytes[1]} << 16) |
         (std::uint32_t{bytes[2]} << 8) | bytes[3];
}

bool is_private_v6(const unsigned char* a) {
  const auto zeros = [&](int from, int to) {
    return std::all_of(a + from, a + to, [](unsigned char b) { return b == 0; });
  };
  if (zeros(0, 10) && a[10] == 0xff && a[11] == 0xff)
    return is_private_v4(word_at(a + 12));  // ::ffff:a.b.c.d
  if (zeros(0, 12)) return true;            // ::, ::1, ::a.b.c.d
  if (a[0] == 0x00 && a[1] == 0x64 && a[2] == 0xff && a[3] == 0x9b)
    return !zeros(4, 12) || is_private_v4(word_at(a + 12));
  if (a[0] == 0x20 && a[1] == 0x02) return is_private_v4(word_at(a + 2));  // 6to4
  if (a[0] == 0x20 && a[1] == 0x01 && a[2] < 0x02) return true;  // Teredo and its neighbours
  if (a[0] == 0x20 && a[1] == 0x01 && a[2] == 0x0d && a[3] == 0xb8) return true;  // documentation
  return (a[0] & 0xe0) != 0x20;  // all global unicast is in 2000::/3
}

}  // namespace

bool is_private_address(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, address, sizeof v4);
    return is_private_v4(ntohl(v4.sin_addr.s_addr));
  }
  if (address->sa_family != AF_INET6) return true;
  sockaddr_in6 v6{};
  std::memcpy(&v6, address, sizeof v6);
  return is_private_v6(v6.sin6_addr.s6_addr);
}

}  // namespace maru::http
