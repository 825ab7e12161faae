#pragma once
#include <cstdint>

#include "maru/base/json.h"
#include "maru/base/result.h"

namespace maru::serve {

struct LoadedVersion;

// What a version may cost at most to be safe to serve: EndpointConfig::bounds, docs/serving.md. Measured while it is loaded, before a request reaches it.
struct Bounds {
  std::uint64_t memory_bytes = 0;  // 0: no bound
  std::int64_t p99_us = 0;         // of one call; 0: no bound

  static base::Result<Bounds> parse(const base::Json& json);
  // kRefused with what was measured. A model whose time could not be measured (warm_up.h) has no p99 to refuse.
  base::Status check(const LoadedVersion& version) const;
};

}  // namespace maru::serve
