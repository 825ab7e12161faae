#include "shadow_book.h"

#include <doctest/doctest.h>

#include <thread>

#include "fake_model.h"
#include "maru/base/id.h"

using namespace maru;
using namespace maru::serve;
using namespace maru::serve::test;

TEST_CASE("differences of a shadow: known numbers, the newest rows, anew with another version") {
  ShadowBook book;
  CHECK(book.report(2).is_null());
  book.add(2, {{"a", 0.5, 0.5, true}, {"b", 0.5, 0.9, false}, {"c", 0.5, 0.3, true}});
  const base::Json report = book.report(2);
  CHECK(report["rows"].as_int() == 3);
  CHECK(report["same_class"].as_double() == doctest::Approx(2.0 / 3));
  CHECK(report["median"].as_double() == doctest::Approx(0.2));
  CHECK(report["mean"].as_double() == doctest::Approx(0.2 / 3));
  CHECK(report["bins"]["from"].as_double() == doctest::Approx(-0.4));
  std::int64_t counted = 0;
  for (const base::Json& n : report["bins"]["counts"].items()) counted += n.as_int();
  CHECK(counted == 3);
  CHECK(report["bins"]["counts"].at(kShadowBins / 2).as_int() == 1);  // no difference: the middle
  CHECK(report["bins"]["counts"].at(kShadowBins - 1).as_int() == 1);
  CHECK(report["worst"].at(0)["id"].as_string() == "b");
  CHECK(report["worst"].at(0)["difference"].as_double() == doctest::Approx(0.4));
  CHECK(book.report(3).is_null());
  for (std::size_t i = 0; i < kShadowKept + 10; ++i) book.add(3, {{"x", 0, 0, true}});
  CHECK(book.report(3)["rows"].as_int() == static_cast<std::int64_t>(kShadowKept));
  CHECK(book.report(3)["median"].as_double() == 0);
  CHECK(book.report(2).is_null());
}

TEST_CASE(
    "a planted change of the model is in the endpoint's evidence, with the ids of the calls") {
  Stand stand;
  REQUIRE(stand.put(R"({"kind": "weighted", "arms": [{"version": 1}], "shadow": 2})"));
  model::Predictions out;
  for (int i = 0; i < 3; ++i) REQUIRE(stand.server->predict("e", {}, rows({1.0 * i, 2}), out));
  while (stand.server->status("e")->shadow_requests < 3) std::this_thread::yield();
  while (stand.server->status("e")->shadow_evidence["rows"].as_int() < 6) std::this_thread::yield();
  const base::Json evidence = stand.server->status("e")->shadow_evidence;
  CHECK(evidence["mean"].as_double() == doctest::Approx(1000));  // version 2 answers 1000 more
  CHECK(base::is_id(evidence["worst"].at(0)["id"].as_string().substr(0, 32)));
}
