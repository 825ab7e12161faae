#include "mlflow/wire.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "maru/base/hash.h"
#include "maru/base/text.h"

namespace maru::api::mlflow {
namespace {

using base::Code;
using base::Result;
using base::Status;

constexpr std::string_view kDocs =
    " See the API docs for more information about request parameters.";

struct ErrorName {
  Code code;
  int status;
  std::string_view name;
};
// By code; the status follows MLflow's own table, so that its client does not retry what cannot succeed.
constexpr ErrorName kErrors[] = {
    {Code::kInvalidArgument, 400, "INVALID_PARAMETER_VALUE"},
    {Code::kUnauthenticated, 401, "UNAUTHENTICATED"},
    {Code::kPermissionDenied, 403, "PERMISSION_DENIED"},
    {Code::kNotFound, 404, "RESOURCE_DOES_NOT_EXIST"},
    {Code::kAlreadyExists, 400, "RESOURCE_ALREADY_EXISTS"},
    {Code::kAborted, 409, "ABORTED"},
    {Code::kFailedPrecondition, 400, "INVALID_PARAMETER_VALUE"},
    {Code::kRefused, 400, "INVALID_STATE"},
    {Code::kTooLarge, 400, "INVALID_PARAMETER_VALUE"},
    {Code::kResourceExhausted, 429, "RESOURCE_EXHAUSTED"},
    {Code::kUnavailable, 503, "TEMPORARILY_UNAVAILABLE"},
    {Code::kDeadlineExceeded, 504, "DEADLINE_EXCEEDED"},
    {Code::kCancelled, 499, "CANCELLED"},
    {Code::kUnimplemented, 501, "NOT_IMPLEMENTED"},
    {Code::kDataLoss, 500, "DATA_LOSS"},
    {Code::kNoSpace, 507, "RESOURCE_EXHAUSTED"},
};

// A dataset's profile may have 2^24 - 1 characters, of up to four bytes.
constexpr base::JsonLimits kBodyLimits{.max_string_bytes = 64u << 20};

Result<Json> parse_body(const std::string& text) {
  if (base::trim(text).empty()) return Json::object();
  TRY_ASSIGN(Json body, base::parse_json(text, kBodyLimits));
  if (body.is_string()) {
    const std::string inner = body.as_string();
    TRY_ASSIGN(body, base::parse_json(inner));
  }
  if (!body.is_object())
    return base::fail(Code::kInvalidArgument, "the request body must be a JSON object");
  return body;
}

bool reads_query(Method method) { return method == Method::kGet || method == Method::kHead; }

Json query_object(const Request& request) {
  Json out = Json::object();
  for (const auto& [name, value] : request.query) {
    const Json* known = out.find(name);
    if (known == nullptr) {
      out.set(name, value);
      continue;
    }
    Json many = known->is_array() ? *known : Json::array({*known});
    many.push(value);
    out.set(name, many);
  }
  return out;
}

template <class T>
std::optional<T> number_of(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::int64_t> integer_of(const Json& value) {
  if (value.is_int()) return value.as_int();
  if (value.is_string()) return number_of<std::int64_t>(value.as_string());
  if (value.is_double() && std::floor(value.as_double()) == value.as_double() &&
      std::fabs(value.as_double()) < 9e18)
    return value.as_int();
  return std::nullopt;
}

std::optional<double> real_of(const Json& value) {
  if (value.is_number()) return value.as_double();
  if (!value.is_string()) return std::nullopt;
  const std::string& text = value.as_string();
  if (text == "NaN" || text == "Infinity" || text == "-Infinity") return value.as_double();
  return number_of<double>(text);
}

// A number stands for its digits only in ids that older clients sent so, and in enums; elsewhere it is no text, as with MLflow.
bool may_be_number(std::string_view name) {
  return name.starts_with("experiment_id") || name == "version" || name == "status" ||
         name.ends_with("view_type") || name == "entity" || name == "action";
}

std::optional<std::string> text_of(std::string_view name, const Json& value) {
  if (value.is_string()) return value.as_string();
  if (may_be_number(name) && (value.is_int() || value.is_uint())) return value.dump();
  return std::nullopt;
}

}  // namespace

Result<Fields> Fields::of(const Request& request) {
  if (reads_query(request.method)) {
    Json query = query_object(request);
    for (const auto& [name, value] : request.path_params) query.set(name, value);
    return Fields(std::move(query));
  }
  auto body = parse_body(request.body);
  if (!body)
    return base::fail(Code::kInvalidArgument,
                      "the request body is not valid JSON: " + body.error().message);
  for (const auto& [name, value] : request.path_params) body->set(name, value);
  return Fields(std::move(*body));
}

const Json* Fields::member(std::string_view name) const {
  const Json* found = body_.find(name);
  return found == nullptr || found->is_null() ? nullptr : found;
}

bool Fields::has(std::string_view name) const { return member(name) != nullptr; }

std::string Fields::full(std::string_view name) const {
  return path_.empty() ? std::string(name) : path_ + "." + std::string(name);
}

void Fields::missing(std::string_view name) {
  if (failure_) return;
  failure_ =
      base::Error{Code::kInvalidArgument,
                  "Missing value for required parameter '" + full(name) + "'." + std::string(kDocs),
                  "", nullptr};
}

void Fields::refuse(std::string_view name, const Json& value, const std::string& why) {
  if (failure_) return;
  constexpr std::size_t kShown = 200;
  std::string shown = value.dump();
  if (shown.size() > kShown) shown = base::replace_invalid_utf8(shown.substr(0, kShown)) + "...";
  failure_ = base::Error{Code::kInvalidArgument,
                         "Invalid value " + shown + " for parameter '" + full(name) + "' supplied" +
                             (why.empty() ? "." : ": " + why) + std::string(kDocs),
                         "", nullptr};
}

std::optional<std::string> Fields::optional_text(std::string_view name) {
  const Json* value = member(name);
  if (value == nullptr) return std::nullopt;
  auto out = text_of(name, *value);
  if (!out) refuse(name, *value, "Value must be a string");
  return out;
}

std::string Fields::text(std::string_view name) { return optional_text(name).value_or(""); }

std::string Fields::required_text(std::string_view name) {
  std::string value = text(name);
  if (value.empty()) missing(name);
  return value;
}

std::string Fields::required_value(std::string_view name) {
  if (!has(name)) missing(name);
  return text(name);
}

std::optional<std::int64_t> Fields::integer(std::string_view name) {
  const Json* value = member(name);
  if (value == nullptr) return std::nullopt;
  const auto number = integer_of(*value);
  if (!number) refuse(name, *value, "Value must be an integer");
  return number;
}

std::int64_t Fields::required_integer(std::string_view name) {
  if (!has(name)) missing(name);
  return integer(name).value_or(0);
}

std::optional<double> Fields::real(std::string_view name) {
  const Json* value = member(name);
  if (value == nullptr) return std::nullopt;
  const auto number = real_of(*value);
  if (!number) refuse(name, *value, "Value must be a number");
  return number;
}

double Fields::required_real(std::string_view name) {
  if (!has(name)) missing(name);
  return real(name).value_or(0);
}

bool Fields::flag(std::string_view name, bool fallback) {
  const Json* value = member(name);
  if (value == nullptr) return fallback;
  if (value->is_bool()) return value->as_bool();
  const std::string word = base::to_lower_ascii(value->is_string() ? value->as_string() : "");
  if (word == "true" || word == "false") return word == "true";
  refuse(name, *value, "Value must be a boolean");
  return fallback;
}

std::vector<std::string> Fields::texts(std::string_view name) {
  std::vector<std::string> out;
  const Json* value = member(name);
  if (value == nullptr) return out;
  const auto take = [&](const Json& item) {
    if (auto text = text_of(name, item))
      out.push_back(std::move(*text));
    else
      refuse(name, *value, "Value must be an array of strings");
  };
  if (value->is_array())
    for (const auto& item : value->items()) take(item);
  else
    take(*value);
  return out;
}

std::vector<Fields> Fields::objects(std::string_view name) {
  std::vector<Fields> out;
  const Json* value = member(name);
  if (value == nullptr) return out;
  if (!value->is_array()) {
    refuse(name, *value, "Value must be an array");
    return out;
  }
  out.reserve(value->size());
  for (const auto& item : value->items()) {
    if (!item.is_object()) {
      refuse(name, *value, "Value must be an array of objects");
      return out;
    }
    out.emplace_back(item, full(name) + "[" + std::to_string(out.size()) + "]");
  }
  return out;
}

std::optional<Fields> Fields::object(std::string_view name) {
  const Json* value = member(name);
  if (value == nullptr) return std::nullopt;
  if (value->is_object()) return Fields(*value, full(name));
  refuse(name, *value, "Value must be an object");
  return std::nullopt;
}

void Fields::adopt(const Fields& part) {
  if (!failure_) failure_ = part.failure_;
}

Status Fields::status() const {
  if (failure_) return tl::unexpected(*failure_);
  return {};
}

Response error(const base::Error& error, const Request& request, const Context&) {
  ErrorName known{Code::kInternal, 500, "INTERNAL_ERROR"};
  for (const auto& row : kErrors) {
    if (row.code == error.code) known = row;
  }
  std::string message = error.message;
  if (!error.hint.empty()) message += " (" + error.hint + ")";
  Response response = Response::json(
      Json::object({{"error_code", known.name}, {"message", message}}), known.status);
  if (known.status == 401) response.headers.set("WWW-Authenticate", "Basic realm=\"mlflow\"");
  static_cast<void>(request);
  return response;
}

http::RouteOptions options(Permission permission, RunOn run_on) {
  return {.permission = permission, .run_on = run_on, .error_format = error};
}

namespace {

Status check_content_type(const Request& request) {
  if (request.method != Method::kPost && request.method != Method::kPut) return {};
  const std::string_view type = request.headers.get("Content-Type");
  const std::string word = base::to_lower_ascii(base::trim(type.substr(0, type.find(';'))));
  if (word == "application/json") return {};
  return base::fail(Code::kInvalidArgument,
                    "Bad Request. Content-Type must be one of ['application/json'].");
}

}  // namespace

void add_call(Router& router, int major, Method method, std::string_view path,
              Permission permission, Call call, RunOn run_on) {
  const http::Handler handler = [call = std::move(call)](const Request& request,
                                                         Context& context) -> Result<Response> {
    TRY(check_content_type(request));
    TRY_ASSIGN(Fields fields, Fields::of(request));
    TRY_ASSIGN(const Json answer, call(fields, context));
    return Response::json(answer);
  };
  for (const char* root : {"/api/", "/ajax-api/"}) {
    router.add(method, root + std::to_string(major) + ".0/mlflow/" + std::string(path),
               options(permission, run_on), handler);
  }
}

void add_later_call(Router& router, int major, Method method, std::string_view path,
                    Permission permission, LaterCall call) {
  struct Waiting {
    Fields fields;
    Context context;
    std::function<void(Result<Response>)> answer;
  };
  const auto kept = std::make_shared<const LaterCall>(std::move(call));
  const http::Handler handler = [kept](const Request& request,
                                       Context& context) -> Result<Response> {
    TRY(check_content_type(request));
    TRY_ASSIGN(Fields fields, Fields::of(request));
    auto waiting = std::make_shared<Waiting>(Waiting{std::move(fields), context, {}});
    Response response;
    response.later = [kept, waiting](std::function<void(Result<Response>)> answer) {
      waiting->answer = std::move(answer);
      const Status begun =
          (*kept)(waiting->fields, waiting->context, [waiting](const Result<Json>& outcome) {
            if (outcome)
              waiting->answer(Response::json(*outcome));
            else
              waiting->answer(tl::unexpected<base::Error>(outcome.error()));
          });
      if (!begun) waiting->answer(tl::unexpected<base::Error>(begun.error()));
    };
    return response;
  };
  for (const char* root : {"/api/", "/ajax-api/"}) {
    router.add(method, root + std::to_string(major) + ".0/mlflow/" + std::string(path),
               options(permission, RunOn::kInline), handler);
  }
}

Json pairs_json(const tracking::Text& pairs) {
  Json out = Json::array();
  for (const auto& [key, value] : pairs) {
    Json pair = Json::object();
    pair.set("key", key).set("value", value);
    out.push(std::move(pair));
  }
  return out;
}

std::vector<std::pair<std::string, std::string>> pairs(Fields& fields, std::string_view name) {
  std::vector<std::pair<std::string, std::string>> out;
  for (auto& item : fields.objects(name)) {
    std::string key = item.required_text("key"), value = item.text("value");
    fields.adopt(item);
    out.emplace_back(std::move(key), std::move(value));
  }
  return out;
}

void set_text(Json& object, std::string_view name, const std::string& text) {
  if (!text.empty()) object.set(name, text);
}

std::string page_token(std::uint64_t offset, std::string_view query) {
  return base::sha256_hex(query).substr(0, 12) + "." + std::to_string(offset);
}

Result<std::uint64_t> page_offset(std::string_view token, std::string_view query) {
  if (token.empty()) return std::uint64_t{0};
  const std::size_t dot = token.find('.');
  const auto offset = dot == std::string_view::npos
                          ? std::nullopt
                          : number_of<std::uint64_t>(token.substr(dot + 1));
  if (!offset)
    return base::fail(Code::kInvalidArgument, "Invalid page token, could not be decoded");
  if (token.substr(0, dot) != std::string_view(base::sha256_hex(query)).substr(0, 12))
    return base::fail(Code::kInvalidArgument, "Invalid page token: it belongs to another query",
                      "repeat the query that made it, or begin without a token");
  return *offset;
}

std::size_t max_results(Fields& fields, std::size_t fallback, std::size_t most) {
  const auto value = fields.integer("max_results");
  if (!value) return fallback;
  if (*value < 1 || *value > static_cast<std::int64_t>(most)) {
    fields.refuse("max_results", *value,
                  "It must be at least 1 and at most " + std::to_string(most));
    return fallback;
  }
  return static_cast<std::size_t>(*value);
}

}  // namespace maru::api::mlflow
