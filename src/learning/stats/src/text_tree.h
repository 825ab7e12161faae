#pragma once
#include <string>

#include "maru/base/json.h"
#include "maru/base/result.h"

namespace maru::stats {

// Protocol buffers as text: a field is always an array of its values, a message an object. Errors name the line.
base::Result<base::Json> parse_proto_text(const std::string& text);
// The YAML that contracts are written in: block mappings and sequences, plain and quoted scalars, flow sequences of scalars, comments. No anchors, tags,
// block scalars or several documents: those are kInvalidArgument with the line.
base::Result<base::Json> parse_plain_yaml(const std::string& text);
std::string quoted(const std::string& text);  // "a \"b\"", for both

}  // namespace maru::stats
