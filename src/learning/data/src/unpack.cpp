#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <memory>

#include "encoding.h"
#include "maru/base/file.h"
#include "maru/base/text.h"

namespace maru::data {

namespace {

using base::Code;

constexpr std::size_t kStep = 1u << 20;

tl::unexpected<base::Error> too_large(const std::string& name, std::uint64_t max_bytes) {
  return base::fail(Code::kTooLarge,
                    "unpacks to more than " + base::format_bytes(max_bytes) + ": " + name,
                    "split the file or use Parquet");
}

base::Result<std::string> gunzip(const std::string& packed, const std::string& name,
                                 std::uint64_t max_bytes) {
  z_stream stream{};
  if (inflateInit2(&stream, 15 + 32) != Z_OK)
    return base::fail(Code::kInternal, "cannot start gzip");
  std::string out;
  std::size_t fed = 0;
  int state = Z_OK;
  bool large = false;
  while (state != Z_STREAM_END || fed < packed.size() || stream.avail_in > 0) {
    if (state == Z_STREAM_END) {  // files may hold several gzip members
      if (packed.size() - fed + stream.avail_in == 0) break;
      state = inflateReset(&stream);
    }
    if (stream.avail_in == 0) {
      if (fed == packed.size()) break;
      const std::size_t piece = std::min<std::size_t>(packed.size() - fed, 1u << 30);
      stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data() + fed));
      stream.avail_in = static_cast<uInt>(piece);
      fed += piece;
    }
    const std::size_t start = out.size();
    out.resize(start + kStep);
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + start);
    stream.avail_out = static_cast<uInt>(kStep);
    state = inflate(&stream, Z_NO_FLUSH);
    out.resize(start + kStep - stream.avail_out);
    large = out.size() > max_bytes;
    if (large || (state != Z_OK && state != Z_STREAM_END && state != Z_BUF_ERROR)) break;
  }
  inflateEnd(&stream);
  if (large) return too_large(name, max_bytes);
  if (state != Z_STREAM_END)
    return base::fail(Code::kDataLoss, "damaged or cut gzip file: " + name, "copy it again");
  return out;
}

struct FreeZstd {
  void operator()(ZSTD_DStream* stream) const { ZSTD_freeDStream(stream); }
};

base::Result<std::string> unzstd(const std::string& packed, const std::string& name,
                                 std::uint64_t max_bytes) {
  const std::unique_ptr<ZSTD_DStream, FreeZstd> stream(ZSTD_createDStream());
  if (!stream) return base::fail(Code::kInternal, "cannot start zstd");
  std::string out;
  ZSTD_inBuffer in{packed.data(), packed.size(), 0};
  std::size_t more = 1;
  for (;;) {
    const std::size_t start = out.size();
    out.resize(start + kStep);
    ZSTD_outBuffer to{out.data() + start, kStep, 0};
    more = ZSTD_decompressStream(stream.get(), &to, &in);
    out.resize(start + to.pos);
    if (ZSTD_isError(more) != 0)
      return base::fail(Code::kDataLoss, "damaged zstd file: " + name, "copy it again");
    if (out.size() > max_bytes) return too_large(name, max_bytes);
    if (in.pos == in.size && to.pos < kStep) break;
  }
  if (more != 0) return base::fail(Code::kDataLoss, "cut zstd file: " + name, "copy it again");
  return out;
}

}  // namespace

base::Result<std::string> read_unpacked(const std::string& path, std::uint64_t max_bytes) {
  TRY_ASSIGN(std::string bytes, base::read_file(path, max_bytes));
  if (bytes.compare(0, 2, "\x1f\x8b") == 0) return gunzip(bytes, path, max_bytes);
  if (bytes.compare(0, 4, "\x28\xb5\x2f\xfd") == 0) return unzstd(bytes, path, max_bytes);
  return bytes;
}

}  // namespace maru::data
