#include "rpc_frame.h"

#include <doctest/doctest.h>

#include "http2_peer.h"
#include "maru/http/limits.h"
#include "maru/http/rpc.h"

using namespace maru;
using namespace maru::http;
using maru::http::test::framed;

TEST_CASE("content types of gRPC") {
  for (const char* type : {"application/grpc", "application/grpc+proto", "Application/gRPC; a=b"})
    CHECK(is_rpc_type(type));
  for (const char* type : {"", "application/grpcx", "application/grpc+json", "application/grpc-web",
                           "application/json"})
    CHECK_FALSE(is_rpc_type(type));
}

TEST_CASE("timeouts of gRPC") {
  CHECK(parse_rpc_timeout("1n") == 1);
  CHECK(parse_rpc_timeout("2u") == 2'000);
  CHECK(parse_rpc_timeout("250m") == 250'000'000);
  CHECK(parse_rpc_timeout("3S") == 3'000'000'000);
  CHECK(parse_rpc_timeout("2M") == 120'000'000'000);
  CHECK(parse_rpc_timeout("1H") == 3'600'000'000'000);
  CHECK(parse_rpc_timeout("99999999H") == 100LL * 365 * 86'400 * 1'000'000'000);
  CHECK(parse_rpc_timeout("99999999n") == 99'999'999);
  for (const char* bad : {"", "m", "1", "1x", "-1m", "1.5S", " 1m", "123456789m", "1 m"})
    CHECK_FALSE(parse_rpc_timeout(bad));
}

TEST_CASE("grpc-message is percent-encoded and bounded") {
  CHECK(encode_rpc_message("plain text ~") == "plain text ~");
  CHECK(encode_rpc_message("100%\n") == "100%25%0A");
  CHECK(encode_rpc_message("마") == "%EB%A7%88");
  const std::string korean = [] {
    std::string out = "x";
    for (int i = 0; i < 2000; ++i) out += "마";
    return out;
  }();
  const std::string cut = percent_decode(encode_rpc_message(korean));
  CHECK(cut.size() <= 4096);
  CHECK(cut.size() > 4090);
  CHECK((cut.size() - 1) % 3 == 0);  // no half letter
}

TEST_CASE("every code has a gRPC status") {
  using base::Code;
  CHECK(rpc_status(Code::kInvalidArgument) == 3);
  CHECK(rpc_status(Code::kUnauthenticated) == 16);
  CHECK(rpc_status(Code::kPermissionDenied) == 7);
  CHECK(rpc_status(Code::kNotFound) == 5);
  CHECK(rpc_status(Code::kAlreadyExists) == 6);
  CHECK(rpc_status(Code::kTooLarge) == 8);
  CHECK(rpc_status(Code::kUnavailable) == 14);
  CHECK(rpc_status(Code::kDeadlineExceeded) == 4);
  CHECK(rpc_status(Code::kCancelled) == 1);
  CHECK(rpc_status(Code::kUnimplemented) == 12);
  CHECK(rpc_status(Code::kDataLoss) == 15);
  CHECK(rpc_status(Code::kInternal) == 13);
}

TEST_CASE("messages come out whole, whatever the pieces") {
  const std::string bytes = framed("one") + framed("") + framed(std::string(70'000, 'x'));
  for (const std::size_t step : {std::size_t{1}, std::size_t{7}, bytes.size()}) {
    RpcReader reader(Coding::kIdentity, 1 << 20);
    std::vector<std::size_t> sizes;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
      std::string_view in = std::string_view(bytes).substr(at, step);
      while (!in.empty()) {
        std::string message;
        const auto got = reader.next(in, message);
        REQUIRE(got);
        if (*got) sizes.push_back(message.size());
      }
    }
    CHECK(sizes == std::vector<std::size_t>{3, 0, 70'000});
    CHECK(reader.between_messages());
  }
}

TEST_CASE("messages: the limit, its packing and its refusals") {
  const auto read = [](const std::string& bytes, Coding coding, std::size_t limit,
                       std::string& out) {
    RpcReader reader(coding, limit);
    std::string_view in = bytes;
    return reader.next(in, out);
  };
  std::string out;
  CHECK(read(framed("1234"), Coding::kIdentity, 5, out).value());
  CHECK(read(framed("12345"), Coding::kIdentity, 5, out).value());
  CHECK(read(framed("123456"), Coding::kIdentity, 5, out).error().code == base::Code::kTooLarge);
  // Refused by its length, before any of it has come.
  CHECK(read(std::string("\0\x7f\xff\xff\xff", 5), Coding::kIdentity, 5, out).error().code ==
        base::Code::kTooLarge);
  CHECK(read(framed("abc", true), Coding::kIdentity, 5, out).error().code == base::Code::kInternal);
  CHECK(read(std::string("\2\0\0\0\0", 5), Coding::kGzip, 5, out).error().code ==
        base::Code::kInvalidArgument);
  CHECK(read(framed(gzip("hello"), true), Coding::kGzip, 100, out).value());
  CHECK(out == "hello");
  CHECK(read(framed("plain"), Coding::kGzip, 100, out).value());
  CHECK(out == "plain");
  CHECK(read(framed(gzip(std::string(101, 'a')), true), Coding::kGzip, 100, out).error().code ==
        base::Code::kTooLarge);
  CHECK(read(framed("not gzip at all", true), Coding::kGzip, 100, out).error().code ==
        base::Code::kInvalidArgument);
  const std::string cut = gzip("hello hello hello");
  CHECK(read(framed(cut.substr(0, cut.size() - 4), true), Coding::kGzip, 100, out).error().code ==
        base::Code::kInvalidArgument);
  CHECK(read(framed(gzip(std::string(8u << 20, '\0')), true), Coding::kGzip, 64u << 20, out)
            .error()
            .code == base::Code::kTooLarge);  // a thousand times its size
}

TEST_CASE("the frame budget: a burst, then a rate, and more for each answer") {
  FrameBudget budget(0);
  for (std::int64_t i = 0; i < kFrameBurst; ++i) REQUIRE(budget.take(0));
  CHECK_FALSE(budget.take(0));
  constexpr std::int64_t kStepNs = 1'000'000'000 / kFramesPerSecond;
  CHECK_FALSE(budget.take(kStepNs - 1));
  CHECK(budget.take(kStepNs));
  CHECK_FALSE(budget.take(kStepNs));
  budget.answered();
  for (std::int64_t i = 0; i < kFramesPerAnswer; ++i) REQUIRE(budget.take(kStepNs));
  CHECK_FALSE(budget.take(kStepNs));
}
