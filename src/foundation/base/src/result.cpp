#include "maru/base/result.h"

namespace maru::base {
namespace {

struct CodeRow {
  std::string_view name;
  int http;
  int exit;
};

// In the order of Code.
constexpr CodeRow kRows[] = {
    {"INVALID_ARGUMENT", 400, 1},
    {"UNAUTHENTICATED", 401, 1},
    {"PERMISSION_DENIED", 403, 1},
    {"NOT_FOUND", 404, 4},
    {"ALREADY_EXISTS", 409, 1},
    {"ABORTED", 409, 1},
    {"FAILED_PRECONDITION", 412, 1},
    {"REFUSED", 422, 3},
    {"TOO_LARGE", 413, 1},
    {"RESOURCE_EXHAUSTED", 429, 5},
    {"UNAVAILABLE", 503, 5},
    {"DEADLINE_EXCEEDED", 504, 5},
    {"CANCELLED", 499, 1},
    {"UNIMPLEMENTED", 501, 1},
    {"DATA_LOSS", 500, 1},
    {"NO_SPACE", 507, 5},
    {"INTERNAL", 500, 1},
};
static_assert(std::size(kRows) == static_cast<std::size_t>(Code::kInternal) + 1);

const CodeRow& row(Code code) {
  const auto index = static_cast<std::size_t>(code);
  return kRows[index < std::size(kRows) ? index : std::size(kRows) - 1];
}

}  // namespace

std::string Error::text() const {
  std::string out = message;
  for (const Error* at = cause.get(); at != nullptr; at = at->cause.get()) {
    out += ": ";
    out += at->message;
  }
  // The innermost hint that exists is the most specific one, but an outer hint knows what was asked for: print the outermost.
  for (const Error* at = this; at != nullptr; at = at->cause.get()) {
    if (at->hint.empty()) continue;
    out += "; ";
    out += at->hint;
    break;
  }
  return out;
}

std::string_view code_name(Code code) { return row(code).name; }
int http_status(Code code) { return row(code).http; }
int exit_code(Code code) { return row(code).exit; }

tl::unexpected<Error> wrap(Error cause, std::string message, std::string hint) {
  Error error;
  error.code = cause.code;
  error.message = std::move(message);
  error.hint = std::move(hint);
  error.cause = std::make_shared<const Error>(std::move(cause));
  return tl::unexpected<Error>(std::move(error));
}

}  // namespace maru::base
