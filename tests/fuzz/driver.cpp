// A small mutating fuzzer: bytes flipped, runs deleted, repeated, spliced and replaced by tokens that parsers trip over.
// usage: fuzz_NAME [SECONDS] [SEED]     The same seed gives the same inputs; a finding prints the input's number and bytes.
#include "driver.h"

#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <random>

namespace {

constexpr std::size_t kMaxInput = 1 << 16;
std::string* g_current = nullptr;
std::uint64_t g_number = 0;

constexpr std::array<std::string_view, 32> kTokens = {"\"",
                                                      "{",
                                                      "}",
                                                      "[",
                                                      "]",
                                                      ":",
                                                      ",",
                                                      "\n",
                                                      "\r\n",
                                                      "\t",
                                                      "\\u0000",
                                                      "\\ud800",
                                                      "\xff\xfe",
                                                      "\xef\xbb\xbf",
                                                      "null",
                                                      "NaN",
                                                      "1e999",
                                                      "-0",
                                                      "18446744073709551616",
                                                      "-9223372036854775809",
                                                      "0x",
                                                      "'",
                                                      "#",
                                                      "- ",
                                                      "? ",
                                                      "&a",
                                                      "*a",
                                                      "<<",
                                                      "!!",
                                                      "|",
                                                      "\xe2\x80\xa8",
                                                      "*/0"};

class Mutator {
 public:
  explicit Mutator(std::uint64_t seed) : rng_(seed) {}

  std::string next(const std::vector<std::string>& pool) {
    std::string text = pool[below(pool.size())];
    for (std::size_t i = 0, count = 1 + below(8); i < count; ++i) mutate(text, pool);
    if (text.size() > kMaxInput) text.resize(kMaxInput);
    return text;
  }

 private:
  std::size_t below(std::size_t limit) { return limit == 0 ? 0 : rng_() % limit; }

  void mutate(std::string& text, const std::vector<std::string>& pool) {
    const std::size_t at = below(text.size() + 1);
    const std::size_t length = below(text.size() - at + 1);
    switch (below(6)) {
      case 0:
        if (at < text.size()) text[at] = static_cast<char>(rng_());
        break;
      case 1:
        text.erase(at, length);
        break;
      case 2:
        text.insert(at, text.substr(at, length));
        break;
      case 3:
        text.insert(at, kTokens[below(kTokens.size())]);
        break;
      case 4:
        text.replace(at, length, kTokens[below(kTokens.size())]);
        break;
      default: {
        const std::string& other = pool[below(pool.size())];
        text.insert(at, other.substr(below(other.size() + 1)));
      }
    }
  }

  std::mt19937_64 rng_;
};

void report(int signal) {
  std::fprintf(stderr, "fuzz: signal %d at input %llu, %zu bytes:\n", signal,
               static_cast<unsigned long long>(g_number), g_current->size());
  for (const char c : *g_current) std::fprintf(stderr, "%02x", static_cast<unsigned char>(c));
  std::fprintf(stderr, "\n");
  std::_Exit(1);
}

}  // namespace

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 10;
  const std::uint64_t seed = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
  for (const int signal : {SIGABRT, SIGSEGV, SIGFPE, SIGALRM}) std::signal(signal, report);
  std::string current;
  g_current = &current;
  const std::vector<std::string> seeds = fuzz_seeds();
  for (const auto& text : seeds) {
    current = text;
    fuzz_one(current);
  }
  Mutator mutator(seed);
  const auto begin = std::chrono::steady_clock::now();
  const auto elapsed = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  while (g_number % 256 != 0 || elapsed() < seconds) {
    ++g_number;
    current = mutator.next(seeds);
    if (g_number % 256 == 1) ::alarm(20);  // an input that hangs is a finding too
    fuzz_one(current);
  }
  std::printf("%llu inputs in %.0f s, seed %llu\n", static_cast<unsigned long long>(g_number),
              elapsed(), static_cast<unsigned long long>(seed));
  return 0;
}
