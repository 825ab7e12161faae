#include "encoding.h"

#include <iconv.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "maru/base/text.h"

namespace maru::data {

namespace {

using base::Code;

constexpr std::size_t kProbeBytes = 64u << 10;

// `cut`: a character may be cut off at the end.
std::optional<std::string> convert(std::string_view from, const char* encoding, bool cut = false) {
  iconv_t handle = iconv_open("UTF-8", encoding);
  if (handle == reinterpret_cast<iconv_t>(-1))
    return std::nullopt;  // NOLINT: iconv's own convention
  std::string out(from.size() * 2 + 64, '\0');
  std::size_t written = 0;
  char* in = const_cast<char*>(from.data());
  std::size_t left = from.size();
  bool fine = true;
  while (left > 0) {
    char* to = out.data() + written;
    std::size_t room = out.size() - written;
    const std::size_t result = iconv(handle, &in, &left, &to, &room);
    written = out.size() - room;
    if (result != static_cast<std::size_t>(-1)) break;
    if (errno != E2BIG) {
      fine = cut && errno == EINVAL;
      break;
    }
    out.resize(out.size() * 2);
  }
  iconv_close(handle);
  if (!fine) return std::nullopt;
  out.resize(written);
  return out;
}

// Shares of the characters outside ASCII, of valid UTF-8.
struct Scripts {
  std::size_t other = 0, hangul = 0, kana = 0, han = 0;
};

Scripts scripts_of(std::string_view text) {
  Scripts out;
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t bytes = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (bytes > 1) ++out.other;
    if (bytes == 3 && i + 2 < text.size()) {
      const unsigned code = (lead & 0x0fu) << 12 |
                            (static_cast<unsigned char>(text[i + 1]) & 0x3fu) << 6 |
                            (static_cast<unsigned char>(text[i + 2]) & 0x3fu);
      if ((code >= 0xac00 && code <= 0xd7a3) || (code >= 0x3131 && code <= 0x318e)) ++out.hangul;
      if (code >= 0x3041 && code <= 0x30ff) ++out.kana;
      if (code >= 0x4e00 && code <= 0x9fff) ++out.han;
    }
    i += bytes;
  }
  return out;
}

std::size_t line_of(std::string_view bytes, std::size_t at) {
  return 1 + static_cast<std::size_t>(
                 std::count(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
}

// Where the longest valid UTF-8 start of `bytes` ends, by halving: a valid prefix stays valid when cut at a character.
std::size_t first_invalid(std::string_view bytes) {
  std::size_t at = 0;
  while (at < bytes.size()) {
    const auto lead = static_cast<unsigned char>(bytes[at]);
    const std::size_t count = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (at + count > bytes.size() || !base::is_valid_utf8(bytes.substr(at, count))) return at;
    at += count;
  }
  return at;
}

const char* utf16_kind(std::string_view bytes) {
  if (bytes.size() >= 2 && bytes.substr(0, 2) == "\xff\xfe") return "UTF-16LE";
  if (bytes.size() >= 2 && bytes.substr(0, 2) == "\xfe\xff") return "UTF-16BE";
  const std::size_t probe = std::min(bytes.size(), kProbeBytes) & ~std::size_t{1};
  if (probe < 8) return nullptr;
  std::size_t even = 0, odd = 0;
  for (std::size_t i = 0; i < probe; i += 2) {
    even += bytes[i] == '\0' ? 1 : 0;
    odd += bytes[i + 1] == '\0' ? 1 : 0;
  }
  if (odd > probe / 8 && even * 16 < odd) return "UTF-16LE";
  if (even > probe / 8 && odd * 16 < even) return "UTF-16BE";
  return nullptr;
}

std::string likely_encoding(std::string_view bytes) {
  if (const auto text = convert(bytes, "SHIFT_JIS", true);
      text && scripts_of(*text).kana * 4 > scripts_of(*text).other)
    return "SHIFT_JIS";
  if (const auto text = convert(bytes, "GB18030", true);
      text && scripts_of(*text).han * 2 > scripts_of(*text).other)
    return "GB18030";
  return "WINDOWS-1252";
}

// CP949 added 8,822 syllables to the 2,350 of KS X 1001 that Korean is written with, in byte pairs that other encodings use for their
// common characters: of real Korean text the added ones are a few in a hundred.
bool mostly_rare_syllables(std::string_view bytes) {
  std::size_t rare = 0, common = 0;
  for (std::size_t i = 0; i + 1 < bytes.size(); ++i) {
    const auto lead = static_cast<unsigned char>(bytes[i]);
    if (lead < 0x81) continue;
    const auto trail = static_cast<unsigned char>(bytes[++i]);
    if (lead < 0xa1 || trail < 0xa1)
      ++rare;
    else if (lead >= 0xb0 && lead <= 0xc8)
      ++common;
  }
  return rare > common;
}

}  // namespace

namespace {

// Leaves out a character that the end of a sample cuts through.
std::string_view whole_characters(std::string_view bytes) {
  std::size_t end = bytes.size();
  while (end > 0 && bytes.size() - end < 4 &&
         (static_cast<unsigned char>(bytes[end - 1]) & 0xc0) == 0x80)
    --end;
  if (end > 0 && (static_cast<unsigned char>(bytes[end - 1]) & 0x80) != 0) --end;
  return bytes.substr(0, end);
}

}  // namespace

base::Result<std::string> find_encoding(std::string_view bytes, bool whole, const std::string& name,
                                        std::size_t first_line, std::string& note) {
  const auto place = [&](std::size_t at) {
    return name + (first_line == 0
                       ? std::string()
                       : " line " + std::to_string(first_line - 1 + line_of(bytes, at)));
  };
  if (const char* kind = utf16_kind(bytes)) {
    note = "read as " + std::string(kind);
    return std::string(kind);
  }
  if (const auto nul = bytes.find('\0'); nul != std::string_view::npos) {
    return base::fail(Code::kInvalidArgument, "a NUL byte in a text file: " + place(nul),
                      "the file is binary or damaged; export it again as UTF-8");
  }
  if (is_utf8(bytes) || (!whole && is_utf8(whole_characters(bytes)))) return std::string();
  const std::string kind = likely_encoding(bytes);
  const auto text = convert(bytes, "CP949", !whole);
  if (text && scripts_of(*text).hangul * 2 >= scripts_of(*text).other && kind != "SHIFT_JIS") {
    if (!mostly_rare_syllables(bytes)) {
      note = "read as CP949 (EUC-KR)";
      return std::string("CP949");
    }
    return base::fail(
        Code::kInvalidArgument,
        "this text could be CP949, SHIFT_JIS or GB18030: " + place(first_invalid(bytes)),
        "say which: --encoding SHIFT_JIS");
  }
  const std::size_t at = first_invalid(bytes);
  return base::fail(Code::kInvalidArgument,
                    "neither UTF-8, UTF-16 nor CP949: " + place(at) + " (byte 0x" +
                        base::hex(bytes.substr(at, 1)) + "); it looks like " + kind,
                    "if it is: --encoding " + kind);
}

base::Result<std::string> to_utf8(std::string bytes, const std::string& name, std::string& note,
                                  const std::string& encoding) {
  if (std::string_view(bytes).starts_with("\xef\xbb\xbf")) bytes.erase(0, 3);
  std::string kind = encoding;
  if (kind.empty()) {
    TRY_ASSIGN(kind, find_encoding(bytes, true, name, 1, note));
  } else if (base::to_lower_ascii(kind) != "utf-8") {
    note = "read as " + kind;
  }
  if (kind.empty() || base::to_lower_ascii(kind) == "utf-8") {
    if (is_utf8(bytes)) return bytes;
    const std::size_t at = first_invalid(bytes);
    return base::fail(
        Code::kInvalidArgument,
        "a byte that is not UTF-8: " + name + " line " + std::to_string(line_of(bytes, at)),
        "name the encoding: --encoding NAME");
  }
  auto text = convert(bytes, kind.c_str(), false);
  if (!text)
    return base::fail(Code::kInvalidArgument, "broken " + kind + " text: " + name,
                      "is it another encoding? say which: --encoding NAME");
  if (std::string_view(*text).starts_with("\xef\xbb\xbf")) text->erase(0, 3);
  return std::move(*text);
}

bool is_utf8(std::string_view text) {
  // Eight ASCII characters at once; what is left is looked at one by one.
  while (!text.empty()) {
    std::uint64_t word = 0;
    while (text.size() >= sizeof word) {
      std::memcpy(&word, text.data(), sizeof word);
      if ((word & 0x8080808080808080u) != 0) break;
      text.remove_prefix(sizeof word);
    }
    std::size_t end = 0;
    while (end < text.size() &&
           (end < 64 || (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80))
      ++end;
    if (!base::is_valid_utf8(text.substr(0, end))) return false;
    text.remove_prefix(end);
  }
  return true;
}

}  // namespace maru::data
