#include "rpc_frame.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "maru/base/text.h"
#include "maru/http/limits.h"
#include "maru/http/rpc.h"

namespace maru::http {
namespace {

constexpr std::size_t kMaxMessageText = 4 << 10;
constexpr std::size_t kTrustedBytes = 256 << 10;  // reserved at once on a peer's word
constexpr std::int64_t kMaxTimeoutS = 100LL * 365 * 86'400;

// In the order of base::Code.
constexpr std::array<int, 17> kStatus = {3, 16, 7, 5, 6, 10, 9, 9, 8, 8, 14, 4, 1, 12, 15, 8, 13};
static_assert(kStatus.size() == static_cast<std::size_t>(base::Code::kInternal) + 1);

}  // namespace

int rpc_status(base::Code code) {
  const auto index = static_cast<std::size_t>(code);
  return index < kStatus.size() ? kStatus[index] : kStatus.back();
}

std::string rpc_message(const base::Error& error) {
  std::string out = error.message;
  for (const base::Error* at = error.cause.get(); at != nullptr; at = at->cause.get())
    out += ": " + at->message;
  const base::Error* hinted = &error;
  while (hinted->hint.empty() && hinted->cause != nullptr) hinted = hinted->cause.get();
  if (!hinted->hint.empty()) out += " (" + hinted->hint + ")";
  return out;
}

bool is_rpc_type(std::string_view content_type) {
  if (content_type == "application/grpc") return true;
  const std::string type =
      base::to_lower_ascii(base::trim(content_type.substr(0, content_type.find(';'))));
  return type == "application/grpc" || type == "application/grpc+proto";
}

std::optional<std::int64_t> parse_rpc_timeout(std::string_view text) {
  constexpr std::size_t kMaxDigits = 8;
  if (text.size() < 2 || text.size() > kMaxDigits + 1) return std::nullopt;
  std::int64_t value = 0;
  for (const char c : text.substr(0, text.size() - 1)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  switch (text.back()) {
    case 'H':
      return std::min(value * 3600, kMaxTimeoutS) * 1'000'000'000;
    case 'M':
      return std::min(value * 60, kMaxTimeoutS) * 1'000'000'000;
    case 'S':
      return value * 1'000'000'000;
    case 'm':
      return value * 1'000'000;
    case 'u':
      return value * 1'000;
    case 'n':
      return value;
    default:
      return std::nullopt;
  }
}

std::string encode_rpc_message(std::string_view text) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  if (text.size() > kMaxMessageText) {
    std::size_t end = kMaxMessageText;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0u) == 0x80u) --end;
    text = text.substr(0, end);
  }
  std::string out;
  out.reserve(text.size() + 16);
  for (const char c : text) {
    if (c >= 0x20 && c < 0x7f && c != '%') {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += kDigits[byte >> 4u];
    out += kDigits[byte & 15u];
  }
  return out;
}

void append_rpc_prefix(std::string& out, std::size_t size) {
  const char bytes[kRpcPrefixBytes] = {0, static_cast<char>(size >> 24u),
                                       static_cast<char>(size >> 16u),
                                       static_cast<char>(size >> 8u), static_cast<char>(size)};
  out.append(bytes, sizeof bytes);
}

base::Status RpcReader::read_prefix() {
  if (prefix_[0] > 1)
    return base::fail(base::Code::kInvalidArgument,
                      "a message begins with a byte that is neither 0 nor 1");
  packed_ = prefix_[0] == 1;
  if (packed_ && coding_ == Coding::kIdentity)
    return base::fail(base::Code::kInternal,
                      "a message is marked as compressed, and the call names no grpc-encoding");
  size_ = 0;
  for (std::size_t i = 1; i < kRpcPrefixBytes; ++i) size_ = size_ << 8u | prefix_[i];
  if (size_ > max_bytes_)
    return base::fail(base::Code::kTooLarge,
                      "a message of " + std::to_string(size_) +
                          " bytes is larger than this call takes: " + std::to_string(max_bytes_),
                      "send fewer rows, or raise http.max-body");
  return {};
}

base::Status RpcReader::unpack(std::string& out) {
  out.clear();
  Inflater inflater(coding_);
  if (const Fault fault = inflater.feed(message_, out, max_bytes_))
    return base::fail(fault.status == 413 ? base::Code::kTooLarge : base::Code::kInvalidArgument,
                      fault.message);
  if (!inflater.complete())
    return base::fail(base::Code::kInvalidArgument, "a compressed message is cut off");
  return {};
}

base::Result<bool> RpcReader::next(std::string_view& in, std::string& out) {
  if (prefix_bytes_ < kRpcPrefixBytes) {
    const std::size_t take = std::min(in.size(), kRpcPrefixBytes - prefix_bytes_);
    if (take > 0) std::memcpy(prefix_ + prefix_bytes_, in.data(), take);
    prefix_bytes_ += take;
    in.remove_prefix(take);
    if (prefix_bytes_ < kRpcPrefixBytes) return false;
    TRY(read_prefix());
    message_.clear();
    message_.reserve(std::min(size_, kTrustedBytes));
  }
  const std::size_t take = std::min(in.size(), size_ - message_.size());
  message_.append(in.substr(0, take));
  in.remove_prefix(take);
  if (message_.size() < size_) return false;
  prefix_bytes_ = 0;
  if (packed_) {
    TRY(unpack(out));
  } else {
    out = std::move(message_);
  }
  message_ = {};
  return true;
}

bool FrameBudget::take(std::int64_t now_ns) {
  constexpr std::int64_t kNsPerFrame = 1'000'000'000 / kFramesPerSecond;
  const std::int64_t earned = (now_ns - filled_ns_) / kNsPerFrame;
  if (earned > 0) {
    left_ = std::min(kFrameBurst, left_ + earned);
    filled_ns_ += earned * kNsPerFrame;
  }
  if (left_ <= 0) return false;
  --left_;
  return true;
}

void FrameBudget::sent_piece() {
  constexpr std::int64_t kFramesPerPiece = 3;
  left_ = std::min(kFrameBurst, left_ + kFramesPerPiece);
}

void FrameBudget::answered() { left_ = std::min(kFrameBurst, left_ + kFramesPerAnswer); }

}  // namespace maru::http
