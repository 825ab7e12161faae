#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstring>

#include "house.h"
#include "maru/tracking/foreign_formats.h"

namespace maru::tracking {
namespace {

using base::Code;
using base::Json;

void put(const std::string& path, std::string_view bytes) {
  REQUIRE(base::make_folders(base::parent_path(path)).has_value());
  REQUIRE(base::write_file_atomic(path, bytes).has_value());
}

// The wire format, as a writer of event files makes it.
std::string varint(std::uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7) out += static_cast<char>((value & 0x7F) | 0x80);
  return out + static_cast<char>(value);
}
std::string field(std::uint32_t number, std::string_view bytes) {
  return varint(number << 3 | 2) + varint(bytes.size()) + std::string(bytes);
}
template <class T>
std::string raw(T value) {
  return std::string(reinterpret_cast<const char*>(&value), sizeof value);
}
std::string record(std::string_view data) {
  const std::string length = raw(std::uint64_t{data.size()});
  return length + raw(masked_crc32c(length)) + std::string(data) + raw(masked_crc32c(data));
}
std::string event(double wall_time, std::int64_t step, const std::string& values) {
  return varint(1 << 3 | 1) + raw(wall_time) + varint(2 << 3) +
         varint(static_cast<std::uint64_t>(step)) + field(5, values);
}
std::string simple(const std::string& tag, float value) {
  return field(1, field(1, tag) + varint(2 << 3 | 5) + raw(value));
}
std::string tensor(const std::string& tag, const std::string& proto, const std::string& plugin) {
  return field(1, field(1, tag) + field(9, field(1, field(1, plugin))) + field(8, proto));
}

base::Result<TransferReport> import(TestHouse& house, const std::string& path,
                                    const std::string& kind = "") {
  base::Context context;
  ImportOptions options;
  options.path = path;
  options.kind = kind;
  return house.tracking->transfer().import_from(options, context, {});
}

std::string meta(const std::string& id, const std::string& experiment) {
  return "artifact_uri: file:///gone/" + experiment + "/" + id +
         "/artifacts\nend_time: 1700000009000\nentry_point_name: ''\nexperiment_id: '" +
         experiment + "'\nlifecycle_stage: active\nrun_id: " + id +
         "\nrun_name: \"한글 run\"\nrun_uuid: " + id +
         "\nsource_type: 4\nstart_time: 1700000001000\nstatus: 3\ntags: []\nuser_id: me\n";
}

// One experiment with one run, as MLflow 2 and 3 lay it out.
std::string small_mlruns(TestHouse& house) {
  const std::string root = house.folder + "/mlruns", run = root + "/77/" + std::string(32, 'a');
  put(root + "/77/meta.yaml",
      "artifact_location: file:///gone/77\ncreation_time: 1700000000000\nexperiment_id: '77'\n"
      "last_update_time: 1700000000500\nlifecycle_stage: active\nname: vision/detector\n");
  put(root + "/77/tags/team", "red");
  put(run + "/meta.yaml", meta(std::string(32, 'a'), "77"));
  put(run + "/params/lr", "0.1");
  put(run + "/params/empty", "");
  put(run + "/params/deep/er", "x");
  put(run + "/tags/mlflow.runName", "한글 run");
  put(run + "/metrics/loss", "1700000002000 0.5 1\n1700000001000 1 0\n1700000002000 0.5 1\n");
  put(run + "/metrics/odd", "5 nan 0\n6 inf 1\n7 -0.0 2\n8 1e-320 3\n9 3\n");
  put(run + "/artifacts/notes/가.txt", "hello");
  put(run + "/artifacts/empty", "");
  return root;
}

}  // namespace

