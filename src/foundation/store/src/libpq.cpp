#include "libpq.h"

#include <dlfcn.h>

#include <array>
#include <optional>

#include "maru/base/text.h"

namespace maru::store {
namespace {

constexpr const char* kLibrary = "libpq.so.5";

}  // namespace

base::Result<const Libpq*> libpq() {
  static const std::optional<Libpq> loaded = []() -> std::optional<Libpq> {
    void* library = ::dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) return std::nullopt;
    Libpq out;
    bool all = true;
    const auto find = [&](auto& function, const char* name) {
      function = reinterpret_cast<std::decay_t<decltype(function)>>(::dlsym(library, name));
      all = all && function != nullptr;
    };
#define MARU_PQ(name) find(out.name, "PQ" #name);
    MARU_PQ_FUNCTIONS(MARU_PQ)
#undef MARU_PQ
    return all ? std::optional(out) : std::nullopt;
  }();
  if (loaded) return &*loaded;
  return base::fail(base::Code::kFailedPrecondition,
                    std::string("PostgreSQL's client library is not installed: ") + kLibrary,
                    "apt install libpq5");
}

std::string pq_line(const char* message) {
  std::string out = base::replace_invalid_utf8(message == nullptr ? "" : message);
  for (char& c : out)
    if (c == '\n' || c == '\t') c = ' ';
  return std::string(base::trim(out));
}

base::Result<PGconn*> connect_postgres(const Libpq& pq, const std::string& url) {
  const std::string plain = "postgresql" + url.substr(url.find("://"));
  const std::array<const char*, 6> names = {"dbname",           "connect_timeout",
                                            "client_encoding",  "application_name",
                                            "tcp_user_timeout", nullptr};
  const std::array<const char*, 6> values = {plain.c_str(), "10", "UTF8", "maru", "60000", nullptr};
  PGconn* connection = pq.connectdbParams(names.data(), values.data(), 1);
  if (connection == nullptr)
    return base::fail(base::Code::kResourceExhausted, "no memory for a connection");
  if (pq.status(connection) == CONNECTION_OK) return connection;
  const std::string why = pq_line(pq.errorMessage(connection));
  pq.finish(connection);
  return base::fail(base::Code::kUnavailable, "the PostgreSQL server cannot be reached: " + why,
                    "check host, port, user and database of the URL; a password may also stand in "
                    "PGPASSWORD or ~/.pgpass");
}

}  // namespace maru::store
