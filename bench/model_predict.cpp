// What one prediction costs: JSON text -> batch, native plan, ONNX Runtime; 300 trees on 20 raw columns, as a served model has.
#define DOCTEST_CONFIG_IMPLEMENT
#include <cstdio>
#include <cstdlib>

#include "graphs.h"
#include "maru/base/file.h"

namespace {

using namespace graphs;

constexpr const char* kNumbers[] = {"age", "visits", "member", "city", "plan", "signup"};

// Three copies of the test columns with seeds of their own and one timestamp: 16 columns, and 4 more numbers.
Table wide_table(std::size_t rows) {
  Table out;
  for (std::uint64_t copy = 0; copy < 4; ++copy) {
    Table part = table(rows, copy + 1);
    for (std::size_t c = 0; c < part.columns.size(); ++c) {
      if (copy > 0 && c == 5) continue;
      if (copy == 3 && c > 3) continue;
      part.columns[c].name =
          std::string(kNumbers[c]) + (copy == 0 ? "" : "_" + std::to_string(copy));
      out.columns.push_back(part.columns[c]);
    }
  }
  return out;
}

Model wide_model(std::int64_t trees, int depth) {
  Model out;
  out.rows = wide_table(4000);
  std::vector<std::string> columns;
  for (const Column& c : out.rows.columns) columns.push_back(c.name);
  transform::FitOptions options;
  const auto plan = transform::fit_features(out.rows, columns, target(out.rows), options);
  out.signature = signature_of(*plan, out.rows);
  out.graph = *transform::emit_features(*plan);
  out.features = *model::run_features(out.graph, out.signature, out.rows);
  ForestMaker maker{
      out.features, base::Rng(7), 1, {"BRANCH_LEQ"}, {}, {}, {}, {}, {}, {}, {}, {}, {},
      {},           {},           {}};
  maker.append(out.graph, "features", trees, depth, model::Task::kBinary);
  std::printf("%zu raw columns, %zu features, %lld trees, %zu nodes\n", columns.size(),
              plan->feature_names.size(), static_cast<long long>(trees), maker.tree.size());
  return out;
}

// Median of nine rounds, in microseconds a call.
template <class F>
double micros(int calls, F f) {
  std::vector<double> rounds;
  for (int round = 0; round < 9; ++round) {
    const std::int64_t from = base::system_clock().monotonic_ns();
    for (int i = 0; i < calls; ++i) f(i);
    rounds.push_back(static_cast<double>(base::system_clock().monotonic_ns() - from) / 1000 /
                     calls);
  }
  std::sort(rounds.begin(), rounds.end());
  return rounds[4];
}

std::string body_of(const Model& m, std::size_t row) {
  base::Json object = base::Json::object();
  for (const Column& c : m.rows.columns) {
    if (!c.is_valid(row))
      object.set(c.name, nullptr);
    else if (c.type == ColumnType::kFloat)
      object.set(c.name, std::floor(c.reals[row] * 10) / 10);
    else if (c.type == ColumnType::kText)
      object.set(c.name, c.text(row));
    else if (c.type == ColumnType::kTimestamp)
      object.set(c.name, base::format_time_us(c.integers[row]));
    else
      object.set(c.name, c.integers[row]);
  }
  base::Json rows = base::Json::array();
  rows.push(std::move(object));
  return base::Json::object({{"instances", std::move(rows)}}).dump();
}

void measure_engine(const char* name, const Model& m, const model::Evaluator& evaluator) {
  std::vector<model::InputBatch> single;
  for (std::size_t r = 0; r < 256; ++r) single.push_back(batch_of(m, m.rows.slice(r, 1)));
  const auto batch = batch_of(m, m.rows.slice(0, 1000));
  model::Predictions out;
  const double one = micros(2000, [&](int i) {
    (void)evaluator.predict(single[static_cast<std::size_t>(i) % 256], out);
  });
  const double many = micros(3, [&](int) { (void)evaluator.predict(batch, out); });
  std::printf("%-12s single row %7.2f us   1000 rows %7.0f krow/s\n", name, one,
              1000 / many * 1000);
}

}  // namespace

int main() {
  doctest::Context context;
  context.setAsDefaultForAssertsOutOfTestCases();
  const Model m = wide_model(300, 7);
  const auto fast = native(m), slow = onnxruntime(m);
  measure_engine("native", m, *fast);
  measure_engine("onnxruntime", m, *slow);
  std::vector<std::string> bodies;
  for (std::size_t r = 0; r < 256; ++r) bodies.push_back(body_of(m, r));
  model::InputBatch batch;
  for (std::size_t r = 0; r < bodies.size(); ++r) {
    const auto filled = model::fill_from_text(m.signature, bodies[r], "instances", batch);
    if (!filled || batch.columns[3].texts[0] != m.rows.columns[3].text(r))
      return std::printf("row %zu does not come back\n", r), 1;
  }
  std::printf("%-12s single row %7.2f us   (%zu bytes; target 4 us for 12 inputs)\n", "JSON",
              micros(2000,
                     [&](int i) {
                       (void)model::fill_from_text(m.signature,
                                                   bodies[static_cast<std::size_t>(i) % 256],
                                                   "instances", batch);
                     }),
              bodies[0].size());
  const std::string folder =
      "/tmp/maru-bench-model-" + std::to_string(base::system_clock().monotonic_ns());
  model::BundleFacts facts;
  facts.signature = m.signature;
  facts.sample = m.rows;
  const auto made =
      model::Bundle::create(folder, m.graph, facts, m.rows, predict(*slow, batch_of(m, m.rows)));
  if (!made) return std::printf("%s\n", made.error().text().c_str()), 1;
  std::printf("%-12s load %.1f ms, %s on disk, %s in memory\n", "bundle",
              micros(3, [&](int) { (void)model::Bundle::load(folder); }) / 1000,
              std::to_string((*made)->file_bytes()).c_str(),
              std::to_string((*made)->memory_bytes()).c_str());
  return base::remove_tree(folder) ? 0 : 1;
}
