#include "shape.h"

#include <limits>

#include "maru/base/hash.h"

using maru::base::Json;
using maru::base::Rng;

namespace {

Json odd_value(Rng& rng, std::string_view input) {
  switch (rng.below(20)) {
    case 0:
      return {};
    case 1:
      return rng.below(2) == 0;
    case 2:
      return 0;
    case 3:
      return -1;
    case 4:
      return std::numeric_limits<std::int64_t>::max();
    case 5:
      return std::numeric_limits<std::int64_t>::min();
    case 6:
      return std::numeric_limits<std::uint64_t>::max();
    case 7:
      return std::numeric_limits<double>::quiet_NaN();
    case 8:
      return 1e308;
    case 9:
      return 0.5;
    case 10:
      return "";
    case 11:
      return std::string(1 + rng.below(600), 'a');
    case 12:
      return "../../etc/passwd";
    case 13:
      return "%2e%2e/한글 \"'`;--";
    case 14:
      return std::string("a\0b\n\xff", 5);
    case 15:
      return Json::array();
    case 16:
      return Json::object();
    case 17:
      return Json::array({Json::array({1, "x"}), Json::object({{"key", 1}})});
    case 18:
      return static_cast<std::int64_t>(rng.below(1000));
    default:
      return std::string(input.substr(0, 2000));
  }
}

void change(Json& value, Rng& rng, std::string_view input, int depth) {
  const std::size_t size = value.size();
  if (size == 0 || depth > 40 || rng.below(4) == 0) {
    value = odd_value(rng, input);
    return;
  }
  const std::size_t at = rng.below(size);
  if (value.is_array()) {
    auto& items = value.items();
    switch (rng.below(6)) {
      case 0:
        items.push_back(items[at]);
        break;
      case 1:
        items.erase(items.begin() + static_cast<std::ptrdiff_t>(at));
        break;
      default:
        change(items[at], rng, input, depth + 1);
    }
    return;
  }
  auto& members = value.members();
  switch (rng.below(8)) {
    case 0:
      members.erase(members.begin() + static_cast<std::ptrdiff_t>(at));
      break;
    case 1:
      members[at].second = Json::array({members[at].second});
      break;
    case 2:
      members[at].second = Json::object({{members[at].first, members[at].second}});
      break;
    default:
      change(members[at].second, rng, input, depth + 1);
  }
}

}  // namespace

Rng rng_of(std::string_view input) { return Rng(maru::base::hash64(input)); }

Json misshape(Json document, Rng& rng, std::string_view input) {
  for (std::uint64_t i = rng.below(4); i > 0; --i) change(document, rng, input, 0);
  return document;
}
