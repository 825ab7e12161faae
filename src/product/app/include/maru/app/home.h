#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "maru/base/json.h"
#include "maru/base/pool.h"
#include "maru/base/result.h"
#include "maru/http/router.h"
#include "maru/http/server.h"
#include "maru/model/python.h"

namespace maru::app {

struct HomeOptions {
  std::string folder;  // DESIGN §6; created 0700 when absent
  std::size_t train_threads = 2;
  std::size_t serve_threads = 0;  // 0: one a core
  std::size_t blocking_threads = 8, work_threads = 4;
  std::uint64_t serve_memory_bytes = 0;  // of all models in memory; 0: no cap
  std::size_t waiting_threads = 32;      // calls of models in Python
  model::PythonOptions python = {};
  std::size_t pool_queue = 4096;                // what may wait in each pool
  double cpu_hour_price = 0.04;                 // 0: costs are not told
  std::int64_t group_window_us = 2000;          // how long a commit waits for company
  bool trust_loopback = true;                   // a caller on loopback is the local admin
  std::vector<std::string> source_hosts = {};   // of private addresses, that sources may be at
  std::vector<std::string> webhook_hosts = {};  // of private addresses, that webhooks may call
};

// One home folder, opened and wired: the only place where implementations meet. Holds the folder's lock until destroyed.
//  Thread safe after open().
class Home {
  struct Key {};  // only open() makes one

 public:
  Home(Key, const HomeOptions& options);
  static base::Result<std::unique_ptr<Home>> open(const HomeOptions& options);
  ~Home();

  const http::Router& router() const;
  const http::RpcRouter& rpc_router() const;
  http::Authenticate authenticate() const;
  base::Pool& serve_pool();
  base::Pool& blocking_pool();
  base::Pool& work_pool();
  base::Pool& waiting_pool();
  // Loads endpoints; ready() then turns true. A server also resumes runs and keeps time (schedules, monitors); one verb does not.
  enum class Background { kServer, kVerb };
  void start(Background background);  // returns at once
  bool ready() const;
  void wait_ready();           // returns when the endpoints are loaded
  void stop();                 // flushes and ends background work; idempotent
  std::size_t tokens() const;  // how many access tokens exist
  const std::string& folder() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

base::Json version_json();  // {version, commit, build, libraries{}}
void add_web_routes(http::Router& router);

}  // namespace maru::app
