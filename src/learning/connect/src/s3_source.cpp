// Objects of an S3-compatible store.
#include <fnmatch.h>

#include <algorithm>
#include <charconv>

#include "download.h"
#include "maru/base/file.h"
#include "maru/base/text.h"
#include "parallel.h"
#include "sigv4.h"
#include "sources.h"

namespace maru::connect {
namespace {

using base::Code;
using base::fail;
using base::Status;

constexpr std::size_t kMaxObjects = 100'000;
constexpr int kListTries = 6;
constexpr std::int64_t kListPauseMs = 200;

std::string_view inner(std::string_view xml, std::string_view name, std::size_t& at) {
  const std::string open = "<" + std::string(name) + ">", close = "</" + std::string(name) + ">";
  const std::size_t begin = xml.find(open, at);
  if (begin == std::string_view::npos) return {};
  const std::size_t end = xml.find(close, begin);
  if (end == std::string_view::npos) return {};
  at = end + close.size();
  return xml.substr(begin + open.size(), end - begin - open.size());
}

std::string value_of(std::string_view xml, std::string_view name) {
  std::size_t at = 0;
  std::string out(inner(xml, name, at));
  for (const auto& [entity, letter] : {std::pair{"&quot;", "\""},
                                       {"&#34;", "\""},
                                       {"&apos;", "'"},
                                       {"&lt;", "<"},
                                       {"&gt;", ">"},
                                       {"&amp;", "&"}}) {
    for (std::size_t found = 0; (found = out.find(entity, found)) != std::string::npos; ++found)
      out.replace(found, std::string_view(entity).size(), letter);
  }
  return out;
}

class S3Source final : public Source {
 public:
  S3Source(Address address, const SourceSettings& settings)
      : address_(std::move(address)), settings_(settings), client_(policy(settings)) {}

  Status prepare();
  base::Result<std::vector<SourceObject>> list(base::Context& context) override {
    TRY_ASSIGN(const auto files, find(context, nullptr));
    std::vector<SourceObject> out;
    for (const auto& file : files) out.push_back({file.name, file.mark(), file.size, 0, {}});
    return out;
  }
  base::Result<std::vector<SourceObject>> read(const std::string& folder, SourceMeter& meter,
                                               base::Context& context) override;

 private:
  static http::EgressPolicy policy(const SourceSettings& settings) {
    http::EgressPolicy out = settings.egress;
    out.allowed_schemes = {"https", "http"};
    out.max_body_bytes = SIZE_MAX;
    return out;
  }
  std::string variable(const char* name) const {
    return settings_.environment ? settings_.environment(name) : std::string();
  }
  Status read_credentials();
  // https://endpoint/bucket or https://bucket.endpoint
  std::string base_url() const;
  base::Result<std::string> ask(const std::string& url, base::Context& context, SourceMeter* meter);
  base::Result<std::vector<RemoteFile>> find(base::Context& context, SourceMeter* meter);
  Download::Complete completing() {
    return [this](http::ClientRequest& request) {
      if (!credentials_.empty())
        sign_aws(request, credentials_, region_, "s3", settings_.clock->now_us());
    };
  }

