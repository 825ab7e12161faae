#pragma once
#include <string>

#include "verbs.h"

namespace maru::app {

int secret_set(const Invocation& invocation, const std::string& name, const std::string& host);
int secret_list(const Invocation& invocation);
int secret_remove(const Invocation& invocation, const std::string& name);

}  // namespace maru::app
