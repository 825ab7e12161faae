#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "maru/base/context.h"
#include "maru/base/result.h"
#include "maru/data/dataset.h"

namespace maru::data {

inline constexpr std::uint64_t kMaxTextFileBytes = 4ull << 30;  // text files are read into memory

enum class FileKind : std::uint8_t { kDelimited, kArff, kJson, kParquet, kArrow, kTfRecord };

struct SourceFiles {
  std::vector<std::string> paths;  // globs resolved, in order
  FileKind kind = FileKind::kDelimited;
  std::uint64_t bytes = 0;
};

// Resolves globs and finds the one kind of all files. Errors: kNotFound, a folder, an empty file, an unknown ending, mixed kinds.
base::Result<SourceFiles> find_sources(const std::vector<std::string>& patterns);

// A relation over Parquet files: checks that all have the first file's columns.
base::Result<std::string> parquet_relation(Engine& engine, const std::vector<std::string>& paths);
// "SELECT ... FROM relation" with every column cast to one of BOOLEAN, BIGINT, DOUBLE, VARCHAR, TIMESTAMP.
base::Result<std::string> normalised_select(Engine& engine, const std::string& relation);
// Delimited text and ARFF files as a table in memory.
base::Result<Table> read_text_sources(const ImportSpec& spec, const SourceFiles& files,
                                      base::Context& context, std::vector<std::string>& notes,
                                      std::uint64_t limit);

}  // namespace maru::data
