#pragma once
#include <memory>
#include <string>

#include "maru/store/foreign_table.h"

namespace maru::store {

// `snapshot`: what another session exported; empty: a state of its own.
base::Result<std::unique_ptr<ForeignTables>> open_postgres_tables(const std::string& url,
                                                                  const std::string& snapshot);
base::Result<std::unique_ptr<ForeignTables>> open_mariadb_tables(const std::string& url);
// kNotFound, kPermissionDenied, or kInvalidArgument when the file is no SQLite database.
base::Status check_sqlite_magic(const std::string& path);
base::Result<std::unique_ptr<ForeignTables>> open_sqlite_tables(const std::string& path);

}  // namespace maru::store
