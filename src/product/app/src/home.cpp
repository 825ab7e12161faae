#include "maru/app/home.h"

#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <future>
#include <mutex>
#include <optional>
#include <thread>

#include "maru/api/access.h"
#include "maru/api/api.h"
#include "maru/api_grpc/services.h"
#include "maru/base/file.h"
#include "maru/base/log.h"
#include "maru/blob/blob_store.h"
#include "maru/connect/importer.h"
#include "maru/connect/secrets.h"
#include "maru/connect/stream.h"
#include "maru/data/dataset.h"
#include "maru/data/retention.h"
#include "maru/executor/executor.h"
#include "maru/http/sse.h"
#include "maru/monitor/monitor.h"
#include "maru/pipeline/pipeline.h"
#include "maru/serve/serve.h"
#include "maru/steps/batch.h"
#include "maru/store/database.h"
#include "maru/tracking/tracking.h"
#include "project_runs.h"
#include "registry_source.h"
#include "webhook_sender.h"

extern "C" const char maru_openapi_begin[];
extern "C" const char maru_openapi_end[];

namespace maru::app {
namespace {

using base::Json;

constexpr const char* kProject = "default";
constexpr std::int64_t kTimerMs = 1000;
constexpr int kMonitorEveryTicks = 5;
constexpr int kTrashEveryTicks = 3600;
constexpr int kCompactEveryTicks = 10;
constexpr std::chrono::seconds kEndpointLoadWait{5};
constexpr std::size_t kParallelTasks = 2;  // of pipelines; imports and profiles run beside

}  // namespace

struct Home::Impl {
  explicit Impl(const HomeOptions& given) : options(given) {}
  HomeOptions options;
  base::Clock& clock = base::system_clock();
  std::optional<base::FileLock> lock;
  std::unique_ptr<store::Database> db;
  std::unique_ptr<blob::BlobStore> blobs;
  std::unique_ptr<data::Engine> engine;
  std::unique_ptr<data::Datasets> datasets;
  std::unique_ptr<connect::Secrets> secrets;
  std::unique_ptr<connect::Importer> importer;
  std::unique_ptr<connect::Streams> streams;
  base::SealKey key;
  std::unique_ptr<tracking::Tracking> tracking;
  std::unique_ptr<data::Retention> retention;
  std::unique_ptr<api::Access> access;
  http::EventHub events;
  base::Pool serve_pool{{"serve", options.serve_threads, options.pool_queue}};
  base::Pool blocking_pool{{"blocking", options.blocking_threads, options.pool_queue}};
  base::Pool work_pool{{"work", options.work_threads, options.pool_queue}};
  base::Pool waiting_pool{{"waiting", options.waiting_threads, options.pool_queue}};
  // A model that takes minutes to load, or hangs, must not keep others from loading.
  base::Pool loader_pool{{"loader", 4, 4096}};
  std::unique_ptr<monitor::PredictionLog> log;
  std::unique_ptr<RegistrySource> source;
  std::unique_ptr<LogSink> sink;
  std::unique_ptr<LogRehearsal> rehearsal;
  std::unique_ptr<DatasetFeatures> features;
  std::unique_ptr<serve::Server> server;
  std::unique_ptr<monitor::Monitor> monitor;
  std::unique_ptr<executor::InProcessExecutor> in_process;
  std::unique_ptr<executor::SubprocessExecutor> subprocess;
  executor::ExecutorSet executors;
  std::unique_ptr<pipeline::Scheduler> scheduler;
  std::unique_ptr<pipeline::Scheduling> scheduling;
  std::unique_ptr<ProjectRuns> projects;
  http::Router router;
  http::RpcRouter rpc_router;
  std::atomic<bool> ready{false};
  std::atomic<bool> compacting{false};
  std::atomic<bool> serving{false};  // started as a server, not for one verb
  std::int64_t started_us = 0;

  std::unique_ptr<tracking::WebhookSender> webhook_sender;
  std::unique_ptr<tracking::WebhookWorker> webhook_worker;

  std::mutex timer_mutex;
  std::condition_variable timer_wake;
  bool stopping = false;
  std::jthread timer;

