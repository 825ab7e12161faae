#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace maru::base {

// The candidate within a third of its length in edit distance (Damerau), or "" when none is near.
std::string closest_match(std::string_view word, std::span<const std::string> candidates);
// "did you mean `x`?" or "".
std::string did_you_mean(std::string_view word, std::span<const std::string> candidates);
std::vector<std::string> split(std::string_view text, char separator);
std::string join(std::span<const std::string> parts, std::string_view separator);
std::string_view trim(std::string_view text);
std::string to_lower_ascii(std::string_view text);
bool is_valid_utf8(std::string_view text);
std::string replace_invalid_utf8(std::string_view text);
// Columns on a terminal: Hangul, CJK and emoji count 2, combining marks 0.
std::size_t display_width(std::string_view text);
std::string format_count(std::int64_t value);   // 1,234,567
std::string format_bytes(std::uint64_t bytes);  // 12.3 MB (SI)
std::string format_seconds(double seconds);     // 850 ms, 12.3 s, 2 m 05 s
// For the text and the quoted attributes of a page, single or double; invalid UTF-8 is replaced.
std::string escape_html(std::string_view text);
std::string hex(std::string_view bytes);
// RFC 4648 with padding. from_base64 also takes the URL alphabet and text without padding; nothing else.
std::string base64(std::string_view bytes);
std::optional<std::string> from_base64(std::string_view text);

}  // namespace maru::base
