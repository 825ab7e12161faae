#include "lz4_frame.h"

#include <cstring>

namespace maru::data {

namespace {

std::uint32_t word(std::string_view bytes, std::size_t at) {
  std::uint32_t out = 0;
  std::memcpy(&out, bytes.data() + at, sizeof out);
  return out;
}

// A length that goes on in bytes of 255.
bool take_length(std::string_view block, std::size_t& at, std::size_t& length) {
  if (length != 15) return true;
  for (;;) {
    if (at >= block.size()) return false;
    const auto more = static_cast<unsigned char>(block[at++]);
    length += more;
    if (more != 255) return true;
  }
}

// Matches may reach into the blocks of before, which lie in `out` too.
bool unpack_block(std::string_view block, std::size_t bytes, std::string& out) {
  std::size_t at = 0;
  while (at < block.size()) {
    const auto token = static_cast<unsigned char>(block[at++]);
    std::size_t literals = token >> 4, match = token & 15u;
    if (!take_length(block, at, literals)) return false;
    if (literals > block.size() - at || literals > bytes - out.size()) return false;
    out.append(block.substr(at, literals));
    at += literals;
    if (at == block.size()) return true;  // the last sequence has no match
    if (block.size() - at < 2) return false;
    const std::size_t back = static_cast<unsigned char>(block[at]) |
                             static_cast<std::size_t>(static_cast<unsigned char>(block[at + 1]))
                                 << 8;
    at += 2;
    if (!take_length(block, at, match)) return false;
    match += 4;
    if (back == 0 || back > out.size() || match > bytes - out.size()) return false;
    for (std::size_t from = out.size() - back, i = 0; i < match; ++i) out += out[from + i];
  }
  return true;
}

}  // namespace

bool unpack_lz4_frame(std::string_view packed, std::size_t bytes, std::string& out) {
  constexpr std::uint32_t kMagic = 0x184d2204, kPlainBlock = 0x80000000u;
  out.clear();
  out.reserve(bytes);
  if (packed.size() < 7 || word(packed, 0) != kMagic) return false;
  const auto flags = static_cast<unsigned char>(packed[4]);
  if (flags >> 6 != 1 || (flags & 1) != 0) return false;  // version 1, no dictionary
  std::size_t at = 7 + ((flags & 8) != 0 ? 8 : 0);
  const std::size_t checksum = (flags & 16) != 0 ? 4 : 0;
  for (;;) {
    if (at > packed.size() || packed.size() - at < 4) return false;
    const std::uint32_t head = word(packed, at);
    at += 4;
    if (head == 0) return out.size() == bytes;
    const std::size_t size = head & ~kPlainBlock;
    if (size > packed.size() - at || packed.size() - at - size < checksum) return false;
    const std::string_view block = packed.substr(at, size);
    at += size + checksum;
    if ((head & kPlainBlock) == 0) {
      if (!unpack_block(block, bytes, out)) return false;
    } else {
      if (block.size() > bytes - out.size()) return false;
      out.append(block);
    }
  }
}

}  // namespace maru::data
