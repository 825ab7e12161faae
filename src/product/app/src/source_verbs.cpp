// maru secret: what sources and streams sign in with. maru stream: events that become rows.
#include <iostream>

#include "maru/base/config.h"
#include "maru/base/text.h"
#include "output.h"
#include "source_verbs.h"

namespace maru::app {
using base::Json;
using base::Result;
using http::Method;

int secret_set(const Invocation& invocation, const std::string& name, const std::string& host) {
  // Not an option: options stand in the shell's history and in the list of processes.
  std::string value;
  std::getline(std::cin, value);
  return show_answer(
      invocation, Method::kPut, "/api/v1/secrets/" + http::percent_encode(name),
      [&](const Json&) { print("kept " + name + " for " + host + "\n"); },
      Json::object({{"value", value}, {"host", host}}));
}

int secret_list(const Invocation& invocation) {
  return show_answer(invocation, Method::kGet, "/api/v1/secrets", [](const Json& result) {
    TextTable table;
    for (const char* title : {"secret", "host", "set"}) table.column(title);
    for (const auto& row : result["secrets"].items())
      table.row(
          {row["name"].as_string(), row["host"].as_string(), age_text(row["updated_us"].as_int())});
    print(table.text());
  });
}

int secret_remove(const Invocation& invocation, const std::string& name) {
  return show_answer(invocation, Method::kDelete, "/api/v1/secrets/" + http::percent_encode(name),
                     [&](const Json&) { print("removed " + name + "\n"); });
}

namespace {

std::string stream_path(const std::string& name, const char* rest = "") {
  return "/api/v1/streams/" + http::percent_encode(name) + rest;
}

std::string lag_text(const Json& stream) {
  return stream["lag"].is_null() ? "-" : base::format_count(stream["lag"].as_int());
}

// "id:integer,price:float,name"
Json columns_json(const std::string& text) {
  Json out = Json::array();
  for (const auto& part : base::split(text, ',')) {
    const std::size_t colon = part.rfind(':');
    Json column = Json::object({{"name", std::string(base::trim(part.substr(0, colon)))}});
    if (colon != std::string::npos)
      column.set("type", std::string(base::trim(part.substr(colon + 1))));
    out.push(std::move(column));
  }
  return out;
}

void print_stream(const Json& s) {
  print(bold(s["name"].as_string()) + "  " + s["state"].as_string() + "  " +
        s["address"].as_string() + " -> " + s["dataset"].as_string() + "\n");
  if (!s["error"].as_string().empty()) print("  " + red(s["error"].as_string()) + "\n");
  const auto line = [](const char* what, const std::string& value) {
    print("  " + std::string(what) + std::string(14 - std::string_view(what).size(), ' ') + value +
          "\n");
  };
  line("rows", base::format_count(s["rows"].as_int()) + " in " +
                   base::format_count(s["batches"].as_int()) + " batches");
  line("rate",
       base::format_count(static_cast<std::int64_t>(s["rows_per_second"].as_double())) + " rows/s");
  line("lag", lag_text(s));
  line("dead letters",
       base::format_count(s["dead"].as_int()) +
           (s["dead"].as_int() > 0 ? ", in the dataset " + s["dead_dataset"].as_string() : ""));
  line("duplicates", base::format_count(s["duplicates"].as_int()));
  line("out of order", base::format_count(s["out_of_order"].as_int()));
  line("ahead of time", base::format_count(s["future_events"].as_int()));
  line("batch", "every " + base::format_seconds(s["batch_seconds"].as_double()) + " or " +
                    base::format_count(s["batch_rows"].as_int()) + " rows");
}

int stream_act(const Invocation& invocation, const std::string& name, const char* action) {
  return show_answer(invocation, Method::kPost, stream_path(name, action), print_stream);
}

}  // namespace

int stream_add(const Invocation& invocation, const StreamOptions& options) {
  return with_session(invocation, [&](Session& session) -> Result<int> {
    TRY_ASSIGN(const std::int64_t every_us, base::parse_duration_us(options.every));
    TRY_ASSIGN(const std::int64_t ahead_us, base::parse_duration_us(options.max_future));
    Json body = Json::object({{"name", options.name},
                              {"address", options.address},
                              {"format", options.format},
                              {"on_change", options.on_change},
                              {"event_time", options.event_time},
                              {"event_key", options.event_key},
                              {"future", options.future},
                              {"from", options.from},
                              {"batch_rows", static_cast<std::int64_t>(options.rows)},
                              {"batch_seconds", static_cast<double>(every_us) / 1e6},
                              {"max_future_seconds", static_cast<double>(ahead_us) / 1e6}});
    if (!options.dataset.empty()) body.set("dataset", options.dataset);
    if (!options.columns.empty()) body.set("columns", columns_json(options.columns));
    TRY_ASSIGN(const Json result, session.call(Method::kPost, "/api/v1/streams", body));
    if (invocation.json) {
      print(result.dump() + "\n");
      return 0;
    }
    print_stream(result);
    print(dim(options.address == "push"
                  ? "next: POST events to /api/v1/streams/" + options.name + "/events"
                  : "next: maru stream show " + options.name + " (it runs while `maru up` does)") +
          "\n");
    return 0;
  });
}

int stream_list(const Invocation& invocation) {
  return show_answer(invocation, Method::kGet, "/api/v1/streams", [](const Json& result) {
    if (result["streams"].size() == 0) {
      print("No streams yet.\n" + dim("next: maru stream add NAME kafka://host:9092/topic") + "\n");
      return;
    }
    TextTable table;
    table.column("stream");
    table.column("state");
    table.column("dataset");
    for (const char* title : {"rows", "rows/s", "lag", "dead"})
      table.column(title, TextTable::Align::kRight);
    for (const auto& s : result["streams"].items())
      table.row({s["name"].as_string(), s["state"].as_string(), s["dataset"].as_string(),
                 base::format_count(s["rows"].as_int()),
                 base::format_count(static_cast<std::int64_t>(s["rows_per_second"].as_double())),
                 lag_text(s), base::format_count(s["dead"].as_int())});
    print(table.text());
  });
}

int stream_show(const Invocation& invocation, const std::string& name) {
  return show_answer(invocation, Method::kGet, stream_path(name), print_stream);
}
int stream_start(const Invocation& invocation, const std::string& name) {
  return stream_act(invocation, name, "/start");
}
int stream_stop(const Invocation& invocation, const std::string& name) {
  return stream_act(invocation, name, "/stop");
}
int stream_remove(const Invocation& invocation, const std::string& name) {
  return show_answer(invocation, Method::kDelete, stream_path(name),
                     [&](const Json&) { print("removed " + name + "; its dataset stays\n"); });
}

int stream_dead(const Invocation& invocation, const std::string& name) {
  return with_session(invocation, [&](Session& session) -> Result<int> {
    TRY_ASSIGN(const Json stream, session.call(Method::kGet, stream_path(name)));
    if (stream["dead"].as_int() == 0) {
      print(invocation.json ? "{\"rows\":[]}\n" : "No dead letters.\n");
      return 0;
    }
    const std::string dataset = stream["dead_dataset"].as_string();
    TRY_ASSIGN(const Json rows,
               session.call(Method::kGet, dataset_path(dataset, "/rows") + "?limit=100"));
    if (invocation.json) {
      print(rows.dump() + "\n");
      return 0;
    }
    TextTable table;
    for (const auto& column : rows["columns"].items()) table.column(column["name"].as_string());
    for (const auto& row : rows["rows"].items()) {
      std::vector<std::string> cells;
      for (const auto& cell : row.items())
        cells.push_back(cell.is_string() ? cell.as_string() : cell.dump());
      table.row(cells);
    }
    print(table.text());
    print(dim("the first 100 of " + base::format_count(rows["total"].as_int()) + " in dataset " +
              dataset) +
          "\n");
    return 0;
  });
}

}  // namespace maru::app
