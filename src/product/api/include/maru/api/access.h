#pragma once
#include <memory>
#include <string>
#include <vector>

#include "maru/base/context.h"
#include "maru/http/message.h"
#include "maru/http/router.h"
#include "maru/tracking/tracking.h"

namespace maru::api {

struct TokenInfo {
  std::string name, role;
  std::int64_t created_us = 0, expires_us = 0;  // 0: never
};

// Who may call. A caller on loopback without a token is the local admin as long as `trust_loopback`; anyone else needs `Authorization: Bearer maru_...`.
// Tokens are 256 random bits, kept as their SHA-256, shown once. Thread safe; authenticate() takes no lock that waits.
class Access {
 public:
  static base::Result<std::unique_ptr<Access>> open(tracking::Tracking& tracking,
                                                    base::Clock& clock, bool trust_loopback);
  virtual ~Access() = default;
  virtual base::Result<base::Principal> authenticate(const http::Request& request) const = 0;
  virtual base::Result<std::string> create(const std::string& name, base::Role role,
                                           std::int64_t expires_us) = 0;  // the token's text
  virtual base::Status revoke(const std::string& name) = 0;
  virtual std::vector<TokenInfo> list() const = 0;
};

base::Result<base::Role> parse_role(std::string_view name);
std::string_view role_name(base::Role role);
void add_token_routes(http::Router& router, Access& access);

}  // namespace maru::api
