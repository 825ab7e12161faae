#pragma once
#include <string>
#include <string_view>

#include "maru/base/result.h"

namespace maru::tracking {

// What MLflow takes as a name, with its messages. Lengths are in characters.

// No '/' and no ':', nothing that is another name when it is taken as a path; up to 256. `field` is named in the message.
base::Status check_model_name(const std::string& name, const char* field = "name");
// Letters, digits, '_', '.', '-', ' ', ':' and '/', its own normalised path; up to 250.
base::Status check_tag_key(const std::string& key);
// A tag of the registry: the value has up to 100,000.
base::Status check_tag(const std::string& key, const std::string& value);
// Letters, digits, '_' and '-'; up to 255.
base::Status check_alias(const std::string& alias);
// No / : . % " '; not empty.
base::Status check_logged_model_name(const std::string& name);
std::size_t count_characters(std::string_view text);

}  // namespace maru::tracking
