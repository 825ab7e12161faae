#include "python/frames.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace maru::model {
namespace {

using base::Code;
using base::fail;
using base::Json;
using base::Result;
using base::Status;

constexpr std::size_t kPrefix = sizeof(std::uint32_t) + sizeof(std::uint64_t);

Status wait_for(int channel, short what, base::Clock& clock, std::int64_t deadline_ns) {
  for (;;) {
    const std::int64_t left_ms = (deadline_ns - clock.monotonic_ns()) / 1'000'000;
    if (left_ms <= 0) return fail(Code::kDeadlineExceeded, "the model took too long");
    pollfd one{channel, what, 0};
    const int ready = ::poll(&one, 1, static_cast<int>(std::min<std::int64_t>(left_ms, 60'000)));
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR)
      return fail(Code::kInternal, std::string("poll: ") + std::strerror(errno));
  }
}

tl::unexpected<base::Error> gone() {
  return fail(Code::kUnavailable, "the model's process ended during the call");
}

Status send_all(int channel, std::string_view bytes, base::Clock& clock, std::int64_t deadline_ns) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(channel, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      TRY(wait_for(channel, POLLOUT, clock, deadline_ns));
    } else if (errno != EINTR) {
      return gone();
    }
  }
  return {};
}

Status receive_all(int channel, std::string& out, std::size_t bytes, base::Clock& clock,
                   std::int64_t deadline_ns) {
  out.resize(bytes);
  for (std::size_t have = 0; have < bytes;) {
    const ssize_t got = ::recv(channel, out.data() + have, bytes - have, MSG_DONTWAIT);
    if (got > 0) {
      have += static_cast<std::size_t>(got);
    } else if (got < 0 && errno == EAGAIN) {
      TRY(wait_for(channel, POLLIN, clock, deadline_ns));
    } else if (got == 0 || errno != EINTR) {
      return gone();
    }
  }
  return {};
}

tl::unexpected<base::Error> damaged(const std::string& why) {
  return fail(Code::kDataLoss, "the model's process answered nonsense: " + why);
}

Result<std::vector<std::string>> unpack_texts(std::string_view bytes, std::size_t count) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < count; ++i) {
    std::uint32_t length = 0;
    if (bytes.size() < sizeof length) return damaged("texts end early");
    std::memcpy(&length, bytes.data(), sizeof length);
    bytes.remove_prefix(sizeof length);
    if (bytes.size() < length) return damaged("a text ends early");
    out.emplace_back(bytes.substr(0, length));
    bytes.remove_prefix(length);
  }
  if (!bytes.empty()) return damaged("bytes behind the last text");
  return out;
}

}  // namespace

Status send_frame(int channel, const Json& head, const std::vector<std::string_view>& body,
                  base::Clock& clock, std::int64_t deadline_ns) {
  const std::string text = head.dump();
  std::uint64_t body_bytes = 0;
  for (const auto part : body) body_bytes += part.size();
  const auto head_bytes = static_cast<std::uint32_t>(text.size());
  std::string front(kPrefix, '\0');
  std::memcpy(front.data(), &head_bytes, sizeof head_bytes);
  std::memcpy(front.data() + sizeof head_bytes, &body_bytes, sizeof body_bytes);
  front += text;
  TRY(send_all(channel, front, clock, deadline_ns));
  for (const auto part : body) TRY(send_all(channel, part, clock, deadline_ns));
  return {};
}

Result<Frame> receive_frame(int channel, base::Clock& clock, std::int64_t deadline_ns) {
  std::string text;
  TRY(receive_all(channel, text, kPrefix, clock, deadline_ns));
  std::uint32_t head_bytes = 0;
  std::uint64_t body_bytes = 0;
  std::memcpy(&head_bytes, text.data(), sizeof head_bytes);
  std::memcpy(&body_bytes, text.data() + sizeof head_bytes, sizeof body_bytes);
  if (head_bytes > kMaxFrameHead || body_bytes > kMaxFrameBody) return damaged("a frame too large");
  TRY(receive_all(channel, text, head_bytes, clock, deadline_ns));
  auto head = base::parse_json(text);
  if (!head || !head->is_object()) return damaged("a head that is no JSON object");
  Frame out;
  out.head = std::move(*head);
  TRY(receive_all(channel, out.body, static_cast<std::size_t>(body_bytes), clock, deadline_ns));
  return out;
}

PackedTensors::PackedTensors(const std::vector<const TensorValue*>& tensors) {
  texts_.reserve(tensors.size());  // parts_ look into them
  for (const TensorValue* tensor : tensors) {
    std::string_view part = tensor->bytes;
    if (tensor->type == Datatype::kBytes) {
      std::string& packed = texts_.emplace_back();
      for (const std::string& text : tensor->texts) {
        const auto length = static_cast<std::uint32_t>(text.size());
        packed.append(reinterpret_cast<const char*>(&length), sizeof length).append(text);
      }
      part = packed;
    }
    Json shape = Json::array();
    for (const std::int64_t extent : tensor->shape) shape.push(extent);
    list_.push(Json::object({{"name", tensor->name},
                             {"datatype", datatype_name(tensor->type)},
                             {"shape", std::move(shape)},
                             {"bytes", static_cast<std::int64_t>(part.size())}}));
    parts_.push_back(part);
  }
}

Result<std::vector<TensorValue>> unpack_tensors(const Json& list, std::string_view body) {
  std::vector<TensorValue> out;
  for (const Json& entry : list.items()) {
    TensorValue tensor;
    tensor.name = entry["name"].as_string();
    const auto type = parse_datatype(entry["datatype"].as_string());
    if (!type) return damaged(type.error().message);
    tensor.type = *type;
    for (const Json& extent : entry["shape"].items()) tensor.shape.push_back(extent.as_int());
    const auto count = element_count(tensor.name, tensor.shape);
    if (!count) return damaged(count.error().message);
    const auto bytes = static_cast<std::size_t>(std::max<std::int64_t>(entry["bytes"].as_int(), 0));
    if (bytes > body.size()) return damaged("tensors end early");
    const std::string_view mine = body.substr(0, bytes);
    body.remove_prefix(bytes);
    if (tensor.type == Datatype::kBytes) {
      TRY_ASSIGN(tensor.texts, unpack_texts(mine, *count));
    } else {
      if (bytes != *count * datatype_size(tensor.type)) return damaged("shape and bytes disagree");
      tensor.bytes = mine;
    }
    out.push_back(std::move(tensor));
  }
  if (!body.empty()) return damaged("bytes behind the last tensor");
  return out;
}

}  // namespace maru::model
