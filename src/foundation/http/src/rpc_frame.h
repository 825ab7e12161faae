#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "body.h"
#include "maru/base/result.h"
#include "maru/http/limits.h"

// gRPC over HTTP/2: five bytes before each message, and the words of its headers.
namespace maru::http {

inline constexpr std::size_t kRpcPrefixBytes = 5;

// Whether a content type is gRPC's with protobuf messages: application/grpc or application/grpc+proto, with or without parameters.
bool is_rpc_type(std::string_view content_type);

// "250m" -> 250,000,000 ns. nullopt when it is no timeout. A timeout beyond 100 years is 100 years.
std::optional<std::int64_t> parse_rpc_timeout(std::string_view text);

// A grpc-message as its header carries it: percent-encoded UTF-8 of at most 4 KiB.
std::string encode_rpc_message(std::string_view text);

void append_rpc_prefix(std::string& out, std::size_t size);

// Takes messages off the bytes of a call. Not thread safe.
class RpcReader {
 public:
  // `coding`: of messages whose first byte says that they are packed.
  RpcReader(Coding coding, std::size_t max_message_bytes)
      : coding_(coding), max_bytes_(max_message_bytes) {}
  // Consumes from the front of `in`; true when `out` holds the next message. An error is final.
  base::Result<bool> next(std::string_view& in, std::string& out);
  bool between_messages() const { return prefix_bytes_ == 0; }

 private:
  base::Status read_prefix();
  base::Status unpack(std::string& out);

  Coding coding_;
  std::size_t max_bytes_;
  unsigned char prefix_[kRpcPrefixBytes] = {};
  std::size_t prefix_bytes_ = 0;
  std::size_t size_ = 0;
  bool packed_ = false;
  std::string message_;
};

// Bounds what costs the server something and brings no request: a bucket that time and answered requests fill again.
class FrameBudget {
 public:
  explicit FrameBudget(std::int64_t now_ns) : filled_ns_(now_ns) {}
  bool take(std::int64_t now_ns);  // false: the peer has had its share
  void answered();
  // A peer tells of each piece of a body that it has room again, for the stream and for the connection, and may measure the way with a ping.
  void sent_piece();

 private:
  std::int64_t left_ = kFrameBurst;
  std::int64_t filled_ns_;
};

}  // namespace maru::http
