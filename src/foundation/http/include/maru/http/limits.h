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
// How long a refusal (429, 503) is held back from a connection that came again sooner than the last one's Retry-After said: who does not heed it must not
// cost more than who does.
inline constexpr std::int64_t kRefusalDelayMs = 250;
inline constexpr std::int64_t kRefusalMemoryMs = 1'000;

// HTTP/2 and gRPC, each of one connection.
inline constexpr std::uint32_t kMaxStreams = 128;         // at a time
inline constexpr std::size_t kMaxAbandoned = 128;         // reset by the peer, still in work here
inline constexpr std::uint32_t kStreamWindow = 1u << 20;  // what a peer may send ahead
inline constexpr std::int32_t kConnectionWindow = 8 << 20;
inline constexpr std::size_t kMaxBuffered = 256u << 20;  // of all bodies that are not whole yet
inline constexpr std::size_t kMaxUnsent = 256 << 10;     // of a stream, before its producer rests
inline constexpr std::size_t kMaxWaitingMessages = 64;   // of a gRPC stream
// Frames that carry no request and no data (RST_STREAM, PING, SETTINGS, PRIORITY, WINDOW_UPDATE, empty DATA): so many at once, so many
// a second after that, and so many more for each request that was answered. Beyond, the connection ends with ENHANCE_YOUR_CALM.
inline constexpr std::int64_t kFrameBurst = 2'000;
inline constexpr std::int64_t kFramesPerSecond = 100;
inline constexpr std::int64_t kFramesPerAnswer = 8;
inline constexpr std::int64_t kHttp2IdleTimeoutMs = 300'000;  // without a stream
inline constexpr std::int64_t kPingAfterMs = 60'000;  // without a byte from a peer that has streams
inline constexpr std::int64_t kPingTimeoutMs = 20'000;

}  // namespace maru::http
