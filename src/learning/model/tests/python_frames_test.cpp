#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <thread>

#include "maru/base/rng.h"
#include "python/frames.h"

using namespace maru;
using namespace maru::model;

namespace {

TensorValue numbers() {
  TensorValue out;
  out.name = "수";
  out.type = Datatype::kInt16;
  out.shape = {2, 2};
  out.bytes = std::string("\1\0\2\0\3\0\4\0", 8);
  return out;
}

TensorValue texts() {
  TensorValue out;
  out.name = "t";
  out.type = Datatype::kBytes;
  out.shape = {3};
  out.texts = {"", "서울", std::string("a\0b", 3)};
  return out;
}

std::string joined(const PackedTensors& packed) {
  std::string out;
  for (const auto part : packed.parts()) out += part;
  return out;
}

struct Channel {
  Channel() { REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) == 0); }
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  ~Channel() {
    ::close(ends[0]);
    if (ends[1] >= 0) ::close(ends[1]);
  }
  std::array<int, 2> ends{};
};

base::Clock& clock_now() { return base::system_clock(); }
std::int64_t in_ms(std::int64_t ms) { return clock_now().monotonic_ns() + ms * 1'000'000; }

}  // namespace

TEST_CASE("tensors come back as they were packed") {
  const TensorValue a = numbers(), b = texts();
  const PackedTensors packed({&a, &b});
  const auto back = unpack_tensors(packed.list(), joined(packed));
  REQUIRE(back.has_value());
  REQUIRE(back->size() == 2);
  CHECK((*back)[0].name == a.name);
  CHECK((*back)[0].bytes == a.bytes);
  CHECK((*back)[0].shape == a.shape);
  CHECK((*back)[1].texts == b.texts);
}

TEST_CASE("what a model's process answers wrongly is refused, whatever it is") {
  const TensorValue a = numbers(), b = texts();
  const PackedTensors packed({&a, &b});
  const std::string body = joined(packed), list = packed.list().dump();
  base::Rng rng(7);
  for (int round = 0; round < 20'000; ++round) {
    std::string spoiled_list = list, spoiled_body = body;
    std::string& spoiled = rng.below(2) == 0 ? spoiled_list : spoiled_body;
    const auto at = static_cast<std::size_t>(rng.below(spoiled.size()));
    if (rng.below(3) == 0)
      spoiled.erase(at);
    else
      spoiled[at] = static_cast<char>(rng.below(256));
    const auto parsed = base::parse_json(spoiled_list);
    if (!parsed) continue;
    const auto back = unpack_tensors(*parsed, spoiled_body);
    if (back) continue;  // names and numbers that are merely others
    CHECK(back.error().code == base::Code::kDataLoss);
  }
}

TEST_CASE("a frame arrives whole, larger than what the socket holds") {
  Channel channel;
  const std::string body(3u << 20, 'x');
  std::thread sender([&] {
    const base::Json head = base::Json::object({{"n", 1}});
    CHECK(send_frame(channel.ends[0], head, {std::string_view(body), "end"}, clock_now(),
                     in_ms(60'000)));
  });
  const auto frame = receive_frame(channel.ends[1], clock_now(), in_ms(60'000));
  sender.join();
  REQUIRE(frame.has_value());
  CHECK(frame->head["n"].as_int() == 1);
  CHECK(frame->body == body + "end");
}

TEST_CASE("a silent, a closed and a babbling other end") {
  Channel channel;
  CHECK(receive_frame(channel.ends[0], clock_now(), in_ms(20)).error().code ==
        base::Code::kDeadlineExceeded);
  const std::string nonsense(64, '\xff');
  REQUIRE(::write(channel.ends[1], nonsense.data(), nonsense.size()) == 64);
  CHECK(receive_frame(channel.ends[0], clock_now(), in_ms(1000)).error().code ==
        base::Code::kDataLoss);
  Channel closed;
  ::close(std::exchange(closed.ends[1], -1));
  CHECK(receive_frame(closed.ends[0], clock_now(), in_ms(1000)).error().code ==
        base::Code::kUnavailable);
  CHECK(
      send_frame(closed.ends[0], base::Json::object(), {}, clock_now(), in_ms(1000)).error().code ==
      base::Code::kUnavailable);
}
