#include <map>
#include <set>

#include "maru/base/text.h"
#include "order.h"
#include "registry.h"

namespace maru::tracking {
namespace {

using base::Result;
using base::Status;
using store::Cursor;
using store::params;
using store::Reader;

struct ModelRow {
  std::string name;
  double created_ms = 0, updated_ms = 0;
};

struct VersionRow {
  std::string name, run_id, source;
  int version = 0;
  double created_ms = 0, updated_ms = 0;
};

// Tags of all models or versions that a filter can ask for: by owner, then by key.
using Tags = std::map<std::string, std::map<std::string, std::string>>;

std::string version_key(std::string_view model, std::int64_t version) {
  return std::string(model) + "/" + std::to_string(version);
}

Cell tag_of(const Tags& tags, const std::string& owner, const std::string& key) {
  const auto found = tags.find(owner);
  if (found == tags.end()) return {};
  const auto tag = found->second.find(key);
  if (tag == found->second.end()) return {};
  return std::string_view(tag->second);
}

Cell value_of(const ModelRow& row, const std::string& key) {
  if (key == "name") return std::string_view(row.name);
  if (key == "creation_timestamp") return row.created_ms;
  if (key == "last_updated_timestamp") return row.updated_ms;
  return {};
}

Cell value_of(const VersionRow& row, const std::string& key) {
  if (key == "name") return std::string_view(row.name);
  if (key == "version_number") return static_cast<double>(row.version);
  if (key == "run_id") return std::string_view(row.run_id);
  if (key == "source_path") return std::string_view(row.source);
  if (key == "creation_timestamp") return row.created_ms;
  if (key == "last_updated_timestamp") return row.updated_ms;
  return {};
}

// Prompts are found only by a filter that asks for them.
bool asks_for_prompts(const Filter& filter) {
  bool asks = false;
  each_comparison(filter, [&](const Comparison& comparison) {
    const auto* text = std::get_if<std::string>(&comparison.value);
    if (comparison.entity != Entity::kTag || comparison.key != kPromptTag || text == nullptr)
      return;
    const std::string word = base::to_lower_ascii(*text);
    asks = asks || (comparison.op == Op::kEqual && word == "true") ||
           (comparison.op == Op::kNotEqual && word == "false");
  });
  return asks;
}

std::set<std::string> asked_tags(const Filter& filter) {
  std::set<std::string> keys;
  each_comparison(filter, [&](const Comparison& comparison) {
    if (comparison.entity == Entity::kTag) keys.insert(comparison.key);
  });
  return keys;
}

// The text that the attribute must equal for anything to match, or nullptr.
const std::string* required_text(const Filter& filter, std::string_view attribute) {
  if (filter.kind == Filter::Kind::kCompare) {
    const Comparison& leaf = filter.leaf;
    return leaf.entity == Entity::kAttribute && leaf.key == attribute && leaf.op == Op::kEqual
               ? std::get_if<std::string>(&leaf.value)
               : nullptr;
  }
  if (filter.kind != Filter::Kind::kAnd) return nullptr;
  for (const auto& part : filter.parts) {
    if (const auto* text = required_text(part, attribute); text != nullptr) return text;
  }
  return nullptr;
}

Status read_tags(Reader& reader, const std::string& project, const std::set<std::string>& keys,
                 bool versions, Tags& out) {
  for (const auto& key : keys) {
    const auto cells = params(project, key);
    TRY(reader.each(versions
                        ? "SELECT model, value, version FROM version_tags WHERE project = $1 "
                          "AND key = $2"
                        : "SELECT model, value FROM model_tags WHERE project = $1 AND key = $2",
                    cells, [&](const Cursor& row) -> Status {
                      std::string owner = versions ? version_key(row.text(0), row.integer(2))
                                                   : std::string(row.text(0));
                      out[std::move(owner)][key] = row.text(1);
                      return {};
                    }));
  }
  return {};
}

Status read_prompts(Reader& reader, const std::string& project, std::set<std::string>& out) {
  const auto cells = params(project, std::string(kPromptTag));
  const store::Visit take = [&](const Cursor& row) -> Status {
    out.emplace(row.text(0));
    return {};
  };
  TRY(reader.each("SELECT model FROM model_tags WHERE project = $1 AND key = $2 AND value = 'true'",
                  cells, take));
  return reader.each(
      "SELECT model FROM version_tags WHERE project = $1 AND key = $2 AND value = 'true'", cells,
      take);
}

double ms(std::int64_t us) { return static_cast<double>(us / 1000); }

}  // namespace

Result<ModelPage> RegistryTables::search_models(const std::string& project,
                                                const RegistryQuery& query) {
  TRY_ASSIGN(const Filter filter, parse_filter(query.filter, registered_model_grammar()));
  TRY_ASSIGN(auto order, parse_order(query.order_by, registered_model_grammar()));
  order.push_back({Entity::kAttribute, "name", false});
  const bool prompts = asks_for_prompts(filter);
  std::set<std::string> hidden;
  Tags tags;
  std::vector<ModelRow> rows;
  TRY(db_.read([&](Reader& reader) -> Status {
    if (!prompts) TRY(read_prompts(reader, project, hidden));
    TRY(read_tags(reader, project, asked_tags(filter), false, tags));
    const std::string* name = required_text(filter, "name");
    const auto cells = name != nullptr ? params(project, *name) : params(project);
    return reader.each(
        std::string("SELECT name, created_us, updated_us FROM models WHERE project = $1") +
            (name != nullptr ? " AND name = $2" : ""),
        cells, [&](const Cursor& cursor) -> Status {
          ModelRow row{std::string(cursor.text(0)), ms(cursor.integer(1)), ms(cursor.integer(2))};
          if (hidden.contains(row.name)) return {};
          const bool good =
              matches_values(filter, [&](Entity entity, const std::string& key) -> Cell {
                return entity == Entity::kTag ? tag_of(tags, row.name, key) : value_of(row, key);
              });
          if (good) rows.push_back(std::move(row));
          return {};
        });
  }));
  sort_by(rows, order,
          [](const ModelRow& row, const OrderTerm& term) { return value_of(row, term.key); });
  ModelPage out;
  out.more = take_page(rows, query.offset, query.limit);
  for (const auto& row : rows) {
    auto model = get_head(project, row.name);
    if (model) out.models.push_back(std::move(*model));
    if (!model && model.error().code != base::Code::kNotFound)
      return tl::unexpected<base::Error>(model.error());
  }
  return out;
}

Result<VersionPage> RegistryTables::search_versions(const std::string& project,
                                                    const RegistryQuery& query) {
  TRY_ASSIGN(const Filter filter, parse_filter(query.filter, model_version_grammar()));
  TRY_ASSIGN(auto order, parse_order(query.order_by, model_version_grammar()));
  if (order.empty()) order.push_back({Entity::kAttribute, "last_updated_timestamp", true});
  order.push_back({Entity::kAttribute, "name", false});
  order.push_back({Entity::kAttribute, "version_number", true});
  const bool prompts = asks_for_prompts(filter);
  std::set<std::string> hidden;
  Tags tags;
  std::vector<VersionRow> rows;
  TRY(db_.read([&](Reader& reader) -> Status {
    if (!prompts) TRY(read_prompts(reader, project, hidden));
    TRY(read_tags(reader, project, asked_tags(filter), true, tags));
    std::string sql =
        "SELECT model, version, run_id, source, created_us, updated_us FROM model_versions WHERE "
        "project = $1 AND state <> 'deleted'";
    auto cells = params(project);
    for (const auto& [attribute, column] : {std::pair("name", "model"), {"run_id", "run_id"}}) {
      const std::string* text = required_text(filter, attribute);
      if (text == nullptr) continue;
      cells.emplace_back(*text);
      sql += std::string(" AND ") + column + " = $" + std::to_string(cells.size());
    }
    return reader.each(sql, cells, [&](const Cursor& cursor) -> Status {
      VersionRow row{std::string(cursor.text(0)), std::string(cursor.text(2)),
                     std::string(cursor.text(3)), static_cast<int>(cursor.integer(1)),
                     ms(cursor.integer(4)),       ms(cursor.integer(5))};
      if (hidden.contains(row.name)) return {};
      const std::string owner = tags.empty() ? "" : version_key(row.name, row.version);
      const bool good = matches_values(filter, [&](Entity entity, const std::string& key) -> Cell {
        return entity == Entity::kTag ? tag_of(tags, owner, key) : value_of(row, key);
      });
      if (good) rows.push_back(std::move(row));
      return {};
    });
  }));
  sort_by(rows, order,
          [](const VersionRow& row, const OrderTerm& term) { return value_of(row, term.key); });
  VersionPage out;
  out.more = take_page(rows, query.offset, query.limit);
  // Many versions of one model come with one pass over it.
  std::map<std::string, std::size_t> wanted;
  for (const auto& row : rows) ++wanted[row.name];
  std::map<std::string, std::map<int, ModelVersion>> whole;
  constexpr std::size_t kWorthOnePass = 8;
  for (const auto& row : rows) {
    if (wanted[row.name] < kWorthOnePass) {
      auto version = get_version(project, row.name, row.version);
      if (version) out.versions.push_back(std::move(*version));
      continue;
    }
    auto& versions = whole[row.name];
    if (versions.empty()) {
      TRY_ASSIGN(Model model, find_model(project, row.name, false));
      for (auto& version : model.versions) versions[version.version] = std::move(version);
    }
    const auto found = versions.find(row.version);
    if (found != versions.end()) out.versions.push_back(std::move(found->second));
  }
  return out;
}

}  // namespace maru::tracking
