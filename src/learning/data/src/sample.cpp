#include "maru/data/sample.h"

#include <algorithm>
#include <array>
#include <functional>
#include <unordered_map>

#include "maru/base/rng.h"
#include "maru/base/text.h"

namespace maru::data {

using base::Code;
using base::Status;

namespace {

constexpr std::size_t kBlockRows = 65'536;
constexpr std::size_t kBuckets = 65'536;  // of the hash of a value

// FNV-1a, then mixed: the same on every machine, for samples must not depend on a library's hash.
std::uint64_t hash_of(std::string_view text, std::uint64_t seed) {
  std::uint64_t h = 14695981039346656037ull ^ (seed * 0x9e3779b97f4a7c15ull);
  for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  h ^= h >> 30;
  h *= 0xbf58476d1ce4e5b9ull;
  h ^= h >> 27;
  h *= 0x94d049bb133111ebull;
  return h ^ (h >> 31);
}

std::size_t bucket_of(std::string_view text, std::uint64_t seed) {
  return static_cast<std::size_t>(hash_of(text, seed) % kBuckets);
}

// A missing value is a value of its own, apart from every text.
std::string value_of(const Column& column, std::size_t row) {
  return column.is_valid(row) ? "=" + column.display(row) : std::string();
}

// Takes `wanted` of `total` things as they pass by, each set of them with the same chance (selection sampling).
class Chooser {
 public:
  Chooser() = default;
  Chooser(std::uint64_t wanted, std::uint64_t total)
      : wanted_(std::min(wanted, total)), left_(total) {}
  bool take(base::Rng& rng) {
    if (left_ == 0 || wanted_ == 0) return false;
    const bool taken = rng.below(left_) < wanted_;
    --left_;
    if (taken) --wanted_;
    return taken;
  }

 private:
  std::uint64_t wanted_ = 0, left_ = 0;
};

// Shares `rows` among strata by their sizes: at least one each, the rest by largest remainder.
std::vector<std::uint64_t> shares(const std::vector<std::uint64_t>& sizes, std::uint64_t rows) {
  std::uint64_t total = 0;
  for (const auto size : sizes) total += size;
  rows = std::min(rows, total);
  std::vector<std::uint64_t> out(sizes.size());
  std::vector<std::pair<double, std::size_t>> remainders;
  std::uint64_t given = 0;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const double exact = static_cast<double>(rows) * static_cast<double>(sizes[i]) /
                         static_cast<double>(std::max<std::uint64_t>(1, total));
    out[i] = std::min(sizes[i], std::max<std::uint64_t>(1, static_cast<std::uint64_t>(exact)));
    given += out[i];
    remainders.emplace_back(exact - static_cast<double>(out[i]), i);
  }
  std::stable_sort(remainders.begin(), remainders.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  for (std::size_t at = 0; given < rows; at = (at + 1) % remainders.size()) {
    const std::size_t i = remainders[at].second;
    if (out[i] < sizes[i]) {
      ++out[i];
      ++given;
    }
  }
  // Minima may have given too much: taken back where most was given.
  while (given > rows) {
    const auto most = std::max_element(out.begin(), out.end());
    if (*most <= 1) break;
    const std::uint64_t back = std::min(given - rows, std::max<std::uint64_t>(1, *most / 64));
    *most -= back;
    given -= back;
  }
  return out;
}

class SnapshotSample final : public Sample {
 public:
  SnapshotSample(Datasets& datasets, Engine& engine, Snapshot snapshot, SampleSpec spec,
                 base::Context& context)
      : datasets_(datasets),
        engine_(engine),
        snapshot_(std::move(snapshot)),
        spec_(std::move(spec)),
        context_(context),
        rng_(spec_.seed) {}

  Status start();
  const std::vector<StreamColumn>& columns() const override { return rows_->columns(); }
  base::Result<Table> next(std::size_t most) override;

 private:
  Status check_column(const std::string& name) const;
  Status each_value(const std::string& column,
                    const std::function<Status(const std::string&)>& visit);
  Status count_buckets();
  Status count_strata();
  bool take(const Table& block, std::size_t row);

