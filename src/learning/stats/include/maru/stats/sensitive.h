#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "maru/base/context.h"
#include "maru/base/json.h"
#include "maru/base/result.h"
#include "maru/data/cell_stream.h"
#include "maru/data/dataset.h"

namespace maru::stats {

// What of a person a value can be. Words: "email", "phone", "resident_registration_number" (Korean, foreigners' too), "card", "iban", "ip", "mac",
// "passport", "driver_licence", "us_ssn", "person_name", "address", "birth_date".
enum class Sensitive : std::uint8_t {
  kEmail,
  kPhone,
  kResidentNumber,
  kCard,
  kIban,
  kIp,
  kMac,
  kPassport,
  kDriverLicence,
  kUsSsn,
  kPersonName,
  kAddress,
  kBirthDate
};
inline constexpr std::size_t kSensitiveKinds = 13;
std::string_view sensitive_word(Sensitive kind);
base::Result<Sensitive> sensitive_kind(std::string_view word);

// One kind that one column holds.
struct SensitiveFinding {
  std::string column;
  Sensitive kind = Sensitive::kEmail;
  double confidence = 0;              // that the column holds it, [0, 1]; see docs/sensitive.md
  std::uint64_t looked = 0;           // cells that are not missing
  std::uint64_t matched = 0;          // of them those that are such a value
  std::uint64_t inside = 0;           // of the others those that have one somewhere in their text
  std::uint64_t checked = 0;          // matches whose check digit is right, for kinds that have one
  bool named = false;                 // the column's name says it
  std::vector<std::string> examples;  // at most 3, masked: never a whole value
  std::vector<std::string> reasons;
  std::string action;  // what is proposed: "drop", "mask", "hash", "generalise"
  base::Json to_json() const;
};

struct SensitiveReport {
  std::uint64_t rows = 0;
  std::vector<SensitiveFinding> findings;  // surest first
  base::Json to_json() const;
  static base::Result<SensitiveReport> from_json(const base::Json& json);
};

// Looks at every cell of the stream once, by `threads` threads; memory does not grow with the rows. Columns of fractions and yes/no are not looked at.
base::Result<SensitiveReport> find_sensitive(data::CellStream& stream, std::size_t threads,
                                             base::Context& context);
// What is stored beside a snapshot as "sensitive"; found, and stored, when there is none.
base::Result<SensitiveReport> sensitive_of(data::Datasets& datasets, data::Engine& engine,
                                           const data::Snapshot& snapshot, base::Context& context);

// The value with all but its shape hidden: "j***@***.com", "010-****-**78".
std::string masked(std::string_view value, Sensitive kind);

}  // namespace maru::stats
