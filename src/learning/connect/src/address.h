#pragma once
#include <map>
#include <string>
#include <string_view>

#include "maru/base/result.h"

namespace maru::connect {

// scheme://[user[:password]@]host[:port]/path?options
struct Address {
  std::string scheme, user, password, host, port, path;
  std::map<std::string, std::string> options;  // percent-decoded; of http(s): of the fragment
  std::string plain;                           // http(s): without the fragment
  bool has_port() const { return !port.empty(); }
  std::string option(const std::string& name) const;
  // kInvalidArgument that names the first option which is none of `known`.
  base::Status check_options(std::initializer_list<std::string_view> known) const;
};

base::Result<Address> parse_address(std::string_view text);
std::string percent_encoded(std::string_view text, bool keep_slash = false);
base::Result<std::string> percent_decoded(std::string_view text);

}  // namespace maru::connect
