#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "maru/base/result.h"

namespace maru::data {

// Bytes of a text file -> UTF-8 without a byte order mark. UTF-16 (with or without a mark) and CP949/EUC-KR are found and converted;
// `note` then says so. Anything else that is not UTF-8 is kInvalidArgument naming the line and the likely encoding. `name` is for messages.
// A named `encoding` is taken without looking.
base::Result<std::string> to_utf8(std::string bytes, const std::string& name, std::string& note,
                                  const std::string& encoding = {});
// The same question for the beginning of a text, or (not `whole`) a piece of it that starts with a line: "" for UTF-8, "UTF-16LE", "UTF-16BE" or "CP949".
// `first_line` is the piece's line in its file, 0 when nobody knows.
base::Result<std::string> find_encoding(std::string_view bytes, bool whole, const std::string& name,
                                        std::size_t first_line, std::string& note);
bool is_utf8(std::string_view text);  // as base::is_valid_utf8, fast where text is ASCII

// The bytes of a file, unpacked when it is gzip, zstd or zip by its first bytes. Output over `max_bytes` is kTooLarge.
base::Result<std::string> read_unpacked(const std::string& path, std::uint64_t max_bytes);

}  // namespace maru::data
