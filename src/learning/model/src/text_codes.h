#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace maru::model {

// LabelEncoder of strings: text -> number by a flat hash table (linear probing, at most half full). Immutable after construction; thread safe.
class TextCodes {
 public:
  // A key given twice keeps its last value, as in ONNX Runtime.
  TextCodes(const std::vector<std::string>& keys, const std::vector<double>& values,
            double fallback);
  double find(std::string_view text) const;
  std::size_t bytes() const;

 private:
  struct Slot {
    std::uint64_t hash = 0;
    std::uint32_t from = 0, size = 0;
    double value = 0;
    bool used = false;
  };
  std::vector<Slot> slots_;
  std::string pool_;
  std::uint64_t mask_ = 0;
  double fallback_ = 0;
};

}  // namespace maru::model
