#include <algorithm>
#include <charconv>
#include <cmath>

#include "maru/base/hash.h"
#include "maru/base/text.h"
#include "maru/tracking/filter.h"
#include "trace_rows.h"

namespace maru::tracking {
namespace {

using base::Code;
using base::Json;
using base::Result;
using base::Status;
using store::params;

constexpr const char* kSourceRun = "mlflow.sourceRun";
constexpr std::size_t kMaxSearchExperiments = 1000;

// A row of the table as a store::Row, so that it is read in one place.
store::Row copied(const store::Cursor& cursor) {
  std::vector<store::Value> cells;
  for (int i = 0; i < 15; ++i) {
    if (cursor.null(i))
      cells.emplace_back(std::monostate{});
    else if (cursor.is_text(i))
      cells.emplace_back(std::string(cursor.text(i)));
    else
      cells.emplace_back(cursor.integer(i));
  }
  return store::Row(std::move(cells));
}

std::string span_text(const Json& value) {
  const std::string text = value.is_string() ? value.as_string() : value.dump();
  const auto inner = text.starts_with('"') ? base::parse_json(text) : Result<Json>(Json());
  return inner && inner->is_string() ? inner->as_string() : text;
}

// Tests one trace's leaves; spans, assessments and links are read when a leaf asks for them.
class Candidate {
 public:
  Candidate(store::Reader& reader, const TraceRow& row) : reader_(reader), row_(row) {}

  bool test(const Comparison& leaf) {
    switch (leaf.entity) {
      case Entity::kTag:
        return compare(leaf, text_cell(row_.trace.tags, leaf.key));
      case Entity::kMetadata:
        if (leaf.key == kSourceRun) return test_run(leaf);
        return compare(leaf, text_cell(row_.trace.metadata, leaf.key));
      case Entity::kSpan:
        return test_spans(leaf);
      case Entity::kFeedback:
      case Entity::kExpectation:
        return test_assessments(leaf);
      default:
        return compare(leaf, attribute(leaf.key));
    }
  }
  Cell attribute(const std::string& key) const {
    const Trace& trace = row_.trace;
    const bool ended = trace.duration_ms >= 0;
    if (key == "request_id") return std::string_view(trace.id);
    if (key == "experiment_id") return std::string_view(trace.experiment_id);
    if (key == "status") return std::string_view(trace.state);
    if (key == "client_request_id")
      return trace.client_request_id.empty() ? Cell() : std::string_view(trace.client_request_id);
    if (key == "timestamp_ms") return static_cast<double>(trace.time_ms);
    if (key == "execution_time_ms" && ended) return static_cast<double>(trace.duration_ms);
    if (key == "end_time_ms" && ended)
      return static_cast<double>(trace.time_ms + trace.duration_ms);
    return {};
  }
  static Cell text_cell(const Text& from, const std::string& key) {
    const auto found = from.find(key);
    return found == from.end() ? Cell() : std::string_view(found->second);
  }
  Status status = {};  // of the reads so far

 private:
  // A trace belongs to the run it was made in, and to those it was linked to.
  bool test_run(const Comparison& leaf) {
    std::vector<std::string> runs;
    const auto own = row_.trace.metadata.find(kSourceRun);
    if (own != row_.trace.metadata.end()) runs.push_back(own->second);
    const auto cells = params(row_.number);
    keep(reader_.each("SELECT run_id FROM trace_runs WHERE trace = $1", cells,
                      [&](const store::Cursor& cursor) -> Status {
                        runs.emplace_back(cursor.text(0));
                        return {};
                      }));
    if (runs.empty() || leaf.op == Op::kIsNull) return runs.empty() && compare(leaf, Cell());
    return std::any_of(runs.begin(), runs.end(), [&](const std::string& run) {
      return compare(leaf, std::string_view(run));
    });
  }

  bool test_spans(const Comparison& leaf) {
    if (!spans_read_) {
      spans_read_ = true;
      const auto cells = params(row_.number);
      keep(reader_.each("SELECT otlp FROM trace_spans WHERE trace = $1", cells,
                        [&](const store::Cursor& cursor) -> Status {
                          TRY_ASSIGN(Span span, read_span(cursor.bytes(0)));
                          spans_.push_back(std::move(span));
                          return {};
                        }));
    }
    return std::any_of(spans_.begin(), spans_.end(),
                       [&](const Span& span) { return test_span(leaf, span); });
  }

  static bool test_span(const Comparison& leaf, const Span& span) {
    constexpr std::string_view kAttributes = "attributes.";
    if (leaf.key == "name") return compare(leaf, std::string_view(span.name));
    if (leaf.key == "status") return compare(leaf, span_status_name(span.status));
    std::string text;
    if (leaf.key == "content") {
      text = span.name + " " + span.attributes.dump() + " " + span.message;
      for (const SpanEvent& event : span.events)
        text += " " + event.name + " " + event.attributes.dump();
    } else {
      const std::string key =
          leaf.key == "type" ? "mlflow.spanType" : leaf.key.substr(kAttributes.size());
      const Json* value = span.attributes.find(key);
      if (value == nullptr) return compare(leaf, Cell());
      text = span_text(*value);
    }
    return compare(leaf, std::string_view(text));
  }

