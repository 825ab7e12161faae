#include <algorithm>

#include "maru/base/log.h"
#include "maru/pipeline/pipeline.h"
#include "run_store.h"

namespace maru::pipeline {
namespace {

using base::Code;
using base::Json;
using base::Result;
using base::Status;
using store::params;

class StoredScheduling final : public Scheduling {
 public:
  StoredScheduling(store::Database& db, Scheduler& scheduler, base::Clock& clock)
      : db_(db), scheduler_(scheduler), clock_(clock) {}

  Status put(const Schedule& schedule) override {
    TRY_ASSIGN(const Cron cron, Cron::parse(schedule.cron));
    TRY(schedule.spec.validate());
    const auto values =
        params(schedule.project, schedule.name, schedule.cron, schedule.spec.to_json().dump(),
               schedule.parameters.dump(), std::int64_t{schedule.enabled}, schedule.last_tick_us,
               cron.next_after_us(clock_.now_us()));
    return db_.write([&](store::Writer& writer) -> Status {
      TRY(
          writer.execute("INSERT INTO pipeline_schedules (project, name, cron, spec, parameters, "
                         "enabled, last_tick_us, next_tick_us) VALUES ($1,$2,$3,$4,$5,$6,$7,$8) "
                         "ON CONFLICT (project, name) DO UPDATE SET cron = excluded.cron, spec = "
                         "excluded.spec, parameters = excluded.parameters, enabled = "
                         "excluded.enabled, next_tick_us = excluded.next_tick_us",
                         values));
      return {};
    });
  }

  Status remove(const std::string& project, const std::string& name) override {
    const auto values = params(project, name);
    return db_.write([&](store::Writer& writer) -> Status {
      TRY_ASSIGN(const auto changed,
                 writer.execute("DELETE FROM pipeline_schedules WHERE project = $1 AND name = $2",
                                values));
      if (changed == 0) return base::fail(Code::kNotFound, "no schedule has this name: " + name);
      return {};
    });
  }

  Result<std::vector<Schedule>> list(const std::string& project) override {
    const auto values = params(project);
    TRY_ASSIGN(const auto rows,
               db_.query(std::string(kSelect) + " WHERE project = $1 ORDER BY name", values));
    return schedules_of(rows);
  }

  Result<int> tick() override {
    const std::int64_t now_us = clock_.now_us();
    const auto values = params(now_us);
    TRY_ASSIGN(const auto rows,
               db_.query(std::string(kSelect) +
                             " WHERE enabled = 1 AND next_tick_us >= 0 AND next_tick_us <= $1",
                         values));
    TRY_ASSIGN(const auto due, schedules_of(rows));
    int fired = 0;
    for (const auto& schedule : due) {
      TRY_ASSIGN(const Cron cron, Cron::parse(schedule.cron));
      const auto claim = [&](store::Writer& writer) {
        return claim_tick(writer, schedule, cron.next_after_us(now_us));
      };
      const auto run = scheduler_.submit_with(schedule.project, schedule.spec, schedule.parameters,
                                              "schedule", claim);
      if (run) {
        ++fired;
      } else if (run.error().code == Code::kInvalidArgument) {
        // It can never start as it is: the tick is passed over, loudly, so that the others are not held up.
        base::log_error("schedule cannot start its pipeline",
                        {{"schedule", schedule.name}, {"error", run.error().text()}});
        TRY(db_.write(claim));
      } else if (run.error().code != Code::kAborted) {
        return tl::unexpected<base::Error>(run.error());
      }
    }
    return fired;
  }

 private:
  static constexpr const char* kSelect =
      "SELECT project, name, cron, spec, parameters, enabled, last_tick_us, next_tick_us FROM "
      "pipeline_schedules";

  static Result<std::vector<Schedule>> schedules_of(const store::Rows& rows) {
    std::vector<Schedule> out;
    for (const auto& row : rows) {
      Schedule schedule;
      schedule.project = row.text(0);
      schedule.name = row.text(1);
      schedule.cron = row.text(2);
      TRY_ASSIGN(const Json spec, base::parse_json(row.text(3)));
      TRY_ASSIGN(schedule.spec, PipelineSpec::from_json(spec));
      TRY_ASSIGN(schedule.parameters, base::parse_json(row.text(4)));
      schedule.enabled = row.integer(5) != 0;
      schedule.last_tick_us = row.integer(6);
      schedule.next_tick_us = row.integer(7);
      out.push_back(std::move(schedule));
    }
    return out;
  }

  // Moves the schedule past now: however long the server was down, one run makes up for it. kAborted when another caller was first.
  static Status claim_tick(store::Writer& writer, const Schedule& schedule, std::int64_t next_us) {
    const auto values = params(schedule.next_tick_us, next_us, schedule.project, schedule.name,
                               schedule.next_tick_us);
    TRY_ASSIGN(const auto changed,
               writer.execute("UPDATE pipeline_schedules SET last_tick_us = $1, next_tick_us = $2 "
                              "WHERE project = $3 AND name = $4 AND next_tick_us = $5",
                              values));
    if (changed == 1) return {};
    return base::fail(Code::kAborted, "another caller took this tick: " + schedule.name);
  }

  store::Database& db_;
  Scheduler& scheduler_;
  base::Clock& clock_;
};

}  // namespace

base::Result<std::unique_ptr<Scheduling>> Scheduling::open(store::Database& db,
                                                           Scheduler& scheduler,
                                                           base::Clock& clock) {
  TRY(RunStore(db).migrate());
  return std::unique_ptr<Scheduling>(std::make_unique<StoredScheduling>(db, scheduler, clock));
}

}  // namespace maru::pipeline
