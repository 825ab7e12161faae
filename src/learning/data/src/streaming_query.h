#pragma once
#include <memory>
#include <string>
#include <vector>

#include "duckdb_handle.h"
#include "maru/data/row_stream.h"

namespace maru::data {

// A SELECT whose result is fetched while it runs. One thread at a time.
class StreamingQuery {
 public:
  StreamingQuery(Engine& engine, std::string select)
      : engine_(engine), select_(std::move(select)) {}
  ~StreamingQuery();
  StreamingQuery(const StreamingQuery&) = delete;
  StreamingQuery& operator=(const StreamingQuery&) = delete;

  base::Status start();
  const std::vector<StreamColumn>& columns() const { return columns_; }
  const std::vector<duckdb_type>& types() const { return types_; }  // by column
  duckdb_result& result() { return result_.handle; }
  // Whether fetching went wrong so far.
  base::Status state();

 private:
  tl::unexpected<base::Error> failed(const char* why);

  Engine& engine_;
  const std::string select_;
  std::vector<StreamColumn> columns_;
  std::vector<duckdb_type> types_;
  std::unique_ptr<Connection> connection_;
  Statement statement_;
  ResultSet result_;
  duckdb_pending_result pending_ = nullptr;
};

}  // namespace maru::data