TEST_CASE("YAML as MLflow writes it") {
  const auto parsed = parse_yaml(
      "a: 1\nb: '2'\nc: null\nd: \"x\\ty\\u00e9\\U0001F600\"\ne: it''s plain # comment\n"
      "f: 'folded\n  line\n\n  two'\ng: []\nh: {}\ni:\n  k: v\n  l: -7\nj:\n- one\n- two: 2\n"
      "  three: '3'\nm: first\n  second\n'q r': .inf\nn: None\no: \"joined \\\n  \\ here\"\n");
  REQUIRE(parsed.has_value());
  const Json& y = *parsed;
  CHECK(y["a"].as_int() == 1);
  CHECK(y["b"].as_string() == "2");
  CHECK(y["c"].is_null());
  CHECK(y["d"].as_string() == "x\tyé😀");
  CHECK(y["e"].as_string() == "it''s plain");
  CHECK(y["f"].as_string() == "folded line\ntwo");
  CHECK(y["g"].is_array());
  CHECK(y["h"].is_object());
  CHECK(y["i"]["l"].as_int() == -7);
  CHECK(y["j"].at(1)["three"].as_string() == "3");
  CHECK(y["m"].as_string() == "first second");
  CHECK(std::isinf(y["q r"].as_double()));
  CHECK(y["n"].as_string() == "None");
  CHECK(y["o"].as_string() == "joined  here");
  for (const char* bad : {"a: [1, 2]", "a: &x 1", "a: |\n  text", "a: 'open", "a", "a: 1\n  b: 2",
                          "a: \"\\q\"", "- a\nb: 1", "\xff: 1"})
    CHECK_MESSAGE(!parse_yaml(bad).has_value() == (std::string(bad) != "a"), bad);
}

TEST_CASE("what is written as YAML reads back the same") {
  std::string all;
  for (int c = 1; c < 128; ++c) all += static_cast<char>(c);
  const Json value = Json::object({{"name", all},
                                   {"odd", std::string("\u0085\u2028\ufeff 한글 '\"\\")},
                                   {"none", Json()},
                                   {"number", -12},
                                   {"map", Json::object({{"a: b", "c"}, {"e", Json::object()}})},
                                   {"list", Json::array()}});
  const auto back = parse_yaml(write_yaml(value));
  REQUIRE(back.has_value());
  CHECK(*back == value);
}

TEST_CASE("CRC-32C of the reference vectors") {
  CHECK(crc32c("123456789") == 0xE3069283u);  // RFC 3720 B.4
  CHECK(crc32c(std::string(32, '\0')) == 0x8A9136AAu);
  CHECK(crc32c("") == 0);
}

