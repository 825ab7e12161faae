#include <doctest/doctest.h>
#include <limits>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <future>
#include <set>
#include <thread>

#include "maru/base/clock.h"
#include "maru/base/config.h"
#include "maru/base/context.h"
#include "maru/base/file.h"
#include "maru/base/id.h"
#include "maru/base/json.h"
#include "maru/base/log.h"
#include "maru/base/number_text.h"
#include "maru/base/pool.h"
#include "maru/base/rng.h"
#include "maru/base/text.h"

using namespace maru::base;

TEST_CASE("errors: text, cause, hint, mapping") {
  const Error inner{Code::kNoSpace, "the disk is full", "free some space", nullptr};
  const Error outer = wrap(inner, "cannot save the model: m").value();
  CHECK(outer.code == Code::kNoSpace);
  CHECK(outer.text() == "cannot save the model: m: the disk is full; free some space");
  CHECK(http_status(Code::kNotFound) == 404);
  CHECK(exit_code(Code::kRefused) == 3);
  CHECK(exit_code(Code::kNotFound) == 4);
  CHECK(exit_code(Code::kUnavailable) == 5);
  CHECK(code_name(Code::kInternal) == "INTERNAL");
  const auto twice = [](int x) -> Result<int> {
    const auto check = [](int y) -> Status {
      return y < 0 ? Status(fail(Code::kInvalidArgument, "negative")) : Status();
    };
    TRY(check(x));
    TRY_ASSIGN(const int y, Result<int>(x * 2));
    return y;
  };
  CHECK(twice(4).value() == 8);
  CHECK(twice(-4).error().code == Code::kInvalidArgument);
}

