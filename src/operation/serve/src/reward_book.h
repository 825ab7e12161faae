#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "maru/base/json.h"
#include "maru/base/result.h"
#include "maru/store/database.h"
#include "sequential.h"

namespace maru::serve {

struct RewardRow {
  std::string id;  // of the prediction
  int version = 0;
  std::size_t segment = 0;
  double value = 0;
  std::int64_t predicted_us = 0;  // from the id
};
using RewardSums = std::map<std::pair<int, std::size_t>, Rewards>;  // by version and segment

inline constexpr std::int64_t kKeepRewardsUs = 400ll * 86'400'000'000;

// What routes learn, durable: rewards (one a prediction), where an experiment stands, and the shares of every moment. Thread safe.
class RewardBook {
  struct Key {};  // only open() makes one

 public:
  RewardBook(Key, store::Database& db) : db_(db) {}
  static base::Result<std::unique_ptr<RewardBook>> open(store::Database& db);

  // One flag a row: false for a prediction that had its reward before, which stays as it was. Durable when it returns.
  base::Result<std::vector<bool>> add(const std::string& endpoint,
                                      const std::vector<RewardRow>& rows);
  base::Result<RewardSums> sums(const std::string& endpoint, std::int64_t predicted_from_us);

  struct Standing {
    std::int64_t from_us = 0;
    base::Json state;
  };
  // Where the experiment of this key stands; another key begins anew at `now_us`, and what is older than
  // kKeepRewardsUs goes.
  base::Result<Standing> stand(const std::string& endpoint, const std::string& key,
                               std::int64_t now_us);
  base::Status keep(const std::string& endpoint, const base::Json& state);
  base::Status forget(const std::string& endpoint);  // the standing; rewards stay
  base::Status erase(const std::string& endpoint);   // everything

  // What was in force from `time_us` on.
  base::Status note_shares(const std::string& endpoint, std::int64_t time_us,
                           const base::Json& shares);
  base::Result<base::Json> shares_at(const std::string& endpoint, std::int64_t time_us);

 private:
  store::Database& db_;
};

}  // namespace maru::serve
