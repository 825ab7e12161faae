#include "maru/store/foreign.h"

#include <sys/stat.h>

#include <cstdio>

#include "connection.h"
#include "maru/base/file.h"

namespace maru::store {
namespace {

using base::Code;
using base::Result;
using base::Status;

constexpr std::string_view kMagic("SQLite format 3\0", 16);

class ConnectionReader final : public Reader {
 public:
  explicit ConnectionReader(Connection& connection) : connection_(connection) {}
  Status each(std::string_view sql, std::span<const Value> params, const Visit& visit) override {
    return connection_.each(sql, params, visit);
  }

 private:
  Connection& connection_;
};

class ForeignFile final : public ForeignDatabase {
 public:
  explicit ForeignFile(std::unique_ptr<Connection> connection)
      : connection_(std::move(connection)) {}
  Status read(const std::function<Status(Reader&)>& callback) override {
    TRY(connection_->run_script("BEGIN"));
    ConnectionReader reader(*connection_);
    Status outcome = callback(reader);
    TRY(connection_->run_script("ROLLBACK"));
    return outcome;
  }
  Result<Rows> query(std::string_view sql, std::span<const Value> params) override {
    return connection_->query(sql, params);
  }

 private:
  std::unique_ptr<Connection> connection_;
};

Status check_magic(const std::string& path) {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0)
    return base::fail(Code::kNotFound, "no file is here: " + path);
  if (!S_ISREG(facts.st_mode))
    return base::fail(Code::kInvalidArgument, "not a SQLite database: " + path);
  FILE* file = std::fopen(path.c_str(), "rb");
  if (file == nullptr) return base::fail(Code::kPermissionDenied, "cannot be read: " + path);
  std::string head(kMagic.size(), '\0');
  const std::size_t got = std::fread(head.data(), 1, head.size(), file);
  std::fclose(file);
  if (got != kMagic.size() || head != kMagic)
    return base::fail(Code::kInvalidArgument, "not a SQLite database: " + path);
  return {};
}

}  // namespace

Result<std::unique_ptr<ForeignDatabase>> ForeignDatabase::open(const std::string& path) {
  TRY(check_magic(path));
  TRY_ASSIGN(auto connection, Connection::open(path, Connection::Mode::kForeign));
  return std::unique_ptr<ForeignDatabase>(std::make_unique<ForeignFile>(std::move(connection)));
}

}  // namespace maru::store
