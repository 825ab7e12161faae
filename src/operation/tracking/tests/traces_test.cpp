#include "maru/tracking/traces.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <utility>

#include "maru/tracking/filter.h"

namespace {

using namespace maru::tracking;
using maru::base::Code;
using maru::base::Json;
using maru::base::ManualClock;
using maru::store::Database;

constexpr std::uint64_t kMs = 1'000'000;

std::string trace_hex(int n) {
  std::string out(32, 'a');
  const std::string digits = std::to_string(n);
  return out.replace(32 - digits.size(), digits.size(), digits);
}

Span span_of(int trace, int number, int parent = -1) {
  Span out;
  out.trace_id = trace_hex(trace);
  out.span_id = "000000000000000" + std::to_string(number + 1);
  if (parent >= 0) out.parent_id = "000000000000000" + std::to_string(parent + 1);
  out.name = "step " + std::to_string(number);
  out.start_ns = (1000 + static_cast<std::uint64_t>(number)) * kMs;
  out.end_ns = (1500 - static_cast<std::uint64_t>(number)) * kMs;
  out.status = SpanStatus::kOk;
  return out;
}

SpanBatch batch_of(const std::vector<Span>& spans) {
  SpanBatch out;
  out.resources.push_back(Json::object({{"service.name", "shop"}, {"telemetry.sdk.name", "x"}}));
  for (const Span& span : spans) out.spans.push_back({span, write_span(span), 0});
  return out;
}

struct Fixture {
  Fixture() {
    db = *Database::open({.path = ":memory:", .readers = 1});
    traces = *Traces::open(*db, clock);
  }
  void log(const std::vector<Span>& spans, const std::string& run = "") {
    const auto done = traces->log_spans("1", batch_of(spans), run);
    REQUIRE_MESSAGE(done, done.error().text());
  }
  Trace put(int n, std::int64_t time_ms, const std::string& state = "OK", Text tags = {},
            Text metadata = {}) {
    Trace wanted;
    wanted.id = "tr-" + trace_hex(n);
    wanted.experiment_id = "1";
    wanted.time_ms = time_ms;
    wanted.duration_ms = n;
    wanted.state = state;
    wanted.tags = std::move(tags);
    wanted.metadata = std::move(metadata);
    const auto made = traces->put(wanted);
    REQUIRE_MESSAGE(made, made.error().text());
    return *made;
  }
  std::vector<std::string> found(const std::string& filter, std::vector<std::string> order = {}) {
    TraceQuery query;
    query.experiment_ids = {"1"};
    query.filter = filter;
    query.order_by = std::move(order);
    const auto page = traces->search(query);
    REQUIRE_MESSAGE(page, filter, ": ", page.error().text());
    std::vector<std::string> out;
    for (const Trace& trace : page->traces) out.push_back(trace.id.substr(34));
    return out;
  }
  ManualClock clock;
  std::unique_ptr<Database> db;
  std::unique_ptr<Traces> traces;
};
using Ids = std::vector<std::string>;

std::string request_bytes(const std::vector<Span>& spans) {
  const auto field = [](int number, const std::string& bytes) {
    std::string out(1, static_cast<char>(number << 3 | 2));
    for (std::size_t n = bytes.size(); true; n >>= 7) {
      out += static_cast<char>(n >= 0x80 ? (n & 0x7F) | 0x80 : n);
      if (n < 0x80) break;
    }
    return out + bytes;
  };
  std::string scope;
  for (const Span& span : spans) scope += field(2, write_span(span));
  return field(1, field(1, "") + field(2, scope));
}

}  // namespace

TEST_CASE("otlp: a span that is written is read back, field by field") {
  Span span = span_of(1, 2, 1);
  span.kind = 3;
  span.status = SpanStatus::kError;
  span.message = "broken";
  span.attributes = *maru::base::parse_json(
      R"({"s":"마루","i":-5,"d":1.5,"b":true,"a":[1,"x",null],"o":{"k":[{}]},"e":""})");
  span.events.push_back({"exception", 5, *maru::base::parse_json(R"({"message":"no"})")});
  span.links.push_back({trace_hex(9), "00000000000000ff", Json::object()});
  const auto read = read_span(write_span(span));
  REQUIRE(read);
  CHECK(read->trace_id == span.trace_id);
  CHECK(read->parent_id == span.parent_id);
  CHECK(read->name == span.name);
  CHECK(read->kind == 3);
  CHECK(read->start_ns == span.start_ns);
  CHECK(read->end_ns == span.end_ns);
  CHECK(read->status == SpanStatus::kError);
  CHECK(read->message == "broken");
  CHECK(read->attributes == span.attributes);
  REQUIRE(read->events.size() == 1);
  CHECK(read->events[0].attributes == span.events[0].attributes);
  CHECK(read->links.at(0).span_id == "00000000000000ff");
  const auto batch = read_span_batch(request_bytes({span, span_of(1, 3)}));
  REQUIRE(batch);
  CHECK(batch->spans.size() == 2);
  CHECK(batch->spans[0].bytes == write_span(span));
}

