#pragma once
#include <cstdint>

#include "connection.h"

namespace maru::http {

// One line of the access log: who asked what, and how it ended. Paths come without their query, and no header but User-Agent is told: neither tokens nor rows.
struct AccessLine {
  const Exchange& exchange;
  const char* protocol = "http/1.1";
  int status = 0;
  std::int64_t bytes = -1;  // of the body sent; -1: a stream, not counted
  bool cut = false;         // the peer went before the end
};
void log_access(const ServerCore& core, const AccessLine& line);

}  // namespace maru::http
