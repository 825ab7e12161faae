// Bytes of HTTP/2 to a connection with gRPC calls and plain routes; pieces of gRPC messages; and requests of the Open Inference Protocol in protobuf.
#include <google/protobuf/stubs/logging.h>

#include "../../src/foundation/http/src/http2.h"
#include "../../src/product/api_grpc/src/tensors.h"
#include "driver.h"
#include "maru/base/check.h"

namespace {

using namespace maru;
using namespace maru::http;

class Echo final : public RpcStream {
 public:
  base::Status on_message(std::string_view message, base::Context&,
                          std::vector<std::string>& out) override {
    out.emplace_back(message);
    if (message.size() > 100) return base::fail(base::Code::kTooLarge, "too long for an echo");
    return {};
  }
  void on_drain(std::vector<std::string>& out) override { out.emplace_back("last"); }
};

// A server without sockets, whose handlers all run inline.
struct House {
  base::Pool pool{{"fuzz", 1, 4}};
  base::ManualClock clock;
  Router routes;
  RpcRouter rpc;
  IoLoop loop;

  House() {
    const auto echo = [](const Request& request, base::Context&) -> base::Result<Response> {
      if (request.body == "fail") return base::fail(base::Code::kNotFound, "\x01 %\xff");
      return Response::text(request.body);
    };
    rpc.add_unary("/t.S/U", {Permission::kPublic, RunOn::kInline, false, 1 << 16}, echo);
    rpc.add_stream("/t.S/B", {Permission::kPublic, RunOn::kInline},
                   [](const Request&, base::Context&) -> base::Result<std::unique_ptr<RpcStream>> {
                     return std::make_unique<Echo>();
                   });
    routes.add(Method::kPost, "/echo", {Permission::kPublic, RunOn::kInline, false, 1 << 16}, echo);
    routes.add(Method::kGet, "/x/{rest...}", {Permission::kPublic, RunOn::kInline}, echo);
  }