TEST_CASE("otlp: bytes that are cut off or wrong are refused, never read past") {
  Span span = span_of(1, 2, 1);
  span.attributes = *maru::base::parse_json(R"({"a":{"b":[1,2,{"c":"d"}]}})");
  const std::string whole = request_bytes({span});
  int refused = 0;
  for (std::size_t size = 1; size < whole.size(); ++size)
    refused += read_span_batch(std::string_view(whole).substr(0, size)) ? 0 : 1;
  CHECK(refused == static_cast<int>(whole.size()) - 1);
  CHECK(read_span_batch("")->spans.empty());
  Span no_id = span;
  no_id.span_id = "0000000000000000";
  CHECK(!read_span(write_span(no_id)));
  Json deep = Json::array();
  for (int i = 0; i < kMaxValueDepth - 1; ++i) deep = Json::array({deep});
  span.attributes = Json::object({{"d", deep}});
  CHECK(read_span(write_span(span)));
  span.attributes = Json::object({{"d", Json::array({Json::array({deep})})}});
  CHECK(!read_span(write_span(span)));
}

TEST_CASE("otlp: JSON with hex ids, and what goes back to a client") {
  const auto request = *maru::base::parse_json(R"({"resourceSpans":[{"resource":{"attributes":[
    {"key":"service.name","value":{"stringValue":"s"}}]},"scopeSpans":[{"spans":[{"traceId":"5B8EFFF798038103D269B633813FC60C",
    "spanId":"EEE19B7EC3C1B174","name":"I","startTimeUnixNano":"1544712660000000000","endTimeUnixNano":1544712661000000000,
    "kind":2,"status":{"code":2,"message":"m"},"attributes":[{"key":"n","value":{"intValue":"7"}},
    {"key":"l","value":{"arrayValue":{"values":[{"doubleValue":1.5}]}}}]}]}]}]})");
  const auto batch = read_span_batch_json(request);
  REQUIRE(batch);
  REQUIRE(batch->spans.size() == 1);
  const Span& span = batch->spans[0].span;
  CHECK(span.trace_id == "5b8efff798038103d269b633813fc60c");
  CHECK(span.attributes["n"].as_int() == 7);
  CHECK(span.attributes["l"].at(0).as_double() == 1.5);
  CHECK(batch->resources.at(0)["service.name"].as_string() == "s");
  const Json out = span_json(*read_span(batch->spans[0].bytes));
  CHECK(out["trace_id"].as_string() == "W47/95gDgQPSabYzgT/GDA==");
  CHECK(out["status"]["code"].as_string() == "STATUS_CODE_ERROR");
  CHECK(out["attributes"].at(0)["value"]["int_value"].as_int() == 7);
  for (const char* bad :
       {R"({"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"zz","spanId":"01"}]}]}]})",
        R"({"resourceSpans":[{"scopeSpans":[{"spans":[{"spanId":"01"}]}]}]})",
        R"({"resourceSpans":[{"scopeSpans":[{"spans":[5]}]}]})"})
    CHECK(!read_span_batch_json(*maru::base::parse_json(bad)));
  CHECK(read_span_batch_json(Json("x"))->spans.empty());
}

