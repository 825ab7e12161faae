#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "maru/base/context.h"
#include "maru/base/json.h"
#include "maru/base/seal.h"
#include "maru/connect/importer.h"
#include "maru/connect/secrets.h"
#include "maru/connect/stream.h"
#include "maru/data/dataset.h"
#include "maru/data/retention.h"
#include "maru/http/router.h"
#include "maru/http/sse.h"
#include "maru/monitor/monitor.h"
#include "maru/pipeline/pipeline.h"
#include "maru/serve/serve.h"
#include "maru/tracking/tracking.h"

namespace maru::api {

// What the routes work on; owned by the app, alive as long as the router. The functions are the learning rooms seen through the app.
struct Services {
  data::Engine* engine = nullptr;
  data::Datasets* datasets = nullptr;
  data::Retention* retention = nullptr;
  connect::Importer* importer = nullptr;
  connect::Secrets* secrets = nullptr;
  connect::Streams* streams = nullptr;
  tracking::Tracking* tracking = nullptr;
  pipeline::Scheduler* scheduler = nullptr;
  pipeline::Scheduling* scheduling = nullptr;
  serve::Server* server = nullptr;
  monitor::Monitor* monitor = nullptr;
  monitor::PredictionLog* log = nullptr;
  http::EventHub* events = nullptr;
  tracking::WebhookSender* webhook_sender = nullptr;  // absent: webhooks cannot be tested
  base::Clock* clock = &base::system_clock();
  const base::SealKey* key = nullptr;  // of the home: hashes and tokens of sensitive values
  std::string home;
  std::string_view
      openapi;         // JSON text that outlives the routes: each route keeps a copy of Services
  base::Json version;  // {version, commit, build, libraries{}}
  std::int64_t started_us = 0;
  double cpu_hour_price = 0;  // cost.cpu-hour
  std::function<bool()> ready;
  // {"yaml", "folder", "trigger", "overrides"{budget_seconds}} -> the id of the submitted run.
  std::function<base::Result<std::string>(const base::Json&, base::Context&)> submit_project;
  std::function<base::Result<base::Json>(const base::Json&, base::Context&)>
      init_project;  // {"sources", "label", "name"} -> {"yaml", "summary"}
  std::function<base::Result<base::Json>(const base::Json&, base::Context&)>
      predict_files;  // {"model", "selector", "sources", "output"}
  // A batch prediction as a pipeline: the body, the pipeline's name, whether it repeats.
  std::function<base::Result<pipeline::PipelineSpec>(const base::Json&, const std::string&, bool)>
      batch_pipeline;
  std::function<base::Result<base::Json>(const base::Json&, base::Context&)>
      import_model;  // {"path", "name", "alias"} -> {"model", "version"}
};

// Adds Maru's own API, Open Inference Protocol v2 (JSON), MLflow scoring and the probes.
void add_routes(http::Router& router, const Services& services);

}  // namespace maru::api
