#include <cstring>

#include "graphs.h"
#include "onnx_io.h"
#include "plan.h"

using namespace graphs;

namespace {

std::size_t differing_bits(const std::vector<double>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  std::size_t out = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    out += std::memcmp(&a[i], &b[i], sizeof(double)) == 0 ? 0 : 1;
  return out;
}
double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  double out = 0;
  for (std::size_t i = 0; i < a.size(); ++i) out = std::max(out, std::fabs(a[i] - b[i]));
  return out;
}

// Rows whose numbers lie on thresholds and on both neighbours of them, as float and as double.
Table hostile_rows(const Model& m) {
  Table rows = table(3000, 99);
  base::Rng rng(5);
  auto& age = rows.columns[0];
  for (std::size_t r = 0; r < rows.rows(); ++r) {
    double value = m.rows.columns[0].number(rng.below(m.rows.rows()));
    if (std::isnan(value)) continue;
    switch (rng.below(6)) {
      case 0:
        value = std::nextafter(value, 1e9);
        break;
      case 1:
        value = std::nextafter(value, -1e9);
        break;
      case 2:
        value = static_cast<double>(static_cast<float>(value));
        break;
      case 3:
        value = static_cast<double>(std::nextafterf(static_cast<float>(value), 1e9f));
        break;
      case 4:
        value = static_cast<double>(std::nextafterf(static_cast<float>(value), -1e9f));
        break;
      default:
        break;
    }
    age.valid[r] = 1;
    age.reals[r] = value;
  }
  age.reals[0] = std::numeric_limits<double>::infinity();
  age.reals[1] = -std::numeric_limits<double>::infinity();
  age.reals[2] = -0.0;
  return rows;
}

}  // namespace

TEST_CASE(
    "raw tree sums of the native plan equal ONNX Runtime's bit for bit, on hostile rows too") {
  for (const auto& modes : std::vector<std::vector<std::string>>{
           {"BRANCH_LEQ"}, {"BRANCH_LT"}, {"BRANCH_GT"}, {"BRANCH_GTE"}, {"BRANCH_LEQ"}}) {
    for (const std::int64_t trees : {1, 7, 8, 9, 61}) {
      for (const int depth : {5, 6, 7}) {  // at most 32, 64 and more leaves: each has its own walk
        const Model m = tree_model(400, trees, depth, model::Task::kRegression, 1, modes);
        const auto fast = native(m), slow = onnxruntime(m);
        const auto batch = batch_of(m, hostile_rows(m));
        CHECK(differing_bits(predict(*fast, batch).scores, predict(*slow, batch).scores) == 0);
      }
    }
  }
}

TEST_CASE("several targets, deep trees, and stumps that are leaves") {
  for (const int depth : {4, 6}) {
    const Model many = tree_model(400, 30, depth, model::Task::kRegression, 3);
    CHECK(differing_bits(predict(*native(many), batch_of(many, many.rows)).scores,
                         predict(*onnxruntime(many), batch_of(many, many.rows)).scores) == 0);
  }
  const Model deep = tree_model(300, 5, 14, model::Task::kRegression);
  CHECK(differing_bits(predict(*native(deep), batch_of(deep, deep.rows)).scores,
                       predict(*onnxruntime(deep), batch_of(deep, deep.rows)).scores) == 0);
  const Model flat = tree_model(100, 3, 0, model::Task::kRegression);
  CHECK(differing_bits(predict(*native(flat), batch_of(flat, flat.rows)).scores,
                       predict(*onnxruntime(flat), batch_of(flat, flat.rows)).scores) == 0);
}

TEST_CASE("probabilities agree with ONNX Runtime: trees, many classes, linear") {
  for (const Model& m :
       {tree_model(1000, 50, 6), tree_model(1000, 60, 5, model::Task::kMulticlass, 4),
        linear_model(1000), linear_model(1000, 5)}) {
    const auto batch = batch_of(m, table(2000, 17));
    const auto fast = predict(*native(m), batch), slow = predict(*onnxruntime(m), batch);
    CHECK(fast.width == slow.width);
    CHECK(largest_difference(fast.scores, slow.scores) < 1e-12);
  }
}

TEST_CASE("a row alone and in any batch has the same bits; no rows give no answers") {
  for (const Model& m :
       {tree_model(500, 40, 6), tree_model(500, 40, 4),
        tree_model(300, 30, 5, model::Task::kMulticlass, 3), linear_model(500, 3)}) {
    const auto fast = native(m), slow = onnxruntime(m);
    const Table rows = table(150, 23);
    const auto whole = predict(*fast, batch_of(m, rows));
    const auto reference = predict(*slow, batch_of(m, rows));
    std::vector<double> single, single_reference;
    for (std::size_t r = 0; r < rows.rows(); ++r) {
      const auto one = predict(*fast, batch_of(m, rows.slice(r, 1)));
      single.insert(single.end(), one.scores.begin(), one.scores.end());
      const auto other = predict(*slow, batch_of(m, rows.slice(r, 1)));
      single_reference.insert(single_reference.end(), other.scores.begin(), other.scores.end());
    }
    CHECK(differing_bits(whole.scores, single) == 0);
    // ONNX Runtime's exp takes whole vectors and the rest of a batch by different code: its last bit may change.
    CHECK(largest_difference(reference.scores, single_reference) < 1e-15);
    CHECK(predict(*fast, batch_of(m, rows.slice(0, 0))).scores.empty());
    CHECK(predict(*slow, batch_of(m, rows.slice(0, 0))).scores.empty());
  }
}

