#include "byte_source.h"

#include <fcntl.h>
#include <iconv.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "encoding.h"
#include "maru/base/text.h"
#include "unpack.h"

namespace maru::data {

namespace {

using base::Code;

constexpr std::size_t kStepBytes = 256u << 10;

std::uint64_t number(std::string_view bytes, std::size_t at, std::size_t size) {
  std::uint64_t out = 0;
  for (std::size_t i = 0; i < size && at + i < bytes.size(); ++i)
    out |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[at + i])) << (8 * i);
  return out;
}

FileMark mark_of(const struct stat& info) {
  return {static_cast<std::uint64_t>(info.st_size), static_cast<std::uint64_t>(info.st_ino),
          static_cast<std::int64_t>(info.st_mtim.tv_sec) * 1'000'000'000 + info.st_mtim.tv_nsec};
}

// A file as it lies there; what it was when it was opened is what it must be at its end.
class RawFile final : public ByteStep {
 public:
  ~RawFile() override {
    if (handle_ >= 0) ::close(handle_);
  }
  base::Status open(const std::string& path) {
    path_ = path;
    handle_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat info {};
    if (handle_ < 0 || ::fstat(handle_, &info) != 0)
      return base::fail(errno == EACCES ? Code::kPermissionDenied : Code::kNotFound,
                        (errno == EACCES ? "the file may not be read: " : "no such file: ") + path);
    mark_ = mark_of(info);
    ::posix_fadvise(handle_, 0, 0, POSIX_FADV_SEQUENTIAL);
    return {};
  }
  base::Result<std::size_t> read(char* to, std::size_t most) override {
    std::size_t have = 0;
    while (have < most) {
      const ssize_t got = ::read(handle_, to + have, most - have);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return base::fail(Code::kDataLoss, "cannot be read: " + path_);
      if (got == 0) {
        TRY(check_end());
        break;
      }
      have += static_cast<std::size_t>(got);
      given_ += static_cast<std::uint64_t>(got);
    }
    return have;
  }
  base::Result<std::string> read_at(std::uint64_t at, std::size_t bytes) {
    std::string out(bytes, '\0');
    std::size_t have = 0;
    while (have < bytes) {
      const ssize_t got =
          ::pread(handle_, out.data() + have, bytes - have, static_cast<off_t>(at + have));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) break;
      have += static_cast<std::size_t>(got);
    }
    out.resize(have);
    return out;
  }
  base::Status seek(std::uint64_t at) {
    given_ = at;
    if (::lseek(handle_, static_cast<off_t>(at), SEEK_SET) < 0)
      return base::fail(Code::kDataLoss, "cannot be read: " + path_);
    return {};
  }
  std::uint64_t bytes() const { return mark_.bytes; }
  const std::string& path() const { return path_; }

 private:
  base::Status check_end() {
    struct stat info {};
    if (::fstat(handle_, &info) == 0 && mark_of(info) == mark_ && given_ == mark_.bytes) return {};
    return base::fail(Code::kAborted, "the file changed while it was read: " + path_,
                      "copy it to a place where nothing writes, then import the copy");
  }

  std::string path_;
  int handle_ = -1;
  FileMark mark_;
  std::uint64_t given_ = 0;
};

// The packed bytes of the one file inside a zip archive.
struct ZipEntry {
  std::string name;
  std::uint64_t at = 0, packed = 0;
  int method = 0;
};

tl::unexpected<base::Error> broken_zip(const std::string& path) {
  return base::fail(Code::kDataLoss, "damaged or cut zip file: " + path, "copy it again");
}

