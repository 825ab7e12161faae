// Documents that people send or edit (schema, endpoint, monitor, pipeline) and that a bundle carries (signature, plan, profile, report):
// read or refused, and what is read is written and read again.
#include <cstdio>

#include "driver.h"
#include "maru/base/check.h"
#include "maru/evaluate/evaluate.h"
#include "maru/model/model.h"
#include "maru/monitor/monitor.h"
#include "maru/pipeline/pipeline.h"
#include "maru/serve/serve.h"
#include "maru/stats/profile.h"
#include "maru/stats/schema.h"
#include "maru/transform/features.h"
#include "shape.h"

using namespace maru;
using base::Json;

namespace {

template <class Document>
void round_trip(const Json& json) {
  const auto read = Document::from_json(json);
  if (!read) {
    MARU_CHECK(read.error().code == base::Code::kInvalidArgument ||
               read.error().code == base::Code::kDataLoss ||
               read.error().code == base::Code::kTooLarge);
    return;
  }
  const Json written = read->to_json();
  const auto text = base::parse_json(written.dump());
  MARU_CHECK(text.has_value());
  const auto again = Document::from_json(*text);
  if (!again)
    std::fprintf(stderr, "%s\n%s\n", again.error().message.c_str(), written.dump().c_str());
  MARU_CHECK(again.has_value());
  // A negative count becomes a count at the first reading; from then on nothing changes.
  const Json settled = again->to_json();
  const auto third = Document::from_json(settled);
  MARU_CHECK(third.has_value());
  const std::string before = settled.dump(), after = third->to_json().dump();
  if (before != after) std::fprintf(stderr, "%s\n%s\n", before.c_str(), after.c_str());
  MARU_CHECK(before == after);
}

void round_trips(const Json& json) {
  round_trip<stats::Schema>(json);
  round_trip<stats::Profile>(json);
  round_trip<model::Signature>(json);
  round_trip<transform::FeaturePlan>(json);
  round_trip<evaluate::Report>(json);
  round_trip<serve::EndpointConfig>(json);
  round_trip<monitor::MonitorConfig>(json);
  round_trip<pipeline::PipelineSpec>(json);
}

data::Table table() {
  data::Table out;
  data::Column age, city;
  age.name = "age";
  city.name = "city";
  city.type = data::ColumnType::kText;
  city.dictionary = {"a", "b"};
  for (int i = 0; i < 40; ++i) {
    age.reals.push_back(i * 1.5);
    city.codes.push_back(i % 3 - 1);
  }
  out.columns = {age, city};
  return out;
}

}  // namespace

std::vector<std::string> fuzz_seeds() {
  const data::Table rows = table();
  const stats::Profile profile = stats::profile_table(rows);
  const auto plan = transform::fit_features(rows, {"age", "city"}, rows.columns[0].reals, {});
  MARU_CHECK(plan.has_value());
  model::Signature signature;
  model::set_inputs(*plan, rows, signature);
  signature.classes = {"0", "1"};
  signature.label = "late";
  return {
      stats::infer_schema(profile).to_json().dump(),
      profile.to_json().dump(),
      plan->to_json().dump(),
      signature.to_json().dump(),
      monitor::MonitorConfig().to_json().dump(),
      R"({"name":"e","model":"m","route":{"kind":"weights","arms":[{"selector":"champion","weight":0.9},{"version":2,"weight":0.1}],"sticky":"user","shadow":"challenger"}})",
      R"({"name":"p","tasks":[{"name":"a","kind":"ingest","params":{"x":1},"after":[]},{"name":"b","kind":"train","after":["a"],"retries":2,"timeout_s":5}]})",
      R"({"task":"binary","metric":"roc_auc","rows":5,"metrics":{"roc_auc":{"value":0.7,"low":0.6,"high":0.8}},"threshold":0.4,"confusion":[[1,2],[3,4]],"classes":["0","1"],"slices":[{"column":"city","value":"a","rows":3,"metrics":{}}],"curves":{}})"};
}

void fuzz_one(std::string_view input) {
  static const std::vector<std::string> kSeeds = fuzz_seeds();
  if (const auto json = base::parse_json(input)) round_trips(*json);
  base::Rng rng = rng_of(input);
  const auto seed = base::parse_json(kSeeds[rng.below(kSeeds.size())]);
  MARU_CHECK(seed.has_value());
  const auto odd = base::parse_json(misshape(*seed, rng, input).dump());  // as it comes in: UTF-8
  MARU_CHECK(odd.has_value());
  round_trips(*odd);
}