  // Any valid assessment of that name and kind.
  bool test_assessments(const Comparison& leaf) {
    const char* kind = leaf.entity == Entity::kFeedback ? "feedback" : "expectation";
    bool any = false, matched = false;
    const auto cells = params(row_.number, leaf.key);
    keep(reader_.each("SELECT value FROM trace_assessments WHERE trace = $1 AND name = $2", cells,
                      [&](const store::Cursor& cursor) -> Status {
                        TRY_ASSIGN(const Json one, base::parse_json(cursor.text(0)));
                        if (!one.has(kind) || !one["valid"].as_bool(true)) return {};
                        any = true;
                        matched |= test_value(leaf, one[kind]);
                        return {};
                      }));
    return any ? matched : compare(leaf, Cell());
  }

  static bool test_value(const Comparison& leaf, const Json& kind) {
    const Json& serialized = kind["serialized_value"]["value"];
    const Json& value = serialized.is_null() ? kind["value"] : serialized;
    const bool number = std::holds_alternative<double>(leaf.value) ||
                        std::holds_alternative<std::vector<double>>(leaf.value);
    if (number && value.is_number()) return compare(leaf, value.as_double());
    const std::string text = value.is_string() ? value.as_string() : value.dump();
    return compare(leaf, value.is_null() ? Cell() : Cell(std::string_view(text)));
  }

  void keep(Status done) {
    if (status && !done) status = std::move(done);
  }

  store::Reader& reader_;
  const TraceRow& row_;
  bool spans_read_ = false;
  std::vector<Span> spans_;
};

// What a trace is sorted by: one value a term.
struct Sorted {
  std::vector<std::variant<std::monostate, double, std::string>> keys;
  std::int64_t number = 0;
};

int order_of(const std::variant<std::monostate, double, std::string>& a,
             const std::variant<std::monostate, double, std::string>& b, bool descending) {
  if (a.index() != b.index()) return a.index() == 0 ? 1 : b.index() == 0 ? -1 : 0;  // missing last
  const int order = a < b ? -1 : b < a ? 1 : 0;
  return descending ? -order : order;
}

struct Place {  // where the page before ended
  std::int64_t time_ms = INT64_MAX;
  std::string id;
  std::size_t offset = 0;
};

std::string digest(const TraceQuery& query) {
  Json all = Json::array({query.filter});
  for (const auto& id : query.experiment_ids) all.push(id);
  for (const auto& item : query.order_by) all.push("order " + item);
  return base::sha256_hex(all.dump()).substr(0, 12);
}

Result<Place> place_of(const TraceQuery& query) {
  Place out;
  if (query.page_token.empty()) return out;
  const auto parts = base::split(query.page_token, ',');
  if (parts.size() != 4)
    return base::fail(Code::kInvalidArgument, "Invalid page token, could not be decoded");
  if (parts[0] != digest(query))
    return base::fail(Code::kInvalidArgument, "Invalid page token: it belongs to another query",
                      "repeat the query that made it, or begin without a token");
  const auto number = [](const std::string& text, auto& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size();
  };
  const auto id = base::from_base64(parts[3]);
  if (!number(parts[1], out.offset) || !number(parts[2], out.time_ms) || !id)
    return base::fail(Code::kInvalidArgument, "Invalid page token, could not be decoded");
  out.id = *id;
  return out;
}

std::string token(const TraceQuery& query, std::size_t offset, const Trace& last) {
  return digest(query) + "," + std::to_string(offset) + "," + std::to_string(last.time_ms) + "," +
         base::base64(last.id);
}

class Search {
 public:
  Search(store::Reader& reader, const TraceQuery& query, Filter filter,
         std::vector<OrderTerm> order, Place place)
      : reader_(reader),
        query_(query),
        filter_(std::move(filter)),
        order_(std::move(order)),
        place_(std::move(place)),
        by_time_(order_.empty() ||
                 (order_.size() == 1 && order_[0].key == "timestamp_ms" && order_[0].descending)) {
    const auto map = [](Entity entity) {
      return entity == Entity::kTag || entity == Entity::kMetadata;
    };
    each_comparison(filter_, [&](const Comparison& leaf) { needs_maps_ |= map(leaf.entity); });
    for (const OrderTerm& term : order_) needs_maps_ |= map(term.entity);
  }

