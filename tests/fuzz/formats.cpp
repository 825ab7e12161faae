// Files of rows: Arrow, tf.Example, JSON and CSV as imports stream them, Parquet through the engine. The first byte says which. What is read has columns of one
// length; delimited text gives the same table streamed and whole.
#include <unistd.h>

#include <fstream>

#include "arrow_files.h"
#include "arrow_ipc.h"
#include "crc32c.h"
#include "delimited.h"
#include "driver.h"
#include "encoding.h"
#include "lz4_frame.h"
#include "maru/base/check.h"
#include "row_groups.h"

using namespace maru::data;

namespace {

constexpr std::uint64_t kMostRows = 10'000;

Engine& engine() {
  static const auto out = Engine::open({"/tmp", 1, 256ull << 20});
  MARU_CHECK(out.has_value());
  return **out;
}

void check_table(const Table& table) {
  for (const auto& column : table.columns) {
    MARU_CHECK(column.rows() == table.rows());
    for (std::size_t row = 0; row < std::min<std::size_t>(table.rows(), 50); ++row)
      static_cast<void>(column.display(row));
  }
}

void arrow(std::string_view bytes) {
  const auto reader = ArrowReader::open(FileBytes::of(std::string(bytes)), "in.arrow");
  if (!reader) return;
  const std::vector<bool> as_text((*reader)->fields().size());
  std::vector<bool> beyond;
  for (std::size_t batch = 0; batch < std::min<std::size_t>((*reader)->batches(), 16); ++batch) {
    const std::uint64_t rows = std::min((*reader)->rows(batch), kMostRows);
    if (const auto table = (*reader)->read(batch, 0, rows, as_text, beyond)) check_table(*table);
  }
}

maru::base::Result<Table> from_file(const std::string& ending, std::string_view bytes) {
  static const std::string stem = "/tmp/maru-fuzz-formats-" + std::to_string(::getpid());
  ImportSpec spec;
  spec.sources = {stem + ending};
  spec.detect_header = false;
  spec.reject_ragged = false;
  std::ofstream(spec.sources[0], std::ios::binary | std::ios::trunc) << bytes;
  maru::base::Context context;
  TRY_ASSIGN(const SourceFiles files, find_sources(spec.sources));
  TRY_ASSIGN(const auto source, open_groups(engine(), spec, files, context));
  return read_groups(*source, 0, context);
}

void delimited(std::string_view bytes) {
  const auto streamed = from_file(".csv", bytes);
  std::string note;
  const auto text = to_utf8(std::string(bytes), "in.csv", note);
  MARU_CHECK(text.has_value() || !streamed.has_value());
  if (!text) return;
  ImportSpec spec;
  spec.detect_header = false;
  spec.reject_ragged = false;
  RawTable raw;
  const bool whole = read_delimited(*text, "in.csv", spec, 0, raw).has_value();
  MARU_CHECK(whole == streamed.has_value());
  if (!whole) return;
  const Table table = infer_table(std::move(raw));
  MARU_CHECK(table.rows() == streamed->rows() && table.columns.size() == streamed->columns.size());
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    MARU_CHECK(table.columns[c].name == streamed->columns[c].name);
    MARU_CHECK(table.columns[c].type == streamed->columns[c].type);
    for (std::size_t row = 0; row < table.rows(); ++row)
      MARU_CHECK(table.columns[c].display(row) == streamed->columns[c].display(row));
  }
}

// Records with right checksums around the bytes.
std::string as_record(std::string_view body) {
  const auto le = [](std::uint64_t value, int bytes) {
    std::string out;
    for (int i = 0; i < bytes; ++i, value >>= 8) out += static_cast<char>(value);
    return out;
  };
  const std::string size = le(body.size(), 8);
  return size + le(masked_crc32c(size), 4) + std::string(body) + le(masked_crc32c(body), 4);
}

}  // namespace

void fuzz_one(std::string_view input) {
  if (input.empty()) return;
  const char kind = input.front();
  input.remove_prefix(1);
  std::string out;
  if (kind == 'A') return arrow(input);
  if (kind == 'C') return delimited(input);
  if (kind == 'L') return static_cast<void>(unpack_lz4_frame(input, 1000, out));
  const auto table = kind == 'J'   ? from_file(".json", input)
                     : kind == 'P' ? from_file(".parquet", input)
                     : kind == 'T' ? from_file(".tfrecord", as_record(input))
                                   : from_file(".tfrecord", input);
  if (table) check_table(*table);
}

std::vector<std::string> fuzz_seeds() {
  std::vector<std::string> out;
  for (const auto& file : {test::kAll, test::kWords, test::kViews, test::kLz4})
    out.push_back("A" + test::unpacked(file));
  out.push_back("C\"a\",b\n1,\"x, \"\"y\"\"\nz\"\n2.5,\n3\n");
  out.push_back("Ca;b\r\n00123;2024-01-01\r\n9223372036854775808;x\r\n");
  out.push_back(R"(J{"a": 1, "b": {"c": "x\u00e9", "d": [1, null]}, "e": true}
{"a": 2.5, "e": null})");
  out.push_back("J[{\"a\": \"2024-01-01\"}, {\"a\": \"\"}]");
  out.push_back(
      std::string("T\x0a\x1a\x0a\x0b\x0a\x02id\x12\x05\x1a\x03\x0a\x01\x07\x0a\x0b\x0a\x01t\x12\x06"
                  "\x0a\x04\x0a\x02hi",
                  29));
  out.push_back("t" + as_record("\x0a\x00"));
  return out;
}
