#include "maru/base/usage.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include "maru/base/process.h"

using namespace maru;

TEST_CASE("usage: this process, and one that it started while it runs and after it ended") {
  const base::ProcessUsage before = base::process_usage();
  CHECK(before.cpu_seconds > 0);
  CHECK(before.resident_bytes > 1'000'000);
  base::ProcessOptions options;
  options.environment = {"PATH=/usr/bin:/bin"};
  options.folder = "/tmp";
  options.command = {"sh", "-c",
                     "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo done; exec sleep 60"};
  {
    auto child = base::Process::start(options);
    REQUIRE(child);
    char byte = 0;
    REQUIRE(::read(child->output(), &byte, 1) == 1);  // it has counted
    const base::ProcessUsage running = base::process_usage();
    CHECK(running.children == before.children + 1);
    CHECK(running.children_cpu_seconds > before.children_cpu_seconds);
    CHECK(running.children_resident_bytes > before.children_resident_bytes);
  }
  const base::ProcessUsage after = base::process_usage();
  CHECK(after.children == before.children);
  CHECK(after.children_cpu_seconds > before.children_cpu_seconds);
}
