#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "logged_models.h"
#include "maru/base/text.h"
#include "metric_store.h"
#include "order.h"

namespace maru::tracking {
namespace {

using base::Code;
using base::Result;
using base::Status;
using store::Cursor;
using store::params;
using store::Reader;

struct Found {
  std::string id, experiment_id, name, model_type, source_run_id, status;
  double created_ms = 0, updated_ms = 0;
};

struct Measured {
  double value = 0;
  std::int64_t time_ms = 0, step = 0;
  std::string run_id, dataset_name, dataset_digest;
};

using Measures = std::map<std::string, std::map<std::string, std::vector<Measured>>>;
using Texts = std::map<std::string, std::map<std::string, std::string>>;

bool is_on(const Measured& measured, const DatasetRef& dataset) {
  return dataset.name.empty() ||
         (measured.dataset_name == dataset.name &&
          (dataset.digest.empty() || measured.dataset_digest == dataset.digest));
}

bool is_on_any(const Measured& measured, const std::vector<DatasetRef>& datasets) {
  return datasets.empty() ||
         std::any_of(datasets.begin(), datasets.end(),
                     [&](const DatasetRef& dataset) { return is_on(measured, dataset); });
}

struct Order {
  OrderTerm term;
  DatasetRef dataset;
};

Result<std::vector<Order>> orders_of(const LoggedModelQuery& query) {
  std::vector<Order> out;
  bool by_time = false;
  for (const auto& asked : query.order_by) {
    constexpr std::string_view kMetrics = "metrics.";
    const auto wrong = [&](const char* why) {
      return base::fail(Code::kInvalidArgument,
                        "Invalid order by field name: " + asked.field + why);
    };
    Order order;
    order.dataset = asked.dataset;
    if (asked.field.rfind(kMetrics, 0) == 0) {
      order.term = {Entity::kMetric, asked.field.substr(kMetrics.size()), !asked.ascending};
    } else if (asked.field.find('.') != std::string::npos) {
      return wrong(". Only metrics are supported.");
    } else {
      const auto parsed = parse_order({asked.field}, logged_model_grammar());
      if (!parsed || parsed->size() != 1) return wrong("");
      order.term = parsed->front();
      order.term.descending = !asked.ascending;
    }
    by_time = by_time || order.term.key == "creation_timestamp";
    out.push_back(std::move(order));
  }
  if (!by_time) out.push_back({{Entity::kAttribute, "creation_timestamp", true}, {}});
  out.push_back({{Entity::kAttribute, "model_id", false}, {}});
  return out;
}

Cell attribute_of(const Found& model, const std::string& key) {
  if (key == "creation_timestamp") return model.created_ms;
  if (key == "last_updated_timestamp") return model.updated_ms;
  const std::string* text = key == "name"            ? &model.name
                            : key == "model_id"      ? &model.id
                            : key == "model_type"    ? &model.model_type
                            : key == "status"        ? &model.status
                            : key == "source_run_id" ? &model.source_run_id
                            : key == "experiment_id" ? &model.experiment_id
                                                     : nullptr;
  if (text == nullptr || text->empty()) return {};
  return std::string_view(*text);
}

// What a filter and an order look at, of all models of the experiments.
class Columns {
 public:
  Columns(const LoggedModelQuery& query, const Filter& filter, const std::vector<Order>& orders)
      : query_(query), filter_(filter) {
    each_comparison(filter, [&](const Comparison& comparison) {
      if (comparison.entity != Entity::kAttribute) keys_[comparison.entity].insert(comparison.key);
      metric_filter_ = metric_filter_ || comparison.entity == Entity::kMetric;
    });
    for (const auto& order : orders) {
      if (order.term.entity == Entity::kMetric) keys_[Entity::kMetric].insert(order.term.key);
    }
  }

  Status read(Reader& reader) {
    for (const auto& key : keys_[Entity::kParam])
      TRY(read_texts(reader, "logged_model_params", key, params_));
    for (const auto& key : keys_[Entity::kTag])
      TRY(read_texts(reader, "logged_model_tags", key, tags_));
    for (const auto& key : keys_[Entity::kMetric]) {
      const auto cells = params(key);
      TRY(reader.each(
          "SELECT model_id, value, time_ms, step, run_id, dataset_name, "
          "dataset_digest FROM logged_model_metrics WHERE key = $1",
          cells, [&](const Cursor& row) -> Status {
            measures_[std::string(row.text(0))][key].push_back(
                {read_metric(row, 1), row.integer(2), row.integer(3), std::string(row.text(4)),
                 std::string(row.text(5)), std::string(row.text(6))});
            return {};
          }));
    }
    if (query_.datasets.empty() || metric_filter_) return {};
    return reader.each(
        "SELECT DISTINCT model_id, dataset_name, dataset_digest FROM "
        "logged_model_metrics WHERE dataset_name <> ''",
        {}, [&](const Cursor& row) -> Status {
          const Measured measured{0, 0, 0, "", std::string(row.text(1)), std::string(row.text(2))};
          if (is_on_any(measured, query_.datasets)) measured_.emplace(row.text(0));
          return {};
        });
  }

