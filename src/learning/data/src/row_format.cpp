#include "maru/data/row_format.h"

#include "maru/base/text.h"
#include "parquet_format.h"
#include "text_rows.h"

namespace maru::data {

namespace {

class TextFormat final : public RowFormat {
 public:
  TextFormat(bool csv, const std::vector<StreamColumn>& columns) : csv_(csv) {
    for (const auto& column : columns) names_.push_back(column.name);
  }
  std::string head() const override { return csv_ ? csv_head(names_) : std::string(); }
  base::Result<EncodedRows> encode(const Table& rows) const override {
    return EncodedRows{csv_ ? csv_rows(rows) : json_lines(rows), {}};
  }
  std::string tail(const std::vector<base::Json>&) const override { return {}; }

 private:
  const bool csv_;
  std::vector<std::string> names_;
};

}  // namespace

base::Result<std::unique_ptr<RowFormat>> RowFormat::open(const std::string& path,
                                                         std::vector<StreamColumn> columns) {
  const std::string name = base::to_lower_ascii(path);
  if (name.ends_with(".parquet")) return parquet_format(std::move(columns));
  const bool csv = name.ends_with(".csv");
  if (csv || name.ends_with(".jsonl") || name.ends_with(".ndjson") || name.ends_with(".json"))
    return std::make_unique<TextFormat>(csv, columns);
  return base::fail(base::Code::kInvalidArgument, "unknown kind of output file: " + path,
                    "use .csv, .jsonl or .parquet");
}

}  // namespace maru::data
