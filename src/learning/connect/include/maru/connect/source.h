#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "maru/base/context.h"
#include "maru/base/result.h"
#include "maru/http/client.h"

namespace maru::connect {

// What a source gives: one file, object, table or range of a table.
struct SourceObject {
  std::string name;  // for people, without secrets
  std::string
      mark;  // ETag or time of change: what was read is of this state alone; "" when the source has none
  std::uint64_t bytes = 0;  // 0: not known before it is read
  std::uint64_t rows = 0;   // of tables, known when read
  std::string file;         // where it lies once it was read
};

// What a read has done so far; written by its threads, read by anybody.
struct SourceMeter {
  std::atomic<std::uint64_t> bytes{0}, rows{0}, objects{0}, retries{0};
  std::atomic<std::int64_t> source_wait_ns{0};  // readers waited for the source
  std::atomic<std::int64_t> consumer_wait_ns{
      0};  // readers waited for what takes their rows: back-pressure
};

struct SourceSettings {
  http::EgressPolicy egress;  // of http(s):// and s3://
  // The secret of that name, for that host: kNotFound, or kPermissionDenied when it is another host's.
  std::function<base::Result<std::string>(const std::string& name, const std::string& host)> secret;
  // A variable of the environment, "" when absent; replaced in tests.
  std::function<std::string(const char*)> environment;
  std::size_t parallel = 4;  // connections to one source
  std::uint64_t chunk_bytes = 8u << 20;
  base::Clock* clock = &base::system_clock();
};

// Something that data comes from, by its address:
//   sqlite:///file.db?table=t        postgresql://user@host/db?table=t (or ?query=select ...)      mysql://user@host/db?table=t
//   s3://bucket/prefix*.parquet      http(s)://host/file.csv
// Read in parallel where the source allows it, in bounded memory, into files that the data room reads. A source that changes while it is read is
// kAborted, never a mixture of both states. Broken connections are taken up again where they broke. Passwords come from the environment or a named
// secret; no message, mark or name holds one. One thread at a time.
class Source {
 public:
  static base::Result<std::unique_ptr<Source>> open(const std::string& address,
                                                    const SourceSettings& settings);
  virtual ~Source() = default;
  // What there is to read; asks the source.
  virtual base::Result<std::vector<SourceObject>> list(base::Context& context) = 0;
  // Brings all of it into `folder`, in the order of list(). Bytes that lie there from a read that was cut off, of the same mark, are kept.
  virtual base::Result<std::vector<SourceObject>> read(const std::string& folder,
                                                       SourceMeter& meter,
                                                       base::Context& context) = 0;
  // What a reader has to know of how it was read: "`price` is numeric: read as float".
  virtual std::vector<std::string> notes() const { return {}; }
};

// Whether `text` is an address of the kinds above and not a path.
bool is_address(std::string_view text);
// Without passwords, tokens and signatures: what may be stored and shown.
std::string shown_address(std::string_view address);
// A path or an address as seen from `folder`: relative paths, also those of SQLite files (sqlite:///file.db), become absolute.
std::string located(const std::string& text, const std::string& folder);

}  // namespace maru::connect