  bool accepts(const Found& model) const {
    if (!query_.datasets.empty() && !metric_filter_ && !measured_.contains(model.id)) return false;
    return matches(filter_, [&](const Comparison& comparison) { return holds(model, comparison); });
  }

  // The value that the order looks at: of a metric the newest by time, then step.
  Cell value(const Found& model, const Order& order) const {
    if (order.term.entity == Entity::kAttribute) return attribute_of(model, order.term.key);
    const Measured* newest = nullptr;
    for (const auto& measured : of(model.id, order.term.key)) {
      if (!is_on(measured, order.dataset)) continue;
      if (newest == nullptr || std::tie(measured.time_ms, measured.step, newest->run_id) >
                                   std::tie(newest->time_ms, newest->step, measured.run_id))
        newest = &measured;
    }
    if (newest == nullptr) return {};
    return newest->value;
  }

 private:
  const std::vector<Measured>& of(const std::string& id, const std::string& key) const {
    static const std::vector<Measured> kNone;
    const auto model = measures_.find(id);
    if (model == measures_.end()) return kNone;
    const auto found = model->second.find(key);
    return found == model->second.end() ? kNone : found->second;
  }

  bool holds(const Found& model, const Comparison& comparison) const {
    if (comparison.entity == Entity::kAttribute)
      return compare(comparison, attribute_of(model, comparison.key));
    if (comparison.entity == Entity::kMetric) {
      const auto& all = of(model.id, comparison.key);
      if (all.empty()) return compare(comparison, {});
      return std::any_of(all.begin(), all.end(), [&](const Measured& measured) {
        return is_on_any(measured, query_.datasets) && compare(comparison, measured.value);
      });
    }
    const Texts& texts = comparison.entity == Entity::kParam ? params_ : tags_;
    const auto owner = texts.find(model.id);
    if (owner == texts.end()) return compare(comparison, {});
    const auto found = owner->second.find(comparison.key);
    if (found == owner->second.end()) return compare(comparison, {});
    return compare(comparison, std::string_view(found->second));
  }

  static Status read_texts(Reader& reader, const std::string& table, const std::string& key,
                           Texts& out) {
    const auto cells = store::params(key);
    return reader.each("SELECT model_id, value FROM " + table + " WHERE key = $1", cells,
                       [&](const Cursor& row) -> Status {
                         out[std::string(row.text(0))][key] = row.text(1);
                         return {};
                       });
  }

  const LoggedModelQuery& query_;
  const Filter& filter_;
  std::map<Entity, std::set<std::string>> keys_;
  bool metric_filter_ = false;
  Texts params_, tags_;
  Measures measures_;
  std::set<std::string> measured_;
};

}  // namespace

Result<LoggedModelPage> LoggedModelTables::search(const LoggedModelQuery& query) {
  TRY_ASSIGN(const Filter filter, parse_filter(query.filter, logged_model_grammar()));
  TRY_ASSIGN(const auto orders, orders_of(query));
  Columns columns(query, filter, orders);
  std::vector<Found> found;
  TRY(db_.read([&](Reader& reader) -> Status {
    TRY(columns.read(reader));
    const std::set<std::string> experiments(query.experiment_ids.begin(),
                                            query.experiment_ids.end());
    for (const auto& experiment : experiments) {
      const auto cells = params(experiment);
      TRY(reader.each(
          "SELECT id, experiment_id, name, model_type, source_run_id, status, "
          "created_us, updated_us FROM logged_models WHERE experiment_id = $1 AND "
          "state = 'active'",
          cells, [&](const Cursor& row) -> Status {
            Found model{std::string(row.text(0)),
                        std::string(row.text(1)),
                        std::string(row.text(2)),
                        std::string(row.text(3)),
                        std::string(row.text(4)),
                        std::string(row.text(5)),
                        static_cast<double>(row.integer(6) / 1000),
                        static_cast<double>(row.integer(7) / 1000)};
            std::transform(
                model.status.begin(), model.status.end(), model.status.begin(),
                [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
            if (columns.accepts(model)) found.push_back(std::move(model));
            return {};
          }));
    }
    return {};
  }));
  std::vector<OrderTerm> terms;
  for (const auto& order : orders) terms.push_back(order.term);
  sort_by(found, terms, [&](const Found& model, const OrderTerm& term) {
    return columns.value(model, orders[static_cast<std::size_t>(&term - terms.data())]);
  });
  LoggedModelPage out;
  out.more = take_page(found, query.offset, query.limit);
  for (const auto& model : found) {
    auto whole = get(model.id);
    if (whole) out.models.push_back(std::move(*whole));
    if (!whole && whole.error().code != Code::kNotFound)
      return tl::unexpected<base::Error>(whole.error());
  }
  return out;
}

}  // namespace maru::tracking