// APPNOTE 6.3.10: the end of the central directory lies in the last 64 KiB; folders and macOS's side files do not count.
base::Result<ZipEntry> find_zip_entry(RawFile& file) {
  constexpr std::size_t kEndBytes = 22, kHeaderBytes = 46, kMaxDirectory = 16u << 20;
  const std::uint64_t size = file.bytes();
  const std::size_t tail_bytes = static_cast<std::size_t>(std::min<std::uint64_t>(size, 66'000));
  TRY_ASSIGN(const std::string tail, file.read_at(size - tail_bytes, tail_bytes));
  const std::size_t end = tail.rfind("PK\x05\x06");
  if (end == std::string::npos || end + kEndBytes > tail.size()) return broken_zip(file.path());
  const std::uint64_t at = number(tail, end + 16, 4), bytes = number(tail, end + 12, 4);
  if (at == 0xffffffffu || bytes == 0xffffffffu)
    return base::fail(Code::kUnimplemented, "a zip64 archive: " + file.path(),
                      "pack the file with gzip or zstd");
  if (at + bytes > size || bytes > kMaxDirectory) return broken_zip(file.path());
  TRY_ASSIGN(const std::string directory, file.read_at(at, static_cast<std::size_t>(bytes)));
  std::vector<ZipEntry> files;
  for (std::size_t i = 0; i + kHeaderBytes <= directory.size();) {
    if (directory.compare(i, 4, "PK\x01\x02") != 0) return broken_zip(file.path());
    ZipEntry entry;
    const std::size_t name = number(directory, i + 28, 2), extra = number(directory, i + 30, 2),
                      comment = number(directory, i + 32, 2);
    if (i + kHeaderBytes + name > directory.size()) return broken_zip(file.path());
    entry.name = directory.substr(i + kHeaderBytes, name);
    entry.method = static_cast<int>(number(directory, i + 10, 2));
    entry.packed = number(directory, i + 20, 4);
    entry.at = number(directory, i + 42, 4);
    const bool locked = (number(directory, i + 8, 2) & 1) != 0;
    i += kHeaderBytes + name + extra + comment;
    if (entry.name.empty() || entry.name.back() == '/' || entry.name.starts_with("__MACOSX/"))
      continue;
    if (locked)
      return base::fail(Code::kInvalidArgument, "an encrypted zip archive: " + file.path(),
                        "unpack it first");
    files.push_back(std::move(entry));
  }
  if (files.size() != 1)
    return base::fail(
        Code::kInvalidArgument,
        "a zip archive with " + std::to_string(files.size()) + " files: " + file.path(),
        "unpack it and import the files together: unzip " + file.path());
  ZipEntry& entry = files.front();
  TRY_ASSIGN(const std::string local, file.read_at(entry.at, 30));
  if (local.size() != 30 || local.compare(0, 4, "PK\x03\x04") != 0) return broken_zip(file.path());
  entry.at += 30 + number(local, 26, 2) + number(local, 28, 2);
  if (entry.at + entry.packed > size) return broken_zip(file.path());
  if (entry.method != 0 && entry.method != 8)
    return base::fail(
        Code::kUnimplemented,
        "a zip archive packed by method " + std::to_string(entry.method) + ": " + file.path(),
        "pack the file with gzip or zstd");
  return std::move(entry);
}

// A stretch of a file.
class Stretch final : public ByteStep {
 public:
  Stretch(RawFile& file, std::uint64_t at, std::uint64_t bytes)
      : file_(file), at_(at), left_(bytes) {}
  base::Result<std::size_t> read(char* to, std::size_t most) override {
    const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(most, left_));
    TRY_ASSIGN(const std::string piece, file_.read_at(at_, want));
    if (piece.size() != want)
      return base::fail(Code::kAborted, "the file changed while it was read: " + file_.path());
    piece.copy(to, want);
    at_ += want;
    left_ -= want;
    return want;
  }

 private:
  RawFile& file_;
  std::uint64_t at_, left_;
};

// iconv over a stream. One thread at a time.
class Transcoder final : public ByteStep {
 public:
  Transcoder(std::unique_ptr<ByteStep> from, std::string encoding, std::string name)
      : from_(std::move(from)), encoding_(std::move(encoding)), name_(std::move(name)) {}
  ~Transcoder() override {
    if (open_) iconv_close(handle_);
  }
  base::Status start() {
    handle_ = iconv_open("UTF-8", encoding_.c_str());
    open_ = handle_ != reinterpret_cast<iconv_t>(-1);  // NOLINT: iconv's own convention
    if (open_) return {};
    return base::fail(Code::kInvalidArgument, "unknown encoding: " + encoding_,
                      "`iconv -l` lists them, for example SHIFT_JIS, GB18030, WINDOWS-1252");
  }
  base::Result<std::size_t> read(char* to, std::size_t most) override {
    std::size_t have = std::min(most, spill_.size());
    spill_.copy(to, have);
    spill_.erase(0, have);
    while (have < most) {
      if (!ended_ && in_.size() < kStepBytes / 2) {
        const std::size_t had = in_.size();
        in_.resize(had + kStepBytes);
        TRY_ASSIGN(const std::size_t got, from_->read(in_.data() + had, kStepBytes));
        in_.resize(had + got);
        ended_ = got < kStepBytes;
      }
      if (in_.empty()) break;
      char* in = in_.data();
      std::size_t left = in_.size();
      char* out = to + have;
      std::size_t room = most - have;
      const std::size_t done = iconv(handle_, &in, &left, &out, &room);
      const int why = errno;
      const std::size_t eaten = in_.size() - left;
      in_.erase(0, eaten);
      lines_ += static_cast<std::size_t>(std::count(to + have, to + (most - room), '\n'));
      have = most - room;
      if (done != static_cast<std::size_t>(-1)) continue;
      if (why == E2BIG) {
        held_ = have < most;  // less room than one character takes
        if (held_) break;
      } else if (why == EILSEQ || (why == EINVAL && ended_)) {
        return base::fail(
            Code::kInvalidArgument,
            "broken " + encoding_ + " text: " + name_ + " line " + std::to_string(lines_),
            "is it another encoding? say which: --encoding NAME");
      }
    }
    if (!held_ || have == most) return have;
    return fill_last(to, most, have);
  }

 private:
  // One character that did not fit as a whole goes out in two reads.
  base::Result<std::size_t> fill_last(char* to, std::size_t most, std::size_t have) {
    held_ = false;
    char one[8];
    char* in = in_.data();
    std::size_t left = in_.size();
    char* out = one;
    std::size_t room = sizeof one;
    iconv(handle_, &in, &left, &out, &room);
    in_.erase(0, in_.size() - left);
    spill_.append(one, sizeof one - room);
    const std::size_t count = std::min(most - have, spill_.size());
    spill_.copy(to + have, count);
    spill_.erase(0, count);
    return have + count;
  }

  std::unique_ptr<ByteStep> from_;
  const std::string encoding_, name_;
  iconv_t handle_{};
  bool open_ = false, ended_ = false, held_ = false;
  std::size_t lines_ = 1;
  std::string in_, spill_;
};

class FileSource final : public ByteSource {
 public:
  base::Status open(const std::string& path) {
    TRY(file_.open(path));
    TRY_ASSIGN(const std::string first, file_.read_at(0, 4));
    const std::uint64_t magic = number(first, 0, 4);
    if ((magic & 0xffff) == 0x8b1f) {
      steps_ = unpack_gzip(file_, path, file_.bytes());
    } else if (magic == 0xfd2fb528) {
      steps_ = unpack_zstd(file_, path, file_.bytes());
    } else if (magic == 0x04034b50) {
      TRY_ASSIGN(const ZipEntry entry, find_zip_entry(file_));
      stretch_ = std::make_unique<Stretch>(file_, entry.at, entry.packed);
      steps_ = entry.method == 0 ? nullptr : unpack_deflate(*stretch_, path, entry.packed);
    }
    packed_ = steps_ != nullptr || stretch_ != nullptr;
    return take_head();
  }

  base::Status decode(const std::string& path, std::string encoding, std::string& note) {
    const bool asked = !encoding.empty();
    if (!asked) {
      TRY_ASSIGN(encoding, find_encoding(head_, ended_, path, 1, note));
    }
    if (encoding.empty() || base::to_lower_ascii(encoding) == "utf-8") {
      if (head_.starts_with("\xef\xbb\xbf")) head_.erase(0, 3);
      return {};
    }
    auto coded = std::make_unique<Transcoder>(std::make_unique<Ready>(*this), encoding, path);
    TRY(coded->start());
    raw_head_ = std::move(head_);
    raw_given_ = 0;
    coded_ = std::move(coded);
    head_.assign(kHeadBytes, '\0');
    std::size_t got = 0;
    // A character that falls on the end of a read comes in the next one.
    while (got < kHeadBytes) {
      TRY_ASSIGN(const std::size_t more, coded_->read(head_.data() + got, kHeadBytes - got));
      if (more == 0) break;
      got += more;
    }
    head_.resize(got);
    if (head_.starts_with("\xef\xbb\xbf")) head_.erase(0, 3);
    given_ = 0;
    if (asked) note = "read as " + encoding;
    return {};
  }

  base::Result<std::size_t> read(char* to, std::size_t most) override {
    const std::size_t count = std::min(most, head_.size() - given_);
    std::copy_n(head_.data() + given_, count, to);
    given_ += count;
    std::size_t have = count;
    while (have < most) {
      TRY_ASSIGN(const std::size_t got,
                 coded_ ? coded_->read(to + have, most - have) : beneath(to + have, most - have));
      if (got == 0) break;
      have += got;
    }
    return have;
  }
  std::string_view head() const override { return head_; }
  bool plain() const override { return !packed_ && coded_ == nullptr; }

 private:
  // What the transcoder reads: the head that was looked at, then the rest.
  class Ready final : public ByteStep {
   public:
    explicit Ready(FileSource& source) : source_(source) {}
    base::Result<std::size_t> read(char* to, std::size_t most) override {
      const std::size_t count = std::min(most, source_.raw_head_.size() - source_.raw_given_);
      std::copy_n(source_.raw_head_.data() + source_.raw_given_, count, to);
      source_.raw_given_ += count;
      if (count == most) return count;
      TRY_ASSIGN(const std::size_t got, source_.beneath(to + count, most - count));
      return count + got;
    }

   private:
    FileSource& source_;
  };

  base::Result<std::size_t> beneath(char* to, std::size_t most) {
    if (steps_) return steps_->read(to, most);
    return stretch_ ? stretch_->read(to, most) : file_.read(to, most);
  }
  base::Status take_head() {
    head_.assign(kHeadBytes, '\0');
    TRY_ASSIGN(const std::size_t got, beneath(head_.data(), head_.size()));
    ended_ = got < head_.size();
    head_.resize(got);
    return {};
  }

  RawFile file_;
  std::unique_ptr<Stretch> stretch_;
  std::unique_ptr<ByteStep> steps_, coded_;
  std::string head_, raw_head_;
  std::size_t given_ = 0, raw_given_ = 0;
  bool packed_ = false, ended_ = false;
};

}  // namespace

