#include "download.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <mutex>
#include <optional>

#include "maru/base/file.h"
#include "maru/base/hash.h"
#include "maru/base/json.h"
#include "maru/base/text.h"
#include "parallel.h"

namespace maru::connect {
namespace {

using base::Code;
using base::fail;
using base::Status;

constexpr int kTries = 6;                    // of one part without a byte of progress
constexpr std::int64_t kFirstPauseMs = 200;  // doubles with each try
constexpr std::int64_t kLongestPauseMs = 5'000;
constexpr std::int64_t kStallMs = 30'000;  // a connection without a byte for so long is broken

std::uint64_t number(std::string_view text) {
  std::uint64_t out = 0;
  std::from_chars(text.data(), text.data() + text.size(), out);
  return out;
}

// "bytes 0-99/1234" -> first byte and whole size; size 0 when it is not told.
bool read_content_range(std::string_view text, std::uint64_t& first, std::uint64_t& size) {
  if (!text.starts_with("bytes ")) return false;
  text.remove_prefix(6);
  const std::size_t dash = text.find('-'), slash = text.find('/');
  if (dash == std::string_view::npos || slash == std::string_view::npos) return false;
  first = number(text);
  size = number(text.substr(slash + 1));
  return true;
}

Status changed(const RemoteFile& file) {
  return fail(Code::kAborted, "the source changed while it was read: " + file.name,
              "import it again when it is complete; nothing of this read was kept");
}

struct Handle {
  int fd = -1;
  ~Handle() {
    if (fd >= 0) ::close(fd);
  }
};

Status write_at(int fd, std::string_view bytes, std::uint64_t at) {
  while (!bytes.empty()) {
    const ssize_t put = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(at));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0)
      return fail(errno == ENOSPC ? Code::kNoSpace : Code::kInternal,
                  "cannot write a temporary file", "the disk may be full");
    bytes.remove_prefix(static_cast<std::size_t>(put));
    at += static_cast<std::uint64_t>(put);
  }
  return {};
}

// Which chunks of a file are on disk, kept beside it so that a read that was cut off goes on.
class Progress {
 public:
  Progress(const RemoteFile& file, std::uint64_t chunk_bytes)
      : path_(file.path + ".parts"),
        head_(base::Json::object({{"mark", file.mark()},
                                  {"size", static_cast<std::int64_t>(file.size)},
                                  {"chunk", static_cast<std::int64_t>(chunk_bytes)}})
                  .dump()) {}
  std::vector<bool> load(std::size_t count) {
    std::vector<bool> done(count);
    const auto text = base::read_file(path_);
    if (!text) return done;
    const auto lines = base::split(*text, '\n');
    if (lines.empty() || lines[0] != head_) return done;
    kept_ = true;
    for (std::size_t i = 1; i < lines.size(); ++i)
      if (const std::uint64_t at = number(lines[i]); !lines[i].empty() && at < count)
        done[at] = true;
    return done;
  }
  Status begin() {
    if (!kept_) TRY(base::remove_tree(path_));
    TRY_ASSIGN(file_, base::AppendFile::open(path_));
    return kept_ ? Status() : file_->append(head_ + "\n");
  }
  Status add(std::size_t chunk) {
    const std::lock_guard lock(mutex_);
    return file_->append(std::to_string(chunk) + "\n");
  }
  void end() {
    file_.reset();
    static_cast<void>(base::remove_tree(path_));
  }

 private:
  const std::string path_, head_;
  bool kept_ = false;
  std::mutex mutex_;
  std::optional<base::AppendFile> file_;
};

}  // namespace

struct Download::Part {
  std::size_t file = 0, chunk = 0;
  std::uint64_t begin = 0, end = 0;
};

Status check_status(int status, const std::string& name) {
  if (status >= 200 && status < 300) return {};
  const std::string what = name + " (" + std::to_string(status) + ")";
  if (status == 401 || status == 403)
    return fail(Code::kPermissionDenied, "the source refuses to be read: " + what,
                "name its credentials with secret=NAME");
  if (status == 404 || status == 410)
    return fail(Code::kNotFound, "the source is not there: " + what);
  if (status == 408 || status == 429 || status >= 500)
    return fail(Code::kUnavailable, "the source cannot answer now: " + what, "try again later");
  return fail(Code::kInvalidArgument, "the source gives an unexpected answer: " + what);
}

bool passes_by(const base::Error& error) {
  return error.code == Code::kUnavailable || error.code == Code::kDeadlineExceeded;
}

Status Download::again(const Status& failed, int tries, base::Context& context) {
  if (!passes_by(failed.error()) || tries >= kTries) return failed;
  ++meter_.retries;
  return pause(context, std::min(kLongestPauseMs, kFirstPauseMs << tries));
}

Status Download::look(RemoteFile& file, base::Context& context) {
  for (int tries = 0;; ++tries) {
    http::ClientRequest request;
    request.url = file.url;
    request.headers.set("Range", "bytes=0-0");
    request.stall_timeout_ms = kStallMs;
    complete_(request);
    bool enough = false;
    request.on_head = [&](int status, const http::Headers& headers) -> Status {
      if (status == 416) {  // nothing in it
        file.size = 0;
        enough = true;
        return fail(Code::kCancelled, "");
      }
      TRY(check_status(status, file.name));
      file.etag = headers.get("ETag");
      file.changed = headers.get("Last-Modified");
      file.type = base::to_lower_ascii(headers.get("Content-Type"));
      std::uint64_t first = 0;
      file.ranges = status == 206 &&
                    read_content_range(headers.get("Content-Range"), first, file.size) &&
                    file.size > 0;
      if (!file.ranges) file.size = number(headers.get("Content-Length"));
      enough = true;
      // The whole file would follow: it is asked for again when it is read.
      return status == 206 ? Status() : fail(Code::kCancelled, "");
    };
    const auto answer = client_.send(request);
    if (enough) return {};
    if (answer) return check_status(answer->status, file.name);
    TRY(again(tl::unexpected(answer.error()), tries, context));
  }
}

