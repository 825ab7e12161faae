#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "maru/base/file.h"
#include "maru/base/json.h"
#include "maru/data/row_format.h"
#include "maru/serve/batch.h"

namespace maru::serve {

// A shard that was scored and encoded.
struct ScoredShard {
  std::size_t rows = 0, failed = 0;
  data::EncodedRows output, errors;  // no bytes in `errors` when no row failed
  double cpu_seconds = 0;
};

// The files of one batch: OUTPUT.part and ERRORS.part grow shard by shard, OUTPUT.batch tells what of them counts. Order of the disk: the rows, then the
// line that counts them; so after a crash the parts are cut to what the lines say.
class BatchFiles {
 public:
  BatchFiles(const BatchSpec& spec, std::vector<data::StreamColumn> output_columns);
  base::Status open();
  // Rows of each shard that is there already.
  const std::vector<std::size_t>& shards() const { return shards_; }
  bool finished() const { return finished_; }  // only the names are left to be given
  base::Status restart(const std::string& why);
  base::Status add(const ScoredShard& shard, double cpu_seconds);
  base::Status finish();

  const data::RowFormat& output_format() const { return *output_.format; }
  const data::RowFormat& errors_format() const { return *errors_.format; }
  const BatchReport& report() const { return report_; }

 private:
  struct Part {
    std::string path;  // where it ends
    std::unique_ptr<data::RowFormat> format;
    std::optional<base::AppendFile> file;
    std::vector<base::Json> layouts;
    std::uint64_t bytes = 0;  // that count
    std::string part_path() const { return path + ".part"; }
    base::Status open();
    base::Status restart();
    base::Status add(const data::EncodedRows& rows);
  };
  base::Json heading() const;
  base::Result<std::string> read_journal();
  base::Status count(const base::Json& line);
  base::Status note_line(const base::Json& line);
  base::Status publish();

  const BatchSpec& spec_;
  const std::vector<data::StreamColumn> columns_;
  Part output_, errors_;
  std::optional<base::AppendFile> journal_;
  std::vector<std::size_t> shards_;
  BatchReport report_;
  bool finished_ = false;
};

}  // namespace maru::serve
