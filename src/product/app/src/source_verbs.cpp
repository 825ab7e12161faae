// maru secret: what sources and streams sign in with.
#include <iostream>

#include "maru/base/text.h"
#include "output.h"
#include "source_verbs.h"

namespace maru::app {
using base::Json;
using base::Result;
using http::Method;

int secret_set(const Invocation& invocation, const std::string& name, const std::string& host) {
  // Not an option: options stand in the shell's history and in the list of processes.
  std::string value;
  std::getline(std::cin, value);
  return show_answer(
      invocation, Method::kPut, "/api/v1/secrets/" + http::percent_encode(name),
      [&](const Json&) { print("kept " + name + " for " + host + "\n"); },
      Json::object({{"value", value}, {"host", host}}));
}

int secret_list(const Invocation& invocation) {
  return show_answer(invocation, Method::kGet, "/api/v1/secrets", [](const Json& result) {
    TextTable table;
    for (const char* title : {"secret", "host", "set"}) table.column(title);
    for (const auto& row : result["secrets"].items())
      table.row(
          {row["name"].as_string(), row["host"].as_string(), age_text(row["updated_us"].as_int())});
    print(table.text());
  });
}

int secret_remove(const Invocation& invocation, const std::string& name) {
  return show_answer(invocation, Method::kDelete, "/api/v1/secrets/" + http::percent_encode(name),
                     [&](const Json&) { print("removed " + name + "\n"); });
}

}  // namespace maru::app
