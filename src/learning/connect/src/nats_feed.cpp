// A stream of NATS JetStream, by an ordered consumer from our own position: no gap, no doubled message, nothing to acknowledge.
#include <dlfcn.h>
#include <nats/nats.h>

#include <algorithm>

#include "address.h"
#include "feed.h"
#include "sources.h"

namespace maru::connect {
namespace {

using base::Code;
using base::fail;
using base::Status;

constexpr const char* kLibrary = "libnats.so.3.4";
constexpr std::int64_t kConnectMs = 5'000;

class NatsFeed final : public Feed {
 public:
  ~NatsFeed() override {
    ::natsSubscription_Destroy(subscription_);
    ::jsCtx_Destroy(stream_);
    ::natsConnection_Destroy(connection_);
    ::natsOptions_Destroy(options_);
  }

  Status open(const StreamSpec& spec, const SourceSettings& settings,
              const std::map<int, std::int64_t>& next) {
    TRY_ASSIGN(const Address address, parse_address(spec.address));
    TRY(address.check_options({"secret", "subject", "tls"}));
    TRY_ASSIGN(const std::string secret, named_secret(address, settings));
    name_ = address.path.substr(1);
    const std::string url =
        "nats://" + address.host + ":" + (address.has_port() ? address.port : "4222");
    TRY(check(::natsOptions_Create(&options_), "options"));
    TRY(check(::natsOptions_SetURL(options_, url.c_str()), "address"));
    TRY(check(::natsOptions_SetTimeout(options_, kConnectMs), "timeout"));
    TRY(check(::natsOptions_SetMaxReconnect(options_, 2), "reconnects"));
    TRY(check(::natsOptions_SetName(options_, "maru"), "name"));
    if (address.option("tls") == "required")
      TRY(check(::natsOptions_SetSecure(options_, true), "tls"));
    if (const std::size_t colon = secret.find(':'); colon != std::string::npos)
      TRY(check(::natsOptions_SetUserInfo(options_, secret.substr(0, colon).c_str(),
                                          secret.substr(colon + 1).c_str()),
                "user"));
    else if (!secret.empty())
      TRY(check(::natsOptions_SetToken(options_, secret.c_str()), "token"));
    TRY(check(::natsConnection_Connect(&connection_, options_), "cannot connect"));
    TRY(check(::natsConnection_JetStream(&stream_, connection_, nullptr), "no JetStream"));
    jsStreamInfo* info = nullptr;
    jsErrCode code{};
    const natsStatus found = ::js_GetStreamInfo(&info, stream_, name_.c_str(), nullptr, &code);
    if (found == NATS_NOT_FOUND)
      return fail(Code::kUnavailable, "there is no JetStream stream of that name: " + name_);
    TRY(check(found, "stream"));
    const auto first = static_cast<std::int64_t>(info->State.FirstSeq);
    const auto last = static_cast<std::int64_t>(info->State.LastSeq);
    const std::string subject = !address.option("subject").empty() ? address.option("subject")
                                : info->Config->SubjectsLen == 1   ? info->Config->Subjects[0]
                                                                   : ">";
    ::jsStreamInfo_Destroy(info);
    return subscribe(spec, subject, next, first, last);
  }

  Status poll(std::size_t most, int wait_ms, std::vector<Event>& events) override {
    for (std::size_t i = 0; i < most; ++i) {
      natsMsg* message = nullptr;
      const natsStatus got =
          ::natsSubscription_NextMsg(&message, subscription_, i == 0 ? wait_ms : 1);
      if (got == NATS_TIMEOUT) return {};
      TRY(check(got, "no messages"));
      jsMsgMetaData* about = nullptr;
      const natsStatus told = ::natsMsg_GetMetaData(&about, message);
      if (told == NATS_OK)
        events.push_back({0, static_cast<std::int64_t>(about->Sequence.Stream),
                          std::string(::natsMsg_GetData(message),
                                      static_cast<std::size_t>(::natsMsg_GetDataLength(message)))});
      ::jsMsgMetaData_Destroy(about);
      ::natsMsg_Destroy(message);
      TRY(check(told, "a message without its number"));
    }
    return {};
  }

  std::int64_t lag(const std::map<int, std::int64_t>& next) override {
    jsStreamInfo* info = nullptr;
    if (::js_GetStreamInfo(&info, stream_, name_.c_str(), nullptr, nullptr) != NATS_OK) return -1;
    const auto last = static_cast<std::int64_t>(info->State.LastSeq);
    const auto first = static_cast<std::int64_t>(info->State.FirstSeq);
    ::jsStreamInfo_Destroy(info);
    const auto at = next.find(0);
    return std::max<std::int64_t>(0, last + 1 - std::max(first, at == next.end() ? 1 : at->second));
  }

 private:
  Status subscribe(const StreamSpec& spec, const std::string& subject,
                   const std::map<int, std::int64_t>& next, std::int64_t first, std::int64_t last) {
    jsSubOptions how;
    TRY(check(::jsSubOptions_Init(&how), "subscription"));
    how.Ordered = true;
    how.Stream = name_.c_str();
    const auto at = next.find(0);
    if (at != next.end()) {
      if (at->second < first && last >= at->second)
        return fail(Code::kDataLoss,
                    "messages that were not yet taken are gone from the stream: " +
                        std::to_string(at->second) + " to " + std::to_string(first - 1),
                    "the stream keeps too little; remove this one and add it again to go on from "
                    "what is left");
      how.Config.DeliverPolicy = js_DeliverByStartSequence;
      how.Config.OptStartSeq = static_cast<uint64_t>(std::max<std::int64_t>(1, at->second));
    } else {
      how.Config.DeliverPolicy = spec.from_latest ? js_DeliverNew : js_DeliverAll;
    }
    jsErrCode code{};
    return check(::js_SubscribeSync(&subscription_, stream_, subject.c_str(), nullptr, &how, &code),
                 "cannot subscribe");
  }

  static Status check(natsStatus status, const char* what) {
    if (status == NATS_OK) return {};
    const std::string why = std::string(what) + ": " + ::natsStatus_GetText(status);
    if (status == NATS_CONNECTION_AUTH_FAILED || status == NATS_NOT_PERMITTED)
      return fail(Code::kPermissionDenied, "NATS refuses: " + why);
    return fail(Code::kUnavailable, "NATS: " + why);
  }

  natsOptions* options_ = nullptr;
  natsConnection* connection_ = nullptr;
  jsCtx* stream_ = nullptr;
  natsSubscription* subscription_ = nullptr;
  std::string name_;
};

}  // namespace

base::Result<std::unique_ptr<Feed>> open_nats_feed(const StreamSpec& spec,
                                                   const SourceSettings& settings,
                                                   const std::map<int, std::int64_t>& next) {
  static const bool present = ::dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL) != nullptr;
  if (!present)
    return fail(Code::kFailedPrecondition,
                std::string("NATS' client library is not installed: ") + kLibrary,
                "apt install libnats3.4");
  auto feed = std::make_unique<NatsFeed>();
  TRY(feed->open(spec, settings, next));
  return std::unique_ptr<Feed>(std::move(feed));
}

}  // namespace maru::connect