TEST_CASE("times") {
  CHECK(format_time_us(0) == "1970-01-01T00:00:00Z");
  CHECK(format_time_us(-1) == "1969-12-31T23:59:59.999999Z");
  CHECK(format_time_us(1'795'000'000'123'456) == "2026-11-18T11:06:40.123456Z");
  CHECK(parse_time_us("2026-11-18T11:06:40.123456Z").value() == 1'795'000'000'123'456);
  CHECK(parse_time_us("2026-11-18 20:06:40.5+09:00").value() == 1'795'000'000'500'000);
  CHECK(parse_time_us("2013-01-01").value() == 1'356'998'400'000'000);
  CHECK(parse_time_us("2024-02-29").has_value());
  for (const char* bad :
       {"", "2023-02-29", "2026-13-01", "2026-11-21T24:00:00Z", "2026-11-21T1:00:00Z",
        "2026-11-21T10:00:00+9", "2026-11-21x", "2026-11-21T10:00:60Z"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_time_us(bad));
  }
  for (std::int64_t day = -719'000; day < 800'000; day += 321) {
    const std::int64_t us = day * 86'400'000'000 + 12'345'678;
    if (format_time_us(us).size() == 27) REQUIRE(parse_time_us(format_time_us(us)).value() == us);
  }
}

TEST_CASE("a manual clock moves only when told to") {
  ManualClock clock(5'000'000);
  Context context;
  context.clock = &clock;
  context.deadline_ns = clock.monotonic_ns() + 2'000;
  CHECK(context.alive());
  clock.advance_us(2);
  CHECK(clock.now_us() == 5'000'002);
  CHECK(context.alive().error().code == Code::kDeadlineExceeded);
  const CancelToken copy = context.cancel;
  context.cancel.cancel();
  CHECK(copy.cancelled());
  CHECK(context.alive().error().code == Code::kCancelled);
}

TEST_CASE("ids: form, order, uniqueness over threads") {
  ManualClock clock(1'700'000'000'000'000);
  std::string last;
  for (int i = 0; i < 10'000; ++i) {
    const std::string id = new_id(clock);
    REQUIRE(is_id(id));
    REQUIRE(id > last);
    REQUIRE(id[12] == '7');
    REQUIRE((id[16] == '8' || id[16] == '9' || id[16] == 'a' || id[16] == 'b'));
    last = id;
    if (i % 1000 == 0) clock.advance_us(1000);
  }
  CHECK_FALSE(is_id("0123456789ABCDEF0123456789abcdef"));
  CHECK_FALSE(is_id("0123"));
  std::vector<std::future<std::vector<std::string>>> parts;
  for (int t = 0; t < 4; ++t) {
    parts.push_back(std::async(std::launch::async, [] {
      std::vector<std::string> ids;
      for (int i = 0; i < 5000; ++i) ids.push_back(new_id(system_clock()));
      return ids;
    }));
  }
  std::set<std::string> all;
  for (auto& part : parts) {
    for (const std::string& id : part.get()) all.insert(id);
  }
  CHECK(all.size() == 20'000);
}

TEST_CASE("random numbers: repeatable, and with the right moments") {
  Rng a(1);
  Rng b(1);
  CHECK(a.next() == b.next());
  Rng c = a.split();
  CHECK(c.next() != a.next());
  Rng rng(42);
  double sum = 0;
  double squares = 0;
  double gammas = 0;
  double betas = 0;
  const int n = 200'000;
  for (int i = 0; i < n; ++i) {
    const double x = rng.normal();
    sum += x;
    squares += x * x;
    gammas += rng.gamma(0.5);
    betas += rng.beta(2, 6);
    REQUIRE(rng.below(3) < 3);
    const double u = rng.uniform();
    REQUIRE((u >= 0 && u < 1));
  }
  CHECK(std::abs(sum / n) < 0.01);
  CHECK(std::abs(squares / n - 1) < 0.02);
  CHECK(std::abs(gammas / n - 0.5) < 0.01);
  CHECK(std::abs(betas / n - 0.25) < 0.005);
}

TEST_CASE("pool: runs, refuses when full, finishes on destruction") {
  std::atomic<int> ran{0};
  {
    Pool pool({"test", 1, 2});
    std::promise<void> gate;
    std::promise<void> started;
    REQUIRE(pool.submit([&] {
      started.set_value();
      gate.get_future().wait();
      ++ran;
    }));
    started.get_future().wait();
    REQUIRE(pool.submit([&] { ++ran; }));
    REQUIRE(pool.submit([&] { ++ran; }));
    CHECK(pool.queued() == 2);
    CHECK(pool.submit([&] { ++ran; }).error().code == Code::kUnavailable);
    gate.set_value();
    pool.drain();
    CHECK(ran == 3);
    for (int i = 0; i < 2; ++i) REQUIRE(pool.submit([&] { ++ran; }));
  }
  CHECK(ran == 5);
}

TEST_CASE("parallel_for touches each index once, also when nested or when the pool is busy") {
  Pool pool({"test", 2, 4});
  std::vector<std::atomic<int>> hits(1000);
  pool.parallel_for(hits.size(), [&](std::size_t i) { ++hits[i]; });
  CHECK(std::all_of(hits.begin(), hits.end(), [](const auto& h) { return h == 1; }));
  std::atomic<int> inner{0};
  pool.parallel_for(8, [&](std::size_t) { pool.parallel_for(8, [&](std::size_t) { ++inner; }); });
  CHECK(inner == 64);
  pool.parallel_for(0, [&](std::size_t) { ++inner; });
  CHECK(inner == 64);
}

TEST_CASE("configuration: flag over environment over file over default") {
  const auto config = Config::load(
      {{"http-io-threads", "5"}},
      {{"MARU_HTTP_IO_THREADS", "4"}, {"MARU_LOG_LEVEL", "warn"}, {"PATH", "x"}},
      "# comment\nhttp.io-threads = 3\nlog.level=debug\n\nhttp.max-body = 2MiB  # twice\n");
  REQUIRE(config);
  CHECK(config->integer("http.io-threads") == 5);
  CHECK(config->origin("http.io-threads") == "flag");
  CHECK(config->text("log.level") == "warn");
  CHECK(config->origin("log.level") == "env");
  CHECK(config->bytes("http.max-body") == 2 << 20);
  CHECK(config->origin("http.max-body") == "file");
  CHECK(config->text("http.listen") == "127.0.0.1:7400");
  CHECK(config->origin("http.listen") == "default");
  const auto unknown = Config::load({}, {}, "http.lisen = x");
  CHECK(unknown.error().code == Code::kInvalidArgument);
  CHECK(unknown.error().hint == "did you mean `http.listen`?");
  CHECK_FALSE(Config::load({{"http.io-threads", "many"}}, {}, ""));
  CHECK_FALSE(Config::load({}, {}, "no equals sign"));
  for (const ConfigKey& key : config_keys()) CHECK_FALSE(key.help.empty());
}

TEST_CASE("sizes and durations") {
  CHECK(parse_bytes("123").value() == 123);
  CHECK(parse_bytes("64MiB").value() == 64 << 20);
  CHECK(parse_bytes("1.5 kB").value() == 1500);
  CHECK(parse_bytes("1gb").value() == 1'000'000'000);
  CHECK(parse_duration_us("5ms").value() == 5000);
  CHECK(parse_duration_us("1d").value() == 86'400'000'000);
  CHECK(parse_duration_us("90m").value() == 5'400'000'000);
  for (const char* bad : {"", "x", "-1", "1 parsec", "1e30GB", "nan", "5 5"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_bytes(bad));
    CHECK_FALSE(parse_duration_us(bad));
  }
}

TEST_CASE("text") {
  const std::vector<std::string> words = {"predict", "promote", "profile"};
  CHECK(closest_match("predcit", words) == "predict");
  CHECK(closest_match("xyz", words).empty());
  CHECK(did_you_mean("promot", words) == "did you mean `promote`?");
  CHECK(split("a,,b", ',') == std::vector<std::string>{"a", "", "b"});
  CHECK(split("", ',').size() == 1);
  CHECK(join(words, "|") == "predict|promote|profile");
  CHECK(trim(" \ta b\n") == "a b");
  CHECK(is_valid_utf8("한국어 \xf0\x9f\x98\x80"));
  for (const char* bad :
       {"\xff", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe4\xb8", "\x80"})
    CHECK_FALSE(is_valid_utf8(bad));
  CHECK(replace_invalid_utf8("a\xff"
                             "b") ==
        "a\xef\xbf\xbd"
        "b");
  CHECK(display_width("마루 a") == 6);
  CHECK(display_width("e\xcc\x81") == 1);
  CHECK(display_width("\xf0\x9f\x98\x80") == 2);
  CHECK(format_count(1234567) == "1,234,567");
  CHECK(format_count(-1000) == "-1,000");
  CHECK(format_count(999) == "999");
  CHECK(format_bytes(999) == "999 B");
  CHECK(format_bytes(12'345'678) == "12.3 MB");
  CHECK(format_seconds(0.85) == "850 ms");
  CHECK(format_seconds(12.34) == "12.3 s");
  CHECK(format_seconds(125) == "2 m 05 s");
  CHECK(hex("\x01\xff") == "01ff");
  for (const auto& [bytes, text] :
       std::vector<std::pair<std::string, std::string>>{{"", ""},
                                                        {"f", "Zg=="},
                                                        {"fo", "Zm8="},
                                                        {"foo", "Zm9v"},
                                                        {"foob", "Zm9vYg=="},
                                                        {"\xfb\xff", "+/8="}}) {
    CHECK(base64(bytes) == text);
    CHECK(from_base64(text) == bytes);
  }
  CHECK(from_base64("-_8") == "\xfb\xff");
  CHECK(!from_base64("Zg=x"));
  CHECK(!from_base64("A"));
}

TEST_CASE("the log is one valid JSON object a line") {
  std::string folder = "/tmp/maru-log-test-XXXXXX";
  REQUIRE(::mkdtemp(folder.data()) != nullptr);
  LogOptions options;
  options.file = folder + "/maru.log";
  options.to_stderr = false;
  init_log(options);
  log_info("said \"hello\"", {{"path", "a\nb\xff"}, {"n", 7}, {"x", 0.5}});
  log(LogLevel::kDebug, "not shown");
  flush_log();
  const std::string text = read_file(options.file).value();
  CHECK(std::count(text.begin(), text.end(), '\n') == 1);
  const auto line = parse_json(text);
  REQUIRE(line);
  CHECK((*line)["message"].as_string() == "said \"hello\"");
  CHECK((*line)["n"].as_string() == "7");
  CHECK((*line)["level"].as_string() == "info");
  LogOptions back;
  back.level = LogLevel::kError;
  init_log(back);
  CHECK(remove_tree(folder));
}

TEST_CASE("numbers for people are short, and any number has a text") {
  CHECK(format_significant(0.123456, 3) == "0.123");
  CHECK(format_significant(1234567, 3) == "1.23e+06");
  CHECK(format_significant(-0.5, 4) == "-0.5");
  CHECK(format_fixed(2.0 / 3, 2) == "0.67");
  CHECK(format_fixed(-1.005e3, 0) == "-1005");
  CHECK(format_fixed(1e308, 3).size() == 309 + 4);
  CHECK(format_fixed(std::numeric_limits<double>::infinity(), 2) == "inf");
}
