// The n-th durable step of a script fails, for every n: each call is done wholly or not at all, what was acknowledged is there, and doing
// it again ends well.
#include <algorithm>
#include <functional>

#include "house.h"
#include "maru/base/fault.h"

namespace maru::tracking {
namespace {

using base::Code;
using base::Result;
using base::Status;

constexpr const char* kProject = "default";
enum class Seen { kAbsent, kWhole, kPartly };

Seen of(std::size_t found, std::size_t all) {
  if (found == 0) return Seen::kAbsent;
  return found == all ? Seen::kWhole : Seen::kPartly;
}
Seen is(bool there) { return there ? Seen::kWhole : Seen::kAbsent; }

// A call that may be made again, and how much of it can be seen.
struct Step {
  std::string name;
  std::function<Status(TestHouse&)> act;
  std::function<Seen(TestHouse&)> look;
};

template <class T>
Status status_of(const Result<T>& result) {
  if (result) return {};
  return tl::unexpected(result.error());
}

SpanBatch spans() {
  SpanBatch out;
  out.resources.push_back(base::Json::object());
  for (const char* id : {"00000000000000a1", "00000000000000a2", "00000000000000a3"}) {
    ReceivedSpan& received = out.spans.emplace_back();
    received.span.trace_id = std::string(31, '0') + "9";
    received.span.span_id = id;
    received.span.name = id;
    received.span.start_ns = 1;
    received.span.end_ns = 2;
    received.bytes = write_span(received.span);
  }
  return out;
}

Status upload_in_parts(TestHouse& house, const std::string& run) {
  auto& artifacts = house.tracking->artifacts();
  TRY_ASSIGN(const std::string upload, artifacts.begin_upload(run, "parts/whole.bin", 2));
  std::vector<UploadPart> parts;
  for (const int number : {1, 2}) {
    TRY_ASSIGN(const auto writer, artifacts.create_part(upload, number));
    TRY(writer->write(std::string(60'000, static_cast<char>('a' + number))));
    TRY_ASSIGN(const Artifact part, writer->commit());
    parts.push_back({number, part.sha256});
  }
  return artifacts.complete_upload(upload, {run, "parts/whole.bin"}, parts);
}

Step file_step(const char* name, const std::string& run, const std::string& path,
               const std::string& bytes, const std::string& before) {
  return {
      name,
      [=](TestHouse& house) { return house.tracking->artifacts().put_artifact(run, path, bytes); },
      [=](TestHouse& house) {
        const auto found = house.tracking->artifacts().read_artifact(run, path);
        const std::string text = found ? *found : "";
        if (text == bytes) return Seen::kWhole;
        return text.empty() || text == before ? Seen::kAbsent : Seen::kPartly;
      }};
}

std::vector<Step> script(const std::string& experiment, const std::string& run) {
  RunBatch batch;
  batch.params = {{"depth", "3"}};
  batch.tags = {{"team", "core"}};
  for (int i = 0; i < 300; ++i) batch.metrics.push_back({"loss", 1.0 / (i + 1), i, 1000 + i});
  return {{"log", [=](TestHouse& house) { return house.runs().log(run, batch); },
           [=](TestHouse& house) {
             const auto found = house.runs().get_run(run);
             REQUIRE(found.has_value());
             const auto history = house.runs().metric_history(run, "loss");
             REQUIRE(history.has_value());
             return of(history->size() + found->params.size() + found->tags.count("team"), 302);
           }},
          file_step("put", run, "a/b.bin", std::string(100'000, 'x'), ""),
          file_step("put over it", run, "a/b.bin", "other", std::string(100'000, 'x')),
          {"upload in parts", [=](TestHouse& house) { return upload_in_parts(house, run); },
           [=](TestHouse& house) {
             const auto found = house.tracking->artifacts().read_artifact(run, "parts/whole.bin");
             return found ? of(found->size(), 120'000) : Seen::kAbsent;
           }},
          {"create model",
           [](TestHouse& house) {
             const auto made = house.tracking->registry().create_model(kProject, "m", "", {});
             return !made && made.error().code == Code::kAlreadyExists ? Status() : status_of(made);
           },
           [](TestHouse& house) {
             return is(house.tracking->registry().get_model(kProject, "m").has_value());
           }},
          {"create version",
           [=](TestHouse& house) {
             NewVersion wanted;
             wanted.source = "runs:/" + run + "/model";
             wanted.run_id = run;
             return status_of(house.tracking->registry().create_version(kProject, "m", wanted));
           },
           [](TestHouse& house) {
             return is(house.tracking->registry().get_version(kProject, "m", 1).has_value());
           }},
          {"set alias",
           [](TestHouse& house) {
             return house.tracking->registry().set_alias(kProject, "m", "best", 1, "", "test");
           },
           [](TestHouse& house) {
             const auto model = house.tracking->registry().get_model(kProject, "m");
             const auto history = house.tracking->registry().alias_history(kProject, "m", 9);
             if (!model || !history) return Seen::kAbsent;
             return of(model->aliases.count("best") + std::min<std::size_t>(history->size(), 1), 2);
           }},
          {"log spans",
           [=](TestHouse& house) {
             return house.tracking->traces().log_spans(experiment, spans(), "");
           },
           [](TestHouse& house) {
             const auto found =
                 house.tracking->traces().spans("tr-" + spans().spans.front().span.trace_id);
             return found ? of(found->size(), 3) : Seen::kAbsent;
           }},
          {"remove file",
           [=](TestHouse& house) { return house.tracking->artifacts().remove(run, "parts"); },
           [=](TestHouse& house) {
             return is(!house.tracking->artifacts().read_artifact(run, "parts/whole.bin"));
           }}};
}

// Whether the fault is still to come after a script that made fewer steps than it waits for.
bool still_armed(int n) {
  for (int i = 0; i < n; ++i)
    if (base::fault_point("probe") != 0) return true;
  return false;
}

// Runs the script with one failure. False when it ended before the failure.
bool fails_at(int n, const char* action, bool reopen) {
  TestHouse house("/dev/shm");  // where a sync costs nothing
  const std::string experiment = house.experiment("e"), run = house.run(experiment, "r");
  const std::vector<Step> steps = script(experiment, run);
  std::vector<bool> acknowledged;
  base::set_faults("*:" + std::to_string(n) + ":" + action);
  for (const Step& step : steps) acknowledged.push_back(step.act(house).has_value());
  const bool over = still_armed(n);
  base::set_faults("");
  if (reopen) {
    house.close();
    house.open();
  }
  for (std::size_t i = 0; i + 1 < steps.size(); ++i) {
    CAPTURE(steps[i].name);
    const Seen seen = steps[i].look(house);
    // What a later step did away with is not asked for.
    const bool gone = (i == 1 && acknowledged[2]) || (i == 3 && acknowledged.back());
    if (gone) continue;
    CHECK(seen != Seen::kPartly);
    if (acknowledged[i]) CHECK(seen == Seen::kWhole);
  }
  const auto first =
      std::find(acknowledged.begin(), acknowledged.end(), false) - acknowledged.begin();
  for (auto i = static_cast<std::size_t>(first); i < steps.size(); ++i) {
    CAPTURE(steps[i].name);
    const bool made = i == 5 && steps[i].look(house) == Seen::kWhole;  // a version, not made twice
    if (!made) CHECK(steps[i].act(house).has_value());
    CHECK(steps[i].look(house) == Seen::kWhole);
  }
  CHECK(house.tracking->verify_audit().has_value());
  return !over;
}

}  // namespace

TEST_CASE("the disk is full at the n-th step: refused wholly, and it goes on without a restart") {
  int n = 1;
  for (; n < 2000; ++n) {
    CAPTURE(n);
    if (!fails_at(n, "enospc", false)) break;
  }
  CHECK(n > 40);
  CHECK(n < 2000);
}

TEST_CASE("the disk fails at the n-th step: after a restart what was acknowledged is there") {
  int n = 1;
  for (; n < 2000; ++n) {
    CAPTURE(n);
    if (!fails_at(n, "eio", true)) break;
  }
  CHECK(n > 40);
  CHECK(n < 2000);
}

}  // namespace maru::tracking
