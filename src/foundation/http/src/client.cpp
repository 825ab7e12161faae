// The only file that sees curl.
#include "maru/http/client.h"

#include <curl/curl.h>
#include <sys/socket.h>

#include <algorithm>
#include <mutex>

#include "address.h"
#include "maru/base/check.h"
#include "maru/base/text.h"

namespace maru::http {
namespace {

using Easy = std::unique_ptr<CURL, decltype(&::curl_easy_cleanup)>;
using List = std::unique_ptr<curl_slist, decltype(&::curl_slist_free_all)>;

constexpr std::size_t kMaxIdleHandles = 16;
constexpr std::size_t kMaxAnswerHeaderBytes = 256 << 10;

struct Url {
  std::string scheme;
  std::string host;
  std::string port;
  std::string whole;

  bool same_place(const Url& other) const {
    return scheme == other.scheme && host == other.host && port == other.port;
  }
};

// What the callbacks of one transfer share.
struct Transfer {
  const ClientRequest* request = nullptr;
  const EgressPolicy* policy = nullptr;
  bool private_allowed = false;
  ClientResponse response;
  base::Status status;
  std::size_t body_bytes = 0;
  std::size_t header_bytes = 0;
  bool refused_address = false;
  bool head_seen = false;
  CURL* easy = nullptr;
};

bool is_redirect(const ClientRequest& request, int status, const Headers& headers) {
  const bool moved =
      status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
  const bool safe = request.method == Method::kGet || request.method == Method::kHead;
  return moved && safe && headers.has("Location");
}

// What comes before a body, once. False when it is of an answer that will be followed elsewhere.
bool take_head(Transfer& transfer) {
  long status = 0;
  ::curl_easy_getinfo(transfer.easy, CURLINFO_RESPONSE_CODE, &status);
  transfer.response.status = static_cast<int>(status);
  if (is_redirect(*transfer.request, transfer.response.status, transfer.response.headers))
    return false;
  if (!transfer.head_seen && transfer.request->on_head)
    transfer.status =
        transfer.request->on_head(transfer.response.status, transfer.response.headers);
  transfer.head_seen = true;
  return true;
}

std::string part(CURLU* url, CURLUPart which, unsigned flags = 0) {
  char* text = nullptr;
  if (::curl_url_get(url, which, &text, flags) != CURLUE_OK) return {};
  std::string out = text;
  ::curl_free(text);
  return out;
}

// `text` may be relative to `base`.
base::Result<Url> parse_url(const std::string& text, const std::string& base_url = {}) {
  const std::unique_ptr<CURLU, decltype(&::curl_url_cleanup)> url(::curl_url(),
                                                                  &::curl_url_cleanup);
  MARU_CHECK(url != nullptr);
  const bool based = base_url.empty() ||
                     ::curl_url_set(url.get(), CURLUPART_URL, base_url.c_str(), 0) == CURLUE_OK;
  if (!based || ::curl_url_set(url.get(), CURLUPART_URL, text.c_str(), CURLU_NON_SUPPORT_SCHEME) !=
                    CURLUE_OK) {
    return base::fail(base::Code::kInvalidArgument, "not a URL: " + text.substr(0, 200),
                      "write it as https://host/path");
  }
  Url out;
  out.scheme = base::to_lower_ascii(part(url.get(), CURLUPART_SCHEME));
  out.host = base::to_lower_ascii(part(url.get(), CURLUPART_HOST));
  out.port = part(url.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
  out.whole = part(url.get(), CURLUPART_URL);
  if (!part(url.get(), CURLUPART_USER).empty() || !part(url.get(), CURLUPART_PASSWORD).empty()) {
    return base::fail(base::Code::kInvalidArgument,
                      "a URL must not carry a user or password: " + out.host,
                      "send credentials in a header");
  }
  if (out.host.empty())
    return base::fail(base::Code::kInvalidArgument, "the URL has no host: " + text.substr(0, 200));
  return out;
}

std::size_t on_body(char* data, std::size_t size, std::size_t count, void* context) {
  auto& transfer = *static_cast<Transfer*>(context);
  const std::string_view bytes(data, size * count);
  transfer.body_bytes += bytes.size();
  if (transfer.body_bytes > transfer.policy->max_body_bytes) {
    transfer.status = base::fail(
        base::Code::kTooLarge,
        "the answer is larger than " + std::to_string(transfer.policy->max_body_bytes) + " bytes");
    return 0;
  }
  try {
    if (!take_head(transfer)) return bytes.size();
    if (!transfer.status) return 0;
    if (transfer.request->on_body)
      transfer.status = transfer.request->on_body(bytes);
    else
      transfer.response.body.append(bytes);
  } catch (const std::exception& thrown) {
    transfer.status = base::fail(base::Code::kInternal,
                                 std::string("the receiver of the answer threw: ") + thrown.what());
  }
  return transfer.status ? bytes.size() : 0;
}

std::size_t on_header(char* data, std::size_t size, std::size_t count, void* context) {
  auto& transfer = *static_cast<Transfer*>(context);
  const std::string_view line(data, size * count);
  transfer.header_bytes += line.size();
  if (transfer.header_bytes > kMaxAnswerHeaderBytes) {
    transfer.status = base::fail(base::Code::kTooLarge, "the header of the answer is too large");
    return 0;
  }
  if (line.starts_with("HTTP/")) {
    transfer.response.headers = {};  // those of a "100 Continue" before
    return line.size();
  }
  const std::size_t colon = line.find(':');
  if (colon != std::string_view::npos) {
    transfer.response.headers.add(base::trim(line.substr(0, colon)),
                                  base::trim(line.substr(colon + 1)));
  }
  return line.size();
}

// Called with the very address that is about to be connected to: a name that answers differently the second time gains nothing.
curl_socket_t open_socket(void* context, curlsocktype, curl_sockaddr* address) {
  auto& transfer = *static_cast<Transfer*>(context);
  if (address->family != AF_UNIX && !transfer.private_allowed &&
      is_private_address(&address->addr)) {
    transfer.refused_address = true;
    return CURL_SOCKET_BAD;
  }
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

base::Error failure(CURLcode code, const Url& url) {
  const std::string where = url.scheme + "://" + url.host + ":" + url.port;
  const std::string reason = ::curl_easy_strerror(code);
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
      return {base::Code::kDeadlineExceeded, "no answer in time from " + where,
              "check that the server is up, or allow more time", nullptr};
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_PARTIAL_FILE:
      return {base::Code::kUnavailable, "cannot talk to " + where + ": " + reason,
              "check the address and that the server is up", nullptr};
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
      return {base::Code::kUnauthenticated, "the certificate is not trusted: " + where,
              "add its authority to the system's certificates", nullptr};
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
      return {base::Code::kInvalidArgument, "not a URL that can be fetched: " + where, "", nullptr};
    default:
      return {base::Code::kUnavailable, "the request failed: " + where + ": " + reason, "",
              nullptr};
  }
}

void set_method(CURL* easy, const ClientRequest& request) {
  ::curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, std::string(method_name(request.method)).c_str());
  if (request.method == Method::kHead) ::curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  const bool sends = request.method == Method::kPost || request.method == Method::kPut ||
                     request.method == Method::kPatch;
  if (!sends && request.body.empty()) return;
  ::curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.data());
  ::curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(request.body.size()));
}

