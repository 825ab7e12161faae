#include <doctest/doctest.h>
#include <stdlib.h>

#include "fake_model.h"
#include "maru/base/fault.h"
#include "maru/base/file.h"
#include "maru/data/dataset.h"
#include "maru/data/row_stream.h"
#include "maru/serve/batch.h"

using namespace maru;
using data::ColumnType;

namespace {

// Two columns; the score of a row is x / 1000, or 0.5 without one.
class Halves final : public serve::test::BareBundle {
 public:
  Halves() {
    signature_.task = model::Task::kBinary;
    signature_.classes = {"no", "yes"};
    signature_.inputs.push_back({"x", model::InputKind::kNumber, true, {}});
    signature_.inputs.push_back({"city", model::InputKind::kText, false, {}});
  }
  base::Status predict(const model::InputBatch& batch, model::Predictions& out) const override {
    scored += batch.rows;
    out.task = model::Task::kBinary;
    out.rows = batch.rows;
    out.width = 1;
    out.scores.clear();
    for (const double x : batch.columns[0].numbers) out.scores.push_back(x != x ? 0.5 : x / 1000);
    return {};
  }
  mutable std::atomic<std::size_t> scored{0};
};

struct Scratch {
  std::string folder;
  std::unique_ptr<data::Engine> engine;
  std::shared_ptr<Halves> bundle = std::make_shared<Halves>();
  Scratch() {
    std::string pattern = "/tmp/maru_batch_XXXXXX";
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    folder = pattern;
    data::EngineOptions options;
    options.temp_folder = path("tmp");
    options.threads = 1;
    engine = std::move(*data::Engine::open(options));
  }
  ~Scratch() {
    base::set_faults("");
    engine.reset();
    (void)base::remove_tree(folder);
  }
  std::string path(const std::string& name) const { return base::join_path(folder, name); }
  std::string text(const std::string& name) const {
    const auto read = base::read_file(path(name));
    return read ? *read : "(" + read.error().message + ")";
  }
  serve::BatchSpec spec(const std::string& output) const {
    serve::BatchSpec out;
    out.model = "halves";
    out.version = 1;
    out.bundle = bundle;
    out.model_mark = "m1";
    out.output = path(output);
    out.threads = 2;
    return out;
  }
  base::Result<serve::BatchReport> run(serve::BatchSpec spec, const std::string& input) {
    base::Context context;
    TRY_ASSIGN(spec.input_mark, data::files_mark({path(input)}));
    TRY_ASSIGN(const auto stream, data::RowStream::open_files(*engine, {path(input)}, context));
    return serve::run_batch(spec, *stream, context);
  }
  void write(const std::string& name, const std::string& bytes) const {
    REQUIRE(base::write_file_atomic(path(name), bytes));
  }
  std::string many(std::size_t rows) const {
    std::string out = "id,x,city\n";
    for (std::size_t r = 0; r < rows; ++r)
      out += "00" + std::to_string(r) + "," + (r % 97 == 5 ? "bad" : std::to_string(r % 1000)) +
             ",c" + std::to_string(r % 7) + "\n";
    return out;
  }
};

}  // namespace

TEST_CASE("a row in, a row out; a bad one has no answer and a reason") {
  Scratch s;
  s.write("in.csv", "id,x,city,prediction\n007,900,\"a,b\",q\n8,abc,,q\n9,,c,q\n10,1\n");
  const auto report = s.run(s.spec("out.csv"), "in.csv");
  REQUIRE_MESSAGE(report, (report ? "" : report.error().text()));
  CHECK(report->rows == 4);
  CHECK(report->failed == 2);
  CHECK(s.text("out.csv") ==
        "id,x,city,prediction,prediction_2,probability\n"
        "007,900,\"a,b\",q,yes,0.9\n8,abc,,q,,\n9,,c,q,yes,0.5\n10,1,,,,\n");
  CHECK(report->errors == s.path("out.csv.errors.csv"));
  CHECK(s.text("out.csv.errors.csv") ==
        "row,reason\n2,\"column `x`: expected a number, got \"\"abc\"\"\"\n"
        "4,\"the row has 2 cells, the first row has 4\"\n");
  CHECK(base::list_folder(s.folder)->size() == 4);  // in, out, errors, tmp: nothing is left behind

  const auto again = s.run(s.spec("out.csv"), "in.csv");
  REQUIRE_FALSE(again);
  CHECK(again.error().code == base::Code::kAlreadyExists);
  auto spec = s.spec("out.csv");
  spec.overwrite = true;
  spec.all_columns = false;
  spec.columns = {"id"};
  s.write("in.csv", "id,x\n1,100\n");
  REQUIRE(s.run(spec, "in.csv"));
  CHECK(s.text("out.csv") == "id,prediction,probability\n1,no,0.1\n");
  CHECK_FALSE(base::path_exists(s.path("out.csv.errors.csv")));  // those of the former output
}

