#include "maru/stats/protect.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <memory>

#include "maru/base/file.h"
#include "maru/base/text.h"
#include "maru/data/row_format.h"
#include "sensitive_text.h"

namespace maru::stats {
namespace {

using base::Code;
using base::Json;

constexpr std::array<std::string_view, 5> kWords = {"drop", "mask", "hash", "token", "generalise"};
constexpr std::string_view kOwner =
    "sensitive value";  // of what is sealed: no other secret opens as a token
constexpr std::size_t kRowsAGroup = 65'536;
constexpr std::size_t kHashDigits = 32;

std::string until(std::string_view text, std::string_view separators, std::size_t count) {
  std::size_t at = 0;
  for (; count > 0 && at != std::string_view::npos; --count)
    at = text.find_first_of(separators, at == 0 ? 0 : at + 1);
  return std::string(text.substr(0, at));
}

// The year of a date in one of the writings that is_date_of_life() takes.
std::string year_of(std::string_view text) {
  const bool first = text.size() >= 4 && std::all_of(text.begin(), text.begin() + 4,
                                                     [](char c) { return c >= '0' && c <= '9'; });
  if (first) return std::string(text.substr(0, 4));
  return text.size() >= 4 ? std::string(text.substr(text.size() - 4)) : std::string();
}

std::string generalised(std::string_view text, Sensitive kind) {
  switch (kind) {
    case Sensitive::kEmail: {
      const std::size_t at = text.rfind('@');
      return at == std::string_view::npos ? "" : std::string(text.substr(at + 1));
    }
    case Sensitive::kIp:
      if (text.find(':') != std::string_view::npos) return until(text, ":", 3) + "::/48";
      return until(text, ".", 3) + ".0/24";
    case Sensitive::kBirthDate:
      return year_of(text);
    case Sensitive::kAddress:
      return until(text, " ", 2);
    case Sensitive::kPhone:
      return until(text, "- .)", 1);
    case Sensitive::kResidentNumber:
      return std::string(text.substr(0, 2));
    default:
      return masked(text, kind);
  }
}

const ProtectedColumn* find(const std::vector<ProtectedColumn>& how, const std::string& column) {
  for (const auto& at : how) {
    if (at.column == column) return &at;
  }
  return nullptr;
}

// A column of text; equal values become one entry again.
data::Column changed(const data::Column& column, const ProtectedColumn& how,
                     const base::SealKey& key) {
  data::Column out;
  out.name = column.name;
  out.type = data::ColumnType::kText;
  out.valid = column.valid;
  std::map<std::string, std::int32_t> codes;
  std::vector<std::int32_t> known(column.dictionary.size(), -1);
  const auto code_of = [&](std::string_view value) {
    const auto [at, fresh] = codes.emplace(protected_value(value, how, key),
                                           static_cast<std::int32_t>(out.dictionary.size()));
    if (fresh) out.dictionary.push_back(at->first);
    return at->second;
  };
  const bool text = column.type == data::ColumnType::kText;
  for (std::size_t r = 0; r < column.rows(); ++r) {
    if (!column.is_valid(r)) {
      out.codes.push_back(-1);
      continue;
    }
    if (!text) {
      out.codes.push_back(code_of(column.display(r)));
      continue;
    }
    std::int32_t& code = known[static_cast<std::size_t>(column.codes[r])];
    if (code < 0) code = code_of(column.text(r));
    out.codes.push_back(code);
  }
  return out;
}

std::vector<data::StreamColumn> columns_after(const std::vector<data::StreamColumn>& columns,
                                              const std::vector<ProtectedColumn>& how) {
  std::vector<data::StreamColumn> out;
  for (const auto& column : columns) {
    const ProtectedColumn* const at = find(how, column.name);
    if (at == nullptr)
      out.push_back(column);
    else if (at->how != Protection::kDrop)
      out.push_back({column.name, data::ColumnType::kText});
  }
  return out;
}

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

base::Status put(std::FILE* file, const std::string& bytes, const std::string& path) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size()) return {};
  return base::fail(Code::kNoSpace, "cannot be written: " + path,
                    "free some space, then try again");
}

base::Status write_rows(data::RowStream& rows, const std::vector<ProtectedColumn>& how,
                        const base::SealKey& key, const std::string& path, base::Context& context) {
  const auto columns = columns_after(rows.columns(), how);
  if (columns.empty())
    return base::fail(Code::kInvalidArgument, "every column would be dropped",
                      "keep one, or hash it");
  TRY_ASSIGN(const auto format, data::RowFormat::open(path, columns));
  const File file(std::fopen(path.c_str(), "wb"));
  if (!file) return base::fail(Code::kInternal, "cannot be made: " + path);
  TRY(put(file.get(), format->head(), path));
  std::vector<Json> layouts;
  for (;;) {
    TRY(context.alive());
    std::vector<data::RowProblem> problems;
    TRY_ASSIGN(const data::Table piece, rows.next(kRowsAGroup, problems));
    if (piece.rows() == 0) break;
    TRY_ASSIGN(auto encoded, format->encode(protect(piece, how, key)));
    TRY(put(file.get(), encoded.bytes, path));
    layouts.push_back(std::move(encoded.layout));
  }
  TRY(put(file.get(), format->tail(layouts), path));
  if (std::fflush(file.get()) != 0) return base::fail(Code::kNoSpace, "cannot be written: " + path);
  return {};
}

}  // namespace