  std::string path(const char* name) const { return base::join_path(options.folder, name); }
  base::Status make_folders();
  base::Status open_storage();
  base::Status open_retention();
  base::Status open_operation();
  base::Status open_pipelines();
  void wire_routes();
  void load_endpoint(const std::string& name, const Json& value);
  void load_endpoints();
  void tick(int number);
  base::Status follow(const serve::RouteDecision& decision);
  void empty_trash();
  void compact_datasets();
  void run_timer();
  steps::Services step_services();
};

base::Status Home::Impl::make_folders() {
  const bool fresh = !base::path_exists(options.folder);
  TRY(base::make_folders(options.folder));
  if (fresh && ::chmod(options.folder.c_str(), 0700) != 0)
    return base::fail(base::Code::kPermissionDenied,
                      "home cannot be made private: " + options.folder);
  auto held = base::FileLock::acquire(path("lock"));
  if (!held)
    return base::wrap(held.error(), "home is in use: " + options.folder,
                      "talk to the running server, or choose another --home");
  lock.emplace(std::move(*held));
  for (const char* name : {"blobs", "predictions", "logs", "tmp", "models", "work", "secrets"})
    TRY(base::make_folders(path(name)));
  return {};
}

base::Status Home::Impl::open_storage() {
  store::DatabaseOptions database;
  database.path = path("maru.db");
  database.group_window_us = options.group_window_us;
  TRY_ASSIGN(db, store::Database::open(database));
  TRY_ASSIGN(blobs, blob::BlobStore::open_local(path("blobs")));
  data::EngineOptions engine_options;
  engine_options.temp_folder = path("tmp");
  engine_options.threads = options.train_threads;
  TRY_ASSIGN(engine, data::Engine::open(engine_options));
  TRY_ASSIGN(datasets, data::Datasets::open(*db, *blobs, *engine, clock));
  TRY_ASSIGN(key, base::SealKey::open(path("secrets/key")));
  TRY_ASSIGN(secrets, connect::Secrets::open(*db, key, clock));
  connect::Importer::Options imports;
  imports.datasets = datasets.get();
  imports.folder = path("tmp");
  imports.settings.egress.allowed_hosts = options.source_hosts;
  imports.settings.clock = &clock;
  imports.settings.secret = [this](const std::string& name, const std::string& host) {
    return secrets->value(name, host);
  };
  imports.settings.environment = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  connect::Streams::Options stream_options;
  stream_options.db = db.get();
  stream_options.datasets = datasets.get();
  stream_options.settings = imports.settings;
  stream_options.clock = &clock;
  stream_options.on_batch = [this](const connect::StreamStatus& status) {
    events.publish("project:" + status.spec.project, R"({"type":"changed","kind":"dataset"})");
  };
  importer = std::make_unique<connect::Importer>(std::move(imports));
  TRY_ASSIGN(streams, connect::Streams::open(std::move(stream_options)));
  TRY_ASSIGN(tracking, tracking::Tracking::open(*db, *blobs, clock, key));
  datasets->set_read_sink([this](const data::SnapshotRead& read) {
    const std::string times = read.times > 1 ? " x" + std::to_string(read.times) : "";
    return tracking->audit(
        {clock.now_us(), read.principal, "dataset.read", read.snapshot, read.how + times});
  });
  TRY_ASSIGN(access, api::Access::open(*tracking, clock, options.trust_loopback));
  return {};
}

base::Status Home::Impl::open_retention() {
  const auto referrers =
      [this](const data::Snapshot& snapshot) -> base::Result<std::vector<std::string>> {
    std::vector<std::string> out;
    TRY_ASSIGN(const auto models, tracking->registry().list_models(snapshot.project));
    for (const auto& model : models) {
      for (const auto& version : model.versions)
        if (version.snapshot == snapshot.id)
          out.push_back("model " + version.model + "/" + std::to_string(version.version));
    }
    return out;
  };
  TRY_ASSIGN(retention, data::Retention::open(*db, *blobs, *engine, *datasets, clock, referrers,
                                              [this](const std::string& sha256) {
                                                return tracking->trash().uses(sha256);
                                              }));
  return {};
}

base::Status Home::Impl::open_operation() {
  monitor::PredictionLog::Options log_options;
  log_options.folder = path("predictions");
  log_options.engine = engine.get();
  TRY_ASSIGN(log, monitor::PredictionLog::open(log_options));
  source = std::make_unique<RegistrySource>(*tracking, path("models"), kProject);
  sink = std::make_unique<LogSink>(*log);
  rehearsal = std::make_unique<LogRehearsal>(*log, clock);
  serve::Server::Options server_options;
  server_options.source = source.get();
  server_options.sink = sink.get();
  server_options.rehearsal = rehearsal.get();
  features = std::make_unique<DatasetFeatures>(*datasets);
  server_options.features = features.get();
  server_options.loader = &loader_pool;
  server_options.compute = &serve_pool;
  server_options.waiting = &waiting_pool;
  server_options.memory_bytes = options.serve_memory_bytes;
  server_options.cores = std::max(1u, std::thread::hardware_concurrency());
  server_options.db = db.get();
  server_options.load = [python = options.python](const std::string& folder) {
    return model::load_model(folder, python);
  };
  server_options.on_decision = [this](const serve::RouteDecision& decision) {
    if (auto followed = follow(decision); !followed)
      base::log_error("a route's decision could not be followed",
                      {{"endpoint", decision.config.name}, {"error", followed.error().text()}});
  };
  server = std::make_unique<serve::Server>(server_options);
  monitor::Monitor::Options monitor_options;
  monitor_options.db = db.get();
  monitor_options.log = log.get();
  monitor_options.on_alert = [this](const monitor::Alert& alert) {
    base::log_warn(
        "alert", {{"endpoint", alert.endpoint}, {"kind", alert.kind}, {"message", alert.message}});
    events.publish("endpoint:" + alert.endpoint, R"({"type":"alert"})");
    events.publish("project:" + alert.project, R"({"type":"changed","kind":"alert"})");
  };
  monitor_options.retrain = [this](const monitor::MonitorConfig& config, const std::string& why) {
    return projects->retrain(config.project, config.endpoint, why);
  };
  TRY_ASSIGN(monitor, monitor::Monitor::open(monitor_options));
  return {};
}

steps::Services Home::Impl::step_services() {
  steps::Services out;
  out.engine = engine.get();
  out.datasets = datasets.get();
  out.importer = importer.get();
  out.tracking = tracking.get();
  out.server = server.get();
  out.monitor = monitor.get();
  out.clock = &clock;
  out.train_threads = options.train_threads;
  out.serving = &serving;
  out.cpu_hour_price = options.cpu_hour_price;
  out.load = [python = options.python](const std::string& folder) {
    return model::load_model(folder, python);
  };
  return out;
}

base::Status Home::Impl::open_pipelines() {
  in_process = std::make_unique<executor::InProcessExecutor>(work_pool);
  subprocess = std::make_unique<executor::SubprocessExecutor>(work_pool);
  for (auto& step : steps::all_steps(step_services()))
    in_process->add(step.kind, step.version, std::move(step.function));
  executors.add(*in_process);
  executors.add(*subprocess);
  pipeline::SchedulerOptions scheduler_options;
  scheduler_options.work_folder = path("work");
  scheduler_options.parallel_tasks = kParallelTasks;
  scheduler_options.on_change = [this](const pipeline::Run& run) {
    events.publish("run:" + run.id, R"({"type":"changed"})");
    events.publish("pipeline:" + run.pipeline, R"({"type":"changed"})");
    events.publish("project:" + run.project, R"({"type":"changed","kind":"run"})");
  };
  TRY_ASSIGN(scheduler, pipeline::Scheduler::open(*db, executors, clock, scheduler_options));
  TRY_ASSIGN(scheduling, pipeline::Scheduling::open(*db, *scheduler, clock));
  projects = std::make_unique<ProjectRuns>(step_services(), *scheduler, *scheduling, path("tmp"),
                                           options.python);
  return {};
}

void Home::Impl::wire_routes() {
  api::Services s;
  s.engine = engine.get();
  s.datasets = datasets.get();
  s.retention = retention.get();
  s.importer = importer.get();
  s.secrets = secrets.get();
  s.streams = streams.get();
  s.tracking = tracking.get();
  s.scheduler = scheduler.get();
  s.scheduling = scheduling.get();
  s.server = server.get();
  s.monitor = monitor.get();
  s.log = log.get();
  s.events = &events;
  s.webhook_sender = webhook_sender.get();
  s.key = &key;
  s.home = options.folder;
  s.openapi = std::string_view(maru_openapi_begin,
                               static_cast<std::size_t>(maru_openapi_end - maru_openapi_begin));
  s.version = version_json();
  s.started_us = started_us;
  s.cpu_hour_price = options.cpu_hour_price;
  s.ready = [this] { return ready.load(); };
  s.submit_project = [this](const Json& body, base::Context& context) {
    return projects->submit(body, context);
  };
  s.init_project = [this](const Json& body, base::Context& context) {
    return projects->init(body, context);
  };
  s.predict_files = [this](const Json& body, base::Context& context) {
    return projects->predict(body, context);
  };
  s.batch_pipeline = [services = step_services()](const Json& body, const std::string& name,
                                                  bool repeats) {
    return steps::batch_pipeline(services, body, name, repeats);
  };
  s.import_model = [this](const Json& body, base::Context& context) {
    return projects->import_model(body, context);
  };
  api::add_routes(router, s);
  api::add_token_routes(router, *access);
  add_web_routes(router);
  api_grpc::add_services(rpc_router, router, s);
}

// One that takes long goes on loading while the next ones do.
void Home::Impl::load_endpoint(const std::string& name, const Json& value) {
  auto loaded = std::make_shared<std::promise<void>>();
  auto waited = loaded->get_future();
  const auto load = [this, name, value, loaded] {
    auto config = serve::EndpointConfig::from_json(value);
    const base::Status done = config ? server->put_endpoint(*config)
                                     : base::Status(tl::unexpected<base::Error>(config.error()));
    if (!done)
      base::log_error("endpoint could not be loaded",
                      {{"endpoint", name}, {"error", done.error().text()}});
    loaded->set_value();
  };
  if (!work_pool.submit(load)) load();
  if (waited.wait_for(kEndpointLoadWait) != std::future_status::ready)
    base::log_warn("endpoint takes long to load; it will serve when it has", {{"endpoint", name}});
}

void Home::Impl::load_endpoints() {
  auto documents = tracking->list_documents(kProject, "endpoint");
  if (documents) {
    for (const auto& [name, value] : *documents) load_endpoint(name, value);
  } else {
    base::log_error("endpoints could not be listed", {{"error", documents.error().text()}});
  }
  ready.store(true);
  ready.notify_all();
}

void Home::Impl::tick(int number) {
  if (auto fired = scheduling->tick(); !fired)
    base::log_error("schedules could not be ticked", {{"error", fired.error().text()}});
  server->tick();
  for (const auto& status : server->list()) {
    const auto& latency = status.latency;
    const Json event = Json::object({{"type", "traffic"},
                                     {"per_second", latency.per_second},
                                     {"p50_us", latency.p50_us},
                                     {"p99_us", latency.p99_us},
                                     {"requests", static_cast<std::int64_t>(latency.count)},
                                     {"errors", static_cast<std::int64_t>(latency.errors)}});
    events.publish("endpoint:" + status.config.name, event.dump());
  }
  if (number % kTrashEveryTicks == 0) empty_trash();
  if (number % kCompactEveryTicks == 0) compact_datasets();
  if (number % kMonitorEveryTicks != 0) return;
  auto watched = monitor->watched(kProject);
  if (!watched) return;
  for (const auto& config : *watched) {
    if (auto done = monitor->evaluate(config.endpoint); !done)
      base::log_error("endpoint could not be watched",
                      {{"endpoint", config.endpoint}, {"error", done.error().text()}});
  }
}

// A canary moved by itself: it is noted, pages hear of it, and one that reached its end becomes the champion.
base::Status Home::Impl::follow(const serve::RouteDecision& decision) {
  using Kind = serve::RouteDecision::Kind;
  serve::EndpointConfig config = decision.config;
  tracking::AuditEntry entry;
  entry.time_us = clock.now_us();
  entry.principal = "maru";
  entry.action = decision.kind == Kind::kStep      ? "canary.step"
                 : decision.kind == Kind::kPromote ? "canary.done"
                                                   : "canary.rollback";
  entry.object = config.name;
  entry.detail = "v" + std::to_string(decision.version) +
                 (decision.reason.empty() ? "" : ": " + decision.reason);
  TRY(tracking->audit(entry));
  if (decision.move_alias) {
    TRY(tracking->registry().set_alias(config.project, config.model, "champion", decision.version,
                                       "canary passed its steps on endpoint " + config.name,
                                       "maru"));
    Json route;  // the champion's again; what belongs to callers stays
    for (const char* kept : {"sticky", "shadow"})
      if (!config.route[kept].is_null()) route.set(kept, config.route[kept]);
    config.route = std::move(route);
    TRY(tracking->put_document(config.project, "endpoint", config.name, config.to_json()));
    TRY(server->put_endpoint(config));
    TRY(server->refresh(config.model));
    events.publish("model:" + config.model, R"({"type":"changed"})");
  }
  events.publish("endpoint:" + config.name, R"({"type":"changed"})");
  events.publish("project:" + config.project, R"({"type":"changed","kind":"endpoint"})");
  return {};
}

// What was deleted 30 days ago goes for good; a full pool means: in an hour again.
void Home::Impl::empty_trash() {
  const base::Status queued = blocking_pool.submit([this] {
    const auto emptied = tracking->trash().empty(
        clock.now_us() - tracking::Trash::kKeepUs,
        [this](const std::string& sha256) { return datasets->uses(sha256); });
    if (!emptied)
      base::log_warn("the trash could not be emptied", {{"reason", emptied.error().text()}});
    base::Context context;
    if (const auto kept = retention->collect(kProject, "", false, context); !kept)
      base::log_warn("retention could not be applied", {{"reason", kept.error().text()}});
  });
  if (const auto told = datasets->flush_reads(); !told)
    base::log_warn("reads of datasets could not be noted", {{"reason", told.error().text()}});
  if (!queued) base::log_warn("the trash waits", {{"reason", queued.error().text()}});
}

// The small parts that appends leave become larger ones; a full pool means: at the next tick again.
void Home::Impl::compact_datasets() {
  if (compacting.exchange(true)) return;
  const base::Status queued = work_pool.submit([this] {
    base::Context context;
    if (const auto done = datasets->compact_ragged(context); !done)
      base::log_warn("appended parts could not be merged", {{"reason", done.error().text()}});
    compacting.store(false);
  });
  if (!queued) compacting.store(false);
}

void Home::Impl::run_timer() {
  for (int number = 1;; ++number) {
    {
      std::unique_lock lock_timer(timer_mutex);
      if (timer_wake.wait_for(lock_timer, std::chrono::milliseconds(kTimerMs),
                              [this] { return stopping; }))
        return;
    }
    tick(number);
  }
}

Home::Home(Key, const HomeOptions& options) : impl_(std::make_unique<Impl>(options)) {}

base::Result<std::unique_ptr<Home>> Home::open(const HomeOptions& options) {
  auto home = std::make_unique<Home>(Key{}, options);
  Impl& impl = *home->impl_;
  impl.started_us = impl.clock.now_us();
  ::umask(0077);
  TRY(impl.make_folders());
  TRY(impl.open_storage());
  TRY(impl.open_retention());
  TRY(impl.open_operation());
  TRY(impl.open_pipelines());
  impl.webhook_sender = make_webhook_sender(options.webhook_hosts);
  impl.wire_routes();
  return home;
}

void Home::start(Background background) {
  Impl& impl = *impl_;
  if (background == Background::kVerb) return impl.load_endpoints();
  impl.serving.store(true);
  const base::Status queued = impl.blocking_pool.submit([&impl] {
    impl.load_endpoints();
    if (auto resumed = impl.scheduler->resume(); !resumed)
      base::log_error("runs could not be resumed", {{"error", resumed.error().text()}});
  });
  if (!queued)
    base::log_error("background work could not start", {{"error", queued.error().text()}});
  impl.webhook_worker = std::make_unique<tracking::WebhookWorker>(
      impl.tracking->webhooks(), make_webhook_sender(impl.options.webhook_hosts),
      static_cast<std::uint64_t>(impl.started_us));
  impl.streams->run();
  impl.timer = std::jthread([&impl] { impl.run_timer(); });
}

void Home::wait_ready() { impl_->ready.wait(false); }

bool Home::ready() const { return impl_->ready.load(); }

void Home::stop() {
  Impl& impl = *impl_;
  {
    const std::lock_guard lock(impl.timer_mutex);
    if (impl.stopping) return;
    impl.stopping = true;
  }
  impl.timer_wake.notify_all();
  if (impl.timer.joinable()) impl.timer.join();
  if (impl.datasets) static_cast<void>(impl.datasets->flush_reads());
  impl.webhook_worker.reset();
  if (impl.streams) impl.streams->stop_all();
  impl.ready.store(false);
  impl.events.close();
  if (impl.scheduler) impl.scheduler->stop();
  impl.work_pool.drain();
  if (impl.log) {
    if (auto flushed = impl.log->flush(); !flushed)
      base::log_error("prediction log could not be flushed", {{"error", flushed.error().text()}});
  }
}

Home::~Home() {
  stop();
  impl_->blocking_pool.drain();
  impl_->serve_pool.drain();
}

const http::Router& Home::router() const { return impl_->router; }
const http::RpcRouter& Home::rpc_router() const { return impl_->rpc_router; }
http::Authenticate Home::authenticate() const {
  return [this](const http::Request& request) { return impl_->access->authenticate(request); };
}
base::Pool& Home::serve_pool() { return impl_->serve_pool; }
base::Pool& Home::blocking_pool() { return impl_->blocking_pool; }
base::Pool& Home::work_pool() { return impl_->work_pool; }
base::Pool& Home::waiting_pool() { return impl_->waiting_pool; }
std::size_t Home::tokens() const { return impl_->access->list().size(); }
const std::string& Home::folder() const { return impl_->options.folder; }

}  // namespace maru::app
