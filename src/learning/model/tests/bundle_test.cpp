#include <cstdlib>
#include <thread>

#include "graphs.h"
#include "maru/base/file.h"
#include "maru/base/id.h"
#include "maru/model/postprocess.h"

using namespace graphs;

namespace {

// A folder that is gone afterwards.
struct Folder {
  std::string path = "/tmp/maru-model-test-" + base::new_id(base::system_clock());
  Folder() { REQUIRE(base::make_folders(path)); }
  ~Folder() { (void)base::remove_tree(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string at(const char* name) const { return base::join_path(path, name); }
};

model::BundleFacts facts_of(const Model& m) {
  model::BundleFacts facts;
  facts.signature = m.signature;
  facts.metadata = base::Json::object({{"learner", "test"}, {"quality", 0.75}});
  facts.sample = m.rows;
  return facts;
}

std::shared_ptr<const model::Bundle> make(const Model& m, const std::string& folder) {
  const auto expected = predict(*onnxruntime(m), batch_of(m, m.rows));
  auto bundle = model::Bundle::create(folder, m.graph, facts_of(m), m.rows, expected);
  REQUIRE_MESSAGE(bundle, (bundle ? "" : bundle.error().text()));
  return *bundle;
}

}  // namespace

TEST_CASE("a bundle is written, replayed, loaded and answers the same") {
  const Folder folder;
  for (const Model& m : {tree_model(600, 40, 6), linear_model(600, 3),
                         tree_model(300, 5, 4, model::Task::kRegression)}) {
    const std::string at =
        folder.at(std::string("model-" + std::to_string(m.graph.nodes.size())).c_str());
    const auto made = make(m, at);
    const auto loaded = model::Bundle::load(at);
    REQUIRE_MESSAGE(loaded, (loaded ? "" : loaded.error().text()));
    CHECK((*loaded)->evaluator().engine() == "native");
    CHECK((*loaded)->evaluator().reason().find("256 sample rows") != std::string::npos);
    CHECK((*loaded)->sample().rows() == 256);
    CHECK((*loaded)->metadata()["quality"].as_double() == 0.75);
    CHECK((*loaded)->signature().to_json().dump() == m.signature.to_json().dump());
    CHECK((*loaded)->file_bytes() > 1000);
    CHECK((*loaded)->memory_bytes() > 1000);
    const auto batch = batch_of(m, table(100, 5));
    CHECK(predict((*loaded)->evaluator(), batch).scores ==
          predict(made->evaluator(), batch).scores);
    for (const char* name : {"MLmodel", "conda.yaml", "python_env.yaml", "requirements.txt",
                             "model.onnx", "maru.json", "sample.json"})
      CHECK(base::path_exists(base::join_path(at, name)));
  }
}

TEST_CASE("the same model gives the same bytes") {
  const Folder folder;
  const Model m = tree_model(300, 10, 5);
  make(m, folder.at("one"));
  make(m, folder.at("two"));
  for (const char* name : {"MLmodel", "model.onnx", "maru.json", "sample.json"})
    CHECK(*base::read_file(folder.at("one") + "/" + name) ==
          *base::read_file(folder.at("two") + "/" + name));
}

TEST_CASE("answers that the stored graph does not repeat are refused, and nothing is left behind") {
  const Folder folder;
  const Model m = tree_model(300, 10, 5);
  auto expected = predict(*onnxruntime(m), batch_of(m, m.rows));
  expected.scores[123] += 3e-6;
  const auto refused =
      model::Bundle::create(folder.at("model"), m.graph, facts_of(m), m.rows, expected);
  REQUIRE(!refused);
  CHECK(refused.error().code == base::Code::kRefused);
  CHECK(refused.error().message.find("row 123") != std::string::npos);
  CHECK(base::list_folder(folder.path)->empty());
  expected.scores[123] -= 3e-6;
  REQUIRE(model::Bundle::create(folder.at("model"), m.graph, facts_of(m), m.rows, expected));
  const auto twice =
      model::Bundle::create(folder.at("model"), m.graph, facts_of(m), m.rows, expected);
  REQUIRE(!twice);
  CHECK(twice.error().code == base::Code::kAlreadyExists);
  CHECK(base::list_folder(folder.path)->size() == 1);
}

TEST_CASE(
    "without sample rows, or with a node that the plan does not know, ONNX Runtime serves and says "
    "why") {
  const Folder folder;
  Model m = tree_model(300, 4, 4);
  const auto expected = predict(*onnxruntime(m), batch_of(m, m.rows));
  auto facts = facts_of(m);
  facts.sample = m.rows.slice(0, 0);
  const auto bare = model::Bundle::create(folder.at("bare"), m.graph, facts, m.rows, expected);
  REQUIRE_MESSAGE(bare, (bare ? "" : bare.error().text()));
  CHECK((*bare)->evaluator().engine() == "onnxruntime");
  CHECK((*bare)->memory_bytes() > 0);
  m.graph.nodes.back().outputs = {"odds"};
  m.graph.add("Ceil", {"odds"}, {"scores"});
  const auto raised = make(m, folder.at("raised"));
  CHECK(raised->evaluator().engine() == "onnxruntime");
  CHECK(raised->evaluator().reason().find("Ceil") != std::string::npos);
}

TEST_CASE("a damaged folder is named and never served") {
  const Folder folder;
  const Model m = tree_model(200, 4, 4);
  make(m, folder.at("model"));
  base::Rng rng(4);
  std::size_t refused = 0;
  for (const char* name :
       {"model.onnx", "sample.json", "maru.json", "MLmodel", "requirements.txt"}) {
    const std::string path = base::join_path(folder.at("model"), name);
    const std::string good = *base::read_file(path);
    for (int i = 0; i < 60; ++i) {
      std::string bad = good;
      if (i == 0)
        bad.clear();
      else if (i == 1)
        bad.resize(bad.size() / 2);
      else
        bad[rng.below(bad.size())] ^= static_cast<char>(1 << rng.below(7));
      REQUIRE(base::write_file_atomic(path, bad));
      const auto loaded = model::Bundle::load(folder.at("model"));
      // White space in maru.json says nothing; everything else must be noticed.
      if (!loaded) {
        ++refused;
        CHECK_MESSAGE(loaded.error().code != base::Code::kInternal, loaded.error().text());
      } else {
        CHECK(std::string(name) == "maru.json");
      }
    }
    REQUIRE(base::write_file_atomic(path, good));
  }
  CHECK(refused > 290);
  CHECK(model::Bundle::load(folder.at("model")));
  REQUIRE(base::remove_tree(base::join_path(folder.at("model"), "MLmodel")));
  const auto lacking = model::Bundle::load(folder.at("model"));
  REQUIRE(!lacking);
  CHECK(lacking.error().code == base::Code::kDataLoss);
  const auto nothing = model::Bundle::load(folder.at("nothing"));
  REQUIRE(!nothing);
  CHECK(nothing.error().code == base::Code::kNotFound);
}

TEST_CASE("many threads ask one bundle at once and get the same bits") {
  const Folder folder;
  const Model m = tree_model(400, 30, 6);
  const auto bundle = make(m, folder.at("model"));
  const auto batch = batch_of(m, m.rows);
  const auto want = predict(bundle->evaluator(), batch).scores;
  std::vector<std::thread> threads;
  std::vector<int> same(4, 0);
  for (std::size_t t = 0; t < same.size(); ++t)
    threads.emplace_back([&, t] {
      model::Predictions out;
      bool equal = true;
      for (int i = 0; i < 20; ++i)
        equal = equal && bundle->evaluator().predict(batch, out).has_value() && out.scores == want;
      same[t] = equal ? 1 : 0;
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(same == std::vector<int>(4, 1));
}

// For tests/clients/test_bundle_mlflow.py: leaves bundles and what they answer in the folder of MARU_BUNDLE_OUT.
namespace {

Model processed(Model m, const char* declared) {
  const auto json = base::parse_json(declared);
  REQUIRE(json);
  const auto post = model::Postprocess::from_json(*json);
  REQUIRE(post);
  REQUIRE(post->append(m.graph, m.signature));
  return m;
}

}  // namespace

TEST_CASE("bundles for other clients") {
  const char* out = std::getenv("MARU_BUNDLE_OUT");
  if (out == nullptr) return;
  const std::vector<std::pair<std::string, Model>> models = {
      {"trees", tree_model(600, 40, 6)},
      {"linear", linear_model(600)},
      {"classes", tree_model(600, 30, 5, model::Task::kMulticlass, 3)},
      {"regression", tree_model(600, 30, 5, model::Task::kRegression)},
      {"calibrated",
       processed(
           tree_model(600, 40, 6),
           R"({"calibration": {"slope": 1.6, "intercept": -0.3}, "clamp": {"min": 0.05}, "round": 3})")},
      {"seconds",
       processed(
           tree_model(600, 30, 5, model::Task::kRegression),
           R"({"unit": {"name": "seconds", "multiply": 60, "offset": 2}, "clamp": {"max": 40}, "round": 1})")}};
  REQUIRE(base::make_folders(out));
  for (const auto& [name, m] : models) {
    const std::string folder = base::join_path(out, name);
    REQUIRE(base::remove_tree(folder));
    const auto bundle = make(m, folder);
    const auto answers = predict(bundle->evaluator(), batch_of(m, m.rows));
    base::Json columns = base::Json::object(), scores = base::Json::array();
    for (const Column& c : m.rows.columns) {
      base::Json values = base::Json::array();
      for (std::size_t r = 0; r < m.rows.rows(); ++r) {
        if (!c.is_valid(r))
          values.push(nullptr);
        else if (c.type == ColumnType::kFloat)
          values.push(c.reals[r]);
        else if (c.type == ColumnType::kText)
          values.push(c.text(r));
        else
          values.push(c.integers[r]);
      }
      columns.set(c.name, std::move(values));
    }
    for (const double s : answers.scores) scores.push(s);
    const auto expected = base::Json::object(
        {{"columns", std::move(columns)}, {"scores", std::move(scores)}, {"width", answers.width}});
    REQUIRE(base::write_file_atomic(folder + ".expected.json", expected.dump()));
  }
}