TEST_CASE("a batch that does not fit the signature is refused") {
  const Model m = tree_model(200, 3, 3);
  const auto fast = native(m);
  model::InputBatch batch = batch_of(m, m.rows);
  batch.columns[0].numbers.pop_back();
  model::Predictions out;
  CHECK(!fast->predict(batch, out));
  batch.columns.pop_back();
  CHECK(!fast->predict(batch, out));
}

TEST_CASE("a graph survives ONNX bytes; the same graph gives the same bytes") {
  const Model m = tree_model(300, 20, 5);
  const auto bytes = model::write_onnx(m.graph, base::Json::object({{"a", "b"}}));
  REQUIRE(bytes);
  CHECK(*bytes == *model::write_onnx(m.graph, base::Json::object({{"a", "b"}})));
  base::Json metadata;
  const auto back = model::read_onnx(*bytes, &metadata);
  REQUIRE_MESSAGE(back, (back ? "" : back.error().text()));
  CHECK(metadata["a"].as_string() == "b");
  CHECK(*model::write_onnx(*back, base::Json::object({{"a", "b"}})) == *bytes);
}

TEST_CASE("what the plan does not know is named, and runs in ONNX Runtime") {
  Model m = tree_model(200, 3, 3);
  m.graph.nodes.back().outputs = {"odds"};
  m.graph.add("Ceil", {"odds"}, {"scores"});
  const auto refused = model::compile_native(m.graph, m.signature);
  REQUIRE(!refused);
  CHECK(refused.error().code == base::Code::kUnimplemented);
  CHECK(refused.error().message.find("Ceil") != std::string::npos);
  CHECK(predict(*onnxruntime(m), batch_of(m, m.rows)).rows == 200);
}

TEST_CASE("graphs that make no sense are refused before anything runs") {
  const Model good = tree_model(200, 3, 3);
  Model m = good;
  std::swap(m.graph.nodes.front(), m.graph.nodes.back());
  CHECK(!model::compile_native(m.graph, m.signature));
  CHECK(!model::write_onnx(m.graph, base::Json::object()));
  m = good;
  m.graph.nodes.push_back(m.graph.nodes.back());
  CHECK(!model::write_onnx(m.graph, base::Json::object()));
  m = good;
  m.signature.inputs.pop_back();
  CHECK(!model::compile_native(m.graph, m.signature));
  m = good;
  m.signature.inputs[0].kind = model::InputKind::kText;
  CHECK(!model::compile_native(m.graph, m.signature));
  // A tree whose child points back at the root.
  m = good;
  for (transform::Node& node : m.graph.nodes)
    if (node.op == "TreeEnsembleRegressor")
      std::get<std::vector<std::int64_t>>(node.attributes["nodes_truenodeids"])[0] = 0;
  const auto cyclic = model::compile_native(m.graph, m.signature);
  REQUIRE(!cyclic);
  CHECK(cyclic.error().code == base::Code::kDataLoss);
}

TEST_CASE("flipped bits in a model file are an error or another model, never a crash") {
  const Model m = tree_model(200, 6, 4);
  const auto batch = batch_of(m, m.rows);
  const std::string bytes = *model::write_onnx(m.graph, base::Json::object());
  base::Rng rng(11);
  std::size_t refused = 0, ran = 0;
  for (int i = 0; i < 6000; ++i) {
    std::string broken = bytes;
    const auto flips = 1 + rng.below(3);
    for (std::uint64_t f = 0; f < flips; ++f) {
      // Half of them in the structure near the ends, half anywhere.
      const std::size_t at = rng.below(2) == 0
                                 ? rng.below(broken.size())
                                 : rng.below(std::min<std::size_t>(broken.size(), 1500));
      broken[at] = static_cast<char>(broken[at] ^ (1 << rng.below(8)));
    }
    if (rng.below(10) == 0) broken.resize(rng.below(broken.size()));
    const auto graph = model::read_onnx(broken);
    if (!graph) {
      ++refused;
      continue;
    }
    const auto plan = model::compile_plan(*graph, m.signature);
    if (!plan) {
      ++refused;
      continue;
    }
    std::vector<double> out;
    CHECK(plan->run(batch, out));
    ++ran;
  }
  CHECK(refused > 100);
  CHECK(ran > 100);
}
