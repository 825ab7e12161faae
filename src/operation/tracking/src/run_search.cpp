#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "maru/base/json.h"

#include "runs.h"

// Searching over columns: a filter is tested once for every distinct text of a column and once for every number.
namespace maru::tracking {
namespace {

using base::Code;
using base::Result;
using base::Status;

constexpr std::string_view kRunsDatasets =
    "SELECT r.run, d.name, d.digest, r.tags FROM run_datasets r JOIN datasets_logged d ON d.number "
    "= r.dataset WHERE d.experiment_id = $1";

const TextColumn* attribute_texts(const ExperimentColumns& columns, const std::string& key) {
  if (key == "run_id") return &columns.id;
  if (key == "run_name") return &columns.name;
  if (key == "status") return &columns.status;
  if (key == "user_id") return &columns.user;
  if (key == "artifact_uri") return &columns.artifact_uri;
  return nullptr;
}

const std::vector<std::int64_t>* attribute_times(const ExperimentColumns& columns,
                                                 const std::string& key) {
  if (key == "start_time") return &columns.start_us;
  if (key == "end_time") return &columns.end_us;
  return nullptr;
}

const TextColumn* texts_of(const ExperimentColumns& columns, Entity entity,
                           const std::string& key) {
  if (entity == Entity::kAttribute) return attribute_texts(columns, key);
  const auto& texts = entity == Entity::kParam ? columns.params : columns.tags;
  const auto found = texts.find(key);
  return found == texts.end() ? nullptr : &found->second;
}

// A filter over the columns of one experiment.
class ColumnFilter {
 public:
  ColumnFilter(const Filter& filter, const ExperimentColumns& columns,
               const std::vector<std::unordered_set<std::int64_t>>& dataset_runs)
      : columns_(columns) {
    std::size_t datasets = 0;
    root_ = make(filter, dataset_runs, datasets);
  }
  bool matches(std::size_t row) const { return test(root_, row); }

 private:
  struct Node {
    Filter::Kind kind = Filter::Kind::kTrue;
    std::vector<Node> parts;
    const Comparison* leaf = nullptr;
    const NumberColumn* numbers = nullptr;
    const std::vector<std::int64_t>* times = nullptr;
    const TextColumn* texts = nullptr;
    std::vector<bool> good;  // by the text's code
    const std::unordered_set<std::int64_t>* runs = nullptr;
  };

  Node make(const Filter& filter, const std::vector<std::unordered_set<std::int64_t>>& dataset_runs,
            std::size_t& datasets) {
    Node node;
    node.kind = filter.kind;
    for (const auto& part : filter.parts) node.parts.push_back(make(part, dataset_runs, datasets));
    if (filter.kind != Filter::Kind::kCompare) return node;
    const Comparison& leaf = filter.leaf;
    node.leaf = &leaf;
    if (leaf.entity == Entity::kDataset) {
      node.runs = &dataset_runs[datasets++];
    } else if (leaf.entity == Entity::kMetric) {
      node.numbers = &columns_.metrics.at(leaf.key);
    } else if (leaf.entity == Entity::kAttribute) {
      node.times = attribute_times(columns_, leaf.key);
    }
    if (node.runs == nullptr && node.numbers == nullptr && node.times == nullptr) {
      node.texts = texts_of(columns_, leaf.entity, leaf.key);
      if (node.texts != nullptr) {
        node.good.push_back(compare(leaf, Cell{}));
        for (std::size_t code = 1; code < node.texts->words.size(); ++code)
          node.good.push_back(compare(leaf, Cell{std::string_view(node.texts->words[code])}));
      }
    }
    return node;
  }

  bool test_leaf(const Node& node, std::size_t row) const {
    if (node.runs != nullptr) return node.runs->contains(columns_.numbers[row]);
    if (node.numbers != nullptr)
      return compare(*node.leaf,
                     node.numbers->present[row] ? Cell{node.numbers->points[row].value} : Cell{});
    if (node.times != nullptr) {
      const std::int64_t us = (*node.times)[row];
      return compare(*node.leaf, us == 0 ? Cell{} : Cell{static_cast<double>(us / 1000)});
    }
    if (node.texts == nullptr) return compare(*node.leaf, Cell{});
    return node.good[node.texts->codes[row]];
  }

