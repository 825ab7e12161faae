#include <cmath>
#include <limits>
#include <string>

#include "duckdb_handle.h"
#include "text_encoder.h"

namespace maru::data {

namespace {

using base::Code;

constexpr std::int64_t kDayUs = 86'400'000'000;

struct Sink {
  Column column;
  std::unique_ptr<TextEncoder> encoder;
  duckdb_type type = DUCKDB_TYPE_INVALID;
  duckdb_type storage = DUCKDB_TYPE_INVALID;  // of a decimal
  double scale = 1;
  bool any_missing = false;
};

// A day that no timestamp reaches, such as 'infinity', is the engine's infinite timestamp.
std::int64_t day_us(std::int32_t days) {
  constexpr std::int64_t kMaxUs = std::numeric_limits<std::int64_t>::max();
  constexpr std::int64_t kMaxDays = kMaxUs / kDayUs;
  if (days > kMaxDays) return kMaxUs;
  if (days < -kMaxDays) return -kMaxUs;
  return days * kDayUs;
}

double wide(const duckdb_hugeint& v) { return duckdb_hugeint_to_double(v); }

template <class T, class Convert>
void copy_integers(Sink& sink, const void* data, idx_t rows, Convert convert) {
  const T* from = static_cast<const T*>(data);
  auto& out = sink.column.integers;
  const std::size_t start = out.size();
  out.resize(start + rows);
  for (idx_t i = 0; i < rows; ++i) out[start + i] = convert(from[i]);
}

template <class T, class Convert>
void copy_reals(Sink& sink, const void* data, idx_t rows, Convert convert) {
  const T* from = static_cast<const T*>(data);
  auto& out = sink.column.reals;
  const std::size_t start = out.size();
  out.resize(start + rows);
  for (idx_t i = 0; i < rows; ++i) out[start + i] = convert(from[i]);
}

template <class T>
void plain_integers(Sink& sink, const void* data, idx_t rows) {
  copy_integers<T>(sink, data, rows, [](T v) { return static_cast<std::int64_t>(v); });
}

void copy_decimal(Sink& sink, const void* data, idx_t rows) {
  const double scale = sink.scale;
  switch (sink.storage) {
    case DUCKDB_TYPE_SMALLINT:
      return copy_reals<std::int16_t>(sink, data, rows, [=](std::int16_t v) { return v / scale; });
    case DUCKDB_TYPE_INTEGER:
      return copy_reals<std::int32_t>(sink, data, rows, [=](std::int32_t v) { return v / scale; });
    case DUCKDB_TYPE_BIGINT:
      return copy_reals<std::int64_t>(
          sink, data, rows, [=](std::int64_t v) { return static_cast<double>(v) / scale; });
    default:
      return copy_reals<duckdb_hugeint>(sink, data, rows,
                                        [=](const duckdb_hugeint& v) { return wide(v) / scale; });
  }
}

void copy_text(Sink& sink, void* data, const std::uint64_t* validity, idx_t rows) {
  auto* from = static_cast<duckdb_string_t*>(data);
  for (idx_t i = 0; i < rows; ++i) {
    if (validity != nullptr && (validity[i / 64] >> (i % 64) & 1u) == 0)
      sink.encoder->add_missing();
    else
      sink.encoder->add({duckdb_string_t_data(&from[i]), duckdb_string_t_length(from[i])});
  }
}

void copy_values(Sink& sink, duckdb_vector vector, idx_t rows) {
  void* data = duckdb_vector_get_data(vector);
  const auto same = [](std::int64_t v) { return v; };
  switch (sink.type) {
    case DUCKDB_TYPE_BOOLEAN:
      // Under a missing row lies any byte, which is no bool.
      return copy_integers<std::uint8_t>(sink, data, rows,
                                         [](std::uint8_t v) { return v != 0 ? 1 : 0; });
    case DUCKDB_TYPE_TINYINT:
      return plain_integers<std::int8_t>(sink, data, rows);
    case DUCKDB_TYPE_SMALLINT:
      return plain_integers<std::int16_t>(sink, data, rows);
    case DUCKDB_TYPE_INTEGER:
      return plain_integers<std::int32_t>(sink, data, rows);
    case DUCKDB_TYPE_BIGINT:
      return plain_integers<std::int64_t>(sink, data, rows);
    case DUCKDB_TYPE_UTINYINT:
      return plain_integers<std::uint8_t>(sink, data, rows);
    case DUCKDB_TYPE_USMALLINT:
      return plain_integers<std::uint16_t>(sink, data, rows);
    case DUCKDB_TYPE_UINTEGER:
      return plain_integers<std::uint32_t>(sink, data, rows);
    case DUCKDB_TYPE_FLOAT:
      return copy_reals<float>(sink, data, rows, [](float v) { return static_cast<double>(v); });
    case DUCKDB_TYPE_DOUBLE:
      return copy_reals<double>(sink, data, rows, [](double v) { return v; });
    case DUCKDB_TYPE_HUGEINT:
      return copy_reals<duckdb_hugeint>(sink, data, rows,
                                        [](const duckdb_hugeint& v) { return wide(v); });
    case DUCKDB_TYPE_DECIMAL:
      return copy_decimal(sink, data, rows);
    case DUCKDB_TYPE_DATE:
      return copy_integers<std::int32_t>(sink, data, rows, day_us);
    case DUCKDB_TYPE_TIMESTAMP:
    case DUCKDB_TYPE_TIMESTAMP_TZ:
      return copy_integers<std::int64_t>(sink, data, rows, same);
    case DUCKDB_TYPE_TIMESTAMP_S:
      return copy_integers<std::int64_t>(sink, data, rows, [](std::int64_t v) {
        return static_cast<std::int64_t>(static_cast<std::uint64_t>(v) * 1'000'000u);
      });
    case DUCKDB_TYPE_TIMESTAMP_MS:
      return copy_integers<std::int64_t>(sink, data, rows, [](std::int64_t v) {
        return static_cast<std::int64_t>(static_cast<std::uint64_t>(v) * 1'000u);
      });
    case DUCKDB_TYPE_TIMESTAMP_NS:
      return copy_integers<std::int64_t>(sink, data, rows, [](std::int64_t v) {
        return v >= 0 ? v / 1000 : -((-(v + 1)) / 1000) - 1;
      });
    default:
      break;
  }
}

void copy_chunk(Sink& sink, duckdb_vector vector, idx_t rows) {
  const std::uint64_t* validity = duckdb_vector_get_validity(vector);
  auto& valid = sink.column.valid;
  const std::size_t start = sink.column.rows();
  if (sink.type == DUCKDB_TYPE_VARCHAR)
    copy_text(sink, duckdb_vector_get_data(vector), validity, rows);
  else
    copy_values(sink, vector, rows);
  if (validity == nullptr) {
    if (sink.any_missing) valid.resize(start + rows, 1);
    return;
  }
  for (idx_t i = 0; i < rows; ++i) {
    const bool ok = (validity[i / 64] >> (i % 64) & 1u) != 0;
    if (!ok && !sink.any_missing) {
      sink.any_missing = true;
      valid.assign(start + i, 1);
    }
    if (sink.any_missing) valid.push_back(ok ? 1 : 0);
    // What lies under a missing row is unspecified in the engine; the same data must be the same bytes here.
    if (!ok && sink.column.type == ColumnType::kFloat)
      sink.column.reals[start + i] = std::nan("");
    else if (!ok && sink.column.type != ColumnType::kText)
      sink.column.integers[start + i] = 0;
  }
}

}  // namespace

base::Result<ColumnType> column_type(duckdb_type type) {
  switch (type) {
    case DUCKDB_TYPE_BOOLEAN:
      return ColumnType::kBool;
    case DUCKDB_TYPE_TINYINT:
    case DUCKDB_TYPE_SMALLINT:
    case DUCKDB_TYPE_INTEGER:
    case DUCKDB_TYPE_BIGINT:
    case DUCKDB_TYPE_UTINYINT:
    case DUCKDB_TYPE_USMALLINT:
    case DUCKDB_TYPE_UINTEGER:
      return ColumnType::kInteger;
    case DUCKDB_TYPE_FLOAT:
    case DUCKDB_TYPE_DOUBLE:
    case DUCKDB_TYPE_HUGEINT:
    case DUCKDB_TYPE_DECIMAL:
      return ColumnType::kFloat;
    case DUCKDB_TYPE_DATE:
    case DUCKDB_TYPE_TIMESTAMP:
    case DUCKDB_TYPE_TIMESTAMP_S:
    case DUCKDB_TYPE_TIMESTAMP_MS:
    case DUCKDB_TYPE_TIMESTAMP_NS:
    case DUCKDB_TYPE_TIMESTAMP_TZ:
      return ColumnType::kTimestamp;
    case DUCKDB_TYPE_INVALID:
      return base::fail(Code::kInternal, "the engine returned a column without a type");
    default:
      return ColumnType::kText;
  }
}

bool needs_text_cast(duckdb_type type) {
  const auto kind = column_type(type);
  return kind && *kind == ColumnType::kText && type != DUCKDB_TYPE_VARCHAR;
}

namespace {

base::Result<std::vector<Sink>> sinks_of(duckdb_result& result) {
  const idx_t width = duckdb_column_count(&result);
  std::vector<Sink> sinks(width);
  for (idx_t c = 0; c < width; ++c) {
    Sink& sink = sinks[c];
    sink.type = duckdb_column_type(&result, c);
    TRY_ASSIGN(sink.column.type, column_type(sink.type));
    const char* name = duckdb_column_name(&result, c);
    sink.column.name = name != nullptr ? name : "";
    if (sink.column.type == ColumnType::kText)
      sink.encoder = std::make_unique<TextEncoder>(sink.column);
    if (sink.type == DUCKDB_TYPE_DECIMAL) {
      duckdb_logical_type logical = duckdb_column_logical_type(&result, c);
      sink.storage = duckdb_decimal_internal_type(logical);
      sink.scale = std::pow(10.0, duckdb_decimal_scale(logical));
      duckdb_destroy_logical_type(&logical);
    }
    if (needs_text_cast(sink.type))
      return base::fail(Code::kInternal, "column type is not read: " + sink.column.name,
                        "cast it to VARCHAR");
  }
  return sinks;
}

void append_chunk(std::vector<Sink>& sinks, duckdb_data_chunk chunk) {
  const idx_t rows = duckdb_data_chunk_get_size(chunk);
  for (idx_t c = 0; c < sinks.size(); ++c)
    copy_chunk(sinks[c], duckdb_data_chunk_get_vector(chunk, c), rows);
}

Table table_of(std::vector<Sink> sinks) {
  Table table;
  table.columns.reserve(sinks.size());
  for (auto& sink : sinks) {
    sink.encoder.reset();
    table.columns.push_back(std::move(sink.column));
  }
  return table;
}

// About what the chunk's values take in memory.
std::size_t value_bytes(duckdb_data_chunk chunk, const std::vector<Sink>& sinks) {
  const idx_t rows = duckdb_data_chunk_get_size(chunk);
  std::size_t out = sinks.size() * rows * 8;
  for (idx_t c = 0; c < sinks.size(); ++c) {
    if (sinks[c].type != DUCKDB_TYPE_VARCHAR) continue;
    duckdb_vector vector = duckdb_data_chunk_get_vector(chunk, c);
    const std::uint64_t* validity = duckdb_vector_get_validity(vector);
    const auto* from = static_cast<duckdb_string_t*>(duckdb_vector_get_data(vector));
    for (idx_t i = 0; i < rows; ++i)
      if (validity == nullptr || (validity[i / 64] >> (i % 64) & 1u) != 0)
        out += duckdb_string_t_length(from[i]);
  }
  return out;
}

}  // namespace

struct ChunkReader::Impl {
  explicit Impl(duckdb_result& from) : result(from) {}
  duckdb_result& result;
  std::vector<Sink> layout;           // of the columns, without rows
  duckdb_data_chunk chunk = nullptr;  // fetched and not yet taken
  bool ended = false;
};

ChunkReader::ChunkReader(duckdb_result& result) : impl_(std::make_unique<Impl>(result)) {}
ChunkReader::~ChunkReader() {
  if (impl_->chunk != nullptr) duckdb_destroy_data_chunk(&impl_->chunk);
}

base::Result<Table> ChunkReader::take(std::size_t most) {
  TRY_ASSIGN(std::vector<Sink> sinks, sinks_of(impl_->result));
  std::size_t have = 0;
  while (have < most && !impl_->ended) {
    if (impl_->chunk == nullptr) impl_->chunk = duckdb_fetch_chunk(impl_->result);
    const idx_t rows = impl_->chunk == nullptr ? 0 : duckdb_data_chunk_get_size(impl_->chunk);
    if (rows == 0) {
      impl_->ended = true;
      break;
    }
    if (have > 0 && have + rows > most) break;  // whole chunks only: the rest comes next time
    append_chunk(sinks, impl_->chunk);
    duckdb_destroy_data_chunk(&impl_->chunk);
    impl_->chunk = nullptr;
    have += rows;
  }
  return table_of(std::move(sinks));
}

base::Result<Chunks> ChunkReader::fetch(std::size_t rows, std::size_t bytes) {
  if (impl_->layout.empty()) {
    TRY_ASSIGN(impl_->layout, sinks_of(impl_->result));
  }
  Chunks out;
  std::size_t have = 0, size = 0;
  while (!impl_->ended && have < rows && size < bytes) {
    duckdb_data_chunk chunk = duckdb_fetch_chunk(impl_->result);
    if (chunk != nullptr) out.list.push_back(chunk);
    const idx_t got = chunk == nullptr ? 0 : duckdb_data_chunk_get_size(chunk);
    if (got == 0) {
      impl_->ended = true;
      if (chunk != nullptr) {
        duckdb_destroy_data_chunk(&out.list.back());
        out.list.pop_back();
      }
      break;
    }
    have += got;
    size += value_bytes(chunk, impl_->layout);
  }
  return out;
}

base::Result<Table> ChunkReader::convert(const Chunks& chunks) const {
  std::vector<Sink> sinks(impl_->layout.size());
  for (std::size_t c = 0; c < sinks.size(); ++c) {
    const Sink& from = impl_->layout[c];
    sinks[c].column.name = from.column.name;
    sinks[c].column.type = from.column.type;
    sinks[c].type = from.type;
    sinks[c].storage = from.storage;
    sinks[c].scale = from.scale;
    if (from.encoder) sinks[c].encoder = std::make_unique<TextEncoder>(sinks[c].column);
  }
  for (const auto& chunk : chunks.list) append_chunk(sinks, chunk);
  return table_of(std::move(sinks));
}

base::Result<Table> fetch_table(duckdb_result& result) {
  ChunkReader reader(result);
  return reader.take(std::numeric_limits<std::size_t>::max());
}

}  // namespace maru::data
