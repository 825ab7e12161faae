#pragma once
#include <span>
#include <string>
#include <vector>

#include "maru/base/clock.h"
#include "maru/store/database.h"
#include "maru/tracking/logged_models.h"

namespace maru::tracking {

// Records points of logged models inside the caller's transaction (a run's log-batch); sending them again changes nothing.
// kNotFound for a model that is not there, kInvalidArgument for a bad key. An infinite value becomes the largest finite one.
base::Status log_model_metrics(store::Writer& writer, std::span<const ModelMetric> points);

std::span<const store::Migration> logged_model_migrations();

// Logged models over their tables. Thread safe.
class LoggedModelTables final : public LoggedModels {
 public:
  LoggedModelTables(store::Database& db, base::Clock& clock) : db_(db), clock_(clock) {}
  base::Result<LoggedModel> create(const NewLoggedModel& model) override;
  base::Result<LoggedModel> get(const std::string& id) override { return read(id, false); }
  base::Result<LoggedModel> get_any(const std::string& id) override { return read(id, true); }
  base::Result<LoggedModelPage> search(const LoggedModelQuery& query) override;
  base::Status log_params(const std::string& id, const Text& params) override;
  base::Result<LoggedModel> set_status(const std::string& id, const std::string& status) override;
  base::Status set_tags(const std::string& id, const Text& tags) override;
  base::Status remove_tag(const std::string& id, const std::string& key) override;
  base::Status remove(const std::string& id) override;

 private:
  base::Result<LoggedModel> read(const std::string& id, bool deleted_too);
  store::Database& db_;
  base::Clock& clock_;
};

}  // namespace maru::tracking
