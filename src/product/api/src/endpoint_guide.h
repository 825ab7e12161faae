#pragma once
#include <string>
#include <vector>

#include "maru/data/table.h"
#include "maru/model/model.h"
#include "routes.h"

// What a caller of one endpoint needs: its OpenAPI document, and calls to copy, written from the signature and the sample rows of the version that answers.
namespace maru::api {

struct EndpointFacts {
  std::string name, base_url;  // "http://127.0.0.1:7400"
  int version = 0;
  std::string sticky_header;  // of the route, or ""
  const model::Bundle* bundle = nullptr;
  // Of an endpoint that looks features up: one row of the keys, and the columns that a call may leave out.
  data::Table keys;
  std::vector<std::string> looked_up;
};

// A row to try: a sample row of training, or the inputs' examples, with a key instead of what is looked up; of a model of tensors, its logged example or zeros of
// its shapes.
Json example_row(const EndpointFacts& facts);
// OpenAPI 3.1 of this endpoint alone: predict and feedback.
Json endpoint_openapi(const EndpointFacts& facts);
// [{"language", "title", "run", "code"}]: curl, Python, JavaScript, C++. Each runs as it is; MARU_TOKEN in the environment is sent as the token.
Json endpoint_examples(const EndpointFacts& facts);

}  // namespace maru::api
