#include "maru/api/access.h"

#include <map>
#include <mutex>
#include <shared_mutex>

#include "maru/base/hash.h"
#include "maru/base/rng.h"
#include "maru/base/text.h"
#include "routes.h"

namespace maru::api {
namespace {

using base::Code;

constexpr const char* kKind = "token";
constexpr const char* kProject = "default";
constexpr std::string_view kPrefix = "maru_";

struct Token {
  TokenInfo info;
  base::Role role = base::Role::kNone;
};

bool is_loopback(std::string_view peer) {
  return peer.rfind("127.", 0) == 0 || peer.rfind("[::1]", 0) == 0 || peer.rfind("::1", 0) == 0 ||
         peer.empty();
}

std::string new_token() {
  std::uint8_t bytes[32];
  base::secure_random(bytes);
  return std::string(kPrefix) +
         base::hex(std::string_view(reinterpret_cast<const char*>(bytes), sizeof bytes));
}

class StoredAccess final : public Access {
 public:
  StoredAccess(tracking::Tracking& tracking, base::Clock& clock, bool trust_loopback)
      : tracking_(tracking), clock_(clock), trust_loopback_(trust_loopback) {}

  base::Status load() {
    TRY_ASSIGN(const auto documents, tracking_.list_documents(kProject, kKind));
    for (const auto& [name, value] : documents) {
      TRY_ASSIGN(const base::Role role, parse_role(value["role"].as_string()));
      by_hash_[value["sha256"].as_string()] = {
          {name, value["role"].as_string(), value["created_us"].as_int(),
           value["expires_us"].as_int()},
          role};
    }
    return {};
  }

  base::Result<base::Principal> authenticate(const http::Request& request) const override {
    const std::string_view header = request.headers.get("Authorization");
    if (header.empty()) {
      if (trust_loopback_ && is_loopback(request.peer))
        return base::Principal{"local", base::Role::kAdmin};
      // No principal is not an error yet: public routes answer anyone.
      return base::Principal{"anonymous", base::Role::kNone};
    }
    constexpr std::string_view kBearer = "Bearer ";
    if (header.size() <= kBearer.size() || header.substr(0, kBearer.size()) != kBearer) {
      return base::fail(Code::kUnauthenticated, "Authorization header is not a bearer token",
                        "send `Authorization: Bearer maru_...`");
    }
    const std::string hash = base::sha256_hex(header.substr(kBearer.size()));
    const std::shared_lock lock(mutex_);
    const auto found = by_hash_.find(hash);
    if (found == by_hash_.end())
      return base::fail(Code::kUnauthenticated, "token is not known",
                        "make one with `maru token create NAME --role editor`");
    const Token& token = found->second;
    if (token.info.expires_us != 0 && clock_.now_us() >= token.info.expires_us)
      return base::fail(Code::kUnauthenticated, "token has expired: " + token.info.name);
    return base::Principal{token.info.name, token.role};
  }

  base::Result<std::string> create(const std::string& name, base::Role role,
                                   std::int64_t expires_us) override {
    const std::string text = new_token(), hash = base::sha256_hex(text);
    Token token{{name, std::string(role_name(role)), clock_.now_us(), expires_us}, role};
    const std::unique_lock lock(mutex_);
    for (const auto& [key, existing] : by_hash_) {
      if (existing.info.name == name)
        return base::fail(Code::kAlreadyExists, "a token has this name: " + name,
                          "revoke it first, or choose another name");
    }
    TRY(tracking_.put_document(kProject, kKind, name,
                               Json::object({{"sha256", hash},
                                             {"role", token.info.role},
                                             {"created_us", token.info.created_us},
                                             {"expires_us", expires_us}})));
    by_hash_[hash] = std::move(token);
    return text;
  }

  base::Status revoke(const std::string& name) override {
    const std::unique_lock lock(mutex_);
    for (auto it = by_hash_.begin(); it != by_hash_.end(); ++it) {
      if (it->second.info.name != name) continue;
      TRY(tracking_.remove_document(kProject, kKind, name));
      by_hash_.erase(it);
      return {};
    }
    return base::fail(Code::kNotFound, "no token has this name: " + name);
  }

  std::vector<TokenInfo> list() const override {
    const std::shared_lock lock(mutex_);
    std::vector<TokenInfo> out;
    for (const auto& [hash, token] : by_hash_) out.push_back(token.info);
    return out;
  }

 private:
  tracking::Tracking& tracking_;
  base::Clock& clock_;
  bool trust_loopback_;
  mutable std::shared_mutex mutex_;
  std::map<std::string, Token> by_hash_;
};

}  // namespace

base::Result<std::unique_ptr<Access>> Access::open(tracking::Tracking& tracking, base::Clock& clock,
                                                   bool trust_loopback) {
  auto access = std::make_unique<StoredAccess>(tracking, clock, trust_loopback);
  TRY(access->load());
  return std::unique_ptr<Access>(std::move(access));
}

base::Result<base::Role> parse_role(std::string_view name) {
  for (const auto role :
       {base::Role::kViewer, base::Role::kEditor, base::Role::kOperator, base::Role::kAdmin}) {
    if (role_name(role) == name) return role;
  }
  const std::vector<std::string> known = {"viewer", "editor", "operator", "admin"};
  return base::fail(Code::kInvalidArgument, "unknown role: " + std::string(name),
                    "one of " + base::join(known, ", "));
}

std::string_view role_name(base::Role role) {
  switch (role) {
    case base::Role::kViewer:
      return "viewer";
    case base::Role::kEditor:
      return "editor";
    case base::Role::kOperator:
      return "operator";
    case base::Role::kAdmin:
      return "admin";
    case base::Role::kNone:
      break;
  }
  return "none";
}

void add_token_routes(Router& router, Access& access) {
  router.add(Method::kGet, "/api/v1/tokens", {Permission::kAdmin},
             [&access](const Request&, Context&) -> base::Result<Response> {
               Json rows = Json::array();
               for (const auto& token : access.list())
                 rows.push(Json::object({{"name", token.name},
                                         {"role", token.role},
                                         {"created_us", token.created_us},
                                         {"expires_us", token.expires_us}}));
               return answer(Json::object({{"tokens", rows}}));
             });
  router.add(Method::kPost, "/api/v1/tokens", {Permission::kAdmin},
             [&access](const Request& request, Context&) -> base::Result<Response> {
               TRY_ASSIGN(const Json body, body_json(request));
               TRY_ASSIGN(const base::Role role, parse_role(body["role"].as_string_or("viewer")));
               TRY_ASSIGN(std::string token, access.create(body["name"].as_string(), role,
                                                           body["expires_us"].as_int()));
               return answer(Json::object({{"name", body["name"]},
                                           {"role", std::string(role_name(role))},
                                           {"token", std::move(token)}}),
                             201);
             });
  router.add(Method::kDelete, "/api/v1/tokens/{name}", {Permission::kAdmin},
             [&access](const Request& request, Context&) -> base::Result<Response> {
               TRY(access.revoke(std::string(request.param("name"))));
               return Response::empty();
             });
}

}  // namespace maru::api
