#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "maru/base/clock.h"
#include "maru/base/result.h"
#include "maru/base/seal.h"
#include "maru/store/database.h"

namespace maru::connect {

struct SecretInfo {
  std::string name, host;
  std::int64_t updated_us = 0;
};

// Passwords and keys of sources, by name: sealed where they rest, bound to one host, never given out again but to a source of that host. A name that is
// not kept here may stand in the environment: "prod-db" as MARU_SECRET_PROD_DB. Thread safe.
class Secrets {
 public:
  static base::Result<std::unique_ptr<Secrets>> open(store::Database& db, base::SealKey key,
                                                     base::Clock& clock);
  virtual ~Secrets() = default;
  virtual base::Status put(const std::string& name, const std::string& value,
                           const std::string& host) = 0;
  virtual base::Result<std::vector<SecretInfo>> list() = 0;
  virtual base::Status remove(const std::string& name) = 0;
  // kNotFound with near names; kPermissionDenied when it is for another host.
  virtual base::Result<std::string> value(const std::string& name, const std::string& host) = 0;
};

}  // namespace maru::connect
