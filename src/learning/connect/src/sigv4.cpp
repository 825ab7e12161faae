#include "sigv4.h"

#include <algorithm>
#include <map>

#include "maru/base/clock.h"
#include "maru/base/hash.h"
#include "maru/base/text.h"

namespace maru::connect {

void sign_aws(http::ClientRequest& request, const AwsCredentials& credentials,
              const std::string& region, const std::string& service, std::int64_t now_us) {
  // "2026-11-21T06:55:00Z" -> "20261121T065500Z"
  std::string stamp = base::format_time_us(now_us - now_us % 1'000'000);
  std::erase_if(stamp, [](char c) { return c == '-' || c == ':'; });
  const std::string day = stamp.substr(0, 8);
  const std::string payload = base::sha256_hex(request.body);
  std::string_view rest = request.url;
  rest.remove_prefix(rest.find("://") + 3);
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  const std::string host(rest.substr(0, slash));
  const std::string_view target = rest.substr(slash);
  const std::size_t question = std::min(target.find('?'), target.size());
  const std::string path(target.substr(0, question));
  const std::string query(question < target.size() ? target.substr(question + 1)
                                                   : std::string_view());
  request.headers.set("x-amz-date", stamp);
  request.headers.set("x-amz-content-sha256", payload);
  if (!credentials.token.empty()) request.headers.set("x-amz-security-token", credentials.token);
  std::map<std::string, std::string> fields = {
      {"host", host}, {"x-amz-content-sha256", payload}, {"x-amz-date", stamp}};
  if (!credentials.token.empty()) fields["x-amz-security-token"] = credentials.token;
  std::string lines, names;
  for (const auto& [name, value] : fields) {
    lines += name + ":" + value + "\n";
    names += (names.empty() ? "" : ";") + name;
  }
  const std::string canonical = std::string(http::method_name(request.method)) + "\n" +
                                (path.empty() ? "/" : path) + "\n" + query + "\n" + lines + "\n" +
                                names + "\n" + payload;
  const std::string scope = day + "/" + region + "/" + service + "/aws4_request";
  const std::string text =
      "AWS4-HMAC-SHA256\n" + stamp + "\n" + scope + "\n" + base::sha256_hex(canonical);
  std::string key = base::hmac_sha256("AWS4" + credentials.secret, day);
  for (const std::string_view part :
       {std::string_view(region), std::string_view(service), std::string_view("aws4_request")})
    key = base::hmac_sha256(key, part);
  request.headers.set("Authorization", "AWS4-HMAC-SHA256 Credential=" + credentials.key + "/" +
                                           scope + ", SignedHeaders=" + names + ", Signature=" +
                                           base::hex(base::hmac_sha256(key, text)));
}

}  // namespace maru::connect
