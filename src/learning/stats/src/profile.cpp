#include "maru/stats/profile.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <mutex>

#include "associations.h"
#include "column_sums.h"
#include "maru/base/pool.h"
#include "maru/base/text.h"
#include "maru/stats/profiler.h"
#include "row_sums.h"
#include "summary.h"

namespace maru::stats {
namespace {

using base::Code;
using data::ColumnType;

constexpr std::size_t kTableValues = 1u << 20;  // exact in a table that is in memory anyway
constexpr std::size_t kSliceValues = 2048;      // of a column of a slice
constexpr std::size_t kSlicesSeen = 256;        // values of a slicing column that are followed
constexpr std::size_t kPatternsListed = 30;
constexpr std::size_t kRaggedListed = 5;

// Weighted mean and spread, value by value (West, 1979).
struct WeightedSums {
  double weight = 0, mean = 0, m2 = 0;
  void add(double value, double w) {
    if (!(w > 0) || !std::isfinite(value)) return;
    weight += w;
    const double d = value - mean;
    mean += d * w / weight;
    m2 += w * d * (value - mean);
  }
  void merge(const WeightedSums& other) {
    if (other.weight == 0) return;
    const double all = weight + other.weight, d = other.mean - mean;
    m2 += other.m2 + d * d * weight * other.weight / all;
    mean += d * other.weight / all;
    weight = all;
  }
};

double number_at(const data::CellColumn& column, std::size_t row) {
  if (column.texts != nullptr) {
    const CellValue value = shape_of(column.texts[row]);
    return value.shape == Shape::kOther ? std::nan("") : value.real;
  }
  if (!column.is_valid(row)) return std::nan("");
  return column.reals != nullptr ? column.reals[row] : static_cast<double>(column.integers[row]);
}

struct SliceSums {
  std::uint64_t rows = 0;
  std::vector<ColumnSums> columns;
};

// Some rows of a block, copied together.
class Picked {
 public:
  data::CellBlock& take(const data::CellBlock& from, const std::vector<std::uint32_t>& rows) {
    const std::size_t width = from.columns.size();
    texts_.resize(width);
    integers_.resize(width);
    reals_.resize(width);
    valid_.resize(width);
    block_.number = from.number;
    block_.rows = rows.size();
    block_.columns.assign(width, {});
    for (std::size_t c = 0; c < width; ++c) {
      const data::CellColumn& column = from.columns[c];
      data::CellColumn& out = block_.columns[c];
      if (column.texts != nullptr) {
        texts_[c].clear();
        for (const auto row : rows) texts_[c].push_back(column.texts[row]);
        out.texts = texts_[c].data();
      } else if (column.reals != nullptr) {
        reals_[c].clear();
        for (const auto row : rows) reals_[c].push_back(column.reals[row]);
        out.reals = reals_[c].data();
      } else {
        integers_[c].clear();
        for (const auto row : rows) integers_[c].push_back(column.integers[row]);
        out.integers = integers_[c].data();
      }
      if (column.valid == nullptr) continue;
      valid_[c].assign(rows.size() / 64 + 1, 0);
      for (std::size_t i = 0; i < rows.size(); ++i)
        valid_[c][i / 64] |= static_cast<std::uint64_t>(column.is_valid(rows[i])) << (i % 64);
      out.valid = valid_[c].data();
    }
    return block_;
  }

 private:
  data::CellBlock block_;
  std::vector<std::vector<std::string_view>> texts_;
  std::vector<std::vector<std::int64_t>> integers_;
  std::vector<std::vector<double>> reals_;
  std::vector<std::vector<std::uint64_t>> valid_;
};

// What one thread has seen.
class Part {
 public:
  Part(const std::vector<data::StreamColumn>& columns, bool raw, const ProfileOptions& options)
      : raw_(raw), options_(options), sample_(columns) {
    for (const auto& column : columns) {
      columns_.emplace_back(column.type, raw, options.exact_values, options.nan_is_missing);
      kinds_.push_back(column.type);
      salts_.push_back(mix64(salts_.size() * 2 + 1));
    }
    weighted_.resize(columns.size());
  }

  void set_slices(std::vector<std::size_t> by) {
    slice_by_ = std::move(by);
    slices_.resize(slice_by_.size());
  }
  void set_weight(std::size_t column) { weight_ = column; }

