#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace maru::data {

// Unpacks LZ4 frames (lz4_Frame_format.md 1.6.x, without dictionaries) into exactly `bytes`; false for anything else. Checksums are skipped.
bool unpack_lz4_frame(std::string_view packed, std::size_t bytes, std::string& out);

}  // namespace maru::data
