#pragma once
#include <cstdint>
#include <string>

#include "maru/http/client.h"

namespace maru::connect {

struct AwsCredentials {
  std::string key, secret, token;
  bool empty() const { return key.empty(); }
};

// Signs a request for S3 (AWS Signature Version 4, header form, "Signature Calculations for the Authorization Header"). The URL is as it will be sent:
// its path and query percent-encoded, its query sorted by name.
void sign_aws(http::ClientRequest& request, const AwsCredentials& credentials,
              const std::string& region, const std::string& service, std::int64_t now_us);

}  // namespace maru::connect
