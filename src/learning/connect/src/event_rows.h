#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "feed.h"
#include "maru/connect/stream.h"
#include "maru/data/table.h"

namespace maru::connect {

struct DeadLetter {
  int partition = 0;
  std::int64_t offset = 0;
  std::string reason, bytes;
};

struct EventRows {
  data::Table table;
  std::vector<std::string> keys;  // of the rows, when the stream has an event key
  std::vector<DeadLetter> dead;
  std::uint64_t out_of_order = 0, future = 0;
};

// Types that a stream's columns have now: those of the newest snapshot, else what was declared.
using KnownTypes = std::map<std::string, data::ColumnType>;

// Reads a batch of events into columns. A value that its column cannot hold, and under OnChange::kDead a column that is not known, makes its event a dead
// letter; everything else about an event is kept. `latest` are the newest event times by partition so far, and are moved on.
EventRows read_events(const StreamSpec& spec, const KnownTypes& known,
                      const std::vector<Event>& events, std::int64_t now_us,
                      std::map<int, std::int64_t>& latest);
// The dead letters as rows: partition, offset, reason, bytes (as they are when UTF-8, else base64), time.
data::Table dead_table(const std::vector<DeadLetter>& dead, std::int64_t now_us);

}  // namespace maru::connect
