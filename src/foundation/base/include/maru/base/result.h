#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace maru::base {

// Canonical failure kinds. Each maps once to an HTTP status (http_status) and to a CLI exit code (exit_code).
enum class Code : std::uint8_t {
  kInvalidArgument,   // the caller's input is wrong
  kUnauthenticated,   // no or bad credentials
  kPermissionDenied,  // known caller, not allowed
  kNotFound,
  kAlreadyExists,
  kAborted,             // lost a race; retry with fresh state
  kFailedPrecondition,  // the object is in the wrong state
  kRefused,             // a gate or a check said no
  kTooLarge,            // over a documented limit
  kResourceExhausted,   // this caller's quota
  kUnavailable,         // overload, draining, locked by another process
  kDeadlineExceeded,
  kCancelled,
  kUnimplemented,
  kDataLoss,  // corrupt bytes
  kNoSpace,   // disk full
  kInternal,  // a bug or an unexpected library failure
};

// An error value. `message`: static text first, then the value. `hint`: what to do about it. Copyable, cheap to move.
struct Error {
  Code code = Code::kInternal;
  std::string message;
  std::string hint;
  std::shared_ptr<const Error> cause;

  // "message: cause; hint" on one line.
  std::string text() const;
};

std::string_view code_name(Code code);  // "NOT_FOUND"
int http_status(Code code);
int exit_code(Code code);  // 1 failed, 2 usage, 3 refused, 4 not found, 5 unavailable

template <class T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

[[nodiscard]] inline tl::unexpected<Error> fail(Code code, std::string message,
                                                std::string hint = {}) {
  return tl::unexpected<Error>(Error{code, std::move(message), std::move(hint), nullptr});
}
// Wraps `cause` with what was being attempted; keeps the code of the cause.
[[nodiscard]] tl::unexpected<Error> wrap(Error cause, std::string message, std::string hint = {});

}  // namespace maru::base

#define MARU_CONCAT2(a, b) a##b
#define MARU_CONCAT(a, b) MARU_CONCAT2(a, b)
// Returns the error of `expr` (a Result or Status) from the enclosing function.
#define TRY(expr)                                                                                 \
  do {                                                                                            \
    auto MARU_CONCAT(try_, __LINE__) = (expr);                                                    \
    if (!MARU_CONCAT(try_, __LINE__))                                                             \
      return tl::unexpected<::maru::base::Error>(std::move(MARU_CONCAT(try_, __LINE__)).error()); \
  } while (false)
// Declares `lhs` from the value of `expr`, or returns its error.
#define TRY_ASSIGN(lhs, expr)                                                                   \
  auto MARU_CONCAT(try_, __LINE__) = (expr);                                                    \
  if (!MARU_CONCAT(try_, __LINE__))                                                             \
    return tl::unexpected<::maru::base::Error>(std::move(MARU_CONCAT(try_, __LINE__)).error()); \
  lhs = std::move(*MARU_CONCAT(try_, __LINE__))
