#pragma once
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "maru/base/json.h"

namespace maru::serve {

inline constexpr std::size_t kShadowKept = 4096;  // newest rows that were compared
inline constexpr std::size_t kShadowBins = 41;    // of the histogram of differences
inline constexpr std::size_t kShadowWorst = 5;    // rows told one by one

// A row that a shadow version was asked too.
struct ShadowRow {
  std::string id;  // of the prediction
  double answered = 0,
         shadow = 0;  // probability of the positive or of the answered class, or the value
  bool same_class = true;
};

// How a shadow's numbers differ from the answers, over the newest rows. Begins anew with another shadow version. Thread safe; used off the request path.
class ShadowBook {
 public:
  void add(int version, std::vector<ShadowRow>&& rows);
  // {"rows", "same_class", "median", "mean", "bins": {"from", "to", "counts"}, "worst": [{"id", "answered", "shadow", "difference"}]}: differences are shadow minus
  // answer; null before the first row.
  base::Json report(int version) const;

 private:
  mutable std::mutex mutex_;
  int version_ = 0;
  std::vector<ShadowRow> rows_;  // a ring once it is full
  std::size_t next_ = 0;
};

}  // namespace maru::serve
