#pragma once
#include <cstdint>
#include <string>

#include "verbs.h"

namespace maru::app {

struct StreamOptions {
  std::string name, address = "push", dataset, format = "json", columns, on_change = "widen";
  std::string event_time, event_key, every = "5s", max_future = "5m", future = "keep",
                                     from = "earliest";
  std::uint64_t rows = 50'000;
};

int secret_set(const Invocation& invocation, const std::string& name, const std::string& host);
int secret_list(const Invocation& invocation);
int secret_remove(const Invocation& invocation, const std::string& name);

int stream_add(const Invocation& invocation, const StreamOptions& options);
int stream_list(const Invocation& invocation);
int stream_show(const Invocation& invocation, const std::string& name);
int stream_start(const Invocation& invocation, const std::string& name);
int stream_stop(const Invocation& invocation, const std::string& name);
int stream_remove(const Invocation& invocation, const std::string& name);
int stream_dead(const Invocation& invocation, const std::string& name);

}  // namespace maru::app
