#pragma once
#include <functional>
#include <memory>
#include <string>

#include "maru/app/home.h"
#include "maru/base/json.h"
#include "maru/base/result.h"
#include "maru/http/client.h"

namespace maru::app {

// Where a CLI verb sends its requests: a running server (named by --server, or found by its home's server.json), else the same router in this process.
// One code path for both. Not thread safe.
class Session {
  struct Key {};  // only open() makes one

 public:
  explicit Session(Key) {}
  static base::Result<std::unique_ptr<Session>> open(const std::string& home,
                                                     const std::string& server_url);
  ~Session();
  base::Result<base::Json> call(http::Method method, const std::string& path,
                                const base::Json& body = {});
  // The answer's bytes into a file, in pieces; how many. The file appears whole or not at all.
  base::Result<std::uint64_t> download(const std::string& path, const std::string& file);
  // The answer's bytes piece by piece; a failure of `sink` ends it.
  using Sink = std::function<base::Status(std::string_view)>;
  base::Status fetch(http::Method method, const std::string& path, const base::Json& body,
                     const Sink& sink);
  base::Result<base::Json> upload(const std::string& path, const std::string& file);  // by PUT
  bool remote() const { return home_ == nullptr; }
  const std::string& url() const { return url_; }

 private:
  base::Result<base::Json> call_server(http::Method method, const std::string& path,
                                       const std::string& body);
  base::Result<base::Json> call_here(http::Method method, const std::string& path,
                                     const std::string& body);
  http::Response answer_here(http::Method method, const std::string& path, std::string body);
  base::Status fetch_here(http::Method method, const std::string& path, const std::string& body,
                          const Sink& sink);
  std::string url_, token_;
  std::unique_ptr<http::Client> client_;
  std::unique_ptr<Home> home_;
};

// The home folder of a verb: --home, else $MARU_HOME, else ~/.maru.
std::string home_folder(const std::string& flag);
// Where the server of a home says how to reach it.
std::string server_file(const std::string& home);

}  // namespace maru::app
