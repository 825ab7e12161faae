#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "maru/base/context.h"
#include "maru/base/progress.h"
#include "maru/base/result.h"
#include "maru/connect/source.h"
#include "maru/data/dataset.h"

namespace maru::connect {

// How the sources of one import were read.
struct SourceReport {
  std::vector<SourceObject> objects;
  std::uint64_t bytes = 0, rows = 0, retries = 0;
  double seconds = 0;
  double source_wait_seconds = 0;    // summed over the readers
  double consumer_wait_seconds = 0;  // back-pressure: as long readers waited for rows to be written
};

// Imports from paths and addresses alike: what an address names is brought into a folder of its own, given to Datasets::import and removed. The snapshot's
// `source` is the address as shown_address() writes it. A download that broke off is taken up by the next import of the same address within a day. Thread safe.
class Importer {
 public:
  struct Options {
    data::Datasets* datasets = nullptr;
    SourceSettings settings;
    std::string folder;  // scratch, on the disk of the home
  };
  explicit Importer(Options options);
  ~Importer();
  base::Result<data::ImportResult> import(const data::ImportSpec& spec, base::Context& context,
                                          const base::ProgressSink& progress = {},
                                          SourceReport* report = nullptr);
  base::Result<data::ImportResult> append(const data::AppendSpec& spec, base::Context& context,
                                          const base::ProgressSink& progress = {},
                                          SourceReport* report = nullptr);
  // Since the start, by scheme, with the reads that go on: Prometheus' text.
  std::string metrics_text() const;
  const SourceSettings& settings() const;

 private:
  using Take = std::function<base::Result<data::ImportResult>(const data::ImportSpec&)>;
  base::Result<data::ImportResult> bring(const data::ImportSpec& spec, base::Context& context,
                                         const base::ProgressSink& progress, SourceReport* report,
                                         const Take& take);
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace maru::connect
