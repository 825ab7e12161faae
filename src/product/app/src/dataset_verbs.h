#pragma once
#include <functional>
#include <string>
#include <vector>

#include "verbs.h"

namespace CLI {
class App;
}

namespace maru::app {

// What the verbs over the life of datasets, and `maru sql`, can be told.
struct DatasetOptions {
  std::string name, second, tag, text, out, by, stratify, save;
  std::vector<std::string> key, tags, columns, sensitive;
  std::string owner, description, licence;
  std::size_t limit = 20, examples = 5;
  std::uint64_t rows = 10'000, seed = 1;
  std::int64_t timeout_s = 60, keep_last = -1, keep_days = -1;
  bool remove = false, whole_rows = false, csv = false, jsonl = false, append = false, gate = false;
  bool dry_run = false, yes = false, keep_all = false;
  std::string window;
  std::vector<std::string> values;
};

int data_tag(const Invocation& invocation, const DatasetOptions& options);
int data_describe(const Invocation& invocation, const DatasetOptions& options);
int data_search(const Invocation& invocation, const DatasetOptions& options);
int data_log(const Invocation& invocation, const DatasetOptions& options);
int data_diff(const Invocation& invocation, const DatasetOptions& options);
int data_sample(const Invocation& invocation, const DatasetOptions& options);
int data_retention(const Invocation& invocation, const DatasetOptions& options);
int data_gc(const Invocation& invocation, const DatasetOptions& options);
int data_erase(const Invocation& invocation, const DatasetOptions& options);
int sql(const Invocation& invocation, const DatasetOptions& options);

// `maru sql` beside `maru data …`.
void add_datasets(CLI::App& app, CLI::App& data, const Invocation& invocation,
                  DatasetOptions& options, std::function<int()>& verb);

}  // namespace maru::app
