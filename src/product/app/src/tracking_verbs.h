#pragma once
#include <string>
#include <vector>

#include "verbs.h"

namespace CLI {
class App;
}

namespace maru::app {

// What the verbs of `experiment`, `runs`, `artifact` and `tracking` can be told.
struct TrackingOptions {
  std::string name, second;
  std::vector<std::string> names;
  std::string filter, output, kind, artifact_root, format = "mlruns";
  std::vector<std::string> order_by, columns;
  std::size_t limit = 20;
  std::int64_t days = 0;
  bool deleted = false, all = false;
};

int experiment_list(const Invocation& invocation, const TrackingOptions& options);
int experiment_show(const Invocation& invocation, const TrackingOptions& options);
int experiment_create(const Invocation& invocation, const TrackingOptions& options);
int experiment_rename(const Invocation& invocation, const TrackingOptions& options);
int experiment_change(const Invocation& invocation, const TrackingOptions& options,
                      const std::string& what);  // "delete" | "restore"

int runs_list(const Invocation& invocation, const TrackingOptions& options);
int runs_show(const Invocation& invocation, const TrackingOptions& options);
int runs_compare(const Invocation& invocation, const TrackingOptions& options);
int runs_change(const Invocation& invocation, const TrackingOptions& options,
                const std::string& what);  // "delete" | "restore"
int runs_export(const Invocation& invocation, const TrackingOptions& options);

int artifact_list(const Invocation& invocation, const TrackingOptions& options);
int artifact_get(const Invocation& invocation, const TrackingOptions& options);
int artifact_put(const Invocation& invocation, const TrackingOptions& options);

int tracking_import(const Invocation& invocation, const TrackingOptions& options);
int trash_list(const Invocation& invocation, const TrackingOptions& options);
int trash_restore(const Invocation& invocation, const TrackingOptions& options);
int trash_empty(const Invocation& invocation, const TrackingOptions& options);
int tracking_export(const Invocation& invocation, const TrackingOptions& options);

// Names them on the command line. `verb` receives what the line chose.
void add_tracking(CLI::App& app, const Invocation& invocation, TrackingOptions& options,
                  std::function<int()>& verb);

}  // namespace maru::app