TEST_CASE("otlp: traces.json of old and new clients") {
  const auto now = read_trace_file(*maru::base::parse_json(
      R"({"spans":[{"trace_id":"W47/95gDgQPSabYzgT/GDA==","span_id":"7uGbfsPBsXQ=","parent_span_id":"","name":"a",
      "start_time_unix_nano":1,"end_time_unix_nano":2,"status":{"code":"STATUS_CODE_OK"},
      "attributes":{"mlflow.spanInputs":"{\"x\": 1}","mlflow.spanType":"\"CHAIN\""}}]})"));
  REQUIRE(now);
  CHECK(now->at(0).trace_id == "5b8efff798038103d269b633813fc60c");
  CHECK(now->at(0).span_id == "eee19b7ec3c1b174");
  CHECK(now->at(0).parent_id.empty());
  CHECK(now->at(0).status == SpanStatus::kOk);
  CHECK(now->at(0).attributes["mlflow.spanInputs"]["x"].as_int() == 1);
  const auto old = read_trace_file(*maru::base::parse_json(
      R"({"spans":[{"name":"a","context":{"span_id":"0xeee19b7ec3c1b174","trace_id":"0x5b8efff798038103d269b633813fc60c"},
      "parent_id":"0xaaa19b7ec3c1b174","start_time":1,"end_time":2,"status_code":"ERROR","attributes":{}}]})"));
  REQUIRE(old);
  CHECK(old->at(0).trace_id == "5b8efff798038103d269b633813fc60c");
  CHECK(old->at(0).parent_id == "aaa19b7ec3c1b174");
  CHECK(old->at(0).status == SpanStatus::kError);
  CHECK(!read_trace_file(Json::object()));
}

TEST_CASE_FIXTURE(Fixture, "traces: spans make the trace, in any order, and again") {
  Span root = span_of(1, 0);
  root.attributes = *maru::base::parse_json(
      R"({"mlflow.spanInputs":{"x":1},"mlflow.spanOutputs":"done","session.id":"s1","mlflow.traceTag.team":"core"})");
  log({span_of(1, 1, 0), span_of(1, 2, 1)});
  Trace trace = *traces->get("tr-" + trace_hex(1));
  CHECK(trace.state == "IN_PROGRESS");
  CHECK(trace.time_ms == 1001);
  log({root}, "run1");
  log({root, span_of(1, 1, 0)});
  trace = *traces->get(trace.id);
  CHECK(trace.state == "OK");
  CHECK(trace.spans == 3);
  CHECK(trace.complete());
  CHECK(trace.time_ms == 1000);
  CHECK(trace.duration_ms == 500);
  CHECK(trace.tags["mlflow.traceName"] == "step 0");
  CHECK(trace.tags["team"] == "core");
  CHECK(trace.tags["service.name"] == "shop");
  CHECK(!trace.tags.contains("telemetry.sdk.name"));
  CHECK(trace.metadata["mlflow.trace.session"] == "s1");
  CHECK(trace.request_preview == "{\"x\":1}");
  CHECK(trace.response_preview == "done");
  const auto spans = *traces->spans(trace.id);
  REQUIRE(spans.size() == 3);
  CHECK(spans[0].parent_id.empty());
  CHECK(found("run_id = 'run1'") == Ids{"1"});
  CHECK(traces->get("tr-none").error().code == Code::kNotFound);
}

TEST_CASE_FIXTURE(Fixture,
                  "traces: the sender's word wins; its count of spans tells what is missing") {
  log({span_of(1, 0)});
  const Trace trace =
      put(1, 77, "ERROR", {{"mlflow.trace.spansLocation", "ARTIFACT_REPO"}, {"k", "v"}},
          {{"mlflow.trace.sizeStats", R"({"num_spans": 2})"}});
  CHECK(trace.time_ms == 77);
  CHECK(trace.state == "ERROR");
  CHECK(!trace.complete());
  CHECK(!trace.tags.contains("mlflow.trace.spansLocation"));
  log({span_of(1, 1, 0)});
  const Trace after = *traces->get(trace.id);
  CHECK(after.complete());
  CHECK(after.time_ms == 77);
  CHECK(after.state == "ERROR");
  CHECK(!put(2, 5).complete());  // no span yet
}

