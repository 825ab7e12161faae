#pragma once
#include <memory>
#include <string>

#include "address.h"
#include "maru/connect/source.h"

namespace maru::connect {

// One for each kind of address; Source::open() chooses.
base::Result<std::unique_ptr<Source>> open_sql_source(Address address,
                                                      const SourceSettings& settings);
base::Result<std::unique_ptr<Source>> open_web_source(Address address,
                                                      const SourceSettings& settings);
base::Result<std::unique_ptr<Source>> open_s3_source(Address address,
                                                     const SourceSettings& settings);
// "00012-name.csv": a name on disk that keeps the order and the ending.
std::string local_name(std::size_t number, std::string_view name);
// The secret that `secret=` of the address names, "" when it names none.
base::Result<std::string> named_secret(const Address& address, const SourceSettings& settings);

}  // namespace maru::connect
