#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "maru/base/context.h"
#include "maru/base/result.h"
#include "maru/connect/source.h"
#include "maru/http/client.h"

namespace maru::connect {

// One file of a web server or an object store, pinned to the state it was first seen in.
struct RemoteFile {
  std::string url;
  std::string name;           // for people
  std::string etag, changed;  // as the server says them; both empty: it says neither
  std::string type;           // Content-Type
  std::uint64_t size = 0;
  bool ranges = false;  // the server gives parts of it
  std::string path;     // where it goes
  std::string mark() const { return etag.empty() ? changed : etag; }
};

// Answers 404, 403, 5xx ... as errors about `name`; fine for 2xx.
base::Status check_status(int status, const std::string& name);
// Whether asking again may help.
bool passes_by(const base::Error& error);

// Copies remote files to local ones: in chunks by several connections where the server gives ranges, each taken up again where it broke; else as one
// stream, from its beginning again when it broke. Every answer must be of the pinned state: kAborted when the source changed or disappeared.
class Download {
 public:
  // Makes a request complete: credentials, a signature. Called for each try.
  using Complete = std::function<void(http::ClientRequest&)>;
  Download(http::Client& client, const SourceSettings& settings, SourceMeter& meter,
           Complete complete)
      : client_(client), settings_(settings), meter_(meter), complete_(std::move(complete)) {}

  // Asks for the first byte: fills in what the server says of the file.
  base::Status look(RemoteFile& file, base::Context& context);
  base::Status fetch(const std::vector<RemoteFile>& files, base::Context& context);

 private:
  struct Part;
  base::Status fetch_part(const RemoteFile& file, Part& part, base::Context& context);
  base::Status fetch_whole(const RemoteFile& file, base::Context& context);
  base::Status once(const RemoteFile& file, int handle, std::uint64_t begin, std::uint64_t end,
                    std::uint64_t& done, base::Context& context);
  base::Status again(const base::Status& failed, int tries, base::Context& context);

  http::Client& client_;
  const SourceSettings& settings_;
  SourceMeter& meter_;
  Complete complete_;
};

}  // namespace maru::connect
