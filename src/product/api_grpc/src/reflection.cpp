#include "reflection.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <set>

#include "rpc/reflection.pb.h"
#include "rpc/reflection_v1alpha.pb.h"

namespace maru::api_grpc {
namespace {

using base::Code;
using google::protobuf::DescriptorPool;
using google::protobuf::FileDescriptor;

const DescriptorPool& pool() { return *DescriptorPool::generated_pool(); }

// A file and, before those that need them, the files that it needs; each once a call.
void add_files(const FileDescriptor* file, std::set<const FileDescriptor*>& seen,
               std::vector<std::string>& out) {
  if (!seen.insert(file).second) return;
  google::protobuf::FileDescriptorProto description;
  file->CopyTo(&description);
  out.push_back(description.SerializeAsString());
  for (int i = 0; i < file->dependency_count(); ++i) add_files(file->dependency(i), seen, out);
}

template <class Request, class Answer>
class Reflection final : public http::RpcStream {
 public:
  explicit Reflection(const http::RpcRouter& router) : router_(router) {}

  base::Status on_message(std::string_view message, base::Context&,
                          std::vector<std::string>& out) override {
    Request request;
    if (!request.ParseFromArray(message.data(), static_cast<int>(message.size())))
      return base::fail(Code::kInvalidArgument,
                        "the message is not a ServerReflectionRequest: its bytes cannot be read");
    Answer answer;
    answer.set_valid_host(request.host());
    *answer.mutable_original_request() = request;
    const base::Status found = reply(request, answer);
    if (!found) {
      answer.mutable_error_response()->set_error_code(http::rpc_status(found.error().code));
      answer.mutable_error_response()->set_error_message(found.error().message);
    }
    out.push_back(answer.SerializeAsString());
    return {};
  }

 private:
  base::Status reply(const Request& request, Answer& answer) {
    switch (request.message_request_case()) {
      case Request::kFileByFilename:
        return file(pool().FindFileByName(request.file_by_filename()), request.file_by_filename(),
                    answer);
      case Request::kFileContainingSymbol:
        return file(pool().FindFileContainingSymbol(request.file_containing_symbol()),
                    request.file_containing_symbol(), answer);
      case Request::kFileContainingExtension:
        return base::fail(Code::kNotFound,
                          "no message is extended here: " +
                              request.file_containing_extension().containing_type());
      case Request::kAllExtensionNumbersOfType: {
        const std::string& name = request.all_extension_numbers_of_type();
        if (pool().FindMessageTypeByName(name) == nullptr)
          return base::fail(Code::kNotFound, "no message has the name: " + name);
        answer.mutable_all_extension_numbers_response()->set_base_type_name(name);
        return {};
      }
      case Request::kListServices: {
        std::set<std::string> names;
        for (const auto& route : router_.routes())
          names.insert(route.pattern.substr(1, route.pattern.rfind('/') - 1));
        for (const std::string& name : names)
          answer.mutable_list_services_response()->add_service()->set_name(name);
        return {};
      }
      case Request::MESSAGE_REQUEST_NOT_SET:
        break;
    }
    return base::fail(Code::kInvalidArgument, "the request asks for nothing");
  }

  base::Status file(const FileDescriptor* found, const std::string& name, Answer& answer) {
    if (found == nullptr) return base::fail(Code::kNotFound, "nothing here has the name: " + name);
    std::set<const FileDescriptor*> seen;
    std::vector<std::string> files;
    add_files(found, seen, files);
    for (std::string& each : files)
      answer.mutable_file_descriptor_response()->add_file_descriptor_proto(std::move(each));
    return {};
  }

  const http::RpcRouter& router_;
};

template <class Request, class Answer>
void add(http::RpcRouter& router, const char* path) {
  router.add_stream(path, {http::Permission::kPublic, http::RunOn::kServe},
                    [&router](const http::Request&,
                              base::Context&) -> base::Result<std::unique_ptr<http::RpcStream>> {
                      return std::make_unique<Reflection<Request, Answer>>(router);
                    });
}

}  // namespace

void add_reflection(http::RpcRouter& router) {
  add<grpc::reflection::v1::ServerReflectionRequest,
      grpc::reflection::v1::ServerReflectionResponse>(
      router, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo");
  add<grpc::reflection::v1alpha::ServerReflectionRequest,
      grpc::reflection::v1alpha::ServerReflectionResponse>(
      router, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo");
}

}  // namespace maru::api_grpc
