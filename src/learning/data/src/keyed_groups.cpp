#include "keyed_groups.h"

#include <algorithm>
#include <atomic>
#include <mutex>

#include "delimited.h"

namespace maru::data {

using base::Code;

KeyedRows::KeyedRows(const Known& known) : known_(known), kinds_(known.names.size()) {
  for (std::size_t c = 0; c < known.names.size(); ++c)
    fills_.push_back(
        std::make_unique<ColumnFill>(known.names[c], known.types[c], kinds_[c], known.final));
}

std::size_t KeyedRows::place(std::string_view name, Found*& found) {
  // Rows mostly have the same names in the same order.
  if (next_ < order_.size() && known_.names[order_[next_]] == name) return order_[next_++];
  name_ = name;
  const auto known = known_.places.find(name_);
  if (known != known_.places.end()) {
    if (next_ == order_.size() && order_.size() < 2 * known_.names.size()) {
      order_.push_back(known->second);
      ++next_;
    } else {
      const auto at = std::find(order_.begin(), order_.end(), known->second);
      if (at != order_.end()) next_ = static_cast<std::size_t>(at - order_.begin()) + 1;
    }
    return known->second;
  }
  const auto [at, fresh] = found_places_.try_emplace(name_, found_.size());
  if (fresh) found_.push_back({name_, {}, kUnknown});
  found = &found_[at->second];
  return kUnknown;
}

bool KeyedRows::ready(std::size_t c) {
  ColumnFill& fill = *fills_[c];
  if (fill.rows() > rows_) return false;
  fill.add_missing(rows_ - fill.rows());
  return true;
}

namespace {

bool once(KeyedRows::Found& found, std::size_t row) { return std::exchange(found.row, row) != row; }

}  // namespace

bool KeyedRows::missing(std::string_view name) {
  Found* found = nullptr;
  const std::size_t c = place(name, found);
  if (c == kUnknown) return once(*found, rows_);
  if (!ready(c)) return false;
  fills_[c]->add_missing(1);
  return true;
}

bool KeyedRows::word(std::string_view name, std::string_view text) {
  Found* found = nullptr;
  const std::size_t c = place(name, found);
  if (c == kUnknown) {
    if (!found->kinds.none() || !found->kinds.any_value) found->kinds.restrict(text);
    return once(*found, rows_);
  }
  if (!ready(c)) return false;
  fills_[c]->add_word(text);
  return true;
}

bool KeyedRows::quoted(std::string_view name, std::string_view text) {
  Found* found = nullptr;
  const std::size_t c = place(name, found);
  if (c == kUnknown) {
    found->kinds.restrict_quoted(text);
    return once(*found, rows_);
  }
  if (!ready(c)) return false;
  fills_[c]->add_quoted(text);
  return true;
}

bool KeyedRows::nested(std::string_view name, std::string_view json) { return quoted(name, json); }

bool KeyedRows::fits() const {
  return found_.empty() &&
         std::all_of(fills_.begin(), fills_.end(), [](const auto& fill) { return fill->fits(); });
}

Table KeyedRows::take() {
  Table out;
  for (auto& fill : fills_) {
    fill->add_missing(rows_ - std::min(rows_, fill->rows()));
    out.columns.push_back(fill->take());
  }
  return out;
}

namespace {

constexpr std::size_t kGuessBytes = 256u << 10;

class KeyedGroups final : public GroupSource {
 public:
  KeyedGroups(std::unique_ptr<RecordFormat> format, std::string name)
      : format_(std::move(format)), name_(std::move(name)) {}