List make_headers(const ClientRequest& request, base::Status& status) {
  curl_slist* list = nullptr;
  // Without this curl waits a second for "100 Continue" before it sends a large body.
  list = ::curl_slist_append(list, "Expect:");
  if (!request.headers.has("Content-Type")) list = ::curl_slist_append(list, "Content-Type:");
  for (const auto& [name, value] : request.headers.all()) {
    const std::string line = value.empty() ? name + ";" : name + ": " + value;
    if (line.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
      status = base::fail(base::Code::kInvalidArgument,
                          "a header field has a line break: " + name.substr(0, 64));
    }
    list = ::curl_slist_append(list, line.c_str());
  }
  return {list, &::curl_slist_free_all};
}

}  // namespace

struct Client::Impl {
  EgressPolicy policy;
  std::mutex mutex;
  std::vector<Easy> idle;  // each keeps its connections open

  Easy take() {
    {
      const std::lock_guard lock(mutex);
      if (!idle.empty()) {
        Easy easy = std::move(idle.back());
        idle.pop_back();
        return easy;
      }
    }
    return {::curl_easy_init(), &::curl_easy_cleanup};
  }

  void give(Easy easy) {
    const std::lock_guard lock(mutex);
    if (idle.size() < kMaxIdleHandles) idle.push_back(std::move(easy));
  }