  void add(const data::CellBlock& block) {
    hashes_.assign(block.rows, 0);
    patterns_.assign(block.rows, 0);
    for (std::size_t c = 0; c < columns_.size(); ++c)
      columns_[c].add(block.columns[c], block.rows, block.number, hashes_.data(), patterns_.data(),
                      salts_[c]);
    repeated_.add(hashes_.data(), block.rows);
    missing_.add(block, patterns_.data(), raw_, options_.nan_is_missing);
    if (options_.associations) sample_.add(block, raw_);
    blocks_.emplace_back(block.number, block.rows);
    for (const auto row : block.ragged_rows) {
      if (ragged_rows_.size() < kRaggedListed * 4)
        ragged_rows_.push_back(row_mark(block.number, row));
    }
    ragged_ += block.ragged;
    if (weight_) weigh(block);
    for (std::size_t s = 0; s < slice_by_.size(); ++s) slice(block, s);
  }

  void merge(Part&& other) {
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      columns_[c].merge(other.columns_[c]);
      other.columns_[c] = ColumnSums(kinds_[c], raw_, 1, false);
      weighted_[c].merge(other.weighted_[c]);
    }
    repeated_.merge(other.repeated_);
    missing_.merge(other.missing_);
    if (options_.associations) sample_.merge(std::move(other.sample_));
    blocks_.insert(blocks_.end(), other.blocks_.begin(), other.blocks_.end());
    ragged_rows_.insert(ragged_rows_.end(), other.ragged_rows_.begin(), other.ragged_rows_.end());
    ragged_ += other.ragged_;
    for (std::size_t s = 0; s < slices_.size(); ++s) {
      for (auto& [value, sums] : other.slices_[s]) {
        auto found = slices_[s].find(value);
        if (found == slices_[s].end()) {
          slices_[s].emplace(value, std::move(sums));
          continue;
        }
        found->second.rows += sums.rows;
        for (std::size_t c = 0; c < columns_.size(); ++c)
          found->second.columns[c].merge(sums.columns[c]);
      }
    }
  }

  Profile finish(const std::vector<data::StreamColumn>& columns) {
    number_blocks();
    const RowOf row_of = [this](std::uint64_t mark) { return row_number(mark); };
    Profile out;
    for (const auto& [block, rows] : blocks_) out.rows += rows;
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      out.columns.push_back(summarise(columns[c].name, columns_[c], row_of));
      if (weight_ && weighted_[c].weight > 0 && out.columns[c].type != ColumnType::kText) {
        out.columns[c].weighted_mean = weighted_[c].mean;
        out.columns[c].weighted_std = std::sqrt(weighted_[c].m2 / weighted_[c].weight);
      }
    }
    rows_of(out, columns, row_of);
    for (std::size_t s = 0; s < slice_by_.size(); ++s) list_slices(out, columns, s, row_of);
    out.label = options_.label;
    out.weight = options_.weight;
    if (options_.associations) {
      sample_.trim();
      find_associations(out, sample_, options_.label, row_of);
    }
    return out;
  }

