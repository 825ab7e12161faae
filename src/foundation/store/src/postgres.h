#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "maru/store/foreign.h"

namespace maru::store {

bool is_postgres_url(std::string_view path);
// A PostgreSQL database of another program, by its URL (also SQLAlchemy's, "postgresql+psycopg2://..."). libpq is loaded when it is first
// asked for, so that nobody else needs it: kFailedPrecondition when it is not installed, kUnavailable when the server does not answer.
base::Result<std::unique_ptr<ForeignDatabase>> open_postgres(const std::string& url);

}  // namespace maru::store
