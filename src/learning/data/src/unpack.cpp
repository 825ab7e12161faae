#include "unpack.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>

#include "byte_source.h"
#include "encoding.h"
#include "maru/base/file.h"
#include "maru/base/text.h"

namespace maru::data {

namespace {

using base::Code;

constexpr std::size_t kInputBytes = 256u << 10;

// What all kinds of packing share: a buffer of packed bytes and the limits of what may come out.
class Unpacker : public ByteStep {
 public:
  Unpacker(ByteStep& from, std::string name, std::uint64_t packed_bytes)
      : from_(from), name_(std::move(name)), packed_bytes_(packed_bytes), in_(kInputBytes, '\0') {}

 protected:
  // False at the end of the packed bytes.
  base::Result<bool> refill() {
    if (ended_) return false;
    TRY_ASSIGN(const std::size_t got, from_.read(in_.data(), in_.size()));
    ended_ = got < in_.size();
    have_ = got;
    return got > 0;
  }
  base::Status count(std::size_t bytes) {
    given_ += bytes;
    if (given_ > kMaxUnpackedBytes ||
        (given_ > kMaxRatioFrom && given_ / kMaxUnpackRatio > packed_bytes_))
      return base::fail(Code::kTooLarge,
                        "a packed file of " + base::format_bytes(packed_bytes_) +
                            " unpacks to more than " + base::format_bytes(given_) + ": " + name_,
                        "over " + std::to_string(kMaxUnpackRatio) +
                            " times its size: unpack it yourself if you trust it");
    return {};
  }
  tl::unexpected<base::Error> damaged(const std::string& kind) const {
    return base::fail(Code::kDataLoss, "damaged or cut " + kind + " file: " + name_,
                      "copy it again");
  }

  ByteStep& from_;
  const std::string name_;
  const std::uint64_t packed_bytes_;
  std::string in_;
  std::size_t have_ = 0;
  bool ended_ = false;
  std::uint64_t given_ = 0;
};

class Inflater final : public Unpacker {
 public:
  Inflater(ByteStep& from, std::string name, std::uint64_t packed_bytes, bool gzip)
      : Unpacker(from, std::move(name), packed_bytes), gzip_(gzip) {
    ready_ = inflateInit2(&stream_, gzip ? 15 + 32 : -15) == Z_OK;
  }
  ~Inflater() override {
    if (ready_) inflateEnd(&stream_);
  }
  base::Result<std::size_t> read(char* to, std::size_t most) override {
    if (!ready_) return base::fail(Code::kInternal, "cannot start unpacking: " + name_);
    std::size_t have = 0;
    while (have < most && !done_) {
      if (stream_.avail_in == 0) {
        TRY_ASSIGN(const bool more, refill());
        if (!more) {
          if (!between_) return damaged(gzip_ ? "gzip" : "zip");
          done_ = true;
          break;
        }
        stream_.next_in = reinterpret_cast<Bytef*>(in_.data());
        stream_.avail_in = static_cast<uInt>(have_);
      }
      if (between_ && begun_) inflateReset(&stream_);  // a file may hold several gzip members
      begun_ = true;
      between_ = false;
      const std::size_t piece = std::min<std::size_t>(most - have, 1u << 30);
      stream_.next_out = reinterpret_cast<Bytef*>(to + have);
      stream_.avail_out = static_cast<uInt>(piece);
      const int state = inflate(&stream_, Z_NO_FLUSH);
      const std::size_t got = piece - stream_.avail_out;
      have += got;
      TRY(count(got));
      if (state == Z_STREAM_END) {
        between_ = true;
        done_ = !gzip_;
      } else if (state != Z_OK && state != Z_BUF_ERROR) {
        return damaged(gzip_ ? "gzip" : "zip");
      }
    }
    return have;
  }

 private:
  const bool gzip_;
  z_stream stream_{};
  bool ready_ = false, begun_ = false, between_ = false, done_ = false;
};

struct FreeZstd {
  void operator()(ZSTD_DStream* stream) const { ZSTD_freeDStream(stream); }
};

class ZstdReader final : public Unpacker {
 public:
  using Unpacker::Unpacker;
  base::Result<std::size_t> read(char* to, std::size_t most) override {
    if (!stream_) stream_.reset(ZSTD_createDStream());
    if (!stream_) return base::fail(Code::kInternal, "cannot start unpacking: " + name_);
    ZSTD_outBuffer out{to, most, 0};
    while (out.pos < most) {
      if (input_.pos == input_.size) {
        TRY_ASSIGN(const bool more, refill());
        if (!more) {
          // What lies in the decoder still comes out without input.
          const std::size_t before = out.pos;
          if (open_frame_) open_frame_ = ZSTD_decompressStream(stream_.get(), &out, &input_) != 0;
          if (out.pos != before) continue;
          if (open_frame_) return damaged("zstd");
          break;
        }
        input_ = {in_.data(), have_, 0};
      }
      const std::size_t left = ZSTD_decompressStream(stream_.get(), &out, &input_);
      if (ZSTD_isError(left) != 0) return damaged("zstd");
      open_frame_ = left != 0;
    }
    TRY(count(out.pos));
    return out.pos;
  }

 private:
  std::unique_ptr<ZSTD_DStream, FreeZstd> stream_;
  ZSTD_inBuffer input_{nullptr, 0, 0};
  bool open_frame_ = false;
};

}  // namespace

std::unique_ptr<ByteStep> unpack_gzip(ByteStep& from, const std::string& name,
                                      std::uint64_t packed_bytes) {
  return std::make_unique<Inflater>(from, name, packed_bytes, true);
}
std::unique_ptr<ByteStep> unpack_deflate(ByteStep& from, const std::string& name,
                                         std::uint64_t packed_bytes) {
  return std::make_unique<Inflater>(from, name, packed_bytes, false);
}
std::unique_ptr<ByteStep> unpack_zstd(ByteStep& from, const std::string& name,
                                      std::uint64_t packed_bytes) {
  return std::make_unique<ZstdReader>(from, name, packed_bytes);
}

base::Result<std::string> read_unpacked(const std::string& path, std::uint64_t max_bytes) {
  TRY_ASSIGN(const auto source, ByteSource::open(path));
  std::string out;
  for (std::size_t step = kHeadBytes;; step = std::max(step, out.size() / 2)) {
    const std::size_t had = out.size();
    out.resize(had + step);
    TRY_ASSIGN(const std::size_t got, source->read(out.data() + had, step));
    out.resize(had + got);
    if (out.size() > max_bytes)
      return base::fail(Code::kTooLarge,
                        "unpacks to more than " + base::format_bytes(max_bytes) + ": " + path,
                        "split the file or use Parquet");
    if (got < step) return out;
  }
}

}  // namespace maru::data
