#include "snapshot.h"

namespace maru::data {

using base::Json;

Json columns_json(const std::vector<SnapshotColumn>& columns) {
  Json out = Json::array();
  for (const auto& column : columns)
    out.push(Json::object({{"name", column.name}, {"type", std::string(type_name(column.type))}}));
  return out;
}

Json parts_json(const std::vector<SnapshotPart>& parts) {
  Json out = Json::array();
  for (const auto& part : parts)
    out.push(Json::object({{"sha256", part.sha256}, {"rows", part.rows}, {"bytes", part.bytes}}));
  return out;
}

Json Snapshot::manifest() const {
  if (!parent.empty()) {
    return Json::object({{"format", 2},
                         {"project", project},
                         {"dataset", dataset},
                         {"number", number},
                         {"rows", rows},
                         {"columns", columns_json(columns)},
                         {"parent", parent},
                         {"added", parts_json(added)}});
  }
  return Json::object({{"format", 1},
                       {"project", project},
                       {"dataset", dataset},
                       {"number", number},
                       {"rows", rows},
                       {"columns", columns_json(columns)},
                       {"parts", parts_json(added)}});
}

base::Result<std::vector<SnapshotPart>> parse_parts(const std::string& json) {
  std::vector<SnapshotPart> out;
  TRY_ASSIGN(const Json parts, base::parse_json(json));
  for (const auto& part : parts.items()) {
    out.push_back({part["sha256"].as_string(), static_cast<std::uint64_t>(part["rows"].as_int()),
                   static_cast<std::uint64_t>(part["bytes"].as_int())});
  }
  return out;
}

base::Result<Snapshot> snapshot_of(const store::Row& row) {
  Snapshot out;
  out.id = row.text(0);
  out.project = row.text(1);
  out.dataset = row.text(2);
  out.number = static_cast<int>(row.integer(3));
  out.rows = static_cast<std::uint64_t>(row.integer(4));
  out.bytes = static_cast<std::uint64_t>(row.integer(5));
  TRY_ASSIGN(out.added, parse_parts(row.text(6)));
  TRY_ASSIGN(const Json columns, base::parse_json(row.text(7)));
  for (const auto& column : columns.items()) {
    TRY_ASSIGN(const ColumnType type, parse_type(column["type"].as_string()));
    out.columns.push_back({column["name"].as_string(), type});
  }
  out.source = row.text(8);
  out.query = row.text(9);
  out.run_id = row.text(10);
  out.created_us = row.integer(11);
  out.parent = row.text(12);
  out.chain_start = static_cast<int>(row.integer(13));
  if (out.chain_start == 0) out.chain_start = out.number;
  out.widened = row.integer(14) != 0;
  out.dropped = row.text(15);
  return out;
}

bool same_content(const Snapshot& a, const Snapshot& b) {
  return columns_json(a.columns) == columns_json(b.columns) &&
         parts_json(a.parts) == parts_json(b.parts);
}

}  // namespace maru::data