// [begin + done, end) of the file; `done` counts what was written, also when it fails.
Status Download::once(const RemoteFile& file, int handle, std::uint64_t begin, std::uint64_t end,
                      std::uint64_t& done, base::Context& context) {
  http::ClientRequest request;
  request.url = file.url;
  request.timeout_ms = 0;
  request.stall_timeout_ms = kStallMs;
  const bool ranged = file.ranges;
  if (ranged) {
    request.headers.set("Range",
                        "bytes=" + std::to_string(begin + done) + "-" + std::to_string(end - 1));
    if (!file.etag.empty() && !file.etag.starts_with("W/"))
      request.headers.set("If-Match", file.etag);
  }
  complete_(request);
  request.on_head = [&](int status, const http::Headers& headers) -> Status {
    if (status == 412 || status == 416) return changed(file);
    if (status == 404 || status == 410)
      return fail(Code::kAborted, "the source disappeared while it was read: " + file.name);
    TRY(check_status(status, file.name));
    if (!file.etag.empty() && headers.get("ETag") != file.etag) return changed(file);
    if (file.etag.empty() && headers.get("Last-Modified") != file.changed) return changed(file);
    if (!ranged) return {};
    std::uint64_t first = 0, size = 0;
    if (status != 206 || !read_content_range(headers.get("Content-Range"), first, size) ||
        first != begin + done || size != file.size)
      return changed(file);
    return {};
  };
  std::int64_t outside_ns = 0;
  request.on_body = [&](std::string_view bytes) -> Status {
    const std::int64_t begin_ns = settings_.clock->monotonic_ns();
    TRY(context.alive());
    if (ranged && begin + done + bytes.size() > end) return changed(file);
    TRY(write_at(handle, bytes, begin + done));
    done += bytes.size();
    meter_.bytes += bytes.size();
    outside_ns += settings_.clock->monotonic_ns() - begin_ns;
    return {};
  };
  const std::int64_t begin_ns = settings_.clock->monotonic_ns();
  const auto answer = client_.send(request);
  meter_.consumer_wait_ns += outside_ns;
  meter_.source_wait_ns += settings_.clock->monotonic_ns() - begin_ns - outside_ns;
  if (!answer) return tl::unexpected(answer.error());
  if (ranged && begin + done != end)
    return fail(Code::kUnavailable, "the answer ended early: " + file.name);
  return {};
}

Status Download::fetch_part(const RemoteFile& file, Part& part, base::Context& context) {
  Handle handle{::open(file.path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)};
  if (handle.fd < 0) return fail(Code::kInternal, "cannot write a temporary file: " + file.path);
  std::uint64_t done = 0;
  for (int tries = 0;; ++tries) {
    const std::uint64_t before = done;
    const Status status = once(file, handle.fd, part.begin, part.end, done, context);
    if (status) return status;
    if (done > before) tries = 0;
    TRY(again(status, tries, context));
  }
}

Status Download::fetch_whole(const RemoteFile& file, base::Context& context) {
  for (int tries = 0;; ++tries) {
    Handle handle{::open(file.path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
    if (handle.fd < 0) return fail(Code::kInternal, "cannot write a temporary file: " + file.path);
    std::uint64_t done = 0;
    const Status status = once(file, handle.fd, 0, 0, done, context);
    if (status) return status;
    meter_.bytes -= done;
    // Without a word of the server on its state, a second try might be of another one; from its beginning that is still one state.
    TRY(again(status, tries, context));
  }
}

Status Download::fetch(const std::vector<RemoteFile>& files, base::Context& context) {
  std::vector<Part> parts;
  std::vector<std::unique_ptr<Progress>> progress(files.size());
  for (std::size_t i = 0; i < files.size(); ++i) {
    const RemoteFile& file = files[i];
    if (!file.ranges) {
      parts.push_back({i, 0, 0, 0});
      continue;
    }
    const std::size_t count =
        static_cast<std::size_t>((file.size + settings_.chunk_bytes - 1) / settings_.chunk_bytes);
    progress[i] = std::make_unique<Progress>(file, settings_.chunk_bytes);
    const std::vector<bool> done = progress[i]->load(file.mark().empty() ? 0 : count);
    TRY(progress[i]->begin());
    for (std::size_t chunk = 0; chunk < count; ++chunk) {
      if (chunk < done.size() && done[chunk]) continue;
      const std::uint64_t begin = chunk * settings_.chunk_bytes;
      parts.push_back({i, chunk, begin, std::min(file.size, begin + settings_.chunk_bytes)});
    }
  }
  TRY(in_parallel(parts.size(), settings_.parallel, context,
                  [&](std::size_t at, base::Context& own) -> Status {
                    Part& part = parts[at];
                    const RemoteFile& file = files[part.file];
                    if (!file.ranges) return fetch_whole(file, own);
                    TRY(fetch_part(file, part, own));
                    return progress[part.file]->add(part.chunk);
                  }));
  for (std::size_t i = 0; i < files.size(); ++i) {
    ++meter_.objects;
    if (progress[i] != nullptr) progress[i]->end();
    TRY_ASSIGN(const std::uint64_t size, base::file_size(files[i].path));
    if (files[i].ranges && size != files[i].size) return changed(files[i]);
  }
  return {};
}

}  // namespace maru::connect
