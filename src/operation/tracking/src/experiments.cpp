#include <algorithm>

#include "maru/base/json.h"
#include "maru/base/text.h"
#include "names.h"
#include "runs.h"

// The part of RunTables that keeps experiments.
namespace maru::tracking {
namespace {

using base::Code;
using base::Result;
using base::Status;
using store::params;
using store::Writer;

constexpr const char* kSelect =
    "SELECT id, project, name, state, created_us, updated_us, artifact_location FROM experiments ";

Experiment experiment_of(const store::Row& row) {
  Experiment out;
  out.id = row.text(0);
  out.project = row.text(1);
  out.name = row.text(2);
  out.state = row.text(3);
  out.created_us = row.integer(4);
  out.updated_us = row.integer(5);
  out.artifact_location = row.text(6);
  if (out.artifact_location.empty()) out.artifact_location = "mlflow-artifacts:/" + out.id;
  return out;
}

Status fill_tags(store::Database& db, Experiment& experiment) {
  const auto key = params(experiment.id);
  TRY_ASSIGN(const auto rows,
             db.query("SELECT key, value FROM experiment_tags WHERE experiment_id = $1", key));
  for (const auto& row : rows) experiment.tags[row.text(0)] = row.text(1);
  return {};
}

tl::unexpected<base::Error> no_experiment(const std::string& id) {
  return base::fail(Code::kNotFound, "No Experiment with id=" +
                                         base::replace_invalid_utf8(id.substr(0, 80)) + " exists");
}

Status put_tag(Writer& writer, const std::string& id, const std::string& key,
               const std::string& value) {
  const auto cells = params(id, key, value);
  TRY(
      writer.execute("INSERT INTO experiment_tags (experiment_id, key, value) VALUES ($1, $2, $3) "
                     "ON CONFLICT (experiment_id, key) DO UPDATE SET value = excluded.value",
                     cells));
  return {};
}

// The experiment of that name, made when it is absent. `fresh` tells which.
Result<Experiment> find_or_insert(Writer& writer, const Experiment& wanted, bool& fresh) {
  const auto key = params(wanted.project, wanted.name);
  TRY_ASSIGN(const auto known,
             writer.query(std::string(kSelect) + "WHERE project = $1 AND name = $2", key));
  fresh = known.empty();
  if (!fresh) return experiment_of(known[0]);
  std::string id = wanted.id;
  if (id.empty()) {
    TRY_ASSIGN(const auto rows,
               writer.query("SELECT COALESCE(MAX(CAST(id AS BIGINT)), 0) + 1 FROM experiments "
                            "WHERE LENGTH(id) < 19"));
    id = std::to_string(rows.at(0).integer(0));
  }
  const auto cells =
      params(id, wanted.project, wanted.name, wanted.created_us, wanted.artifact_location);
  TRY_ASSIGN(
      const auto rows,
      writer.query("INSERT INTO experiments (id, project, name, state, created_us, "
                   "updated_us, artifact_location) VALUES ($1, $2, $3, 'active', $4, $4, $5) "
                   "RETURNING id, project, name, state, created_us, updated_us, "
                   "artifact_location",
                   cells));
  return experiment_of(rows.at(0));
}

std::int64_t number_of_id(const std::string& id) {
  std::int64_t out = 0;
  for (const char c : id) {
    if (c < '0' || c > '9' || out > INT64_MAX / 10 - 10) return INT64_MAX;
    out = out * 10 + (c - '0');
  }
  return out;
}

// <0, 0, >0 by one term; times and names never lack a value.
int compare(const Experiment& a, const Experiment& b, const OrderTerm& term) {
  const auto order = [](const auto& x, const auto& y) { return x < y ? -1 : y < x ? 1 : 0; };
  int result = 0;
  if (term.key == "name") result = order(a.name, b.name);
  if (term.key == "experiment_id") result = order(number_of_id(a.id), number_of_id(b.id));
  if (term.key == "creation_time") result = order(a.created_us, b.created_us);
  if (term.key == "last_update_time") result = order(a.updated_us, b.updated_us);
  return term.descending ? -result : result;
}

Cell field_of(const Experiment& experiment, Entity entity, const std::string& key) {
  if (entity == Entity::kTag) {
    const auto found = experiment.tags.find(key);
    return found == experiment.tags.end() ? Cell{} : Cell{std::string_view(found->second)};
  }
  if (key == "name") return std::string_view(experiment.name);
  if (key == "experiment_id") return std::string_view(experiment.id);
  if (key == "creation_time") return static_cast<double>(experiment.created_us / 1000);
  if (key == "last_update_time") return static_cast<double>(experiment.updated_us / 1000);
  return {};
}

}  // namespace

Result<Experiment> RunTables::ensure_experiment(const std::string& project,
                                                const std::string& name) {
  auto known = find_experiment(project, name);
  if (known || known.error().code != Code::kNotFound) return known;
  TRY(check_experiment_name(name));
  Experiment wanted, out;
  wanted.project = project;
  wanted.name = name;
  wanted.created_us = clock_.now_us();
  TRY(db_.write([&](Writer& writer) -> Status {
    bool fresh = false;
    TRY_ASSIGN(out, find_or_insert(writer, wanted, fresh));
    return {};
  }));
  return out;
}

Result<Experiment> RunTables::create_experiment(const std::string& project, const std::string& name,
                                                const std::string& artifact_location,
                                                const Text& tags) {
  TRY(check_experiment_name(name));
  Experiment wanted, out;
  wanted.project = project;
  wanted.name = name;
  wanted.created_us = clock_.now_us();
  wanted.artifact_location = artifact_location;
  TRY(db_.write([&](Writer& writer) -> Status {
    bool fresh = false;
    TRY_ASSIGN(out, find_or_insert(writer, wanted, fresh));
    if (!fresh && out.state == "deleted")
      return base::fail(Code::kAlreadyExists,
                        "Experiment(name=" + name +
                            ") already exists in deleted state. You can restore the experiment, or "
                            "permanently delete it to create a new one.");
    if (!fresh)
      return base::fail(Code::kAlreadyExists, "Experiment(name=" + name + ") already exists.");
    for (const auto& [key, value] : tags) TRY(put_tag(writer, out.id, key, value));
    return {};
  }));
  out.tags = tags;
  return out;
}

Result<std::vector<Experiment>> RunTables::list_experiments(const std::string& project) {
  const auto key = params(project);
  TRY_ASSIGN(const auto rows, db_.query(std::string(kSelect) +
                                            "WHERE project = $1 AND state = 'active' ORDER BY name",
                                        key));
  std::vector<Experiment> out;
  for (const auto& row : rows) out.push_back(experiment_of(row));
  return out;
}

Result<Experiment> RunTables::get_experiment(const std::string& id) {
  const auto key = params(id);
  TRY_ASSIGN(const auto rows, db_.query(std::string(kSelect) + "WHERE id = $1", key));
  if (rows.empty()) return no_experiment(id);
  Experiment out = experiment_of(rows[0]);
  TRY(fill_tags(db_, out));
  return out;
}

Result<Experiment> RunTables::find_experiment(const std::string& project, const std::string& name) {
  const auto key = params(project, name);
  TRY_ASSIGN(const auto rows,
             db_.query(std::string(kSelect) + "WHERE project = $1 AND name = $2", key));
  if (rows.empty())
    return base::fail(Code::kNotFound, "Could not find experiment with name '" +
                                           base::replace_invalid_utf8(name.substr(0, 500)) + "'");
  Experiment out = experiment_of(rows[0]);
  TRY(fill_tags(db_, out));
  return out;
}

Result<ExperimentPage> RunTables::search_experiments(const std::string& project,
                                                     const ExperimentQuery& query) {
  TRY_ASSIGN(const Filter filter, parse_filter(query.filter, experiment_grammar()));
  TRY_ASSIGN(std::vector<OrderTerm> order, parse_order(query.order_by, experiment_grammar()));
  if (order.empty()) order.push_back({Entity::kAttribute, "creation_time", true});
  order.push_back({Entity::kAttribute, "experiment_id", false});
  const auto key = params(project);
  TRY_ASSIGN(const auto rows, db_.query(std::string(kSelect) + "WHERE project = $1", key));
  TRY_ASSIGN(const auto tags,
             db_.query("SELECT t.experiment_id, t.key, t.value FROM experiment_tags t JOIN "
                       "experiments e ON e.id = t.experiment_id WHERE e.project = $1",
                       key));
  std::map<std::string, Text> tags_of;
  for (const auto& row : tags) tags_of[row.text(0)][row.text(1)] = row.text(2);
  std::vector<Experiment> found;
  for (const auto& row : rows) {
    Experiment one = experiment_of(row);
    if (query.view != View::kAll && (one.state == "active") != (query.view == View::kActive))
      continue;
    one.tags = tags_of[one.id];
    const auto lookup = [&](Entity entity, const std::string& name) {
      return field_of(one, entity, name);
    };
    if (matches_values(filter, lookup)) found.push_back(std::move(one));
  }
  const auto before = [&](const Experiment& a, const Experiment& b) {
    for (const auto& term : order)
      if (const int result = compare(a, b, term); result != 0) return result < 0;
    return false;
  };
  std::sort(found.begin(), found.end(), before);
  auto begin = found.begin();
  if (!query.after.empty()) {
    TRY_ASSIGN(const Experiment last, get_experiment(query.after));
    begin = std::upper_bound(found.begin(), found.end(), last, before);
  }
  ExperimentPage page;
  for (; begin != found.end() && page.experiments.size() < query.limit; ++begin)
    page.experiments.push_back(std::move(*begin));
  if (begin != found.end()) page.next_after = page.experiments.back().id;
  return page;
}

Status RunTables::rename_experiment(const std::string& id, const std::string& name) {
  TRY(check_experiment_name(name));
  TRY_ASSIGN(const Experiment known, get_experiment(id));
  if (known.state != "active")
    return base::fail(Code::kRefused, "Cannot rename a non-active experiment.");
  const Status renamed = db_.write([&](Writer& writer) -> Status {
    const auto cells = params(name, clock_.now_us(), id);
    TRY(writer.execute("UPDATE experiments SET name = $1, updated_us = $2 WHERE id = $3", cells));
    return {};
  });
  if (!renamed && renamed.error().code == Code::kAlreadyExists)
    return base::fail(Code::kAlreadyExists, "Experiment(name=" + name + ") already exists.");
  return renamed;
}

Status RunTables::change_experiment_state(const std::string& id, bool deleted) {
  TRY_ASSIGN(const Experiment known, get_experiment(id));
  const std::string state = deleted ? "deleted" : "active";
  if (known.state == state) return no_experiment(id);
  const std::int64_t now_us = clock_.now_us();
  return commit(
      [&](Writer& writer) -> Status {
        const auto cells = params(state, now_us, deleted ? now_us : 0, id);
        TRY(writer.execute(
            "UPDATE experiments SET state = $1, updated_us = $2, deleted_us = $3 WHERE id = $4",
            cells));
        const auto runs = params(state, deleted ? now_us : 0, id);
        TRY(
            writer.execute("UPDATE runs SET state = $1, deleted_us = $2 WHERE "
                           "experiment_id = $3 AND state <> $1",
                           runs));
        return {};
      },
      [&] {
        const std::lock_guard lock(known_mutex_);
        known_.clear();
        index_.drop(id);
      });
}

Status RunTables::delete_experiment(const std::string& id) {
  if (id == "0")
    return base::fail(Code::kInvalidArgument, "Cannot delete the default experiment with id=0");
  return change_experiment_state(id, true);
}

Status RunTables::restore_experiment(const std::string& id) {
  return change_experiment_state(id, false);
}

Status RunTables::set_experiment_tag(const std::string& id, const std::string& key,
                                     const std::string& value) {
  TRY(check_key("experiment tag", key));
  TRY_ASSIGN(const Experiment known, get_experiment(id));
  if (known.state != "active")
    return base::fail(
        Code::kInvalidArgument,
        "The experiment " + id + " must be in the 'active' state. Current state is deleted.");
  return db_.write([&](Writer& writer) -> Status {
    TRY(put_tag(writer, id, key, value));
    const auto cells = params(clock_.now_us(), id);
    TRY(writer.execute("UPDATE experiments SET updated_us = $1 WHERE id = $2", cells));
    return {};
  });
}

Status RunTables::delete_experiment_tag(const std::string& id, const std::string& key) {
  TRY_ASSIGN(const Experiment known, get_experiment(id));
  if (known.state != "active")
    return base::fail(
        Code::kInvalidArgument,
        "The experiment " + id + " must be in the 'active' state. Current state is deleted.");
  return db_.write([&](Writer& writer) -> Status {
    const auto cells = params(id, key);
    TRY_ASSIGN(
        const auto removed,
        writer.execute("DELETE FROM experiment_tags WHERE experiment_id = $1 AND key = $2", cells));
    if (removed == 0)
      return base::fail(Code::kNotFound,
                        "No tag with name: " + base::replace_invalid_utf8(key.substr(0, 250)) +
                            " in experiment with id " + id);
    return {};
  });
}

}  // namespace maru::tracking
