#include <algorithm>

#include "maru/base/text.h"
#include "stored_catalogue.h"

namespace maru::data {

using base::Code;
using base::Json;
using base::Status;
using store::params;

namespace {

constexpr std::size_t kMaxDescriptionBytes = 64 << 10, kMaxWordBytes = 256, kMaxTags = 64;
constexpr std::size_t kMaxTagBytes = 64, kMaxColumnNotes = 20'000;
constexpr double kNameScore = 8, kTagScore = 4, kColumnScore = 2, kTextScore = 1;

Status check_text(std::string_view key, const std::string& value, std::size_t most) {
  if (!base::is_valid_utf8(value))
    return base::fail(Code::kInvalidArgument, "not UTF-8: " + std::string(key));
  if (value.size() > most)
    return base::fail(
        Code::kInvalidArgument,
        "too long: " + std::string(key) + ", " + std::to_string(value.size()) + " bytes",
        "at most " + std::to_string(most));
  return {};
}

base::Result<std::map<std::string, std::string>> text_map(std::string_view key, const Json& value) {
  if (!value.is_object())
    return base::fail(Code::kInvalidArgument, "must be an object of texts: " + std::string(key));
  std::map<std::string, std::string> out;
  for (const auto& [name, text] : value.members()) {
    if (!text.is_string())
      return base::fail(Code::kInvalidArgument, "must be a text: " + std::string(key) + "." + name);
    TRY(check_text(std::string(key) + "." + name, text.as_string(), kMaxDescriptionBytes));
    if (!text.as_string().empty()) out[name] = text.as_string();
  }
  if (out.size() > kMaxColumnNotes)
    return base::fail(Code::kInvalidArgument, "too many entries: " + std::string(key));
  return out;
}

Status take_text(const Json& value, std::string_view key, std::size_t most, std::string& out) {
  if (!value.is_string())
    return base::fail(Code::kInvalidArgument, "must be a text: " + std::string(key));
  TRY(check_text(key, value.as_string(), most));
  out = value.as_string();
  return {};
}

Status take_tags(const Json& value, std::vector<std::string>& out) {
  if (!value.is_array())
    return base::fail(Code::kInvalidArgument, "must be an array of texts: tags");
  out.clear();
  for (const auto& item : value.items()) {
    const std::string word(base::trim(item.as_string()));
    if (!item.is_string() || word.empty())
      return base::fail(Code::kInvalidArgument, "must be an array of texts: tags");
    TRY(check_text("tags", word, kMaxWordBytes));
    if (std::find(out.begin(), out.end(), word) == out.end()) out.push_back(word);
  }
  if (out.size() > kMaxTags)
    return base::fail(Code::kInvalidArgument, "too many tags: " + std::to_string(out.size()),
                      "at most 64");
  return {};
}

Json map_json(const std::map<std::string, std::string>& values) {
  Json out = Json::object();
  for (const auto& [name, text] : values) out.set(name, text);
  return out;
}

bool is_tag(const std::string& tag) {
  if (tag.empty() || tag.size() > kMaxTagBytes || tag == "latest" || tag == "newest") return false;
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  return letter(tag.front()) && std::all_of(tag.begin(), tag.end(), [&](char c) {
           return letter(c) || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
         });
}

bool holds(const std::string& text, const std::string& lower_word) {
  return base::to_lower_ascii(text).find(lower_word) != std::string::npos;
}

// What a dataset offers to the words of a search.
struct Entry {
  const DatasetInfo& info;
  const DatasetAbout& about;
  const std::vector<std::string>& snapshot_tags;
};

// The best place where `word` occurs; 0 when nowhere.
double find_word(const Entry& entry, const std::string& word, std::vector<std::string>& where) {
  double best = 0;
  const auto found = [&](double score, const std::string& place) {
    best = std::max(best, score);
    if (std::find(where.begin(), where.end(), place) == where.end()) where.push_back(place);
  };
  const std::string name = base::to_lower_ascii(entry.info.name);
  if (name.find(word) != std::string::npos)
    found(name == word ? 2 * kNameScore : kNameScore, "name");
  for (const auto& tag : entry.about.tags)
    if (holds(tag, word)) found(kTagScore, "tag " + tag);
  for (const auto& tag : entry.snapshot_tags)
    if (holds(tag, word)) found(kTagScore, "snapshot tag " + tag);
  if (!entry.info.snapshots.empty()) {
    for (const auto& column : entry.info.snapshots.front().columns)
      if (holds(column.name, word)) found(kColumnScore, "column " + column.name);
  }
  for (const auto& [column, text] : entry.about.columns)
    if (holds(text, word)) found(kTextScore, "about column " + column);
  for (const auto& [column, kind] : entry.about.sensitive)
    if (holds(kind, word)) found(kTextScore, "sensitive column " + column);
  if (holds(entry.about.owner, word)) found(kTagScore, "owner");
  if (holds(entry.about.licence, word)) found(kTextScore, "licence");
  if (holds(entry.about.description, word)) found(kTextScore, "description");
  if (!entry.info.snapshots.empty() && holds(entry.info.snapshots.front().source, word))
    found(kTextScore, "source");
  return best;
}

base::Result<DatasetAbout> parse_about(const std::string& text) {
  TRY_ASSIGN(const Json stored, base::parse_json(text));
  Json fields = Json::object();
  for (const char* key : {"owner", "description", "licence", "tags", "sensitive", "columns"})
    if (stored.has(key)) fields.set(key, stored[key]);
  TRY_ASSIGN(DatasetAbout out, DatasetAbout::from_json(fields, {}));
  out.updated_us = stored["updated_us"].as_int();
  out.updated_by = stored["updated_by"].as_string();
  return out;
}

}  // namespace

Json DatasetAbout::to_json() const {
  Json words = Json::array();
  for (const auto& tag : tags) words.push(tag);
  return Json::object({{"owner", owner},
                       {"description", description},
                       {"licence", licence},
                       {"tags", words},
                       {"sensitive", map_json(sensitive)},
                       {"columns", map_json(columns)},
                       {"updated_us", updated_us},
                       {"updated_by", updated_by}});
}

base::Result<DatasetAbout> DatasetAbout::from_json(const Json& value, const DatasetAbout& before) {
  if (!value.is_object())
    return base::fail(Code::kInvalidArgument, "what is said about a dataset must be an object");
  DatasetAbout out = before;
  for (const auto& [key, item] : value.members()) {
    if (key == "owner") {
      TRY(take_text(item, key, kMaxWordBytes, out.owner));
    } else if (key == "description") {
      TRY(take_text(item, key, kMaxDescriptionBytes, out.description));
    } else if (key == "licence") {
      TRY(take_text(item, key, kMaxWordBytes, out.licence));
    } else if (key == "tags") {
      TRY(take_tags(item, out.tags));
    } else if (key == "sensitive") {
      TRY_ASSIGN(out.sensitive, text_map(key, item));
    } else if (key == "columns") {
      TRY_ASSIGN(out.columns, text_map(key, item));
    } else {
      return base::fail(Code::kInvalidArgument, "unknown key: " + key,
                        "owner, description, licence, tags, sensitive, columns");
    }
  }
  return out;
}

base::Result<DatasetAbout> StoredCatalogue::about(const std::string& project,
                                                  const std::string& dataset) {
  TRY_ASSIGN(const auto rows,
             db_.query("SELECT value FROM data_about WHERE project = $1 AND dataset = $2",
                       params(project, dataset)));
  if (rows.empty()) return DatasetAbout{};
  return parse_about(rows[0].text(0));
}

Status StoredCatalogue::describe(const std::string& project, const std::string& dataset,
                                 const DatasetAbout& about) {
  TRY_ASSIGN(const Snapshot latest, datasets_.resolve(project, dataset));
  std::vector<std::string> known;
  for (const auto& column : latest.columns) known.push_back(column.name);
  for (const auto* notes : {&about.sensitive, &about.columns}) {
    for (const auto& [column, text] : *notes) {
      if (std::find(known.begin(), known.end(), column) == known.end())
        return base::fail(Code::kNotFound, "no such column: " + column + " in " + dataset,
                          base::did_you_mean(column, known));
    }
  }
  DatasetAbout stamped = about;
  stamped.updated_us = clock_.now_us();
  const std::string text = stamped.to_json().dump();
  return db_.write([&](store::Writer& writer) -> Status {
    TRY(
        writer.execute("INSERT INTO data_about (project, dataset, value) VALUES ($1, $2, $3) ON "
                       "CONFLICT (project, dataset) DO UPDATE SET value = excluded.value",
                       params(project, dataset, text)));
    return {};
  });
}

Status StoredCatalogue::tag(const std::string& project, const std::string& selector,
                            const std::string& tag, const std::string& by) {
  if (!is_tag(tag))
    return base::fail(Code::kInvalidArgument, "not a tag: " + base::replace_invalid_utf8(tag),
                      "a letter, then letters, digits, `.`, `_` or `-`; at most 64; not `latest`");
  TRY_ASSIGN(const Snapshot snapshot, datasets_.resolve(project, selector));
  const std::int64_t now_us = clock_.now_us();
  return db_.write([&](store::Writer& writer) -> Status {
    TRY(writer.execute(
        "INSERT INTO data_tag (project, dataset, tag, snapshot_id, created_us, created_by) VALUES "
        "($1, $2, $3, $4, $5, $6) ON CONFLICT (project, dataset, tag) DO UPDATE SET snapshot_id = "
        "excluded.snapshot_id, created_us = excluded.created_us, created_by = excluded.created_by",
        params(project, snapshot.dataset, tag, snapshot.id, now_us, by)));
    return {};
  });
}

Status StoredCatalogue::untag(const std::string& project, const std::string& dataset,
                              const std::string& tag) {
  TRY_ASSIGN(const auto known, tags(project, dataset));
  std::vector<std::string> names;
  for (const auto& one : known) names.push_back(one.name);
  if (std::find(names.begin(), names.end(), tag) == names.end())
    return base::fail(Code::kNotFound, "no such tag: " + dataset + "@" + tag,
                      base::did_you_mean(tag, names));
  return db_.write([&](store::Writer& writer) -> Status {
    TRY(writer.execute("DELETE FROM data_tag WHERE project = $1 AND dataset = $2 AND tag = $3",
                       params(project, dataset, tag)));
    return {};
  });
}

base::Result<std::vector<SnapshotTag>> StoredCatalogue::tags(const std::string& project,
                                                             const std::string& dataset) {
  TRY_ASSIGN(const auto rows,
             db_.query("SELECT t.tag, t.snapshot_id, t.created_by, t.created_us, s.number FROM "
                       "data_tag t JOIN data_snapshot s ON s.id = t.snapshot_id WHERE t.project = "
                       "$1 AND t.dataset = $2 ORDER BY t.tag",
                       params(project, dataset)));
  std::vector<SnapshotTag> out;
  for (const auto& row : rows)
    out.push_back(
        {row.text(0), row.text(1), row.text(2), static_cast<int>(row.integer(4)), row.integer(3)});
  return out;
}

base::Result<std::vector<CatalogueHit>> StoredCatalogue::search(const std::string& project,
                                                                const std::string& query,
                                                                std::size_t limit) {
  std::vector<std::string> words;
  for (const auto& word : base::split(base::to_lower_ascii(query), ' '))
    if (!base::trim(word).empty()) words.emplace_back(base::trim(word));
  TRY_ASSIGN(const auto datasets, datasets_.list(project));
  TRY_ASSIGN(
      const auto abouts,
      db_.query("SELECT dataset, value FROM data_about WHERE project = $1", params(project)));
  TRY_ASSIGN(const auto tag_rows,
             db_.query("SELECT dataset, tag FROM data_tag WHERE project = $1", params(project)));
  std::map<std::string, DatasetAbout> about;
  for (const auto& row : abouts) {
    TRY_ASSIGN(about[row.text(0)], parse_about(row.text(1)));
  }
  std::map<std::string, std::vector<std::string>> snapshot_tags;
  for (const auto& row : tag_rows) snapshot_tags[row.text(0)].push_back(row.text(1));
  std::vector<CatalogueHit> out;
  for (const auto& info : datasets) {
    CatalogueHit hit;
    hit.dataset = info.name;
    const Entry entry{info, about[info.name], snapshot_tags[info.name]};
    const bool every = std::all_of(words.begin(), words.end(), [&](const std::string& word) {
      const double score = find_word(entry, word, hit.where);
      hit.score += score;
      return score > 0;
    });
    if (every) out.push_back(std::move(hit));
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const auto& a, const auto& b) { return a.score > b.score; });
  if (out.size() > limit) out.resize(limit);
  return out;
}

}  // namespace maru::data
