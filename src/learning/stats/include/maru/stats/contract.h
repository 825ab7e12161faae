#pragma once
#include <string>

#include "maru/base/result.h"
#include "maru/stats/schema.h"

namespace maru::stats {

// A schema in the words of other tools. Formats: "tfdv" (schema.proto as text), "jsonschema" (draft 2020-12, of one row), "odcs" (Open Data Contract Standard 3, YAML).
// What a format has no word for is left out: expectations beyond types, presence, lists, bounds, uniqueness and patterns go into ODCS as SQL-free custom rules
// that this reader takes back. Bad text is kInvalidArgument that names the line.
base::Result<std::string> write_contract(const Schema& schema, const std::string& name,
                                         const std::string& format);
base::Result<Schema> read_contract(const std::string& text, const std::string& format);

}  // namespace maru::stats
