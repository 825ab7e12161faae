#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "file_bytes.h"
#include "maru/base/result.h"
#include "maru/data/row_stream.h"
#include "maru/data/table.h"

namespace maru::data {

class FlatTable;

inline constexpr std::uint64_t kMaxArrowMetadata = 64ull << 20;  // of one message
inline constexpr std::uint64_t kMaxArrowPacked = 1ull << 30;     // of one packed batch, unpacked
inline constexpr std::uint64_t kMaxArrowRows = 1ull << 31;

enum class ArrowKind : std::uint8_t {
  kNull,
  kBool,
  kInteger,
  kUnsigned,
  kReal,
  kText,
  kLargeText,
  kTextView,
  kDate,
  kTimestamp,
  kTime,
  kDecimal
};

struct ArrowField {
  std::string name;
  ArrowKind kind = ArrowKind::kNull;
  int width = 0;  // bytes of a value
  std::int64_t unit =
      1;  // timestamps and times: how many units a second has; dates: days (1) or milliseconds (1000)
  int scale = 0;  // of decimals
  bool half = false;
  std::optional<std::int64_t> dictionary;
  int index_width = 0;  // bytes of an index into the dictionary
  ColumnType type() const;
};

// Arrow's IPC format (arrow.apache.org/docs/format/Columnar.html): the file and the stream form, LZ4 and Zstandard bodies, dictionaries that grow or are replaced.
// Nested columns, intervals and plain bytes are refused by name. Nothing but the metadata is read by open(). Reading is thread safe.
class ArrowReader {
 public:
  static base::Result<std::unique_ptr<ArrowReader>> open(std::shared_ptr<FileBytes> bytes,
                                                         const std::string& name);
  const std::vector<ArrowField>& fields() const { return fields_; }
  std::size_t batches() const { return batches_.size(); }
  std::uint64_t rows(std::size_t batch) const { return batches_[batch].rows; }
  bool packed(std::size_t batch) const { return batches_[batch].codec >= 0; }
  // Rows [from, from + count) of a batch. `as_text`: columns of whole numbers beyond 64 signed bits, which keep every digit as text; of another column such a
  // number is counted in `beyond`.
  base::Result<Table> read(std::size_t batch, std::uint64_t from, std::uint64_t count,
                           const std::vector<bool>& as_text, std::vector<bool>& beyond) const;

 private:
  struct Range {
    std::uint64_t offset = 0, bytes = 0;
  };
  struct Batch {
    std::uint64_t body = 0, rows = 0;
    int codec = -1;  // 0: LZ4, 1: Zstandard
    std::vector<std::uint64_t> lengths, nulls;
    std::vector<Range> buffers;
    std::vector<std::uint64_t> views;           // data buffers of each column of views
    std::map<std::int64_t, std::size_t> words;  // dictionary -> how many of its batches count here
  };
  struct Words {
    Batch batch;
    bool delta = false;
  };
  class Buffers;
  struct Slice;

  base::Status walk();
  base::Status walk_blocks(std::string_view footer, std::uint64_t end);
  base::Status walk_stream();
  base::Status add_message(std::string_view metadata, std::uint64_t at, std::uint64_t end,
                           std::uint64_t& body);
  base::Status read_schema(const FlatTable& schema, bool& ok);
  base::Result<Batch> read_batch(std::string_view metadata, bool dictionary) const;
  base::Result<Column> read_column(const ArrowField& field, Buffers& buffers, std::uint64_t from,
                                   std::uint64_t count, bool as_text, bool& beyond) const;
  base::Status read_texts(Buffers& buffers, Slice slice) const;
  base::Status read_views(Buffers& buffers, Slice slice) const;
  base::Status read_values(Buffers& buffers, Slice slice) const;
  base::Status read_bits(Buffers& buffers, std::size_t buffer, Slice slice,
                         std::vector<std::uint8_t>& out) const;
  base::Result<Column> read_coded(const ArrowField& field, const Batch& batch, Buffers& buffers,
                                  std::uint64_t from, std::uint64_t count) const;
  tl::unexpected<base::Error> no_text(const Slice& slice, std::size_t row) const;
  base::Result<std::shared_ptr<const Column>> dictionary(const ArrowField& field,
                                                         std::size_t batches) const;
  tl::unexpected<base::Error> broken(const std::string& what) const;

  std::shared_ptr<FileBytes> bytes_;
  std::string name_;
  std::vector<ArrowField> fields_;
  std::vector<Batch> batches_;
  std::map<std::int64_t, std::vector<Words>> words_;
  struct Cache;
  std::shared_ptr<Cache> cache_;
};

}  // namespace maru::data
