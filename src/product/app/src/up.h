#pragma once
#include <memory>
#include <string>

#include "maru/app/home.h"
#include "maru/base/line_log.h"
#include "verbs.h"

namespace maru::app {

// A home that listens. The server's address stands in <home>/server.json while it runs.
class RunningServer {
  struct Key {};

 public:
  explicit RunningServer(Key) {}
  ~RunningServer();
  static base::Result<std::unique_ptr<RunningServer>> start(const std::string& folder,
                                                            const UpOptions& options);
  const std::string& url() const { return url_; }
  Home& home() { return *home_; }
  void stop();  // readiness off, accept off, drain, flush; idempotent

 private:
  std::unique_ptr<Home> home_;
  std::unique_ptr<base::LineLog> access_log_;  // outlives the server
  std::unique_ptr<http::Server> server_;
  std::string url_, folder_;
};

// Blocks until SIGTERM or SIGINT. block_signals() must have run before any thread was started.
void block_signals();
void wait_for_signal();

}  // namespace maru::app
