#include "body.h"

#include <zlib.h>

#include <algorithm>

#include "maru/base/text.h"
#include "maru/http/limits.h"

namespace maru::http {
namespace {

constexpr std::size_t kStep = 64 << 10;  // bytes unpacked at once
constexpr std::size_t kInputStep =
    16 << 10;  // packed bytes taken at once, so that one feed cannot unpack without end
constexpr std::size_t kMaxExtensionBytes = 256;
constexpr int kGzipWindow = 15 + 16;

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

Coding parse_coding(std::string_view content_encoding) {
  const std::string word = base::to_lower_ascii(base::trim(content_encoding));
  if (word.empty() || word == "identity") return Coding::kIdentity;
  if (word == "gzip" || word == "x-gzip") return Coding::kGzip;
  if (word == "deflate") return Coding::kDeflate;
  return Coding::kUnknown;
}

struct Inflater::Impl {
  z_stream stream{};
  bool ready = false;
  bool at_end = false;
  std::uint64_t taken = 0;
  std::uint64_t made = 0;
};

Inflater::Inflater(Coding coding) : impl_(std::make_unique<Impl>()) {
  impl_->ready = ::inflateInit2(&impl_->stream, coding == Coding::kGzip ? kGzipWindow : 15) == Z_OK;
}

Inflater::~Inflater() {
  if (impl_->ready) ::inflateEnd(&impl_->stream);
}

bool Inflater::complete() const { return impl_->at_end; }

Fault Inflater::feed(std::string_view in, std::string& out, std::uint64_t max_total) {
  Impl& z = *impl_;
  if (!z.ready) return {500, "the body cannot be unpacked: no memory"};
  z.stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
  z.stream.avail_in = static_cast<uInt>(in.size());
  z.taken += in.size();
  do {
    if (z.at_end) {
      if (z.stream.avail_in == 0) return {};
      if (::inflateReset(&z.stream) != Z_OK) return {400, "the packed body is malformed"};
      z.at_end = false;
    }
    const std::size_t had = out.size();
    out.resize(had + kStep);
    z.stream.next_out = reinterpret_cast<Bytef*>(out.data() + had);
    z.stream.avail_out = static_cast<uInt>(kStep);
    const int code = ::inflate(&z.stream, Z_NO_FLUSH);
    const std::size_t made = kStep - z.stream.avail_out;
    out.resize(had + made);
    z.made += made;
    if (z.made > max_total) return {413, "the unpacked body is too large"};
    if (z.made > kInflateFreeBytes && z.made / kMaxInflateRatio > z.taken) {
      return {413, "the body unpacks to too many times its size"};
    }
    if (code == Z_STREAM_END)
      z.at_end = true;
    else if (code == Z_BUF_ERROR)
      return {};
    else if (code != Z_OK)
      return {400, "the packed body is malformed"};
  } while (z.stream.avail_in > 0 || z.stream.avail_out == 0);
  return {};
}

std::string gzip(std::string_view bytes) {
  z_stream stream{};
  // Level 4: half the time of the default for a few percent more bytes.
  if (::deflateInit2(&stream, 4, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) != Z_OK) return {};
  std::string out(::deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int code = ::deflate(&stream, Z_FINISH);
  out.resize(code == Z_STREAM_END ? stream.total_out : 0);
  ::deflateEnd(&stream);
  return out;
}

BodyDecoder::BodyDecoder(const Head& head, Coding coding, std::uint64_t max_bytes)
    : max_bytes_(max_bytes) {
  if (coding == Coding::kUnknown) {
    bad(415, "the Content-Encoding is not gzip, deflate or identity");
  } else if (coding != Coding::kIdentity) {
    inflater_ = std::make_unique<Inflater>(coding);
  }
  state_ = head.chunked ? State::kSize : State::kLength;
  left_ = head.content_length;
  if (!head.chunked && !fault_ && left_ > max_bytes_) bad(413, "the body is too large");
  if (!head.chunked && left_ == 0) {
    inflater_.reset();  // no body at all is an empty body, however it claims to be packed
    state_ = State::kEnd;
  }
}

std::size_t BodyDecoder::feed(std::string_view in, std::string& out, std::size_t soft_cap) {
  std::size_t used = 0;
  while (used < in.size() && !done() && !fault_ && out.size() < soft_cap) {
    if (state_ == State::kLength || state_ == State::kChunk) {
      used += take_data(in.substr(used), out);
      if (left_ == 0 && !fault_) end_of_data();
    } else {
      framing_byte(in[used++]);
    }
  }
  return used;
}

void BodyDecoder::took(std::uint64_t size) {
  left_ -= size;
  produced_ += size;  // within the limit: the length, or the chunk's size, was
  if (left_ == 0) end_of_data();
}

void BodyDecoder::end_of_data() {
  if (state_ == State::kLength)
    finish();
  else
    state_ = State::kChunkCr;
}

std::size_t BodyDecoder::take_data(std::string_view in, std::string& out) {
  std::string_view piece =
      in.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(in.size(), left_)));
  if (inflater_) piece = piece.substr(0, kInputStep);
  left_ -= piece.size();
  if (inflater_) {
    fault_ = inflater_->feed(piece, out, max_bytes_);
    return piece.size();
  }
  produced_ += piece.size();
  if (produced_ > max_bytes_)
    bad(413, "the body is too large");
  else
    out.append(piece);
  return piece.size();
}

void BodyDecoder::framing_byte(char c) {
  switch (state_) {
    case State::kSize:
    case State::kExtension:
      return size_byte(c);
    case State::kSizeLf:
      if (c != '\n') return bad(400, "a chunk size does not end in CR LF");
      return end_of_size();
    case State::kChunkCr:
      if (c != '\r') return bad(400, "a chunk is longer than its size");
      state_ = State::kChunkLf;
      return;
    case State::kChunkLf:
      if (c != '\n') return bad(400, "a chunk is longer than its size");
      state_ = State::kSize;
      digits_ = 0;
      line_bytes_ = 0;
      return;
    case State::kTrailer:
    case State::kTrailerLf:
      return trailer_byte(c);
    default:
      return;
  }
}

void BodyDecoder::size_byte(char c) {
  if (c == '\r') {
    if (digits_ == 0) return bad(400, "a chunk size is not a number");
    state_ = State::kSizeLf;
    return;
  }
  if (state_ == State::kExtension) {
    if (static_cast<unsigned char>(c) < 0x20 && c != '\t')
      return bad(400, "a chunk extension is malformed");
    if (++line_bytes_ > kMaxExtensionBytes) bad(400, "a chunk extension is too long");
    return;
  }
  if (c == ';' && digits_ > 0) {
    state_ = State::kExtension;
    return;
  }
  const int digit = hex_value(c);
  if (digit < 0) return bad(400, "a chunk size is not a number");
  // 15 hex digits cannot overflow 64 bits.
  if (++digits_ > 15) return bad(400, "a chunk size is too long");
  if (digits_ == 1) left_ = 0;
  left_ = left_ * 16 + static_cast<std::uint64_t>(digit);
}

void BodyDecoder::end_of_size() {
  if (left_ == 0) {
    state_ = State::kTrailer;
    line_bytes_ = 0;
    return;
  }
  if (++chunks_ > kMaxChunks) return bad(413, "the body has too many chunks");
  // A packed chunk may be smaller than what it unpacks to, never larger than the limit either.
  if (left_ > max_bytes_ - std::min(produced_, max_bytes_))
    return bad(413, "the body is too large");
  state_ = State::kChunk;
}

// Trailer fields are read over: nothing here may depend on them.
void BodyDecoder::trailer_byte(char c) {
  if (state_ == State::kTrailerLf) {
    if (c != '\n') return bad(400, "a trailer does not end in CR LF");
    if (trailer_line_ == 0) return finish();
    trailer_line_ = 0;
    state_ = State::kTrailer;
    return;
  }
  if (++line_bytes_ > kMaxHeaderBytes) return bad(431, "the trailers are too large");
  if (c == '\r') {
    state_ = State::kTrailerLf;
    return;
  }
  if (static_cast<unsigned char>(c) < 0x20 && c != '\t') return bad(400, "a trailer is malformed");
  ++trailer_line_;
}

void BodyDecoder::finish() {
  state_ = State::kEnd;
  if (inflater_ && !inflater_->complete()) bad(400, "the packed body is cut off");
}

}  // namespace maru::http
