#include <doctest/doctest.h>

#include <chrono>

#include "fake_model.h"

using namespace maru;
using namespace maru::serve;
using namespace maru::serve::test;

// The bound is loose on purpose (sanitizers, busy machines); the message has the number that counts: below 1 µs in a release build.
TEST_CASE("what a call costs beside the model") {
  Stand stand;
  REQUIRE(stand.put(R"({"arms":[{"version":1,"weight":1},{"version":2,"weight":1}]})"));
  const Server::Fill fill = rows({7});
  model::Predictions out;
  const auto model = stand.server->choose("e", {});
  REQUIRE(model);
  const int n = 20'000;
  const auto per_call = [&](auto&& body) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < n; ++i) body();
    return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start)
               .count() /
           n;
  };
  model::InputBatch batch;
  const double bare = per_call([&] {
    (void)fill(model->bundle->signature(), batch);
    (void)model->bundle->evaluator().predict(batch, out);
  });
  CallOptions call;
  const double served = per_call([&] { (void)stand.server->predict("e", call, fill, out); });
  MESSAGE("served " << served << " ns, bare " << bare << " ns, overhead " << served - bare
                    << " ns");
  CHECK(served - bare < 50'000);
}