base::Result<FileMark> file_mark(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return base::fail(Code::kNotFound, "no such file: " + path);
  return mark_of(info);
}

base::Result<std::unique_ptr<ByteSource>> ByteSource::open(const std::string& path) {
  auto out = std::make_unique<FileSource>();
  TRY(out->open(path));
  return out;
}

base::Result<std::unique_ptr<ByteSource>> ByteSource::open_text(const std::string& path,
                                                                const std::string& encoding,
                                                                std::string& note) {
  auto out = std::make_unique<FileSource>();
  TRY(out->open(path));
  TRY(out->decode(path, encoding, note));
  return out;
}

base::Result<std::string> zip_entry_name(const std::string& path) {
  RawFile file;
  TRY(file.open(path));
  TRY_ASSIGN(ZipEntry entry, find_zip_entry(file));
  return std::move(entry.name);
}

std::vector<std::size_t> lines_at(const std::string& path, const std::string& encoding,
                                  const std::vector<std::uint64_t>& offsets) {
  std::vector<std::size_t> out(offsets.size(), 0);
  std::string note;
  const auto source = ByteSource::open_text(path, encoding, note);
  if (!source) return out;
  std::string piece(kStepBytes, '\0');
  std::size_t lines = 1;
  std::uint64_t done = 0;
  bool carriage = false;
  for (std::size_t k = 0; k < offsets.size(); ++k) {
    while (done < offsets[k]) {
      const auto got = (*source)->read(
          piece.data(),
          static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), offsets[k] - done)));
      if (!got || *got == 0) return out;
      for (std::size_t i = 0; i < *got; ++i) {
        if (piece[i] == '\n' || carriage) ++lines;  // CR LF is one line end, CR alone too
        carriage = piece[i] == '\r';
      }
      done += *got;
    }
    out[k] = lines + (carriage ? 1 : 0);
  }
  return out;
}

}  // namespace maru::data
