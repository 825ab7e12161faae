#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "maru/base/result.h"

namespace maru::data {

// Bytes of a text file -> UTF-8 without a byte order mark. UTF-16 (with or without a mark) and CP949/EUC-KR are found and converted;
// `note` then says so. Anything else that is not UTF-8 is kInvalidArgument naming the line and the likely encoding. `name` is for messages.
base::Result<std::string> to_utf8(std::string bytes, const std::string& name, std::string& note);

// The bytes of a file, unpacked when it is gzip or zstd by its first bytes. Output over `max_bytes` is kTooLarge.
base::Result<std::string> read_unpacked(const std::string& path, std::uint64_t max_bytes);

}  // namespace maru::data