  base::Status start() override {
    TRY(format_->start());
    if (known_.names.empty()) {
      TRY(guess());
      TRY(format_->start());
    }
    next_ = 0;
    kinds_.assign(known_.names.size(), CellKinds());
    found_.clear();
    spoiled_ = false;
    return {};
  }
  std::vector<StreamColumn> columns() const override {
    std::vector<StreamColumn> out;
    for (std::size_t c = 0; c < known_.names.size(); ++c)
      out.push_back({known_.names[c], known_.types[c]});
    return out;
  }
  base::Result<bool> next(RowGroup& group) override {
    RecordFormat::Piece piece;
    {
      const std::lock_guard lock(mutex_);
      group.number = next_;
      TRY_ASSIGN(const bool more, format_->claim(kGroupTextBytes, piece));
      if (!more) return false;
      ++next_;
    }
    KeyedRows rows(known_);
    TRY(format_->parse(piece, rows));
    {
      const std::lock_guard lock(mutex_);
      if (!rows.fits()) spoiled_ = true;
      for (std::size_t c = 0; c < kinds_.size(); ++c) kinds_[c].merge(rows.kinds()[c]);
      for (std::size_t i = 0; i < rows.found().size(); ++i)
        note(rows.found()[i], {group.number, i});
    }
    group.rows = rows.take();
    return true;
  }
  bool spoiled() const override { return spoiled_; }
  std::vector<std::string> notes() const override { return format_->notes(); }

  base::Result<bool> again() override {
    if (known_.final) {
      if (spoiled_)
        return base::fail(Code::kAborted, "the file changed while it was read: " + name_,
                          "copy it to a place where nothing writes, then import the copy");
      return false;
    }
    if (next_ == 0 || known_.names.size() + found_.size() == 0)
      return base::fail(Code::kInvalidArgument, "no rows: " + name_,
                        "a table needs at least one row with a value");
    std::vector<ColumnType> types;
    for (const auto& kinds : kinds_) types.push_back(kinds.type());
    if (types == known_.types && found_.empty()) return false;
    known_.types = std::move(types);
    std::vector<std::pair<std::string, Later>> later(found_.begin(), found_.end());
    std::sort(later.begin(), later.end(),
              [](const auto& a, const auto& b) { return a.second.place < b.second.place; });
    for (const auto& [column, what] : later) {
      known_.places.emplace(column, known_.names.size());
      known_.names.push_back(column);
      known_.types.push_back(what.kinds.type());
    }
    if (known_.names.size() > kMaxColumns)
      return base::fail(Code::kTooLarge,
                        "too many columns: " + std::to_string(known_.names.size()) + " in " + name_,
                        "at most " + std::to_string(kMaxColumns));
    return known_.final = true;
  }

 private:
  using Place = std::pair<std::size_t, std::size_t>;  // group, and which of the new ones there
  struct Later {
    CellKinds kinds;
    Place place;
  };

  void note(const KeyedRows::Found& found, Place place) {
    const auto [at, fresh] = found_.try_emplace(found.name, Later{found.kinds, place});
    if (fresh) return;
    at->second.kinds.merge(found.kinds);
    at->second.place = std::min(at->second.place, place);
  }

  base::Status guess() {
    RecordFormat::Piece piece;
    TRY_ASSIGN(const bool any, format_->claim(kGuessBytes, piece));
    if (!any) return {};
    const KeyedRows::Known nothing;
    KeyedRows rows(nothing);
    TRY(format_->parse(piece, rows));
    for (const auto& found : rows.found()) {
      known_.places.emplace(found.name, known_.names.size());
      known_.names.push_back(found.name);
      known_.types.push_back(found.kinds.type());
    }
    return {};
  }

  const std::unique_ptr<RecordFormat> format_;
  const std::string name_;
  KeyedRows::Known known_;
  std::mutex mutex_;
  std::size_t next_ = 0;
  std::vector<CellKinds> kinds_;
  std::unordered_map<std::string, Later> found_;
  std::atomic<bool> spoiled_{false};
};

}  // namespace

std::unique_ptr<GroupSource> keyed_groups(std::unique_ptr<RecordFormat> format, std::string name) {
  return std::make_unique<KeyedGroups>(std::move(format), std::move(name));
}

}  // namespace maru::data