TEST_CASE("no rows give an output without rows") {
  Scratch s;
  s.write("in.csv", "id,x,city\n");
  for (const char* output : {"out.csv", "out.parquet", "out.jsonl"}) {
    const auto report = s.run(s.spec(output), "in.csv");
    REQUIRE_MESSAGE(report, (report ? "" : report.error().text()));
    CHECK(report->rows == 0);
  }
  CHECK(s.text("out.csv") == "id,x,city,prediction,probability\n");
}

TEST_CASE(
    "whatever ends a batch, the next try goes on and the bytes are those of an undisturbed one") {
  Scratch s;
  s.write("in.csv", s.many(1000));
  for (const std::string kind : {"csv", "parquet"}) {
    auto spec = s.spec("whole." + kind);
    spec.shard_rows = 64;
    REQUIRE(s.run(spec, "in.csv"));
    const std::string whole = s.text("whole." + kind),
                      errors = s.text("whole." + kind + ".errors.csv");
    spec.output = s.path("out." + kind);
    std::uint64_t resumed = 0;
    // Every third durable step of the whole way is cut once.
    for (int step = 1; step < 90; step += 3) {
      base::set_faults("append.write:" + std::to_string(step % 30 + 1) + ":enospc");
      const std::size_t before = s.bundle->scored;
      const auto report = s.run(spec, "in.csv");
      base::set_faults("");
      if (!report) {
        CHECK(report.error().code == base::Code::kNoSpace);
        CHECK_FALSE(base::path_exists(spec.output));
        continue;
      }
      CHECK(s.bundle->scored - before == report->rows - report->resumed_rows);
      resumed = std::max(resumed, report->resumed_rows);
      CHECK(report->rows == 1000);
      CHECK(s.text("out." + kind) == whole);
      CHECK(s.text("out." + kind + ".errors.csv") == errors);
      REQUIRE(base::remove_tree(spec.output));
    }
    CHECK(resumed > 100);
  }
}

TEST_CASE("a torn journal line does not count; a changed input or model begins anew and says so") {
  Scratch s;
  s.write("in.csv", s.many(1000));
  auto spec = s.spec("out.csv");
  spec.shard_rows = 100;
  const auto cut = [&] {
    base::set_faults("append.write:12:eio");
    REQUIRE_FALSE(s.run(spec, "in.csv"));
    base::set_faults("");
  };
  cut();
  s.write("out.csv.batch", s.text("out.csv.batch") + "{\"rows\":100,\"fai");
  auto report = s.run(spec, "in.csv");
  REQUIRE_MESSAGE(report, (report ? "" : report.error().text()));
  CHECK(report->resumed_rows > 0);
  CHECK(report->note.empty());
  const std::string whole = s.text("out.csv");

  spec.overwrite = true;
  cut();
  s.write("in.csv", s.many(1000) + "x,1,1\n");
  report = s.run(spec, "in.csv");
  REQUIRE(report);
  CHECK(report->resumed_rows == 0);
  CHECK(report->rows == 1001);
  CHECK(report->note.find("the input changed") != std::string::npos);

  cut();
  spec.version = 2;
  report = s.run(spec, "in.csv");
  REQUIRE(report);
  CHECK(report->note.find("v2 now, it was halves v1") != std::string::npos);
  CHECK(s.text("out.csv").substr(0, whole.size()) == whole);
}

TEST_CASE("what cannot work is refused before a row is scored") {
  Scratch s;
  s.write("in.csv", "id,X\n1,2\n");
  const auto code = [&](const serve::BatchSpec& spec) {
    const auto report = s.run(spec, "in.csv");
    return report ? base::Code::kInternal : report.error().code;
  };
  CHECK(code(s.spec("out.csv")) == base::Code::kInvalidArgument);  // x is not there
  s.write("in.csv", "id,x\n1,2\n");
  auto spec = s.spec("out.csv");
  spec.all_columns = false;
  spec.columns = {"nope"};
  CHECK(code(spec) == base::Code::kInvalidArgument);
  CHECK(code(s.spec("out.xlsx")) == base::Code::kInvalidArgument);
  CHECK(code(s.spec("no/such/folder/out.csv")) == base::Code::kNotFound);
  spec = s.spec("out.csv");
  spec.shard_rows = 0;
  CHECK(code(spec) == base::Code::kInvalidArgument);
  CHECK(s.bundle->scored == 0);
}
