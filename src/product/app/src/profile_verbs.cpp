#include <algorithm>
#include <cmath>

#include "maru/base/file.h"
#include "maru/base/number_text.h"
#include "maru/base/text.h"
#include "maru/data/cell_stream.h"
#include "maru/stats/profile.h"
#include "maru/stats/profile_page.h"
#include "maru/stats/profiler.h"
#include "output.h"
#include "place.h"
#include "verbs.h"

namespace maru::app {
namespace {

using base::Json;
using base::Result;
using http::Method;

constexpr std::uint64_t kEngineBytes = 256ull << 20;  // one pass: the engine needs no more
constexpr std::size_t kBarCells = 10;                 // of the 40 bins, four each

std::string plain(double value) {
  return std::isfinite(value) ? base::format_significant(value, 4) : "–";
}

// The histogram of a column as one line of blocks.
std::string sparkline(const stats::ColumnProfile& column) {
  static constexpr const char* kBlocks[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  std::vector<double> bars;
  if (column.type != data::ColumnType::kText && column.histogram.size() > 1) {
    bars.assign(kBarCells, 0);
    for (std::size_t i = 0; i < column.histogram.size(); ++i)
      bars[i * kBarCells / column.histogram.size()] += column.histogram[i].count;
  } else {
    for (std::size_t i = 0; i < std::min(kBarCells, column.top.size()); ++i)
      bars.push_back(static_cast<double>(column.top[i].count));
  }
  const double most = bars.empty() ? 0 : *std::max_element(bars.begin(), bars.end());
  std::string out;
  for (const double bar : bars)
    out += kBlocks[bar <= 0 ? 0 : 1 + static_cast<std::size_t>(std::min(7.0, bar / most * 7.99))];
  return out;
}

std::string span_of(const stats::ColumnProfile& p) {
  if (p.meaning == "empty") return "";
  if (p.type == data::ColumnType::kText || p.type == data::ColumnType::kBool || p.distinct <= 2)
    return p.mode;
  if (p.type == data::ColumnType::kTimestamp)
    return p.min_text.substr(0, 10) + " … " + p.max_text.substr(0, 10);
  double median = p.mean;
  for (const auto& [probability, value] : p.quantiles)
    if (probability == 0.5) median = value;
  return plain(p.min) + " … " + plain(median) + " … " + plain(p.max);
}

std::string short_meaning(const std::string& meaning) {
  std::string out = meaning;
  std::replace(out.begin(), out.end(), '_', ' ');
  return out;
}

void print_columns(const stats::Profile& profile) {
  TextTable table;
  table.column("column");
  table.column("is");
  table.column("missing", TextTable::Align::kRight);
  table.column("distinct", TextTable::Align::kRight);
  table.column("min … median … max, or mode");
  table.column("");
  for (const auto& p : profile.columns) {
    const double share =
        static_cast<double>(p.missing) / std::max(1.0, static_cast<double>(p.count));
    table.row({p.name, short_meaning(p.meaning),
               share > 0 ? number_text(share * 100, 1) + " %" : "0",
               (p.distinct_error > 0 ? "~" : "") +
                   base::format_count(static_cast<std::int64_t>(p.distinct)),
               span_of(p), sparkline(p)});
  }
  print(table.text());
}

void print_findings(const stats::Profile& profile) {
  for (const auto& p : profile.columns) {
    if (p.odd_row != UINT64_MAX)
      print("  " + bold(p.name) + ": \"" + p.odd_text + "\" in row " +
            base::format_count(static_cast<std::int64_t>(p.odd_row + 1)) + " is no number\n");
    if (!p.markers.empty() && p.odd_row == UINT64_MAX)
      print("  " + bold(p.name) + ": " + base::join(p.markers, ", ") + " may stand for missing\n");
  }
  for (const auto& group : profile.equal_columns)
    print("  the same in every row: " + base::join(group, ", ") + "\n");
  if (!profile.candidate_keys.empty())
    print("  could be the key: " + base::join(profile.candidate_keys, ", ") + "\n");
  if (profile.ragged_rows > 0)
    print("  " + base::format_count(static_cast<std::int64_t>(profile.ragged_rows)) +
          " rows have another number of cells, the first is row " +
          std::to_string(profile.ragged_examples.front() + 1) + "\n");
  std::size_t shown = 0;
  for (const auto& pair : profile.associations) {
    const bool strong = std::fabs(pair.value) >= 0.7;
    if (!strong || (pair.measure != "pearson" && pair.measure != "cramers_v_corrected")) continue;
    if (shown++ == 5) break;
    print("  " + pair.a + " and " + pair.b +
          " go together: " + (pair.measure == "pearson" ? "Pearson " : "Cramér's V ") +
          number_text(pair.value, 2) + "\n");
  }
  for (const auto& note : profile.notes) print(dim("  " + note) + "\n");
}

Result<stats::Profile> of_files(const ProfileOptions& options) {
  data::EngineOptions engine_options;
  engine_options.temp_folder = temporary_folder();
  engine_options.threads = 1;  // it decodes; the threads that count do the most
  engine_options.memory_limit_bytes = kEngineBytes;
  TRY_ASSIGN(const auto engine, data::Engine::open(engine_options));
  base::Context context;
  data::ImportSpec spec;
  spec.sources = options.files;
  TRY_ASSIGN(const auto stream, data::CellStream::open_files(*engine, spec, context));
  stats::ProfileOptions how;
  how.threads = std::max<std::size_t>(1, options.threads);
  how.label = options.label;
  how.weight = options.weight;
  how.slice_by = options.slice_by;
  return stats::profile_stream(*stream, how, context);
}

int show(const Invocation& invocation, const ProfileOptions& options, const std::string& title,
         const stats::Profile& profile, const std::string& next) {
  if (invocation.json) {
    print(profile.to_json().dump() + "\n");
    return 0;
  }
  const auto count = [](std::uint64_t n) {
    return base::format_count(static_cast<std::int64_t>(n));
  };
  print(bold(title) + "  " + count(profile.rows) + " rows, " +
        std::to_string(profile.columns.size()) + " columns, " +
        (profile.duplicate_error > 0 ? "about " : "") + count(profile.duplicate_rows) +
        " duplicates\n");
  print_columns(profile);
  print_findings(profile);
  if (!options.html.empty()) print("report: " + options.html + "\n");
  print(dim("next: " + next) + "\n");
  return 0;
}

}  // namespace

bool names_files(const std::string& source) {
  return base::path_exists(source) || source.find_first_of("*?/") != std::string::npos ||
         source.find('.') != std::string::npos;
}

int data_profile(const Invocation& invocation, const ProfileOptions& options) {
  const bool files = names_files(options.files.front());
  const std::string& source = options.files.front();
  const auto finish = [&](const stats::Profile& profile, const std::string& title,
                          const std::string& next) -> Result<int> {
    if (!options.html.empty())
      TRY(base::write_file_atomic(options.html, stats::profile_page(profile, title)));
    return show(invocation, options, title, profile, next);
  };
  if (files) {
    const auto run = [&]() -> Result<int> {
      TRY_ASSIGN(const stats::Profile profile, of_files(options));
      return finish(profile, base::file_name(source),
                    "maru data import " + source + " to keep it and its profile");
    };
    const auto code = run();
    return code ? *code : report(code.error());
  }
  return with_session(invocation, [&](Session& session) -> Result<int> {
    std::string path = dataset_path(source, "/profile");
    for (const auto& [name, value] :
         {std::pair("label", options.label), std::pair("weight", options.weight),
          std::pair("by", base::join(options.slice_by, ","))})
      if (!value.empty())
        path += (path.find('?') == std::string::npos ? "?" : "&") + std::string(name) + "=" +
                http::percent_encode(value);
    TRY_ASSIGN(const Json result, session.call(Method::kGet, path));
    if (invocation.json) {
      print(result.dump() + "\n");
      return 0;
    }
    TRY_ASSIGN(const stats::Profile profile, stats::Profile::from_json(result));
    const std::string name = result["name"].as_string();
    return finish(profile, name + "@" + std::to_string(result["number"].as_int()),
                  "maru data validate " + name);
  });
}

}  // namespace maru::app