  Datasets& datasets_;
  Engine& engine_;
  const Snapshot snapshot_;
  const SampleSpec spec_;
  base::Context& context_;
  base::Rng rng_;
  std::unique_ptr<RowStream> rows_;
  Chooser chooser_;
  std::size_t buckets_ = 0;  // of `by`: values in the first so many are taken
  std::unordered_map<std::string, Chooser> strata_;
  int column_ = -1;
};

Status SnapshotSample::check_column(const std::string& name) const {
  std::vector<std::string> known;
  for (const auto& column : snapshot_.columns) known.push_back(column.name);
  if (std::find(known.begin(), known.end(), name) == known.end())
    return base::fail(Code::kNotFound, "no such column: " + name + " in " + snapshot_.dataset,
                      base::did_you_mean(name, known));
  return {};
}

Status SnapshotSample::each_value(const std::string& column,
                                  const std::function<Status(const std::string&)>& visit) {
  TRY_ASSIGN(const std::string relation, datasets_.relation(snapshot_));
  TRY_ASSIGN(const auto stream,
             RowStream::open_relation(
                 engine_, "(SELECT " + quote_identifier(column) + " FROM " + relation + ")"));
  std::vector<RowProblem> problems;
  for (;;) {
    TRY(context_.alive());
    TRY_ASSIGN(const Table block, stream->next(kBlockRows, problems));
    if (block.rows() == 0) return {};
    for (std::size_t row = 0; row < block.rows(); ++row)
      TRY(visit(value_of(block.columns[0], row)));
  }
}

Status SnapshotSample::count_buckets() {
  std::vector<std::uint64_t> rows(kBuckets);
  TRY(each_value(spec_.by, [&](const std::string& value) -> Status {
    ++rows[bucket_of(value, spec_.seed)];
    return {};
  }));
  std::uint64_t taken = 0, kept = 0;
  while (buckets_ < kBuckets && taken + rows[buckets_] <= spec_.rows) {
    taken += rows[buckets_];
    kept += rows[buckets_] > 0 ? 1 : 0;
    ++buckets_;
  }
  if (kept > 0) return {};
  const auto first = std::find_if(rows.begin(), rows.end(), [](auto n) { return n > 0; });
  return base::fail(Code::kInvalidArgument,
                    "no value of " + spec_.by + " fits: the first has " +
                        std::to_string(first == rows.end() ? 0 : *first) + " rows",
                    "ask for more rows, or sample without --by");
}

Status SnapshotSample::count_strata() {
  std::unordered_map<std::string, std::uint64_t> sizes;
  std::vector<std::string> order;
  TRY(each_value(spec_.stratify, [&](const std::string& value) -> Status {
    const auto [at, fresh] = sizes.try_emplace(value, 0);
    if (fresh) order.push_back(value);
    ++at->second;
    if (order.size() > kMaxStrata)
      return base::fail(Code::kTooLarge, "too many values to stratify by: " + spec_.stratify,
                        "at most 1000000; choose a coarser column");
    return {};
  }));
  if (order.size() > spec_.rows)
    return base::fail(Code::kInvalidArgument,
                      spec_.stratify + " has more values than rows are asked for: " +
                          std::to_string(order.size()),
                      "ask for at least one row a value");
  std::vector<std::uint64_t> list;
  list.reserve(order.size());
  for (const auto& value : order) list.push_back(sizes[value]);
  const auto wanted = shares(list, spec_.rows);
  for (std::size_t i = 0; i < order.size(); ++i)
    strata_.emplace(order[i], Chooser(wanted[i], list[i]));
  return {};
}

Status SnapshotSample::start() {
  if (spec_.rows == 0) return base::fail(Code::kInvalidArgument, "a sample needs at least one row");
  if (!spec_.by.empty() && !spec_.stratify.empty())
    return base::fail(Code::kInvalidArgument, "by and stratify exclude each other");
  const std::string& column = spec_.by.empty() ? spec_.stratify : spec_.by;
  if (!column.empty()) TRY(check_column(column));
  if (!spec_.by.empty()) TRY(count_buckets());
  if (!spec_.stratify.empty()) TRY(count_strata());
  chooser_ = Chooser(spec_.rows, snapshot_.rows);
  TRY_ASSIGN(const std::string relation, datasets_.relation(snapshot_));
  TRY_ASSIGN(rows_, RowStream::open_relation(engine_, relation));
  for (std::size_t c = 0; c < rows_->columns().size() && !column.empty(); ++c)
    if (rows_->columns()[c].name == column) column_ = static_cast<int>(c);
  return {};
}

bool SnapshotSample::take(const Table& block, std::size_t row) {
  if (column_ < 0) return chooser_.take(rng_);
  const std::string value = value_of(block.columns[static_cast<std::size_t>(column_)], row);
  if (!spec_.by.empty()) return bucket_of(value, spec_.seed) < buckets_;
  return strata_[value].take(rng_);
}

base::Result<Table> SnapshotSample::next(std::size_t most) {
  std::vector<RowProblem> problems;
  for (;;) {
    TRY(context_.alive());
    TRY_ASSIGN(Table block, rows_->next(std::min(most, kBlockRows), problems));
    if (block.rows() == 0) return block;
    std::vector<std::uint32_t> taken;
    for (std::size_t row = 0; row < block.rows(); ++row)
      if (take(block, row)) taken.push_back(static_cast<std::uint32_t>(row));
    if (!taken.empty()) return block.take(taken);
  }
}

}  // namespace

base::Result<std::unique_ptr<Sample>> Sample::open(Datasets& datasets, Engine& engine,
                                                   const Snapshot& snapshot, const SampleSpec& spec,
                                                   base::Context& context) {
  auto out = std::make_unique<SnapshotSample>(datasets, engine, snapshot, spec, context);
  TRY(out->start());
  return out;
}

}  // namespace maru::data
