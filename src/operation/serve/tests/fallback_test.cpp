#include "fallback.h"

#include <doctest/doctest.h>

#include <cmath>

#include "fake_model.h"

using namespace maru;
using namespace maru::serve;
using namespace maru::serve::test;

namespace {

base::Json json(const char* text) {
  auto out = base::parse_json(text);
  REQUIRE(out);
  return *out;
}

EndpointConfig with_fallback(const char* fallback, const std::string& model = "m") {
  EndpointConfig config;
  config.name = "e";
  config.model = model;
  config.fallback = json(fallback);
  return config;
}

// The prediction for rows of any columns, and who gave it.
std::pair<int, std::vector<double>> ask_open(Server& server, const char* body, int version = 0) {
  model::Predictions out;
  CallOptions options;
  options.version = version;
  const auto answer = server.predict(
      "e", options,
      [&](const model::Signature& signature, model::InputBatch& batch) {
        return model::fill_from_text(signature, body, "instances", batch);
      },
      out);
  if (!answer) return {-1, {}};
  return {answer->version, out.scores};
}

}  // namespace

TEST_CASE("a fallback answers while there is no version, and the model from then on") {
  Stand stand(true);
  stand.source.set_newest(0);
  REQUIRE(stand.server->put_endpoint(with_fallback(R"({"prediction": 12.5})")));
  CHECK(stand.server->status("e")->state == "empty");
  const auto [version, scores] =
      ask_open(*stand.server, R"({"instances": [{"x": 1, "city": "Jeju"}, {}]})");
  CHECK(version == kFallbackVersion);
  CHECK(scores == std::vector<double>{12.5, 12.5});
  CHECK(stand.server->status("e")->fallback_answers == 1);
  CHECK(stand.sink.records.back().version == kFallbackVersion);
  CHECK(ask_open(*stand.server, R"({"instances": 3})").first == -1);        // still no rows
  CHECK(ask_open(*stand.server, R"({"instances": [{}]})", 7).first == -1);  // a version was named
  const auto chosen = stand.server->choose("e", {});
  REQUIRE_FALSE(chosen);
  CHECK(chosen.error().code == base::Code::kUnavailable);

  stand.source.set_newest(2);
  stand.source.point("champion", 2);
  REQUIRE(stand.server->refresh("m"));
  CHECK(ask_open(*stand.server, R"({"instances": [{"x": 1}]})").second ==
        std::vector<double>{2001});
  CHECK(ask_open(*stand.server, R"({"instances": [{"x": 1, "city": "Jeju"}]})").first == -1);
}

TEST_CASE(
    "a fallback answers when the model fails, after the stable arm, and not for a wrong input") {
  Stand stand(true);
  REQUIRE(stand.server->put_endpoint(with_fallback(R"({"prediction": -1})")));
  model::Predictions out;
  const auto failed = stand.server->predict(
      "e", {},
      [](const model::Signature& signature, model::InputBatch& batch) -> base::Status {
        batch.reset(signature, 1);
        for (auto& column : batch.columns) column.numbers = {NAN};
        return {};
      },
      out);
  REQUIRE(failed);
  CHECK(failed->version == kFallbackVersion);
  CHECK(out.scores == std::vector<double>{-1});
  CHECK_FALSE(stand.server->predict(
      "e", {},
      [](const model::Signature&, model::InputBatch&) -> base::Status {
        return base::fail(base::Code::kInvalidArgument, "wrong");
      },
      out));
  CHECK(stand.server->status("e")->fallback_answers == 1);
  // The failure is logged as the model's, the answer as the fallback's.
  REQUIRE(stand.sink.records.size() >= 2);
  CHECK_FALSE(stand.sink.records[0].error.empty());
  CHECK(stand.sink.records[1].version == kFallbackVersion);
  CHECK(stand.server->metrics_text().find("maru_fallback_answers_total{") != std::string::npos);
}

TEST_CASE("a fallback must be one, and answer as the model does") {
  Stand stand;
  CHECK_FALSE(stand.server->put_endpoint(
      with_fallback(R"({"prediction": "no", "classes": ["no", "yes"]})")));  // m is a regression
  for (const char* text :
       {R"({})", R"({"prediction": "no"})", R"({"prediction": "no", "classes": ["no"]})",
        R"({"prediction": "maybe", "classes": ["no", "yes"]})",
        R"({"prediction": 1, "classes": ["no", "yes"]})",
        R"({"prediction": "no", "classes": ["no", "yes"], "probability": 2})", R"({"predict": 1})",
        R"(3)", R"({"prediction": "b", "classes": ["a", "b", "c"], "probability": 0.1})"})
    CHECK_MESSAGE(!fallback_bundle(json(text)), text);
  const auto binary = fallback_bundle(
      json(R"({"prediction": "no", "classes": ["no", "yes"], "probability": 0.6})"));
  REQUIRE(binary);
  model::InputBatch batch;
  batch.rows = 1;
  model::Predictions out;
  REQUIRE((*binary)->evaluator().predict(batch, out));
  CHECK(model::prediction_json((*binary)->signature(), out, 0).dump() ==
        R"({"prediction":"no","probability":0.6})");
  const auto three = fallback_bundle(json(R"({"prediction": "b", "classes": ["a", "b", "c"]})"));
  REQUIRE(three);
  REQUIRE((*three)->evaluator().predict(batch, out));
  CHECK(out.scores == std::vector<double>{0, 1, 0});
}
