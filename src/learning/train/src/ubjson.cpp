#include "ubjson.h"

#include <bit>
#include <cstring>
#include <string>

namespace maru::train {
namespace {

using base::Code;
using base::Json;
using base::Result;

constexpr int kMaxDepth = 64;

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  Result<Json> document() {
    TRY_ASSIGN(Json out, value(0));
    if (at_ != bytes_.size()) return damaged("bytes after the end");
    return out;
  }

 private:
  tl::unexpected<base::Error> damaged(const std::string& what) const {
    return base::fail(Code::kInvalidArgument,
                      "the UBJSON file is damaged at byte " + std::to_string(at_) + ": " + what);
  }

  Result<char> marker() {
    while (at_ < bytes_.size() && bytes_[at_] == 'N') ++at_;  // no-op
    if (at_ >= bytes_.size()) return damaged("it ends early");
    return bytes_[at_++];
  }

  template <class Unsigned>
  Result<Unsigned> big_endian() {
    if (bytes_.size() - at_ < sizeof(Unsigned)) return damaged("it ends early");
    Unsigned out = 0;
    for (std::size_t i = 0; i < sizeof(Unsigned); ++i)
      out = static_cast<Unsigned>(out << 8 | static_cast<unsigned char>(bytes_[at_ + i]));
    at_ += sizeof(Unsigned);
    return out;
  }

  Result<Json> integer(char type) {
    switch (type) {
      case 'i': {
        TRY_ASSIGN(const auto v, big_endian<std::uint8_t>());
        return Json(std::int64_t{static_cast<std::int8_t>(v)});
      }
      case 'U': {
        TRY_ASSIGN(const auto v, big_endian<std::uint8_t>());
        return Json(std::int64_t{v});
      }
      case 'I': {
        TRY_ASSIGN(const auto v, big_endian<std::uint16_t>());
        return Json(std::int64_t{static_cast<std::int16_t>(v)});
      }
      case 'l': {
        TRY_ASSIGN(const auto v, big_endian<std::uint32_t>());
        return Json(std::int64_t{static_cast<std::int32_t>(v)});
      }
      case 'L': {
        TRY_ASSIGN(const auto v, big_endian<std::uint64_t>());
        return Json(static_cast<std::int64_t>(v));
      }
      default:
        return damaged(std::string("no integer: ") + type);
    }
  }

  Result<std::size_t> length() {
    TRY_ASSIGN(const char type, marker());
    TRY_ASSIGN(const Json count, integer(type));
    // Every item takes at least a byte, other than true, false and null, of which no model has a list.
    if (count.as_int() < 0 || static_cast<std::uint64_t>(count.as_int()) > bytes_.size() - at_)
      return damaged("a length of " + count.dump());
    return static_cast<std::size_t>(count.as_int());
  }

  Result<std::string> text() {
    TRY_ASSIGN(const std::size_t size, length());
    std::string out(bytes_.substr(at_, size));
    at_ += size;
    return out;
  }

  Result<Json> scalar(char type) {
    switch (type) {
      case 'Z':
        return Json();
      case 'T':
        return Json(true);
      case 'F':
        return Json(false);
      case 'd': {
        TRY_ASSIGN(const auto v, big_endian<std::uint32_t>());
        return Json(double{std::bit_cast<float>(v)});
      }
      case 'D': {
        TRY_ASSIGN(const auto v, big_endian<std::uint64_t>());
        return Json(std::bit_cast<double>(v));
      }
      case 'C': {
        TRY_ASSIGN(const auto v, big_endian<std::uint8_t>());
        return Json(std::string(1, static_cast<char>(v)));
      }
      case 'S':
      case 'H': {
        TRY_ASSIGN(std::string v, text());
        return Json(std::move(v));
      }
      default:
        return integer(type);
    }
  }

  Result<Json> value_of(char type, int depth) {
    if (depth > kMaxDepth) return damaged("it is nested too deeply");
    if (type == '[') return array(depth);
    if (type == '{') return object(depth);
    return scalar(type);
  }

  Result<Json> value(int depth) {
    TRY_ASSIGN(const char type, marker());
    return value_of(type, depth);
  }

  // "$type" and "#count" after the opening; both may be absent.
  struct Container {
    char type = 0;
    bool counted = false;
    std::size_t count = 0;
  };
  Result<Container> container() {
    Container out;
    if (at_ < bytes_.size() && bytes_[at_] == '$') {
      ++at_;
      TRY_ASSIGN(out.type, marker());
      if (at_ >= bytes_.size() || bytes_[at_] != '#') return damaged("a type without a count");
    }
    if (at_ < bytes_.size() && bytes_[at_] == '#') {
      ++at_;
      out.counted = true;
      TRY_ASSIGN(out.count, length());
    }
    return out;
  }

  bool closes(const Container& head, std::size_t done, char end) {
    if (head.counted) return done == head.count;
    if (at_ >= bytes_.size() || bytes_[at_] != end) return false;
    ++at_;
    return true;
  }

  Result<Json> item(const Container& head, int depth) {
    return head.type != 0 ? value_of(head.type, depth + 1) : value(depth + 1);
  }

  Result<Json> array(int depth) {
    TRY_ASSIGN(const Container head, container());
    Json out = Json::array();
    for (std::size_t i = 0; !closes(head, i, ']'); ++i) {
      TRY_ASSIGN(Json one, item(head, depth));
      out.push(std::move(one));
    }
    return out;
  }

  Result<Json> object(int depth) {
    TRY_ASSIGN(const Container head, container());
    Json out = Json::object();
    for (std::size_t i = 0; !closes(head, i, '}'); ++i) {
      TRY_ASSIGN(std::string key, text());
      TRY_ASSIGN(Json one, item(head, depth));
      out.set(std::move(key), std::move(one));
    }
    return out;
  }

  std::string_view bytes_;
  std::size_t at_ = 0;
};

}  // namespace

base::Result<Json> parse_ubjson(std::string_view bytes) { return Reader(bytes).document(); }

}  // namespace maru::train
