#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "head.h"

namespace maru::http {

// How Content-Encoding says the body is packed.
enum class Coding : std::uint8_t { kIdentity, kGzip, kDeflate, kUnknown };
Coding parse_coding(std::string_view content_encoding);

// zlib's inflate with the caps of limits.h: produced bytes count, not sent ones. Accepts gzip members one after another.
class Inflater {
 public:
  explicit Inflater(Coding coding);
  ~Inflater();
  // Appends what `in` unpacks to; stops with a fault as soon as more than `max_total` bytes or the ratio is exceeded.
  Fault feed(std::string_view in, std::string& out, std::uint64_t max_total);
  bool complete() const;  // at the end of a member

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// gzip at a fast level; "" when zlib fails.
std::string gzip(std::string_view bytes);

// Takes the framing (length or chunks) and the packing off a body, piece by piece. Not thread safe.
class BodyDecoder {
 public:
  BodyDecoder(const Head& head, Coding coding, std::uint64_t max_bytes);
  // Consumes from the front of `in` until it is used up, the body ends, or `out` has reached `soft_cap`. Returns the bytes used.
  std::size_t feed(std::string_view in, std::string& out, std::size_t soft_cap);
  // How many bytes come next that are the body's as they are: 0 between chunks, in a packed body and after a fault. Who reads them past
  // feed() tells took() how many.
  std::uint64_t plain_left() const {
    const bool data = state_ == State::kLength || state_ == State::kChunk;
    return data && !inflater_ && !fault_ ? left_ : 0;
  }
  void took(std::uint64_t size);
  bool done() const { return state_ == State::kEnd; }
  Fault fault() const { return fault_; }

 private:
  enum class State : std::uint8_t {
    kLength,
    kSize,
    kExtension,
    kSizeLf,
    kChunk,
    kChunkCr,
    kChunkLf,
    kTrailer,
    kTrailerLf,
    kEnd
  };
  std::size_t take_data(std::string_view in, std::string& out);
  void end_of_data();
  void framing_byte(char c);
  void size_byte(char c);
  void trailer_byte(char c);
  void end_of_size();
  void finish();
  void bad(int status, const char* message) { fault_ = {status, message}; }

  State state_ = State::kLength;
  std::uint64_t left_ = 0;  // of the body, or of the chunk in work
  std::uint64_t max_bytes_;
  std::uint64_t produced_ = 0;
  std::size_t chunks_ = 0;
  std::size_t digits_ = 0;
  std::size_t line_bytes_ = 0;    // of an extension or of all trailers
  std::size_t trailer_line_ = 0;  // bytes in the trailer line in work
  std::unique_ptr<Inflater> inflater_;
  Fault fault_;
};

}  // namespace maru::http
