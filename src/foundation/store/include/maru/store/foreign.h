#pragma once
#include <functional>
#include <memory>
#include <string>

#include "maru/base/result.h"
#include "maru/store/database.h"

namespace maru::store {

// A SQLite file that another program wrote and may be writing still. It is never changed; views and triggers of the file are not run.
// kNotFound when there is no file, kInvalidArgument when it is no SQLite database, kDataLoss when it is damaged. One thread at a time.
class ForeignDatabase {
 public:
  static base::Result<std::unique_ptr<ForeignDatabase>> open(const std::string& path);
  virtual ~ForeignDatabase() = default;
  // Everything that `callback` reads is of one state of the file.
  virtual base::Status read(const std::function<base::Status(Reader&)>& callback) = 0;
  virtual base::Result<Rows> query(std::string_view sql, std::span<const Value> params = {}) = 0;
};

}  // namespace maru::store
