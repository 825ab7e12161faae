#pragma once
#include <map>
#include <string>
#include <vector>

#include "event_rows.h"
#include "maru/connect/stream.h"
#include "maru/store/database.h"

namespace maru::connect {

// What one batch changes beside the rows themselves.
struct BatchChange {
  std::map<int, std::int64_t> next;
  std::uint64_t rows = 0, duplicates = 0, out_of_order = 0, future = 0;
  std::vector<DeadLetter> dead;
  std::vector<std::string> keys;
  std::int64_t now_us = 0;
};

// The tables of streams. Thread safe as the database is.
class StreamStore {
 public:
  explicit StreamStore(store::Database& db) : db_(db) {}
  base::Status migrate();
  base::Status insert(const StreamSpec& spec, std::int64_t now_us);
  // All of a project; of all projects when it is empty.
  base::Result<std::vector<StreamStatus>> load(const std::string& project,
                                               const std::string& name = {});
  base::Status set_active(const StreamSpec& spec, bool active);
  base::Status remove(const StreamSpec& spec);
  // Within the transaction that makes the batch visible.
  base::Status record(store::Writer& writer, const StreamSpec& spec, const BatchChange& change);
  base::Result<std::vector<std::string>> seen(const StreamSpec& spec,
                                              const std::vector<std::string>& keys);
  // Dead letters that are not in their dataset yet, oldest first.
  base::Result<std::vector<DeadLetter>> dead(const StreamSpec& spec, std::size_t most);
  base::Status forget_dead(store::Writer& writer, const StreamSpec& spec,
                           const std::vector<DeadLetter>& dead);
  // Appends to the log of pushed events. `accepted` 0: the request key was there already.
  base::Result<std::uint64_t> push(const StreamSpec& spec, std::uint64_t events,
                                   const std::string& body, const std::string& request_key,
                                   std::int64_t now_us);

 private:
  store::Database& db_;
};

}  // namespace maru::connect
