#include "address.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "maru/base/file.h"
#include "maru/base/text.h"
#include "maru/connect/source.h"
#include "maru/store/foreign.h"
#include "maru/store/foreign_table.h"

namespace maru::connect {
namespace {

using base::Code;
using base::fail;

constexpr std::array<std::string_view, 8> kSchemes = {"sqlite",  "postgresql", "postgres", "mysql",
                                                      "mariadb", "s3",         "http",     "https"};
// Words in a parameter's name that make its value one that is not shown.
constexpr std::array<std::string_view, 8> kHidden = {
    "password", "token", "signature", "secret_key", "sig", "passwd", "credential", "api_key"};

std::string_view scheme_of(std::string_view text) {
  const std::size_t end = text.find("://");
  return end == std::string_view::npos ? std::string_view() : text.substr(0, end);
}

base::Status read_options(std::string_view text, std::map<std::string, std::string>& out) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('&'), text.size());
    const std::string_view one = text.substr(0, end);
    const std::size_t equals = one.find('=');
    TRY_ASSIGN(const std::string name, percent_decoded(one.substr(0, equals)));
    std::string value = "true";
    if (equals != std::string_view::npos) {
      std::string raw(one.substr(equals + 1));
      std::replace(raw.begin(), raw.end(), '+', ' ');
      TRY_ASSIGN(value, percent_decoded(raw));
    }
    if (!name.empty()) out[name] = value;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return {};
}

}  // namespace

std::string Address::option(const std::string& name) const {
  const auto found = options.find(name);
  return found == options.end() ? std::string() : found->second;
}

base::Status Address::check_options(std::initializer_list<std::string_view> known) const {
  const std::vector<std::string> names(known.begin(), known.end());
  for (const auto& [name, value] : options) {
    if (std::find(names.begin(), names.end(), name) != names.end()) continue;
    const std::string near = base::did_you_mean(name, names);
    return fail(Code::kInvalidArgument, "unknown option of a " + scheme + " address: " + name,
                near.empty() ? "options: " + base::join(names, ", ") : near);
  }
  return {};
}

std::string percent_encoded(std::string_view text, bool keep_slash) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.' || c == '~' || (keep_slash && c == '/');
    if (plain)
      out += c;
    else
      out += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return out;
}

base::Result<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    unsigned value = 0;
    const char* begin = text.data() + i + 1;
    if (i + 2 >= text.size() || std::from_chars(begin, begin + 2, value, 16).ptr != begin + 2)
      return fail(Code::kInvalidArgument, "a % in the address is not followed by two hex digits",
                  "write %25 for a percent sign");
    out += static_cast<char>(value);
    i += 2;
  }
  return out;
}

base::Result<Address> parse_address(std::string_view text) {
  Address out;
  out.scheme = base::to_lower_ascii(scheme_of(text));
  if (const std::size_t plus = out.scheme.find('+'); plus != std::string::npos)
    out.scheme.resize(plus);
  std::string_view rest = text.substr(scheme_of(text).size() + 3);
  const bool web = out.scheme == "http" || out.scheme == "https";
  const std::size_t mark = rest.find(web ? '#' : '?');
  if (mark != std::string_view::npos) {
    TRY(read_options(rest.substr(mark + 1), out.options));
    rest = rest.substr(0, mark);
  }
  out.plain = out.scheme + "://" + std::string(rest);
  if (out.scheme ==
      "sqlite") {  // three slashes: from the current folder's root, as SQLAlchemy's; the path may be absolute with four or three
    TRY_ASSIGN(out.path, percent_decoded(rest));
    if (out.path.starts_with("//")) out.path.erase(0, 1);
    return out;
  }
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  std::string_view place = rest.substr(0, slash);
  out.path = rest.substr(slash);
  if (const std::size_t at = place.rfind('@'); at != std::string_view::npos) {
    const std::string_view who = place.substr(0, at);
    const std::size_t colon = std::min(who.find(':'), who.size());
    TRY_ASSIGN(out.user, percent_decoded(who.substr(0, colon)));
    if (colon < who.size()) {
      TRY_ASSIGN(out.password, percent_decoded(who.substr(colon + 1)));
    }
    place.remove_prefix(at + 1);
  }
  if (const std::size_t colon = place.rfind(':');
      colon != std::string_view::npos && place.find(']', colon) == std::string_view::npos) {
    out.port = place.substr(colon + 1);
    place = place.substr(0, colon);
  }
  out.host = base::to_lower_ascii(place);
  if (out.host.empty() && out.scheme != "postgresql" && out.scheme != "postgres")
    return fail(Code::kInvalidArgument, "the address has no host: " + shown_address(text));
  return out;
}

bool is_address(std::string_view text) {
  std::string scheme = base::to_lower_ascii(scheme_of(text));
  if (const std::size_t plus = scheme.find('+'); plus != std::string::npos) scheme.resize(plus);
  return std::find(kSchemes.begin(), kSchemes.end(), scheme) != kSchemes.end();
}

std::string located(const std::string& text, const std::string& folder) {
  constexpr std::string_view kRelative = "sqlite:///";
  if (is_address(text)) {
    if (!text.starts_with(kRelative) || text.substr(kRelative.size()).starts_with('/')) return text;
    const std::string rest = text.substr(kRelative.size());
    const std::string file = rest.substr(0, rest.find('?'));
    const bool there = base::path_exists(base::join_path(folder, file));
    if (!there && base::path_exists("/" + file)) return std::string(kRelative) + "/" + rest;
    return std::string(kRelative) + base::join_path(folder, rest);
  }
  if (text.empty() || text.front() == '/' || text.find("://") != std::string::npos) return text;
  return base::join_path(folder, text);
}

std::string shown_address(std::string_view address) {
  std::string out = store::without_password(address);
  for (std::size_t at = out.find_first_of("?#"); at != std::string::npos && at < out.size();) {
    const std::size_t begin = at + 1, end = std::min(out.find_first_of("&#", begin), out.size());
    const std::size_t equals = out.find('=', begin);
    at = end;
    if (equals == std::string::npos || equals >= end) continue;
    const std::string name = base::to_lower_ascii(out.substr(begin, equals - begin));
    const bool hidden = std::any_of(kHidden.begin(), kHidden.end(), [&](std::string_view word) {
      return name.find(word) != std::string::npos;
    });
    if (!hidden || equals + 1 == end) continue;
    out.replace(equals + 1, end - equals - 1, "...");
    at = equals + 4;
  }
  return out;
}

}  // namespace maru::connect
