#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "maru/base/json.h"
#include "maru/base/result.h"
#include "maru/model/model.h"
#include "maru/serve/serve.h"
#include "telemetry.h"

namespace maru::serve {

inline constexpr std::uint64_t kLookupBytes = std::uint64_t{256} << 20;    // unless declared
inline constexpr std::uint64_t kLookupMostBytes = std::uint64_t{8} << 30;  // that may be declared
inline constexpr std::int64_t kLookupCheckUs = 5'000'000;  // how often a new snapshot is looked for

// EndpointConfig::features, docs/serving.md.
struct LookupSpec {
  std::string dataset;  // a selector: "customers", "customers@3"
  std::vector<std::string> key, columns;
  base::Json defaults = base::Json::object();
  bool refuse_missing = false, refuse_stale = false;  // else the defaults
  std::int64_t max_age_us = 0;                        // 0: never stale
  std::uint64_t max_bytes = kLookupBytes;
  static base::Result<LookupSpec> parse(const base::Json& json);
};

// One snapshot by key, in memory. Immutable. The first of two rows with one key counts.
struct FeatureTable {
  std::string snapshot;
  std::int64_t updated_us = 0;
  std::uint64_t rows = 0, bytes = 0;
  model::Signature keys, columns;  // their names and kinds, in the spec's order
  model::InputBatch values;
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };
  std::unordered_map<std::string, std::uint32_t, Hash, std::equal_to<>> index;
};
using FeatureTablePtr = std::shared_ptr<const FeatureTable>;

// The table of one endpoint's lookup, replaced whole when its dataset has a new snapshot. Thread safe.
class Lookup {
 public:
  Lookup(LookupSpec spec, std::string project, FeatureSource* source)
      : spec_(std::move(spec)), project_(std::move(project)), source_(source) {}
  // On a loader thread: reads the newest snapshot unless it is the one at hand. What fails leaves the table; the reason is kept.
  base::Status refresh();
  const LookupSpec& spec() const { return spec_; }
  FeatureTablePtr table() const { return table_.load(std::memory_order_acquire); }
  base::Json report(std::int64_t now_us) const;

  Counter found, missing, stale;      // rows
  std::atomic<bool> checking{false};  // a refresh() waits or runs
  std::atomic<std::int64_t> checked_us{0};

 private:
  base::Result<FeatureTablePtr> read();

  const LookupSpec spec_;
  const std::string project_;
  FeatureSource* const source_;
  std::atomic<FeatureTablePtr> table_;
  mutable std::mutex mutex_;  // of reason_
  std::string reason_;
};

// A lookup as one version uses it: rows may leave out the columns that are looked up, and bring the key.
class LookupView {
 public:
  // kFailedPrecondition when a column does not fit the input of its name, or none does.
  static base::Result<std::shared_ptr<const LookupView>> make(std::shared_ptr<Lookup> lookup,
                                                              const model::Signature& signature);
  const model::Signature& signature() const { return wide_; }  // what callers' rows are read with
  // Fills what is missing and drops the keys that are no inputs. kFailedPrecondition for a key that is not there, kUnavailable for a table that is
  // too old, where the spec refuses those.
  base::Status complete(model::InputBatch& batch, std::int64_t now_us, std::size_t shard) const;
  const std::shared_ptr<Lookup>& lookup() const { return lookup_; }

 private:
  struct Fill {
    std::size_t input = 0, column = 0;
  };
  std::shared_ptr<Lookup> lookup_;
  model::Signature wide_;
  std::size_t inputs_ = 0;  // of the model; the others are keys
  std::vector<std::size_t> keys_;
  std::vector<Fill> fills_;
  model::InputBatch defaults_;  // one row of the columns
};

}  // namespace maru::serve
