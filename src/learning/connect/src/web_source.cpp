// One file of a web server.
#include <algorithm>

#include "download.h"
#include "maru/base/file.h"
#include "maru/base/text.h"
#include "sources.h"

namespace maru::connect {

using base::Code;
using base::fail;

std::string local_name(std::size_t number, std::string_view name) {
  std::string out = std::to_string(number);
  out.insert(0, 5 - std::min<std::size_t>(5, out.size()), '0');
  out += '-';
  constexpr std::size_t kLongest = 100;
  if (name.size() > kLongest) name = name.substr(name.size() - kLongest);
  for (const char c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '.' || c == '-' || c == '_';
    out += plain ? c : '_';
  }
  return out;
}

namespace {

// The ending that chooses the reader, by what the server calls the content.
std::string ending_of(std::string_view type) {
  if (type.find("parquet") != std::string_view::npos) return ".parquet";
  if (type.find("ndjson") != std::string_view::npos || type.find("jsonl") != std::string_view::npos)
    return ".jsonl";
  if (type.find("json") != std::string_view::npos) return ".json";
  if (type.find("tab-separated") != std::string_view::npos) return ".tsv";
  if (type.find("csv") != std::string_view::npos || type.starts_with("text/plain")) return ".csv";
  return {};
}

class WebSource final : public Source {
 public:
  WebSource(Address address, const SourceSettings& settings)
      : address_(std::move(address)), settings_(settings), client_(policy(settings)) {}

  base::Status prepare() {
    TRY(address_.check_options({"secret", "format"}));
    if (!address_.user.empty() || !address_.password.empty())
      return fail(Code::kInvalidArgument,
                  "a web address carries no user and password: " + shown_address(address_.plain),
                  "keep them as a secret and add #secret=NAME");
    TRY_ASSIGN(authorization_, named_secret(address_, settings_));
    return {};
  }

  base::Result<std::vector<SourceObject>> list(base::Context& context) override {
    SourceMeter meter;
    Download download(client_, settings_, meter, completing());
    RemoteFile file = remote();
    TRY(download.look(file, context));
    return std::vector<SourceObject>{{file.name, file.mark(), file.size, 0, {}}};
  }

  base::Result<std::vector<SourceObject>> read(const std::string& folder, SourceMeter& meter,
                                               base::Context& context) override {
    Download download(client_, settings_, meter, completing());
    RemoteFile file = remote();
    TRY(download.look(file, context));
    std::string name = base::file_name(address_.path.substr(0, address_.path.find('?')));
    if (const std::string format = address_.option("format"); !format.empty())
      name = "data." + format;
    else if (name.find('.') == std::string::npos)
      name = (name.empty() ? "data" : name) + ending_of(file.type);
    file.path = base::join_path(folder, local_name(0, name));
    TRY(download.fetch({file}, context));
    TRY_ASSIGN(const std::uint64_t size, base::file_size(file.path));
    return std::vector<SourceObject>{{file.name, file.mark(), size, 0, file.path}};
  }

 private:
  static http::EgressPolicy policy(const SourceSettings& settings) {
    http::EgressPolicy out = settings.egress;
    out.allowed_schemes = {"https", "http"};
    out.max_body_bytes = SIZE_MAX;
    return out;
  }
  RemoteFile remote() const {
    RemoteFile file;
    file.url = address_.plain;
    file.name = shown_address(address_.plain);
    return file;
  }
  Download::Complete completing() {
    return [this](http::ClientRequest& request) {
      if (authorization_.empty()) return;
      const bool basic = authorization_.find(':') != std::string::npos &&
                         authorization_.find(' ') == std::string::npos;
      const bool whole = authorization_.find(' ') != std::string::npos;
      request.headers.set("Authorization", basic   ? "Basic " + base::base64(authorization_)
                                           : whole ? authorization_
                                                   : "Bearer " + authorization_);
    };
  }

  const Address address_;
  const SourceSettings settings_;
  http::Client client_;
  std::string authorization_;
};

}  // namespace

base::Result<std::unique_ptr<Source>> open_web_source(Address address,
                                                      const SourceSettings& settings) {
  auto source = std::make_unique<WebSource>(std::move(address), settings);
  TRY(source->prepare());
  return std::unique_ptr<Source>(std::move(source));
}

}  // namespace maru::connect