TEST_CASE("records survive any cutting, damage is counted") {
  const std::string good = record("one") + record(std::string(100'000, 'x')) + record("");
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{4096}, good.size()}) {
    RecordReader reader;
    std::vector<std::size_t> sizes;
    for (std::size_t at = 0; at < good.size(); at += piece)
      reader.feed(std::string_view(good).substr(at, piece),
                  [&](std::string_view one) { sizes.push_back(one.size()); });
    CHECK(sizes == std::vector<std::size_t>{3, 100'000, 0});
    CHECK_FALSE(reader.partial());
  }
  std::size_t seen = 0;
  const auto visit = [&](std::string_view) { ++seen; };
  std::string flipped = good;
  flipped[13] ^= 1;
  RecordReader one;
  one.feed(flipped, visit);
  CHECK(one.damaged() == 1);
  CHECK(seen == 2);
  flipped = good;
  flipped[2] ^= 1;
  RecordReader two;
  two.feed(flipped, visit);
  CHECK(two.broken());
  RecordReader three;
  three.feed(std::string_view(good).substr(0, good.size() - 1), visit);
  CHECK(three.partial());
}

TEST_CASE("scalars of events: simple values, tensors of one number, nothing else") {
  std::vector<std::pair<std::string, double>> got;
  const auto read = [&](const std::string& message) {
    return read_event(message, [&](const EventScalar& scalar) {
      got.emplace_back(std::string(scalar.tag), scalar.value);
    });
  };
  const std::string float_list = varint(1 << 3) + varint(1) + varint(5 << 3 | 5) + raw(2.5f);
  const std::string content = varint(1 << 3) + varint(2) + field(4, raw(0.25));
  const std::string int64 = varint(1 << 3) + varint(9) + field(10, varint(300));
  const std::string two = varint(1 << 3) + varint(1) + field(5, raw(1.0f) + raw(2.0f));
  const std::string half = varint(1 << 3) + varint(19) + varint(13 << 3) + varint(0x3C00);
  const std::string text = varint(1 << 3) + varint(7) + field(8, "words");
  const auto facts = read(event(12.5, 3,
                                simple("loss", 0.5f) + tensor("a", float_list, "scalars") +
                                    tensor("b", content, "scalars") + tensor("c", int64, "") +
                                    tensor("d", two, "") + tensor("e", half, "scalars") +
                                    tensor("f", text, "text")));
  REQUIRE(facts.has_value());
  CHECK(facts->others == 2);
  CHECK(facts->step == 3);
  REQUIRE(got.size() == 5);
  CHECK(got[1].second == 2.5);
  CHECK(got[2].second == 0.25);
  CHECK(got[3].second == 300);
  CHECK(got[4].second == 1.0);
  const std::string whole = event(1, 1, simple("tag", 1));
  for (std::size_t size = 1; size < whole.size(); ++size)
    if (const auto cut = read(whole.substr(0, size)); !cut)
      CHECK(cut.error().code == Code::kInvalidArgument);
  CHECK_FALSE(read("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff").has_value());
}

TEST_CASE("an mlruns folder comes in whole, once, and its damage is named") {
  TestHouse house;
  const std::string root = small_mlruns(house), id(32, 'a');
  auto report = import(house, root);
  REQUIRE(report.has_value());
  CHECK(report->kind == "mlruns");
  CHECK(report->equal);
  CHECK(report->skipped == 0);
  CHECK(report->found == report->written);
  CHECK(report->written.points == 7);  // one was there twice
  const auto run = house.runs().get_run(id);
  REQUIRE(run.has_value());
  CHECK(run->experiment_id == "77");
  CHECK(run->name == "한글 run");
  CHECK(run->status == "FINISHED");
  CHECK(run->start_us == 1'700'000'001'000'000);
  CHECK(run->params == Text{{"deep/er", "x"}, {"empty", ""}, {"lr", "0.1"}});
  CHECK(run->artifact_uri == "mlflow-artifacts:/77/" + id + "/artifacts");
  CHECK(run->latest.at("odd").step == 3);
  CHECK(house.runs().metric_history(id, "loss")->size() == 2);
  CHECK(std::isnan(house.runs().metric_history(id, "odd")->at(0).value));
  CHECK(house.runs().get_experiment("77")->tags.at("team") == "red");
  CHECK(*house.tracking->artifacts().read_artifact(id, "notes/가.txt") == "hello");

  report = import(house, root);
  REQUIRE(report.has_value());
  CHECK(report->runs_present == 1);
  CHECK(report->written == TransferCounts{});
  CHECK(report->equal);

  // The run went on, another is damaged.
  put(root + "/77/" + id + "/metrics/loss",
      "1700000002000 0.5 1\n1700000001000 1 0\n1700000003000 0.25 2\nrubbish\n");
  put(root + "/77/" + std::string(32, 'b') + "/meta.yaml", "run_id: [");
  report = import(house, root);
  REQUIRE(report.has_value());
  CHECK(report->runs_updated == 1);
  CHECK(report->skipped == 2);
  CHECK(report->equal);
  CHECK(house.runs().metric_history(id, "loss")->size() == 3);
}

TEST_CASE("an import joins an experiment of the same name, never touches own runs") {
  TestHouse house;
  const std::string own = house.experiment("vision/detector");
  const std::string root = small_mlruns(house), id(32, 'a');
  REQUIRE(import(house, root)->equal);
  CHECK(house.runs().get_run(id)->experiment_id == own);
  const std::string mine = house.run(own, "mine");
  put(root + "/77/" + mine + "/meta.yaml", meta(mine, "77"));
  const auto report = import(house, root);
  REQUIRE(report.has_value());
  CHECK(report->runs_different == 1);
  CHECK_FALSE(report->equal);
  CHECK(house.runs().get_run(mine)->name == "mine");
}

TEST_CASE("event files: a run a folder, damage named, again nothing new") {
  TestHouse house;
  const std::string root = house.folder + "/logs";
  std::string bytes = record(varint(1 << 3 | 1) + raw(1700000000.0) + field(3, "brain.Event:2"));
  for (int i = 0; i < 100; ++i)
    bytes += record(event(1700000000.0 + i, i, simple("loss/train", static_cast<float>(i))));
  put(root + "/train/events.out.tfevents.1700000000.host.1.0", bytes);
  put(root + "/eval/events.out.tfevents.1700000001.host.1.0", bytes.substr(0, bytes.size() - 3));
  auto report = import(house, root);
  REQUIRE(report.has_value());
  CHECK(report->kind == "tensorboard");
  CHECK(report->written.runs == 2);
  CHECK(report->written.points == 199);
  CHECK(report->skipped == 1);
  CHECK(report->equal);
  const auto experiment = house.runs().find_experiment("default", "logs");
  REQUIRE(experiment.has_value());
  RunQuery query;
  query.experiment_ids = {experiment->id};
  const auto page = house.runs().search_runs("default", query);
  REQUIRE(page->runs.size() == 2);
  CHECK(page->runs[0].latest.contains("loss/train"));
  report = import(house, root);
  CHECK(report->runs_present == 2);
  CHECK(report->written.runs == 0);
}

TEST_CASE("what is exported can be imported again and is the same") {
  TestHouse house, other;
  REQUIRE(import(house, small_mlruns(house)).has_value());
  const std::string run = house.run("77", "own: 'quoted' \"name\" #1");
  REQUIRE(house.runs()
              .log(run, {{{"p", "line\nbreak"}},
                         {{"t", ""}},
                         {{"m", 1.5, 0, 1}, {"m", -HUGE_VAL, 1, 2}, {"a/b", NAN, 0, 3}}})
              .has_value());
  REQUIRE(house.runs()
              .log_inputs(run, {{{"d", "1", "local", "{}", "", "{\"rows\": 1}"}, {{"k", "v"}}}}, {})
              .has_value());
  REQUIRE(house.runs().delete_run(run).has_value());
  base::Context context;
  const std::string target = house.folder + "/out";
  const auto written = house.tracking->transfer().export_to({.path = target}, context, {});
  REQUIRE(written.has_value());
  CHECK(written->equal);
  CHECK(written->written.runs == 2);
  CHECK(house.tracking->transfer().export_to({.path = target}, context, {}).error().code ==
        Code::kAlreadyExists);
  const auto report = import(other, target);
  REQUIRE(report.has_value());
  CHECK(report->equal);
  CHECK(report->skipped == 0);
  CHECK(other.runs().get_run(run)->state == "deleted");
  CHECK(other.runs().get_run(run)->params.at("p") == "line\nbreak");
  CHECK(other.runs().get_run(run)->datasets.at(0).tags.at("k") == "v");
  // Back home nothing is new.
  const auto back = import(house, target);
  REQUIRE(back.has_value());
  CHECK(back->runs_present == 2);
  CHECK(back->equal);
}

TEST_CASE("what is no source is refused") {
  TestHouse house;
  CHECK(import(house, house.folder + "/nothing").error().code == Code::kNotFound);
  put(house.folder + "/file", "text");
  CHECK(import(house, house.folder + "/file").error().code == Code::kInvalidArgument);
  CHECK(import(house, "relative").error().code == Code::kInvalidArgument);
  CHECK(import(house, "mysql+pymysql://u@h/db").error().code == Code::kUnimplemented);
  CHECK(import(house, house.folder + "/maru.db").error().code == Code::kInvalidArgument);
  REQUIRE(base::make_folders(house.folder + "/void").has_value());
  CHECK(import(house, house.folder + "/void").error().code == Code::kInvalidArgument);
}

TEST_CASE("MLflow's SQLite file comes in, whichever tables its schema has") {
  TestHouse house;
  const std::string path = house.folder + "/mlflow.db", id(32, 'c');
  {
    store::DatabaseOptions options;
    options.path = path;
    auto db = std::move(*store::Database::open(options));
    REQUIRE(db->write([&](store::Writer& writer) -> base::Status {
                for (const std::string& sql :
                     {std::string("CREATE TABLE experiments (experiment_id INTEGER, name TEXT, "
                                  "artifact_location TEXT, lifecycle_stage TEXT)"),
                      std::string("CREATE TABLE runs (run_uuid TEXT, name TEXT, user_id TEXT, "
                                  "status TEXT, start_time BIGINT, end_time BIGINT, "
                                  "lifecycle_stage TEXT, artifact_uri TEXT, experiment_id "
                                  "INTEGER)"),
                      std::string("CREATE TABLE metrics (key TEXT, value FLOAT, timestamp "
                                  "BIGINT, run_uuid TEXT, step BIGINT, is_nan BOOLEAN)"),
                      std::string("CREATE TABLE params (key TEXT, value TEXT, run_uuid TEXT)"),
                      std::string("INSERT INTO experiments VALUES (3, 'old', './x', 'active')"),
                      "INSERT INTO runs VALUES ('" + id +
                          "', 'r', 'me', 'FAILED', 1000, 2000, 'deleted', 's3://b/r', 3)",
                      "INSERT INTO metrics VALUES ('m', 0, 7, '" + id +
                          "', 1, 1), ('m', 1e300, "
                          "6, '" +
                          id + "', 2, 0), ('/bad', 1, 1, '" + id + "', 0, 0)",
                      "INSERT INTO params VALUES ('p', 'v', '" + id + "')"})
                  TRY(writer.execute(sql));
                return {};
              }).has_value());
  }
  const auto report = import(house, "sqlite:///" + path);
  REQUIRE(report.has_value());
  CHECK(report->kind == "sqlite");
  CHECK(report->equal);
  CHECK(report->skipped == 1);
  CHECK(report->written.points == 2);
  const auto run = house.runs().get_run(id);
  REQUIRE(run.has_value());
  CHECK(run->experiment_id == "3");
  CHECK(run->state == "deleted");
  CHECK(run->status == "FAILED");
  CHECK(run->artifact_uri == "s3://b/r");  // clients read it there themselves
  CHECK(run->end_us == 2'000'000);
  CHECK(std::isnan(house.runs().metric_history(id, "m")->at(0).value));
}

TEST_CASE("an import that was cut off goes on") {
  TestHouse house;
  const std::string root = small_mlruns(house);
  constexpr int kRuns = 150;
  for (int i = 0; i < kRuns; ++i) {
    std::string id = std::to_string(i);
    id = std::string(32 - id.size(), 'd') + id;
    put(root + "/77/" + id + "/meta.yaml", meta(id, "77"));
    put(root + "/77/" + id + "/metrics/m", "1 2 3\n");
  }
  base::Context context;
  int steps = 0;
  ImportOptions options;
  options.path = root;
  const auto cut =
      house.tracking->transfer().import_from(options, context, [&](const base::Progress&) {
        if (++steps == 7) context.cancel.cancel();
      });
  REQUIRE_FALSE(cut.has_value());
  CHECK(cut.error().code == Code::kCancelled);
  house.close();
  house.open();
  const auto report = import(house, root);
  REQUIRE(report.has_value());
  CHECK(report->equal);
  CHECK(report->runs_present > 0);
  CHECK(report->runs_present + report->written.runs == kRuns + 1);
  CHECK(report->found.runs == kRuns + 1);
}

}  // namespace maru::tracking
