#pragma once
#include <cstddef>
#include <cstdint>

namespace maru::http {

// Defaults of the server's limits; each is tested at -1, 0, +1. Sizes in bytes.
inline constexpr std::size_t kMaxRequestLineBytes = 8 << 10;
inline constexpr std::size_t kMaxHeaderBytes = 32 << 10;
inline constexpr std::size_t kMaxHeaderCount = 100;
inline constexpr std::size_t kMaxBodyBytes = 64u << 20;  // after decompression
inline constexpr std::size_t kMaxChunks = 65'536;
inline constexpr std::size_t kMaxInflateRatio = 100;  // past kInflateFreeBytes
inline constexpr std::size_t kInflateFreeBytes = 1u << 20;
inline constexpr std::size_t kMaxConnections = 10'000;
inline constexpr std::size_t kMaxConnectionsPerPeer = 5'000;
inline constexpr std::int64_t kHeaderTimeoutMs = 10'000;
inline constexpr std::int64_t kBodyIdleTimeoutMs = 30'000;
inline constexpr std::int64_t kKeepAliveTimeoutMs = 75'000;
inline constexpr std::int64_t kDrainTimeoutMs = 30'000;

}  // namespace maru::http
