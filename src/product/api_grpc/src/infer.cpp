#include "infer.h"

#include "maru/base/text.h"
#include "tensors.h"

namespace maru::api_grpc {
namespace {

using base::Code;
using http::Request;
using http::Response;
using inference::ModelInferRequest;
using inference::ModelInferResponse;

constexpr std::size_t kKeepBytes = 256 << 10;  // larger messages leave no memory behind

base::Status parse(std::string_view bytes, ModelInferRequest& out) {
  if (out.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return {};
  return base::fail(Code::kInvalidArgument,
                    "the message is not a ModelInferRequest: its bytes cannot be read");
}

base::Result<serve::CallOptions> read(const api::Services& s, const Request& from,
                                      const base::Context& context, ModelInferRequest& request,
                                      model::InferRequest& call) {
  serve::CallOptions options = api::call_options(from, context);
  const std::string& name = request.model_name();
  if (name.empty()) return base::fail(Code::kInvalidArgument, "request has no `model_name`");
  TRY_ASSIGN(options.version, api::resolve_version(s, name, request.model_version()));
  TRY(read_request(request, call));
  TRY(context.alive());
  return options;
}

base::Status run(const api::Services& s, const Request& from, const base::Context& context,
                 std::int64_t received_ns, ModelInferRequest& request, ModelInferResponse& out) {
  model::InferRequest call;
  TRY_ASSIGN(serve::CallOptions options, read(s, from, context, request, call));
  options.received_ns = received_ns;
  TRY_ASSIGN(const api::InferenceAnswer done,
             api::infer(s, request.model_name(), std::move(options), call));
  write_response(request, call, done, out);
  return {};
}

base::Result<Response> packed(const ModelInferResponse& message) {
  Response out;
  if (!message.SerializeToString(&out.body))
    return base::fail(Code::kTooLarge, "the answer is larger than a message may be",
                      "send fewer rows");
  return out;
}

// The messages of a thread's calls, one after another: their memory is kept.
struct Messages {
  ModelInferRequest request;
  ModelInferResponse response;
};

base::Result<Response> answer(const api::Services& s, const Request& request,
                              const base::Context& context, Messages& use) {
  use.request.Clear();
  use.response.Clear();
  TRY(parse(request.body, use.request));
  model::InferRequest call;
  TRY_ASSIGN(serve::CallOptions options, read(s, request, context, use.request, call));
  const std::string name = use.request.model_name();
  if (s.server->pace(name, options.version) == serve::Pace::kAtOnce) {
    TRY_ASSIGN(const api::InferenceAnswer done, api::infer(s, name, std::move(options), call));
    write_response(use.request, call, done, use.response);
    return packed(use.response);
  }
  // Its calls wait for their turn, and no thread waits with them.
  const auto asked = std::make_shared<ModelInferRequest>();
  asked->Swap(&use.request);
  return api::infer_response(s, name, std::move(options), std::move(call),
                             [asked](const model::InferRequest& told,
                                     const api::InferenceAnswer& done) -> base::Result<Response> {
                               ModelInferResponse out;
                               write_response(*asked, told, done, out);
                               return packed(out);
                             });
}

base::Result<Response> infer(const api::Services& s, const Request& request,
                             const base::Context& context) {
  if (request.body.size() > kKeepBytes) {
    Messages once;
    return answer(s, request, context, once);
  }
  thread_local Messages kept;
  return answer(s, request, context, kept);
}

// Each request is answered, in order; what is wrong with one is told in its answer, and the call goes on.
class InferStream final : public http::RpcStream {
 public:
  InferStream(const api::Services& services, const Request& request)
      : services_(services), request_(request) {}

  base::Status on_message(std::string_view message, base::Context& context,
                          std::vector<std::string>& out) override {
    ModelInferRequest request;
    TRY(parse(message, request));
    const std::string id = request.id(), name = request.model_name();
    const auto mark = request.parameters().find("triton_enable_empty_final_response");
    const bool mark_final = mark != request.parameters().end() && mark->second.bool_param();
    inference::ModelStreamInferResponse answer;
    const base::Status done = run(services_, request_, context, context.clock->monotonic_ns(),
                                  request, *answer.mutable_infer_response());
    if (!done) {
      TRY(context.alive());
      answer.set_error_message(base::replace_invalid_utf8(http::rpc_message(done.error())));
      answer.mutable_infer_response()->Clear();
      answer.mutable_infer_response()->set_id(id);
      answer.mutable_infer_response()->set_model_name(name);
    }
    if (mark_final)
      (*answer.mutable_infer_response()->mutable_parameters())["triton_final_response"]
          .set_bool_param(true);
    if (!answer.SerializeToString(&out.emplace_back()))
      return base::fail(Code::kTooLarge, "the answer is larger than a message may be");
    return {};
  }

 private:
  const api::Services services_;
  const Request& request_;  // of the call, which outlives its stream
};

}  // namespace

void add_infer_methods(http::RpcRouter& router, const http::RouteOptions& like,
                       const api::Services& s) {
  http::RouteOptions options{like.permission, like.run_on};
  options.max_body_bytes = like.max_body_bytes;
  options.inline_body_bytes = like.inline_body_bytes;
  http::RouteOptions one = options;
  one.place = [s](const Request& request) {
    Named names;
    if (!peek_names(request.body, names) || api::may_explain(request.body))
      return http::RunOn::kServe;
    return api::place_of_reading(s, names.model, names.version);
  };
  router.add_unary(
      "/inference.GRPCInferenceService/ModelInfer", one,
      [s](const Request& request, base::Context& context) { return infer(s, request, context); });
  // The requests of a stream are answered in order, on a thread that may wait.
  options.place = [s](const Request& request) {
    Named names;
    if (!peek_names(request.body, names)) return http::RunOn::kServe;
    const http::RunOn place = api::place_of_call(s, names.model, names.version);
    return place == http::RunOn::kInline && api::may_explain(request.body) ? http::RunOn::kServe
                                                                           : place;
  };
  router.add_stream("/inference.GRPCInferenceService/ModelStreamInfer", options,
                    [s](const Request& request,
                        base::Context&) -> base::Result<std::unique_ptr<http::RpcStream>> {
                      return std::make_unique<InferStream>(s, request);
                    });
}

}  // namespace maru::api_grpc