  const Address address_;
  const SourceSettings settings_;
  http::Client client_;
  AwsCredentials credentials_;
  std::string region_, endpoint_, pattern_, prefix_;
  bool path_style_ = true;
};

Status S3Source::read_credentials() {
  if (address_.option("anonymous") == "true") return {};
  if (!address_.option("secret").empty()) {
    TRY_ASSIGN(const std::string secret, named_secret(address_, settings_));
    const auto parts = base::split(secret, ':');
    if (parts.size() < 2)
      return fail(Code::kInvalidArgument,
                  "the secret is no key of an object store: " + address_.option("secret"),
                  "it is KEY:SECRET, or KEY:SECRET:TOKEN");
    credentials_ = {parts[0], parts[1], parts.size() > 2 ? parts[2] : ""};
    return {};
  }
  credentials_ = {variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY"),
                  variable("AWS_SESSION_TOKEN")};
  if (!credentials_.empty()) return {};
  return fail(Code::kUnauthenticated,
              "no key for the object store: " + shown_address(address_.plain),
              "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or add ?secret=NAME, or "
              "?anonymous=true for a public bucket");
}

Status S3Source::prepare() {
  TRY(address_.check_options(
      {"secret", "region", "endpoint", "path_style", "anonymous", "format"}));
  TRY(read_credentials());
  region_ = address_.option("region");
  if (region_.empty()) region_ = variable("AWS_REGION");
  if (region_.empty()) region_ = variable("AWS_DEFAULT_REGION");
  if (region_.empty()) region_ = "us-east-1";
  endpoint_ = address_.option("endpoint");
  if (endpoint_.empty()) endpoint_ = variable("AWS_ENDPOINT_URL_S3");
  if (endpoint_.empty()) endpoint_ = variable("AWS_ENDPOINT_URL");
  path_style_ = !endpoint_.empty();
  if (endpoint_.empty()) endpoint_ = "https://s3." + region_ + ".amazonaws.com";
  if (endpoint_.find("://") == std::string::npos) endpoint_ = "https://" + endpoint_;
  while (endpoint_.ends_with('/')) endpoint_.pop_back();
  if (const std::string style = address_.option("path_style"); !style.empty())
    path_style_ = style == "true";
  if (address_.host.find('.') != std::string::npos)
    path_style_ = true;  // certificates name one label
  TRY_ASSIGN(pattern_, percent_decoded(address_.path.empty() ? "" : address_.path.substr(1)));
  prefix_ = pattern_.substr(0, pattern_.find_first_of("*["));
  return {};
}

std::string S3Source::base_url() const {
  if (path_style_) return endpoint_ + "/" + address_.host;
  const std::size_t host = endpoint_.find("://") + 3;
  return endpoint_.substr(0, host) + address_.host + "." + endpoint_.substr(host);
}

base::Result<std::string> S3Source::ask(const std::string& url, base::Context& context,
                                        SourceMeter* meter) {
  for (int tries = 0;; ++tries) {
    http::ClientRequest request;
    request.url = url;
    completing()(request);
    auto answer = client_.send(request);
    Status status = answer ? check_status(answer->status, shown_address(address_.plain))
                           : Status(tl::unexpected(answer.error()));
    if (status) return std::move(answer->body);
    if (answer && answer->status >= 300) {
      const std::string code = value_of(answer->body, "Code");
      if (!code.empty()) status = base::wrap(status.error(), "the object store says " + code);
    }
    if (!passes_by(status.error()) || tries >= kListTries)
      return tl::unexpected<base::Error>(status.error());
    if (meter != nullptr) ++meter->retries;
    TRY(pause(context, kListPauseMs << tries));
  }
}

base::Result<std::vector<RemoteFile>> S3Source::find(base::Context& context, SourceMeter* meter) {
  std::vector<RemoteFile> out;
  const bool globs = pattern_.find_first_of("*[") != std::string::npos;
  const bool under = pattern_.empty() || pattern_.ends_with('/');
  std::string token;
  do {
    TRY(context.alive());
    // The query must be sorted by name: it is signed as it stands.
    std::string url = base_url() + (path_style_ ? "?" : "/?");
    if (!token.empty()) url += "continuation-token=" + percent_encoded(token) + "&";
    url += "encoding-type=url&list-type=2&prefix=" + percent_encoded(prefix_);
    TRY_ASSIGN(const std::string xml, ask(url, context, meter));
    const bool encoded = value_of(xml, "EncodingType") == "url";
    std::size_t at = 0;
    for (std::string_view one = inner(xml, "Contents", at); !one.empty();
         one = inner(xml, "Contents", at)) {
      std::string key = value_of(one, "Key");
      if (encoded) {
        std::replace(key.begin(), key.end(), '+', ' ');
        TRY_ASSIGN(key, percent_decoded(key));
      }
      if (key.ends_with('/')) continue;  // what consoles make as a folder
      const bool wanted = globs ? ::fnmatch(pattern_.c_str(), key.c_str(), FNM_PATHNAME) == 0
                                : under || key == pattern_;
      if (!wanted) continue;
      RemoteFile file;
      file.url = base_url() + "/" + percent_encoded(key, true);
      file.name = "s3://" + address_.host + "/" + key;
      file.etag = value_of(one, "ETag");
      const std::string size = value_of(one, "Size");
      std::from_chars(size.data(), size.data() + size.size(), file.size);
      file.ranges = file.size > 0;
      out.push_back(std::move(file));
      if (out.size() > kMaxObjects)
        return fail(Code::kTooLarge,
                    "too many objects: more than " + std::to_string(kMaxObjects) + " match " +
                        shown_address(address_.plain),
                    "give a longer prefix");
    }
    token = value_of(xml, "IsTruncated") == "true" ? value_of(xml, "NextContinuationToken") : "";
  } while (!token.empty());
  if (out.empty())
    return fail(Code::kNotFound, "no object matches: " + shown_address(address_.plain),
                "s3://bucket/key, s3://bucket/prefix*.parquet, or s3://bucket/folder/");
  std::sort(out.begin(), out.end(),
            [](const RemoteFile& a, const RemoteFile& b) { return a.name < b.name; });
  return out;
}

base::Result<std::vector<SourceObject>> S3Source::read(const std::string& folder,
                                                       SourceMeter& meter, base::Context& context) {
  TRY_ASSIGN(auto files, find(context, &meter));
  const std::string format = address_.option("format");
  std::erase_if(files, [](const RemoteFile& file) { return file.size == 0; });
  if (files.empty())
    return fail(Code::kInvalidArgument, "all objects are empty: " + shown_address(address_.plain));
  for (std::size_t i = 0; i < files.size(); ++i)
    files[i].path = base::join_path(
        folder, local_name(i, format.empty() ? base::file_name(files[i].name) : "data." + format));
  Download download(client_, settings_, meter, completing());
  TRY(download.fetch(files, context));
  std::vector<SourceObject> out;
  for (const auto& file : files) out.push_back({file.name, file.mark(), file.size, 0, file.path});
  return out;
}

}  // namespace

base::Result<std::unique_ptr<Source>> open_s3_source(Address address,
                                                     const SourceSettings& settings) {
  auto source = std::make_unique<S3Source>(std::move(address), settings);
  TRY(source->prepare());
  return std::unique_ptr<Source>(std::move(source));
}

}  // namespace maru::connect