  void run(std::string_view bytes, std::size_t step) {
    ServerOptions options;
    options.rpc = &rpc;
    options.clock = &clock;
    options.serve_pool = options.blocking_pool = options.work_pool = &pool;
    const auto core = std::make_shared<ServerCore>(options, routes, nullptr);
    Http2 connection(core, loop, {}, "127.0.0.1:1", false, false);
    std::string out;
    const auto flush = [&] {
      do {
        MARU_CHECK(out.size() < (64u << 20));
        out.clear();
      } while (connection.output(out, 1 << 16));
    };
    for (std::size_t at = 0; at < bytes.size() && connection.feed(bytes.substr(at, step));
         at += step)
      flush();
    clock.advance_us(40'000'000);
    (void)connection.sweep(core->now_ns(), true);
    connection.drain();
    (void)connection.sweep(core->now_ns(), false);
    flush();
    connection.close();
    loop.context.restart();
    loop.context.poll();
  }
};

void fuzz_messages(std::string_view bytes) {
  constexpr std::size_t kMax = 1 << 16;
  std::vector<std::string> whole, pieces;
  const auto read = [&](std::size_t step, std::vector<std::string>& out) {
    RpcReader reader(Coding::kGzip, kMax);
    for (std::size_t at = 0; at < bytes.size(); at += step) {
      std::string_view in = bytes.substr(at, step);
      while (!in.empty()) {
        std::string message;
        const auto got = reader.next(in, message);
        if (!got) return;
        MARU_CHECK(message.size() <= kMax);
        if (*got) out.push_back(std::move(message));
      }
    }
  };
  read(bytes.size() + 1, whole);
  read(1, pieces);
  MARU_CHECK(whole == pieces);
}

void fuzz_infer(std::string_view bytes) {
  inference::ModelInferRequest from;
  if (!from.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
  api_grpc::Named names;
  (void)api_grpc::peek_names(bytes, names);
  model::InferRequest call;
  if (!api_grpc::read_request(from, call)) return;
  api::InferenceAnswer done;
  for (const auto& tensor : call.inputs) {
    const auto count = model::element_count(tensor.name, tensor.shape);
    MARU_CHECK(count.has_value() && *count == tensor.elements());
    done.outputs.push_back(tensor);
  }
  inference::ModelInferResponse out;
  api_grpc::write_response(from, call, done, out);
  MARU_CHECK(out.outputs_size() == static_cast<int>(call.inputs.size()));
}

std::string frame(char type, char flags, char stream, std::string_view payload) {
  std::string out(1, '\0');
  out += static_cast<char>(payload.size() >> 8u);
  out += static_cast<char>(payload.size());
  return out + type + flags + std::string(3, '\0') + stream + std::string(payload);
}

std::string headers(std::initializer_list<std::pair<std::string_view, std::string_view>> fields) {
  std::string out;
  for (const auto& [name, value] : fields) {
    out += '\0';
    (out += static_cast<char>(name.size())) += name;
    (out += static_cast<char>(value.size())) += value;
  }
  return out;
}

}  // namespace

// The first byte says which.
void fuzz_one(std::string_view input) {
  if (input.empty()) return;
  const char kind = input[0];
  input.remove_prefix(1);
  if (kind == 'm') return fuzz_messages(input);
  if (kind == 'i') return fuzz_infer(input);
  static House house;
  const std::string bytes = std::string(kHttp2Preface) + std::string(input);
  house.run(bytes, bytes.size());
  house.run(bytes, 1 + static_cast<std::size_t>(static_cast<unsigned char>(kind)));
}

std::vector<std::string> fuzz_seeds() {
  google::protobuf::SetLogHandler(nullptr);
  const std::string settings = frame(4, 0, 0, "");
  const auto call = [](std::string_view path, std::string_view more = "identity") {
    return headers({{":method", "POST"},
                    {":scheme", "http"},
                    {":path", path},
                    {":authority", "127.0.0.1"},
                    {"te", "trailers"},
                    {"content-type", "application/grpc"},
                    {"grpc-encoding", more},
                    {"grpc-timeout", "5S"}});
  };
  const std::string plain = headers({{":method", "POST"},
                                     {":scheme", "http"},
                                     {":path", "/echo"},
                                     {":authority", "127.0.0.1"},
                                     {"content-encoding", "gzip"}});
  const auto framed = [](std::string_view text, bool packed = false) {
    std::string out;
    append_rpc_prefix(out, text.size());
    out[0] = packed ? 1 : 0;
    return out + std::string(text);
  };
  std::string packed_call = "\x09" + settings + frame(1, 4, 1, call("/t.S/U", "gzip")) +
                            frame(0, 1, 1, framed(gzip("hello hello"), true));
  std::string stream = "\xff" + settings + frame(1, 4, 1, call("/t.S/B")) +
                       frame(0, 0, 1, framed("one") + framed("two").substr(0, 6)) +
                       frame(0, 1, 1, framed("two").substr(6)) +
                       frame(8, 0, 1, std::string("\0\0\1\0", 4));
  std::string both = "\x40" + settings + frame(1, 4, 1, plain) + frame(0, 1, 1, gzip("plain")) +
                     frame(1, 4, 3, call("/t.S/U")) + frame(0, 1, 3, framed("fail")) +
                     frame(1, 4, 5, call("/t.S/N")) + frame(3, 0, 5, std::string("\0\0\0\x08", 4)) +
                     frame(6, 0, 0, "pingping") + frame(7, 0, 0, std::string(8, '\0'));
  inference::ModelInferRequest infer;
  infer.set_model_name("m");
  auto& input = *infer.add_inputs();
  input.set_name("x");
  input.set_datatype("FP32");
  input.add_shape(2);
  input.mutable_contents()->add_fp32_contents(1);
  input.mutable_contents()->add_fp32_contents(2);
  (*infer.mutable_parameters())["p"].set_int64_param(1);
  (*infer.add_outputs()->mutable_parameters())["classification"].set_int64_param(1);
  infer.mutable_outputs(0)->set_name("y");
  const std::string typed = infer.SerializeAsString();
  infer.mutable_inputs(0)->set_datatype("BYTES");
  infer.mutable_inputs(0)->clear_contents();
  infer.add_raw_input_contents(std::string("\1\0\0\0a\0\0\0\0", 9));
  return {packed_call, stream,
          both,        "m" + framed("abc") + framed("") + framed(gzip("xyz"), true),
          "i" + typed, "i" + infer.SerializeAsString()};
}
