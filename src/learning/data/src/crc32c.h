#pragma once
#include <cstdint>
#include <string_view>

namespace maru::data {

// CRC-32C (Castagnoli), and as TFRecord writes it: turned right by 15 bits plus a constant.
std::uint32_t crc32c(std::string_view bytes);
std::uint32_t masked_crc32c(std::string_view bytes);

}  // namespace maru::data