  Result<std::vector<TraceRow>> run(std::string& next_page_token) {
    std::vector<store::Value> cells;
    std::string in;
    for (const std::string& id : query_.experiment_ids) {
      cells.emplace_back(id);
      in += (in.empty() ? "$" : ", $") + std::to_string(cells.size());
    }
    std::string sql = std::string(kTraceColumns) + "WHERE experiment_id IN (" + in + ")";
    if (by_time_ && place_.time_ms != INT64_MAX) {
      cells.emplace_back(place_.time_ms);
      cells.emplace_back(place_.id);
      const std::string n = "$" + std::to_string(cells.size() - 1);
      sql += " AND (time_ms < " + n + " OR (time_ms = " + n + " AND id > $" +
             std::to_string(cells.size()) + "))";
    }
    sql += " ORDER BY time_ms DESC, id";
    const Status done =
        reader_.each(sql, cells, [&](const store::Cursor& cursor) { return visit(cursor); });
    if (!done && !full_) return tl::unexpected(done.error());
    return by_time_ ? timed_page(next_page_token) : sorted_page(next_page_token);
  }

 private:
  Status visit(const store::Cursor& cursor) {
    const store::Row cells = copied(cursor);
    TraceRow row = trace_row(cells, needs_maps_);
    Candidate candidate(reader_, row);
    const bool holds =
        matches(filter_, [&](const Comparison& leaf) { return candidate.test(leaf); });
    TRY(candidate.status);
    if (!holds) return {};
    if (!by_time_) {
      Sorted found{{}, row.number};
      for (const OrderTerm& term : order_) found.keys.push_back(key(candidate, row, term));
      found_.push_back(std::move(found));
      return {};
    }
    if (!needs_maps_) read_maps(cells, row.trace);
    page_.push_back(std::move(row));
    if (page_.size() <= query_.limit) return {};
    full_ = true;
    return base::fail(Code::kCancelled, "the page is full");
  }

  static std::variant<std::monostate, double, std::string> key(const Candidate& candidate,
                                                               const TraceRow& row,
                                                               const OrderTerm& term) {
    const Cell cell = term.entity == Entity::kTag ? Candidate::text_cell(row.trace.tags, term.key)
                      : term.entity == Entity::kMetadata
                          ? Candidate::text_cell(row.trace.metadata, term.key)
                          : candidate.attribute(term.key);
    if (const auto* number = std::get_if<double>(&cell)) return *number;
    if (const auto* text = std::get_if<std::string_view>(&cell)) return std::string(*text);
    return std::monostate{};
  }

  Result<std::vector<TraceRow>> timed_page(std::string& next_page_token) {
    if (full_) {
      page_.pop_back();
      next_page_token = token(query_, 0, page_.back().trace);
    }
    return std::move(page_);
  }

  Result<std::vector<TraceRow>> sorted_page(std::string& next_page_token) {
    std::stable_sort(found_.begin(), found_.end(), [&](const Sorted& a, const Sorted& b) {
      for (std::size_t i = 0; i < order_.size(); ++i) {
        const int order = order_of(a.keys[i], b.keys[i], order_[i].descending);
        if (order != 0) return order < 0;
      }
      return false;
    });
    const std::size_t begin = std::min(place_.offset, found_.size());
    const std::size_t end = std::min(begin + query_.limit, found_.size());
    for (std::size_t i = begin; i < end; ++i) {
      const auto cells = params(found_[i].number);
      TRY(reader_.each(std::string(kTraceColumns) + "WHERE number = $1", cells,
                       [&](const store::Cursor& cursor) -> Status {
                         page_.push_back(trace_row(copied(cursor)));
                         return {};
                       }));
    }
    if (end < found_.size() && !page_.empty())
      next_page_token = token(query_, end, page_.back().trace);
    return std::move(page_);
  }

  store::Reader& reader_;
  const TraceQuery& query_;
  Filter filter_;
  std::vector<OrderTerm> order_;
  Place place_;
  bool by_time_;             // the index's order: a page ends the statement
  bool needs_maps_ = false;  // most of a row's cost is its two JSON texts
  bool full_ = false;
  std::vector<Sorted> found_;  // with another order: all that match
  std::vector<TraceRow> page_;
};

}  // namespace

Result<TracePage> search_traces(store::Database& db, const TraceQuery& query) {
  TRY_ASSIGN(Filter filter, parse_filter(query.filter, trace_grammar()));
  TRY_ASSIGN(auto order, parse_order(query.order_by, trace_grammar()));
  TRY_ASSIGN(Place place, place_of(query));
  TracePage page;
  if (query.experiment_ids.empty() || query.limit == 0) return page;
  if (query.experiment_ids.size() > kMaxSearchExperiments)
    return base::fail(Code::kInvalidArgument, "more than " + std::to_string(kMaxSearchExperiments) +
                                                  " experiments in one search");
  std::vector<TraceRow> rows;
  TRY(db.read([&](store::Reader& reader) -> Status {
    Search search(reader, query, std::move(filter), std::move(order), std::move(place));
    TRY_ASSIGN(rows, search.run(page.next_page_token));
    return {};
  }));
  for (TraceRow& row : rows) {
    if (row.assessments > 0) {
      TRY_ASSIGN(row.trace.assessments, read_assessments(db, row.number));
    }
    page.traces.push_back(std::move(row.trace));
  }
  return page;
}

}  // namespace maru::tracking