TEST_CASE_FIXTURE(Fixture, "traces: search filters, orders and pages") {
  for (int n = 1; n <= 5; ++n)
    put(n, 100 * n, n == 3 ? "ERROR" : "OK",
        n < 3 ? Text{{"mlflow.traceName", "f"}, {"rank", std::to_string(9 - n)}} : Text{},
        {{"mlflow.sourceRun", n % 2 ? "odd" : "even"}});
  Span llm = span_of(4, 1, 0);
  llm.name = "chat";
  llm.attributes = *maru::base::parse_json(R"({"mlflow.spanType":"LLM","model":"gpt-5"})");
  log({span_of(4, 0), llm});
  REQUIRE(traces->add_assessment(
      "tr-" + trace_hex(5),
      *maru::base::parse_json(
          R"({"assessment_name":"good","feedback":{"value":true},"source":{"source_type":"HUMAN"}})")));
  REQUIRE(traces->add_assessment(
      "tr-" + trace_hex(5),
      *maru::base::parse_json(R"({"assessment_name":"score","feedback":{"value":0.7}})")));
  CHECK(found("") == Ids{"5", "4", "3", "2", "1"});
  CHECK(found("status = 'ERROR'") == Ids{"3"});
  CHECK(found("trace.timestamp_ms >= 400") == Ids{"5", "4"});
  CHECK(found("execution_time < 3 AND name = 'f'") == Ids{"2", "1"});
  CHECK(found("tags.rank IS NULL AND NOT status = 'ERROR'") == Ids{"5", "4"});
  CHECK(found("run_id = 'odd'") == Ids{"5", "3", "1"});
  CHECK(found("metadata.`mlflow.sourceRun` IN ('even')") == Ids{"4", "2"});
  CHECK(found("span.name = 'chat'") == Ids{"4"});
  CHECK(found("span.type = 'LLM' AND span.attributes.model LIKE 'gpt%'") == Ids{"4"});
  CHECK(found("span.status = 'ERROR'").empty());
  CHECK(found("span.content ILIKE '%GPT-5%'") == Ids{"4"});
  CHECK(found("feedback.good = 'true'") == Ids{"5"});
  CHECK(found("feedback.score > 0.5 AND feedback.good IS NOT NULL") == Ids{"5"});
  CHECK(found("expectation.good = 'true'").empty());
  CHECK(found("", {"timestamp_ms ASC"}) == Ids{"1", "2", "3", "4", "5"});
  CHECK(found("", {"tags.rank"}) == Ids{"2", "1", "5", "4", "3"});
  CHECK(found("", {"tags.rank DESC", "timestamp"}) == Ids{"1", "2", "3", "4", "5"});
  CHECK(found("", {"status", "execution_time DESC"}) == Ids{"3", "5", "4", "2", "1"});

  for (const std::vector<std::string>& order : {Ids{}, Ids{"execution_time DESC"}}) {
    TraceQuery query;
    query.experiment_ids = {"1", "2"};
    query.order_by = order;
    query.limit = 2;
    Ids all;
    do {
      const auto page = traces->search(query);
      REQUIRE(page);
      CHECK(page->traces.size() <= 2);
      for (const Trace& trace : page->traces) all.push_back(trace.id.substr(34));
      query.page_token = page->next_page_token;
    } while (!query.page_token.empty() && all.size() < 9);
    CHECK(all == Ids{"5", "4", "3", "2", "1"});
    query.page_token = "x";
    CHECK(traces->search(query).error().code == Code::kInvalidArgument);
  }
  TraceQuery first;
  first.experiment_ids = {"1"};
  first.limit = 1;
  first.page_token = traces->search(first)->next_page_token;
  first.filter = "status = 'OK'";
  CHECK(traces->search(first).error().code == Code::kInvalidArgument);
  first.page_token.clear();
  first.filter = "statu = 'OK'";
  CHECK(traces->search(first).error().code == Code::kInvalidArgument);
}

TEST_CASE_FIXTURE(Fixture, "traces: tags, limits and removal") {
  const Trace trace = put(1, 100);
  REQUIRE(traces->set_tag(trace.id, "k", std::string(kMaxTraceValueBytes - 1, 'x') + "마"));
  CHECK(traces->get(trace.id)->tags.at("k").size() == kMaxTraceValueBytes - 1);
  CHECK(traces->set_tag(trace.id, std::string(kMaxTraceKeyBytes, 'k'), ""));
  CHECK(!traces->set_tag(trace.id, std::string(kMaxTraceKeyBytes + 1, 'k'), ""));
  CHECK(!traces->set_tag(trace.id, "", ""));
  CHECK(traces->remove_tag(trace.id, "k"));
  CHECK(traces->remove_tag(trace.id, "k").error().code == Code::kNotFound);
  CHECK(traces->set_tag("tr-none", "k", "v").error().code == Code::kNotFound);
  Trace bad = trace;
  for (const std::string& id : {std::string(), std::string("a/b"), std::string(".."),
                                std::string(kMaxTraceIdBytes + 1, 'x'), std::string("a b")}) {
    bad.id = id;
    CHECK_MESSAGE(!traces->put(bad), id);
  }
  for (int n = 2; n <= 5; ++n) put(n, 100 * n);
  log({span_of(2, 0)});
  TraceRemoval removal;
  removal.max_time_ms = 400;
  removal.max_traces = 2;
  CHECK(traces->remove("2", removal)->empty());
  CHECK(*traces->remove("1", removal) == Ids{"tr-" + trace_hex(1), "tr-" + trace_hex(2)});
  TraceRemoval by_id;
  by_id.ids = {"tr-" + trace_hex(5), "tr-none"};
  CHECK(traces->remove("1", by_id)->size() == 1);
  CHECK(found("") == Ids{"4", "3"});
  log({span_of(2, 0)});
  CHECK(traces->get("tr-" + trace_hex(2))->spans == 1);
  CHECK(traces->link_to_run({"tr-" + trace_hex(3)}, "r"));
  // A trace may come after its link.
  CHECK(traces->link_to_run({"tr-" + trace_hex(3), "tr-" + trace_hex(7)}, "r"));
  CHECK(found("run_id = 'r'") == Ids{"3"});
  log({span_of(7, 0)});
  CHECK(found("run_id = 'r'").size() == 2);
  CHECK(!traces->link_to_run({"a/b"}, "r"));
}

