#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "maru/base/context.h"
#include "maru/base/json.h"
#include "maru/base/result.h"
#include "maru/base/seal.h"
#include "maru/data/dataset.h"
#include "maru/data/row_stream.h"
#include "maru/stats/sensitive.h"

namespace maru::stats {

// What is done to a column. drop: it is gone. mask: only its shape is left, and in free text what was recognised within it. hash: "h_" and 32 hex digits, the same for
// the same value in every dataset of this home. token: "t_…", the same for the same value, and back to it with the home's key (reveal()).
// generalise: an e-mail's domain, a telephone's first block, /24 of an address (IPv6 /48), a year of birth, the first two words of a postal address.
enum class Protection : std::uint8_t { kDrop, kMask, kHash, kToken, kGeneralise };
base::Result<Protection> protection(std::string_view word);

struct ProtectedColumn {
  std::string column;
  Sensitive kind = Sensitive::kEmail;
  Protection how = Protection::kMask;
  bool within = false;  // of free text: kMask hides what is recognised and leaves the rest
};

// Of the request's {"column": "mask", ...}; a column that the report does not know is taken as its values are: kinds of findings, else names. Empty: what the
// report proposes. kInvalidArgument names an unknown column or word.
base::Result<std::vector<ProtectedColumn>> protections(const base::Json& asked,
                                                       const SensitiveReport& report,
                                                       const data::Snapshot& snapshot);

// One value after it; empty stays empty. Stateless; thread safe.
std::string protected_value(std::string_view value, const ProtectedColumn& how,
                            const base::SealKey& key);
// What a token stands for: kDataLoss when it is none of this home's.
base::Result<std::string> reveal(std::string_view token, const base::SealKey& key);

// The rows of a table after it: protected columns are text, dropped ones gone.
data::Table protect(const data::Table& rows, const std::vector<ProtectedColumn>& how,
                    const base::SealKey& key);

// A new snapshot of `into` with the rows of `from` after it, streamed. `folder`: scratch of this call alone, gone afterwards.
base::Result<data::ImportResult> protect_snapshot(data::Datasets& datasets, data::Engine& engine,
                                                  const data::Snapshot& from,
                                                  const std::vector<ProtectedColumn>& how,
                                                  const base::SealKey& key, const std::string& into,
                                                  const std::string& folder,
                                                  base::Context& context);

}  // namespace maru::stats