base::Result<Protection> protection(std::string_view word) {
  const auto* const at = std::find(kWords.begin(), kWords.end(), word);
  if (at != kWords.end()) return static_cast<Protection>(at - kWords.begin());
  const std::vector<std::string> known(kWords.begin(), kWords.end());
  const std::string near = base::did_you_mean(word, known);
  return base::fail(Code::kInvalidArgument, "unknown protection: " + std::string(word),
                    near.empty() ? "known: " + base::join(known, ", ") : near);
}

base::Result<std::vector<ProtectedColumn>> protections(const Json& asked,
                                                       const SensitiveReport& report,
                                                       const data::Snapshot& snapshot) {
  std::vector<ProtectedColumn> out;
  const auto finding_of = [&](const std::string& column) -> const SensitiveFinding* {
    for (const auto& finding : report.findings) {
      if (finding.column == column) return &finding;  // the surest comes first
    }
    return nullptr;
  };
  if (!asked.is_object() || asked.members().empty()) {
    for (const auto& finding : report.findings) {
      if (find(out, finding.column) != nullptr) continue;
      const bool within = finding.inside > finding.matched;
      TRY_ASSIGN(const Protection how, protection(within ? "mask" : finding.action));
      out.push_back({finding.column, finding.kind, how, within});
    }
    if (out.empty())
      return base::fail(Code::kFailedPrecondition,
                        "nothing sensitive was found in " + snapshot.dataset,
                        "name the columns: {\"columns\": {\"email\": \"hash\"}}");
    return out;
  }
  for (const auto& [column, word] : asked.members()) {
    std::vector<std::string> names;
    for (const auto& known : snapshot.columns) names.push_back(known.name);
    if (std::find(names.begin(), names.end(), column) == names.end())
      return base::fail(Code::kInvalidArgument, "no such column: " + column,
                        base::did_you_mean(column, names));
    TRY_ASSIGN(const Protection how, protection(word.as_string()));
    const SensitiveFinding* const finding = finding_of(column);
    const bool within = finding != nullptr && finding->inside > finding->matched;
    out.push_back({column, finding == nullptr ? Sensitive::kPersonName : finding->kind, how,
                   within && how == Protection::kMask});
  }
  return out;
}

std::string protected_value(std::string_view value, const ProtectedColumn& how,
                            const base::SealKey& key) {
  const std::string_view text = base::trim(value);
  if (text.empty()) return {};
  switch (how.how) {
    case Protection::kDrop:
      return {};
    case Protection::kMask:
      return how.within ? hide_inside(value) : masked(text, how.kind);
    case Protection::kHash:
      return "h_" + key.fingerprint(text, kOwner).substr(0, kHashDigits);
    case Protection::kToken:
      return "t_" + key.seal_same(text, kOwner);
    case Protection::kGeneralise:
      return generalised(text, how.kind);
  }
  return {};
}

base::Result<std::string> reveal(std::string_view token, const base::SealKey& key) {
  if (token.rfind("t_", 0) != 0)
    return base::fail(Code::kInvalidArgument, "not a token: " + std::string(token.substr(0, 40)),
                      "tokens begin with t_");
  return key.unseal(token.substr(2), kOwner);
}

data::Table protect(const data::Table& rows, const std::vector<ProtectedColumn>& how,
                    const base::SealKey& key) {
  data::Table out;
  for (const auto& column : rows.columns) {
    const ProtectedColumn* const at = find(how, column.name);
    if (at == nullptr)
      out.columns.push_back(column);
    else if (at->how != Protection::kDrop)
      out.columns.push_back(changed(column, *at, key));
  }
  return out;
}

base::Result<data::ImportResult> protect_snapshot(data::Datasets& datasets, data::Engine& engine,
                                                  const data::Snapshot& from,
                                                  const std::vector<ProtectedColumn>& how,
                                                  const base::SealKey& key, const std::string& into,
                                                  const std::string& folder,
                                                  base::Context& context) {
  TRY(base::make_folders(folder));
  const std::string path = base::join_path(folder, "rows.parquet");
  TRY_ASSIGN(const std::string relation, datasets.relation(from));
  TRY_ASSIGN(const auto rows, data::RowStream::open_relation(engine, relation));
  base::Result<data::ImportResult> out = base::fail(Code::kInternal, "not written");
  if (const auto written = write_rows(*rows, how, key, path, context); !written) {
    out = tl::unexpected<base::Error>(written.error());
  } else {
    data::ImportSpec spec;
    spec.project = from.project;
    spec.dataset = into;
    spec.sources = {path};
    spec.shown_source = from.dataset + "@" + std::to_string(from.number);
    out = datasets.import(spec, context);
  }
  TRY(base::remove_tree(folder));
  return out;
}

}  // namespace maru::stats
