#include "maru/connect/secrets.h"

#include <doctest/doctest.h>
#include <stdlib.h>

#include "maru/base/file.h"

namespace maru::connect {

TEST_CASE("a secret is sealed, and for its host alone") {
  char name[] = "/tmp/maru-secrets-XXXXXX";
  REQUIRE(::mkdtemp(name) != nullptr);
  const std::string folder = name;
  {
    store::DatabaseOptions options;
    options.path = base::join_path(folder, "maru.db");
    auto db = std::move(*store::Database::open(options));
    const auto key = base::SealKey::open(base::join_path(folder, "key"));
    REQUIRE(key.has_value());
    auto secrets = std::move(*Secrets::open(*db, *key, base::system_clock()));
    CHECK(secrets->put("shop-db", "hunter2-long", "DB.example.com").has_value());
    CHECK(secrets->value("shop-db", "db.example.com").value() == "hunter2-long");
    CHECK(secrets->value("shop-db", "evil.example.com").error().code ==
          base::Code::kPermissionDenied);
    const auto near = secrets->value("shop-d", "db.example.com");
    CHECK(near.error().code == base::Code::kNotFound);
    CHECK(near.error().hint.find("shop-db") != std::string::npos);
    CHECK(db->query("SELECT value FROM connect_secret")->at(0).text(0).find("hunter2") ==
          std::string::npos);
    CHECK_FALSE(secrets->put("shop db", "x", "h").has_value());
    CHECK_FALSE(secrets->put("shop", "x", "").has_value());
    CHECK_FALSE(secrets->put("shop", "", "h").has_value());
    CHECK(secrets->list()->size() == 1);
    ::setenv("MARU_SECRET_OTHER_ONE", "from-outside", 1);
    CHECK(secrets->value("other-one", "anywhere").value() == "from-outside");
    ::unsetenv("MARU_SECRET_OTHER_ONE");
    CHECK(secrets->remove("shop-db").has_value());
    CHECK(secrets->remove("shop-db").error().code == base::Code::kNotFound);
  }
  CHECK(base::remove_tree(folder).has_value());
}

}  // namespace maru::connect