  bool test(const Node& node, std::size_t row) const {
    const auto one = [&](const Node& part) { return test(part, row); };
    switch (node.kind) {
      case Filter::Kind::kTrue:
        return true;
      case Filter::Kind::kAnd:
        return std::all_of(node.parts.begin(), node.parts.end(), one);
      case Filter::Kind::kOr:
        return std::any_of(node.parts.begin(), node.parts.end(), one);
      case Filter::Kind::kNot:
        return !test(node.parts.front(), row);
      case Filter::Kind::kCompare:
        return test_leaf(node, row);
    }
    return false;
  }

  const ExperimentColumns& columns_;
  Node root_;
};

// What a run is ordered by. Rank 0: a value; 1: NaN; 2: none. Ranks ascend in both directions.
struct SortKey {
  std::uint8_t rank = 2;
  double number = 0;
  std::string_view text;
};
struct Candidate {
  const ExperimentColumns* columns = nullptr;
  std::size_t row = 0;
  std::size_t keys = 0;  // index of its first key
};

class Sorter {
 public:
  explicit Sorter(std::vector<OrderTerm> terms) : terms_(std::move(terms)) {}

  Candidate candidate(const ExperimentColumns& columns, std::size_t row) {
    Candidate out{&columns, row, keys_.size()};
    for (const auto& term : terms_) keys_.push_back(key_of(columns, row, term));
    return out;
  }

  // By the terms, then newest first, then by id.
  bool before(const Candidate& a, const Candidate& b) const {
    for (std::size_t i = 0; i < terms_.size(); ++i) {
      const SortKey &x = keys_[a.keys + i], &y = keys_[b.keys + i];
      if (x.rank != y.rank) return x.rank < y.rank;
      if (x.number != y.number) return (x.number < y.number) != terms_[i].descending;
      if (x.text != y.text) return (x.text < y.text) != terms_[i].descending;
    }
    const std::int64_t x = a.columns->start_us[a.row], y = b.columns->start_us[b.row];
    if (x != y) return x > y;
    return id(a) < id(b);
  }

  static const std::string& id(const Candidate& c) {
    return c.columns->id.words[c.columns->id.codes[c.row]];
  }

 private:
  static SortKey key_of(const ExperimentColumns& columns, std::size_t row, const OrderTerm& term) {
    if (term.entity == Entity::kMetric) {
      const auto& column = columns.metrics.at(term.key);
      if (!column.present[row]) return {};
      const double value = column.points[row].value;
      if (std::isnan(value)) return {1, 0, {}};
      return {0, value, {}};
    }
    if (term.entity == Entity::kAttribute) {
      if (const auto* times = attribute_times(columns, term.key)) {
        const std::int64_t us = (*times)[row];
        if (us == 0) return {};
        return {0, static_cast<double>(us), {}};
      }
    }
    const TextColumn* texts = texts_of(columns, term.entity, term.key);
    if (texts == nullptr || texts->codes[row] == 0) return {};
    return {0, 0, texts->words[texts->codes[row]]};
  }

