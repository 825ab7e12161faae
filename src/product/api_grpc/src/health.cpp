#include "health.h"

#include "rpc/health.pb.h"

namespace maru::api_grpc {
namespace {

using base::Code;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using http::Request;
using http::Response;

struct Source {
  const http::RpcRouter* router;
  std::function<bool()> ready;

  HealthCheckResponse::ServingStatus status(const std::string& service) const {
    if (!service.empty() && !router->knows_service("/" + service + "/"))
      return HealthCheckResponse::SERVICE_UNKNOWN;
    return ready() ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING;
  }
};

base::Status parse(std::string_view bytes, HealthCheckRequest& out) {
  if (out.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return {};
  return base::fail(Code::kInvalidArgument,
                    "the message is not a HealthCheckRequest: its bytes cannot be read");
}

std::string packed(HealthCheckResponse::ServingStatus status) {
  HealthCheckResponse out;
  out.set_status(status);
  return out.SerializeAsString();
}

// Says the status at once, and then whenever it is another one.
class Watch final : public http::RpcStream {
 public:
  explicit Watch(const Source& source) : source_(source) {}

  base::Status on_message(std::string_view message, base::Context&,
                          std::vector<std::string>& out) override {
    if (said_ != kNothing) return base::fail(Code::kInvalidArgument, "a watch takes one message");
    HealthCheckRequest request;
    TRY(parse(message, request));
    service_ = request.service();
    say(source_.status(service_), out);
    return {};
  }
  base::Status on_tick(base::Context&, std::vector<std::string>& out) override {
    if (said_ != kNothing) say(source_.status(service_), out);
    return {};
  }
  void on_drain(std::vector<std::string>& out) override {
    if (said_ == HealthCheckResponse::SERVING) say(HealthCheckResponse::NOT_SERVING, out);
  }
  bool stays_open() const override { return true; }

 private:
  void say(HealthCheckResponse::ServingStatus status, std::vector<std::string>& out) {
    if (said_ == status) return;
    said_ = status;
    out.push_back(packed(status));
  }

  static constexpr int kNothing = -1;
  Source source_;
  std::string service_;
  int said_ = kNothing;
};

}  // namespace

void add_health(http::RpcRouter& router, std::function<bool()> ready) {
  const Source source{&router, std::move(ready)};
  router.add_unary(
      "/grpc.health.v1.Health/Check", {http::Permission::kPublic, http::RunOn::kInline},
      [source](const Request& request, base::Context&) -> base::Result<Response> {
        HealthCheckRequest asked;
        TRY(parse(request.body, asked));
        const auto status = source.status(asked.service());
        if (status == HealthCheckResponse::SERVICE_UNKNOWN)
          return base::fail(Code::kNotFound, "no service has the name: " + asked.service());
        Response out;
        out.body = packed(status);
        return out;
      });
  router.add_stream(
      "/grpc.health.v1.Health/Watch", {http::Permission::kPublic, http::RunOn::kInline},
      [source](const Request&, base::Context&) -> base::Result<std::unique_ptr<http::RpcStream>> {
        return std::make_unique<Watch>(source);
      });
}

}  // namespace maru::api_grpc