TEST_CASE_FIXTURE(Fixture, "traces: assessments are made, changed, overridden and removed") {
  const std::string id = put(1, 100).id;
  const Json wanted = *maru::base::parse_json(
      R"({"assessment_name":"good","feedback":{"value":"no"},"metadata":{"a":"b"}})");
  const auto first = traces->add_assessment(id, wanted);
  REQUIRE(first);
  const std::string first_id = (*first)["assessment_id"].as_string();
  CHECK(first_id.starts_with("a-"));
  CHECK((*first)["trace_id"].as_string() == id);
  Json over = wanted;
  over.set("overrides", first_id);
  const auto second = traces->add_assessment(id, over);
  REQUIRE(second);
  CHECK(!(*traces->get_assessment(id, first_id))["valid"].as_bool(true));
  const std::string second_id = (*second)["assessment_id"].as_string();
  const auto changed = traces->update_assessment(
      id, second_id, *maru::base::parse_json(R"({"rationale":"because"})"));
  REQUIRE(changed);
  CHECK((*changed)["rationale"].as_string() == "because");
  CHECK(traces->get(id)->assessments.size() == 2);
  CHECK(traces->remove_assessment(id, second_id));
  CHECK((*traces->get_assessment(id, first_id))["valid"].as_bool(false));
  CHECK(traces->get_assessment(id, second_id).error().code == Code::kNotFound);
  CHECK(!traces->add_assessment(id, *maru::base::parse_json(R"({"assessment_name":"x"})")));
  CHECK(!traces->add_assessment(id, *maru::base::parse_json(R"({"feedback":{"value":1}})")));
  CHECK(traces->add_assessment("tr-none", wanted).error().code == Code::kNotFound);
  over.set("overrides", "a-none");
  CHECK(traces->add_assessment(id, over).error().code == Code::kNotFound);
}

TEST_CASE_FIXTURE(Fixture, "traces: the listener hears of every change, and of nothing else") {
  std::vector<std::pair<std::string, std::string>> heard;
  traces->on_change([&](const std::string& experiment, const std::string& trace) {
    heard.emplace_back(experiment, trace);
  });
  const std::string id = "tr-" + trace_hex(1);
  const auto told = [&] {
    const auto all = std::exchange(heard, {});
    return !all.empty() && std::all_of(all.begin(), all.end(), [&](const auto& one) {
      return one == std::pair<std::string, std::string>("1", id);
    });
  };
  log({span_of(1, 0)});
  CHECK(told());
  put(1, 100);
  CHECK(told());
  CHECK(traces->set_tag(id, "k", "v"));
  CHECK(told());
  CHECK(traces->link_to_run({id}, "r"));
  CHECK(told());
  const auto made = traces->add_assessment(
      id, *maru::base::parse_json(R"({"assessment_name":"good","feedback":{"value":"no"}})"));
  REQUIRE(made);
  CHECK(told());
  CHECK(traces->remove_assessment(id, (*made)["assessment_id"].as_string()));
  CHECK(told());
  CHECK_FALSE(traces->remove_tag(id, "none"));
  CHECK_FALSE(traces->set_tag("tr-none", "k", "v"));
  CHECK(traces->search({}));
  CHECK(heard.empty());
  TraceRemoval removal;
  removal.ids = {id};
  CHECK(traces->remove("1", removal)->size() == 1);
  CHECK(told());
}
