#include "maru/connect/source.h"

#include "sources.h"

namespace maru::connect {

base::Result<std::string> named_secret(const Address& address, const SourceSettings& settings) {
  const std::string name = address.option("secret");
  if (name.empty()) return std::string();
  if (!settings.secret)
    return base::fail(base::Code::kFailedPrecondition, "no secrets are kept here: " + name);
  return settings.secret(name, address.host);
}

base::Result<std::unique_ptr<Source>> Source::open(const std::string& address,
                                                   const SourceSettings& settings) {
  if (!is_address(address))
    return base::fail(base::Code::kInvalidArgument, "not an address: " + shown_address(address),
                      "postgresql:// mysql:// sqlite:/// s3:// https:// http://");
  TRY_ASSIGN(Address parsed, parse_address(address));
  if (parsed.scheme == "s3") return open_s3_source(std::move(parsed), settings);
  if (parsed.scheme == "http" || parsed.scheme == "https")
    return open_web_source(std::move(parsed), settings);
  return open_sql_source(std::move(parsed), settings);
}

}  // namespace maru::connect