 private:
  void weigh(const data::CellBlock& block) {
    const data::CellColumn& weights = block.columns[*weight_];
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      if (c == *weight_ || (!raw_ && kinds_[c] == ColumnType::kText)) continue;
      for (std::size_t row = 0; row < block.rows; ++row)
        weighted_[c].add(number_at(block.columns[c], row), number_at(weights, row));
    }
  }

  std::string slice_value(const data::CellColumn& column, std::size_t row) const {
    if (column.texts != nullptr) return std::string(base::trim(column.texts[row]));
    if (!column.is_valid(row)) return {};
    return column.reals != nullptr ? base::format_double(column.reals[row])
                                   : std::to_string(column.integers[row]);
  }

  void slice(const data::CellBlock& block, std::size_t s) {
    std::map<std::string, std::vector<std::uint32_t>> groups;
    for (std::size_t row = 0; row < block.rows; ++row)
      groups[slice_value(block.columns[slice_by_[s]], row)].push_back(
          static_cast<std::uint32_t>(row));
    for (const auto& [value, rows] : groups) {
      auto found = slices_[s].find(value);
      if (found == slices_[s].end()) {
        if (slices_[s].size() >= kSlicesSeen) continue;
        SliceSums sums;
        for (const auto kind : kinds_)
          sums.columns.emplace_back(kind, raw_, kSliceValues, options_.nan_is_missing);
        found = slices_[s].emplace(value, std::move(sums)).first;
      }
      found->second.rows += rows.size();
      const data::CellBlock& part = picked_.take(block, rows);
      scratch_.assign(rows.size(), 0);
      for (std::size_t c = 0; c < kinds_.size(); ++c)
        found->second.columns[c].add(part.columns[c], rows.size(), block.number, scratch_.data(),
                                     scratch_.data(), 0);
    }
  }

  void number_blocks() {
    std::sort(blocks_.begin(), blocks_.end());
    std::uint64_t row = 0;
    for (const auto& [block, rows] : blocks_) {
      first_rows_.push_back(row);
      row += rows;
    }
  }
  // Blocks are numbered without gaps.
  std::uint64_t row_number(std::uint64_t mark) const {
    const std::size_t block = mark >> 24;
    return block < first_rows_.size() ? first_rows_[block] + (mark & 0xFFFFFF) : mark;
  }

  void rows_of(Profile& out, const std::vector<data::StreamColumn>& columns, const RowOf& row_of) {
    out.duplicate_rows = repeated_.repeats();
    out.duplicate_error = repeated_.relative_error();
    out.ragged_rows = ragged_;
    for (const auto mark : ragged_rows_) out.ragged_examples.push_back(row_of(mark));
    std::sort(out.ragged_examples.begin(), out.ragged_examples.end());
    if (out.ragged_examples.size() > kRaggedListed) out.ragged_examples.resize(kRaggedListed);
    out.rows_with_missing = missing_.rows_with_missing;
    for (const auto& [mark, pattern] : missing_.patterns) {
      MissingTogether item;
      item.rows = pattern.rows;
      for (const auto c : pattern.columns) item.columns.push_back(columns[c].name);
      out.missing_together.push_back(std::move(item));
    }
    std::sort(out.missing_together.begin(), out.missing_together.end(),
              [](const MissingTogether& a, const MissingTogether& b) {
                return a.rows != b.rows ? a.rows > b.rows : a.columns < b.columns;
              });
    if (out.missing_together.size() > kPatternsListed) out.missing_together.resize(kPatternsListed);
    for (const auto& column : out.columns) {
      const bool all = column.missing == 0 && column.nan == 0 && out.rows > 1;
      const bool unique = column.distinct_error == 0 ? column.distinct == out.rows
                                                     : static_cast<double>(column.distinct) >
                                                               (1 - 3 * column.distinct_error) *
                                                                   static_cast<double>(out.rows) &&
                                                           column.meaning != "numeric";
      if (all && unique && column.type != ColumnType::kFloat)
        out.candidate_keys.push_back(column.name);
    }
  }

  void list_slices(Profile& out, const std::vector<data::StreamColumn>& columns, std::size_t s,
                   const RowOf& row_of) {
    std::vector<const std::pair<const std::string, SliceSums>*> order;
    for (const auto& item : slices_[s]) order.push_back(&item);
    std::stable_sort(order.begin(), order.end(),
                     [](const auto* a, const auto* b) { return a->second.rows > b->second.rows; });
    if (order.size() > options_.slices) order.resize(options_.slices);
    for (const auto* item : order) {
      ProfileSlice slice;
      slice.column = columns[slice_by_[s]].name;
      slice.value = item->first;
      slice.rows = item->second.rows;
      for (std::size_t c = 0; c < columns.size(); ++c) {
        // Rows of a slice lie apart in their block, so places within it are not row numbers.
        slice.columns.push_back(summarise(columns[c].name, item->second.columns[c], row_of));
        slice.columns.back().low.clear();
        slice.columns.back().high.clear();
      }
      out.slices.push_back(std::move(slice));
    }
  }

  const bool raw_;
  const ProfileOptions& options_;
  std::vector<ColumnSums> columns_;
  std::vector<ColumnType> kinds_;
  std::vector<std::uint64_t> salts_, hashes_, patterns_, scratch_;
  std::vector<WeightedSums> weighted_;
  std::optional<std::size_t> weight_;
  RepeatedRows repeated_;
  MissingMap missing_;
  RowSample sample_;
  std::vector<std::size_t> slice_by_;
  std::vector<std::map<std::string, SliceSums>> slices_;
  Picked picked_;
  std::vector<std::pair<std::size_t, std::size_t>> blocks_;
  std::vector<std::uint64_t> first_rows_, ragged_rows_;
  std::uint64_t ragged_ = 0;
};

