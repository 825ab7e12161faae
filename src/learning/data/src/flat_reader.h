#pragma once
#include <cstdint>
#include <cstring>
#include <string_view>

namespace maru::data {

// A table of FlatBuffers bytes (flatbuffers.dev/internals), every access checked: what lies outside is 0 or empty, and ok() turns false for good.
class FlatTable {
 public:
  FlatTable(std::string_view bytes, std::size_t at, bool& ok) : bytes_(bytes), ok_(&ok) {
    at_ = at;
    const std::int64_t vtable = static_cast<std::int64_t>(at) - read<std::int32_t>(at);
    if (!ok || vtable < 0 || static_cast<std::size_t>(vtable) + 4 > bytes.size()) {
      fail();
      return;
    }
    vtable_ = static_cast<std::size_t>(vtable);
    slots_ = read<std::uint16_t>(vtable_) / 2u;
    if (slots_ < 2 || vtable_ + slots_ * 2u > bytes.size()) fail();
  }
  static FlatTable root(std::string_view bytes, bool& ok) {
    std::uint32_t at = 0;
    if (bytes.size() >= 4)
      std::memcpy(&at, bytes.data(), 4);
    else
      ok = false;
    return {bytes, at, ok};
  }

  template <class T>
  T scalar(unsigned field, T otherwise = T()) const {
    const std::size_t at = place(field);
    return at == 0 ? otherwise : read<T>(at);
  }
  bool has(unsigned field) const { return place(field) != 0; }
  FlatTable table(unsigned field) const { return {bytes_, follow(place(field)), *ok_}; }
  std::string_view text(unsigned field) const {
    if (!has(field)) return {};
    const std::size_t at = follow(place(field));
    const std::size_t size = read<std::uint32_t>(at);
    if (!*ok_ || size > bytes_.size() - at - 4) return fail(), std::string_view();
    return bytes_.substr(at + 4, size);
  }
  // Elements of a vector; their `bytes` each must lie inside.
  std::size_t size(unsigned field, std::size_t element_bytes) const {
    if (!has(field)) return 0;
    const std::size_t at = follow(place(field));
    const std::size_t count = read<std::uint32_t>(at);
    if (!*ok_ || count > (bytes_.size() - at - 4) / element_bytes) return fail(), std::size_t{0};
    return count;
  }
  template <class T>
  T element(unsigned field, std::size_t i, std::size_t element_bytes, std::size_t offset) const {
    return read<T>(follow(place(field)) + 4 + i * element_bytes + offset);
  }
  FlatTable table_element(unsigned field, std::size_t i) const {
    return {bytes_, follow(follow(place(field)) + 4 + i * 4), *ok_};
  }

 private:
  template <class T>
  T read(std::size_t at) const {
    T out{};
    if (at > bytes_.size() || bytes_.size() - at < sizeof out) return fail(), out;
    std::memcpy(&out, bytes_.data() + at, sizeof out);
    return out;
  }
  std::size_t place(unsigned field) const {
    if (!*ok_ || field + 2 >= slots_) return 0;
    const auto offset = read<std::uint16_t>(vtable_ + (field + 2u) * 2u);
    return offset == 0 ? 0 : at_ + offset;
  }
  std::size_t follow(std::size_t at) const {
    if (at == 0) return fail(), bytes_.size();
    const std::size_t to = at + read<std::uint32_t>(at);
    if (to >= bytes_.size()) return fail(), bytes_.size();
    return to;
  }
  void fail() const { *ok_ = false; }

  std::string_view bytes_;
  bool* ok_;
  std::size_t at_ = 0, vtable_ = 0, slots_ = 0;
};

}  // namespace maru::data