  std::vector<OrderTerm> terms_;
  std::vector<SortKey> keys_;
};

RunIndex::Needs needs_of(const Filter& filter, const std::vector<OrderTerm>& order) {
  RunIndex::Needs needs;
  const auto add = [&](Entity entity, const std::string& key) {
    std::vector<std::string>* list = entity == Entity::kMetric  ? &needs.metrics
                                     : entity == Entity::kParam ? &needs.params
                                     : entity == Entity::kTag   ? &needs.tags
                                                                : nullptr;
    if (list != nullptr && std::find(list->begin(), list->end(), key) == list->end())
      list->push_back(key);
  };
  each_comparison(filter, [&](const Comparison& leaf) { add(leaf.entity, leaf.key); });
  for (const auto& term : order) add(term.entity, term.key);
  return needs;
}

std::string context_of(const std::string& tags) {
  const auto parsed = base::parse_json(tags);
  return parsed ? (*parsed)["mlflow.data.context"].as_string() : std::string();
}

// For every comparison about datasets, in the order of the text: the runs with a dataset that satisfies it.
Result<std::vector<std::unordered_set<std::int64_t>>> runs_by_dataset(
    store::Database& db, const std::vector<std::string>& experiments, const Filter& filter) {
  std::vector<const Comparison*> leaves;
  each_comparison(filter, [&](const Comparison& leaf) {
    if (leaf.entity == Entity::kDataset) leaves.push_back(&leaf);
  });
  std::vector<std::unordered_set<std::int64_t>> out(leaves.size());
  if (leaves.empty()) return out;
  for (const auto& experiment : experiments) {
    const auto key = store::params(experiment);
    TRY_ASSIGN(const auto rows, db.query(kRunsDatasets, key));
    for (const auto& row : rows) {
      const std::string context = context_of(row.text(3));
      for (std::size_t i = 0; i < leaves.size(); ++i) {
        const std::string_view value = leaves[i]->key == "name"     ? row.text(1)
                                       : leaves[i]->key == "digest" ? row.text(2)
                                                                    : context;
        if (compare(*leaves[i], Cell{value})) out[i].insert(row.integer(0));
      }
    }
  }
  return out;
}

bool in_view(const std::string& state, View view) {
  return view == View::kAll || (state == "active") == (view == View::kActive);
}

}  // namespace

Result<FoundRuns> find_runs(store::Database& db, RunIndex& index,
                            const std::vector<std::string>& experiments, const RunQuery& query) {
  TRY_ASSIGN(const Filter filter, parse_filter(query.filter, run_grammar()));
  TRY_ASSIGN(const auto order, parse_order(query.order_by, run_grammar()));
  TRY_ASSIGN(const auto dataset_runs, runs_by_dataset(db, experiments, filter));
  const std::string part = fold_case(query.name_contains);
  FoundRuns found;
  TRY(index.with(experiments, needs_of(filter, order), [&](const auto& all) -> Status {
    Sorter sorter(order);
    std::vector<Candidate> candidates;
    std::optional<Candidate> last;
    for (const ExperimentColumns* columns : all) {
      const ColumnFilter test(filter, *columns, dataset_runs);
      std::vector<bool> visible, named;
      for (const auto& state : columns->state.words) visible.push_back(in_view(state, query.view));
      for (const auto& name : columns->name.words)
        named.push_back(part.empty() || fold_case(name).find(part) != std::string::npos);
      if (const auto code = columns->id.code_of.find(query.after);
          !query.after.empty() && code != columns->id.code_of.end()) {
        for (std::size_t row = 0; row < columns->rows() && !last; ++row)
          if (columns->id.codes[row] == code->second) last = sorter.candidate(*columns, row);
      }
      for (std::size_t row = 0; row < columns->rows(); ++row) {
        if (visible[columns->state.codes[row]] && named[columns->name.codes[row]] &&
            test.matches(row))
          candidates.push_back(sorter.candidate(*columns, row));
      }
    }
    found.total = candidates.size();
    if (!query.after.empty() && !last)
      return base::fail(Code::kInvalidArgument, "Invalid page token, could not be decoded",
                        "begin again without a token");
    const auto before = [&](const Candidate& a, const Candidate& b) { return sorter.before(a, b); };
    if (last) std::erase_if(candidates, [&](const Candidate& c) { return !before(*last, c); });
    const std::size_t begin = std::min(query.offset, candidates.size());
    const std::size_t end = std::min(begin + query.limit, candidates.size());
    std::partial_sort(candidates.begin(), candidates.begin() + static_cast<std::ptrdiff_t>(end),
                      candidates.end(), before);
    for (std::size_t i = begin; i < end; ++i)
      found.numbers.push_back(candidates[i].columns->numbers[candidates[i].row]);
    if (end < candidates.size() && end > begin) found.next_after = Sorter::id(candidates[end - 1]);
    return {};
  }));
  return found;
}

}  // namespace maru::tracking