base::Result<std::size_t> column_named(const std::vector<data::StreamColumn>& columns,
                                       const std::string& name) {
  std::vector<std::string> names;
  for (std::size_t c = 0; c < columns.size(); ++c) {
    if (columns[c].name == name) return c;
    names.push_back(columns[c].name);
  }
  return base::fail(Code::kInvalidArgument, "no such column: " + name,
                    base::did_you_mean(name, names));
}

base::Status read_all(data::CellStream& stream, Part& part, base::Context& context) {
  data::CellBlock block;
  for (;;) {
    TRY(context.alive());
    TRY_ASSIGN(const bool more, stream.next(block));
    if (!more) return {};
    part.add(block);
  }
}

}  // namespace

base::Result<Profile> profile_stream(data::CellStream& stream, const ProfileOptions& options,
                                     base::Context& context) {
  const auto& columns = stream.columns();
  std::vector<std::size_t> slices;
  for (const auto& name : options.slice_by) {
    TRY_ASSIGN(const std::size_t at, column_named(columns, name));
    slices.push_back(at);
  }
  if (!options.label.empty()) TRY(column_named(columns, options.label));
  std::vector<std::unique_ptr<Part>> parts;
  const std::size_t threads = std::max<std::size_t>(1, options.threads);
  for (std::size_t i = 0; i < threads; ++i) {
    parts.push_back(std::make_unique<Part>(columns, stream.raw(), options));
    parts.back()->set_slices(slices);
    if (options.weight.empty()) continue;
    TRY_ASSIGN(const std::size_t weight, column_named(columns, options.weight));
    parts.back()->set_weight(weight);
  }
  std::vector<base::Status> ends(threads);
  if (threads == 1) {
    ends[0] = read_all(stream, *parts[0], context);
  } else {
    base::Pool pool({"profile", threads - 1, threads});
    pool.parallel_for(threads,
                      [&](std::size_t i) { ends[i] = read_all(stream, *parts[i], context); });
  }
  for (const auto& end : ends) TRY(end);
  for (std::size_t i = 1; i < threads; ++i) {
    parts[0]->merge(std::move(*parts[i]));
    parts[i].reset();
  }
  Profile out = parts[0]->finish(columns);
  out.notes = stream.notes();
  return out;
}

base::Result<Profile> profile_snapshot(data::Datasets& datasets, data::Engine& engine,
                                       const data::Snapshot& snapshot, base::Context& context) {
  const auto stored = datasets.attachment(snapshot.id, "profile");
  if (stored) return Profile::from_json(*stored);
  TRY_ASSIGN(const std::string relation, datasets.relation(snapshot));
  TRY_ASSIGN(const auto stream, data::CellStream::open_relation(engine, relation));
  ProfileOptions options;
  options.nan_is_missing = true;
  TRY_ASSIGN(Profile out, profile_stream(*stream, options, context));
  if (out.rows != snapshot.rows)
    return base::fail(
        Code::kDataLoss,
        "a snapshot of " + std::to_string(snapshot.rows) + " rows gave " + std::to_string(out.rows),
        "is a part of it damaged?");
  TRY(datasets.attach(snapshot.id, "profile", out.to_json()));
  return out;
}

ColumnProfile profile_column(const data::Column& column) {
  data::Table table;
  table.columns.push_back(column);
  return std::move(profile_table(table).columns.front());
}

Profile profile_table(const data::Table& table) {
  ProfileOptions options;
  options.threads = 1;
  options.exact_values = kTableValues;
  options.associations = false;
  options.nan_is_missing = true;
  base::Context context;
  const auto stream = data::CellStream::of(table);
  return std::move(*profile_stream(*stream, options, context));
}

const ColumnProfile* Profile::find(std::string_view name) const {
  for (const auto& column : columns) {
    if (column.name == name) return &column;
  }
  return nullptr;
}

}  // namespace maru::stats