  base::Status check(const Url& url) const {
    const auto has = [](const std::vector<std::string>& list, const std::string& word) {
      return std::find(list.begin(), list.end(), word) != list.end();
    };
    if (!has(policy.allowed_schemes, url.scheme)) {
      return base::fail(base::Code::kPermissionDenied,
                        "URLs of this scheme are not fetched: " + url.scheme,
                        "use " + base::join(policy.allowed_schemes, " or "));
    }
    return {};
  }

  base::Result<ClientResponse> send_once(const ClientRequest& request, const Url& url);
};

base::Result<ClientResponse> Client::Impl::send_once(const ClientRequest& request, const Url& url) {
  Easy handle = take();
  CURL* easy = handle.get();
  if (easy == nullptr) return base::fail(base::Code::kInternal, "curl cannot be set up");
  ::curl_easy_reset(easy);
  Transfer transfer;
  transfer.request = &request;
  transfer.easy = easy;
  transfer.policy = &policy;
  transfer.private_allowed = policy.allow_private || !request.unix_socket.empty() ||
                             std::find(policy.allowed_hosts.begin(), policy.allowed_hosts.end(),
                                       url.host) != policy.allowed_hosts.end();
  base::Status header_status;
  const List headers = make_headers(request, header_status);
  TRY(header_status);
  ::curl_easy_setopt(easy, CURLOPT_URL, url.whole.c_str());
  ::curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  ::curl_easy_setopt(easy, CURLOPT_PROXY, "");  // a proxy would connect in our place, to anywhere
  ::curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  ::curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  ::curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout_ms));
  if (request.stall_timeout_ms > 0) {
    ::curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    ::curl_easy_setopt(
        easy, CURLOPT_LOW_SPEED_TIME,
        static_cast<long>(std::max<std::int64_t>(1, request.stall_timeout_ms / 1000)));
  }
  ::curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                     static_cast<long>(request.connect_timeout_ms));
  ::curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers.get());
  ::curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &on_body);
  ::curl_easy_setopt(easy, CURLOPT_WRITEDATA, &transfer);
  ::curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &on_header);
  ::curl_easy_setopt(easy, CURLOPT_HEADERDATA, &transfer);
  ::curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, &open_socket);
  ::curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, &transfer);
  if (!request.unix_socket.empty())
    ::curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, request.unix_socket.c_str());
  set_method(easy, request);
  const CURLcode code = ::curl_easy_perform(easy);
  long status = 0;
  ::curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  transfer.response.status = static_cast<int>(status);
  give(std::move(handle));
  if (transfer.refused_address) {
    return base::fail(base::Code::kPermissionDenied,
                      "the host is at a private address: " + url.host,
                      "list it under the hosts that may be reached");
  }
  if (!transfer.status) return tl::unexpected<base::Error>(std::move(transfer.status).error());
  if (code != CURLE_OK) return tl::unexpected<base::Error>(failure(code, url));
  if (!transfer.head_seen) {  // no body came
    static_cast<void>(take_head(transfer));
    if (!transfer.status) return tl::unexpected<base::Error>(std::move(transfer.status).error());
  }
  return std::move(transfer.response);
}

Client::Client(EgressPolicy policy) : impl_(std::make_unique<Impl>()) {
  impl_->policy = std::move(policy);
  for (std::string& host : impl_->policy.allowed_hosts) host = base::to_lower_ascii(host);
}

Client::~Client() = default;

base::Result<ClientResponse> Client::send(const ClientRequest& request) {
  // Not when a client is made: most processes have one and send nothing, and curl is loaded by its first call.
  static const bool ready = ::curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  MARU_CHECK(ready);
  TRY_ASSIGN(Url url, parse_url(request.url));
  TRY(impl_->check(url));
  for (std::size_t hops = 0;; ++hops) {
    TRY_ASSIGN(ClientResponse response, impl_->send_once(request, url));
    const std::string location(response.headers.get("Location"));
    if (!is_redirect(request, response.status, response.headers) || location.empty())
      return response;
    if (hops >= impl_->policy.max_redirects) {
      return base::fail(base::Code::kUnavailable, "the server redirects too often: " + url.host);
    }
    TRY_ASSIGN(Url next, parse_url(location, url.whole));
    if (!next.same_place(url)) {
      return base::fail(
          base::Code::kPermissionDenied,
          "a redirect to another place is not followed: " + next.scheme + "://" + next.host,
          "ask for that URL itself");
    }
    url = std::move(next);
  }
}

}  // namespace maru::http
