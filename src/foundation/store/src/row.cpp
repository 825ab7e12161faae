#include "maru/store/database.h"

namespace maru::store {
namespace {
const std::string kEmpty;
}

std::int64_t Row::integer(std::size_t i) const {
  if (const auto* whole = std::get_if<std::int64_t>(&cells_[i])) return *whole;
  if (const auto* real = std::get_if<double>(&cells_[i])) return static_cast<std::int64_t>(*real);
  return 0;
}

double Row::real(std::size_t i) const {
  if (const auto* real = std::get_if<double>(&cells_[i])) return *real;
  if (const auto* whole = std::get_if<std::int64_t>(&cells_[i])) return static_cast<double>(*whole);
  return 0;
}

const std::string& Row::text(std::size_t i) const {
  const auto* text = std::get_if<std::string>(&cells_[i]);
  return text == nullptr ? kEmpty : *text;
}

const std::string& Row::bytes(std::size_t i) const {
  const auto* blob = std::get_if<Blob>(&cells_[i]);
  return blob == nullptr ? kEmpty : blob->bytes;
}

}  // namespace maru::store
