"""Stock MLflow traces into Maru: nothing that the client measured is lost, and everything it asks for comes back."""
import gzip
import json
import threading
import time
import uuid

import mlflow
import pytest
import requests
from mlflow.entities import AssessmentSource, SpanType
from mlflow.exceptions import MlflowException

pytest.importorskip("opentelemetry.proto", reason="clients before MLflow 3 send traces otherwise: test_mlflow_traces_v2.py")
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest  # noqa: E402
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue  # noqa: E402


@pytest.fixture(scope="module")
def experiment(server):
    mlflow.set_tracking_uri(server.url)
    chosen = mlflow.set_experiment("traces-" + uuid.uuid4().hex[:8])
    yield chosen.experiment_id
    mlflow.tracking.fluent._active_experiment_id = None


def flush():
    mlflow.flush_trace_async_logging()


def own(server, trace_id):
    return server.get(f"/api/v1/traces/{trace_id}").json()


def test_nested_spans_come_back_as_they_were(server, experiment):
    @mlflow.trace(span_type=SpanType.TOOL)
    def square(x):
        return x * x

    @mlflow.trace(name="sum of squares", attributes={"team": "core", "ratio": 0.5, "deep": {"a": [1, "둘", None]}})
    def total(values):
        with mlflow.start_span(name="inner") as span:
            span.set_inputs({"n": len(values)})
            span.add_event(mlflow.entities.SpanEvent("counted", attributes={"n": 3}))
            span.set_outputs("fine")
        return sum(square(v) for v in values)

    assert total([1, 2, 3]) == 14
    flush()
    trace = mlflow.get_trace(mlflow.get_last_active_trace_id())
    assert [s.name for s in trace.data.spans][:2] == ["sum of squares", "inner"]
    assert len(trace.data.spans) == 5
    root = trace.data.spans[0]
    assert root.parent_id is None and root.inputs == {"values": [1, 2, 3]} and root.outputs == 14
    assert root.attributes["team"] == "core" and root.attributes["ratio"] == 0.5 and root.attributes["deep"] == {"a": [1, "둘", None]}
    inner = trace.data.spans[1]
    assert inner.parent_id == root.span_id and inner.events[0].name == "counted"
    assert {s.span_type for s in trace.data.spans if s.name == "square"} == {"TOOL"}
    assert trace.info.state == "OK" and trace.info.experiment_id == experiment
    assert trace.info.tags["mlflow.trace.spansLocation"] == "TRACKING_STORE"
    assert trace.info.request_preview and "14" in trace.info.response_preview
    shown = own(server, trace.info.trace_id)
    assert [(s["name"], s["depth"]) for s in shown["spans"]] == [("sum of squares", 0), ("inner", 1)] + [("square", 1)] * 3
    assert shown["spans"][0]["inputs"] == {"values": [1, 2, 3]} and shown["spans"][2]["type"] == "TOOL"
    assert shown["trace"]["spans"] == shown["trace"]["expected_spans"] == 5


def test_an_exception_is_an_error_with_its_stack(experiment):
    @mlflow.trace
    def fails():
        raise ValueError("no such thing")

    with pytest.raises(ValueError):
        fails()
    flush()
    trace = mlflow.get_trace(mlflow.get_last_active_trace_id())
    assert trace.info.state == "ERROR"
    span = trace.data.spans[0]
    assert span.status.status_code.value == "ERROR" and "no such thing" in span.status.description
    assert any(e.name == "exception" and "ValueError" in str(e.attributes) for e in span.events)


def test_many_threads_lose_no_span(server, experiment):
    """1,200 spans from 8 threads; what the sender counted is what is stored."""
    fresh = mlflow.set_experiment("many-" + uuid.uuid4().hex[:8]).experiment_id

    @mlflow.trace
    def leaf(i):
        return i

    @mlflow.trace
    def work(n):
        return [leaf(i) for i in range(n)]

    threads = [threading.Thread(target=lambda: [work(9) for _ in range(15)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    flush()
    rows, token = [], ""
    while True:
        page = server.get(f"/api/v1/traces?experiment={fresh}&limit=50&page_token={requests.utils.quote(token)}").json()
        rows += page["traces"]
        token = page.get("next_page_token", "")
        if not token:
            break
    assert len(rows) == 120
    assert sum(r["spans"] for r in rows) == 1200
    assert all(r["spans"] == r["expected_spans"] == 10 for r in rows)
    traces = mlflow.search_traces(locations=[fresh], max_results=120, return_type="list")
    assert sum(len(t.data.spans) for t in traces) == 1200
    mlflow.set_experiment(experiment_id=experiment)


def test_search_filters_orders_and_pages(experiment):
    fresh = mlflow.set_experiment("search-" + uuid.uuid4().hex[:8]).experiment_id
    for i in range(7):
        with mlflow.start_span(name=f"f{i}", span_type=SpanType.LLM if i == 3 else SpanType.CHAIN) as span:
            span.set_inputs({"i": i})
            span.set_attribute("model", f"m{i}")
            mlflow.update_current_trace(tags={"parity": "odd" if i % 2 else "even"}, client_request_id=f"req{i}")
            if i == 5:
                span.set_status("ERROR")
        time.sleep(0.002)
    flush()

    def names(filter_string="", **more):
        found = mlflow.search_traces(locations=[fresh], filter_string=filter_string, return_type="list", **more)
        return [t.info.tags["mlflow.traceName"] for t in found]

    assert names() == [f"f{i}" for i in reversed(range(7))]
    assert names("tags.parity = 'odd'") == ["f5", "f3", "f1"]
    assert names("trace.status = 'ERROR'") == ["f5"]
    assert names("name LIKE 'f%' AND client_request_id = 'req2'") == ["f2"]
    assert names("span.type = 'LLM'") == ["f3"]
    assert names("span.attributes.model = 'm6'") == ["f6"]
    assert names("tags.parity = 'even' OR span.name = 'f1'") == ["f6", "f4", "f2", "f1", "f0"]
    assert names(order_by=["timestamp_ms ASC"]) == [f"f{i}" for i in range(7)]
    client = mlflow.MlflowClient()
    page = client.search_traces(locations=[fresh], max_results=3)
    rest = client.search_traces(locations=[fresh], max_results=10, page_token=page.token)
    assert len(page) == 3 and len(rest) == 4 and not rest.token
    with pytest.raises(MlflowException, match="Invalid"):
        client.search_traces(locations=[fresh], filter_string="tagz.parity = 'odd'")
    frame = mlflow.search_traces(locations=[fresh])
    assert len(frame) == 7 and "trace_id" in frame.columns
    mlflow.set_experiment(experiment_id=experiment)


def test_tags_and_deletion(experiment):
    fresh = mlflow.set_experiment("delete-" + uuid.uuid4().hex[:8]).experiment_id
    client = mlflow.MlflowClient()
    ids = []
    for _ in range(4):
        with mlflow.start_span(name="x"):
            pass
        ids.append(mlflow.get_last_active_trace_id())
    flush()
    client.set_trace_tag(ids[0], "note", "좋음")
    assert client.get_trace(ids[0]).info.tags["note"] == "좋음"
    client.delete_trace_tag(ids[0], "note")
    assert "note" not in client.get_trace(ids[0]).info.tags
    with pytest.raises(MlflowException):
        client.delete_trace_tag(ids[0], "note")
    assert client.delete_traces(fresh, trace_ids=ids[:1]) == 1
    assert client.delete_traces(fresh, max_timestamp_millis=int(time.time() * 1000) + 1000, max_traces=2) == 2
    left = mlflow.search_traces(locations=[fresh], return_type="list")
    assert len(left) == 1 and left[0].info.trace_id in ids[1:]  # which one: they may have begun in the same millisecond
    with pytest.raises(MlflowException, match="not found"):
        client.get_trace(ids[0])
    mlflow.set_experiment(experiment_id=experiment)


def test_a_trace_belongs_to_the_run_it_was_made_in(server, experiment):
    with mlflow.start_run() as run, mlflow.start_span(name="in run"):
        pass
    with mlflow.start_span(name="linked"):
        pass
    linked = mlflow.get_last_active_trace_id()
    flush()
    client = mlflow.MlflowClient()
    client.link_traces_to_run([linked], run.info.run_id)
    found = mlflow.search_traces(locations=[experiment], run_id=run.info.run_id, return_type="list")
    assert {t.info.tags["mlflow.traceName"] for t in found} == {"in run", "linked"}
    early = "tr-" + uuid.uuid4().hex  # its spans still wait in the client
    client.link_traces_to_run([early], run.info.run_id)
    headers = {"Content-Type": "application/x-protobuf", "x-mlflow-experiment-id": experiment}
    requests.post(server.url + "/v1/traces", data=otlp(bytes.fromhex(early[3:]), 1).SerializeToString(), headers=headers, timeout=30).raise_for_status()
    found = mlflow.search_traces(locations=[experiment], run_id=run.info.run_id, return_type="list")
    assert early in {t.info.trace_id for t in found}


def test_feedback_and_expectations(experiment):
    with mlflow.start_span(name="answered"):
        pass
    trace_id = mlflow.get_last_active_trace_id()
    flush()
    person = AssessmentSource(source_type="HUMAN", source_id="kim")
    made = mlflow.log_feedback(trace_id=trace_id, name="good", value=True, source=person, rationale="clear", metadata={"k": "v"})
    mlflow.log_expectation(trace_id=trace_id, name="answer", value={"city": "서울"}, source=person)
    mlflow.log_feedback(trace_id=trace_id, name="score", value=0.7, source=person)
    trace = mlflow.get_trace(trace_id)
    by_name = {a.name: a for a in trace.info.assessments}
    assert by_name["good"].value is True and by_name["good"].rationale == "clear" and by_name["good"].metadata == {"k": "v"}
    assert by_name["answer"].value == {"city": "서울"} and by_name["score"].value == 0.7
    assert mlflow.get_assessment(trace_id, made.assessment_id).value is True
    mlflow.update_assessment(trace_id, made.assessment_id, mlflow.entities.Feedback(name="good", value=False, rationale="no"))
    assert mlflow.get_assessment(trace_id, made.assessment_id).value is False
    new = mlflow.override_feedback(trace_id=trace_id, assessment_id=made.assessment_id, value=True, source=person)
    assert mlflow.get_assessment(trace_id, made.assessment_id).valid is False and new.overrides == made.assessment_id
    mlflow.delete_assessment(trace_id, new.assessment_id)
    assert mlflow.get_assessment(trace_id, made.assessment_id).valid is True
    found = mlflow.search_traces(locations=[experiment], filter_string="feedback.score > 0.5", return_type="list")
    assert [t.info.trace_id for t in found] == [trace_id]


def otlp(trace_id, spans):
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.append(KeyValue(key="service.name", value=AnyValue(string_value="shop")))
    scope = resource.scope_spans.add()
    for i in range(spans):
        span = scope.spans.add()
        span.trace_id, span.span_id, span.name = trace_id, (i + 1).to_bytes(8, "big"), f"s{i}"
        span.parent_span_id = b"" if i == 0 else (1).to_bytes(8, "big")
        span.start_time_unix_nano, span.end_time_unix_nano = 1_700_000_000_000_000_000 + i, 1_700_000_001_000_000_000
    return request


def test_plain_opentelemetry_senders(server, experiment):
    trace_id = uuid.uuid4().bytes
    body = otlp(trace_id, 30).SerializeToString()
    headers = {"Content-Type": "application/x-protobuf", "x-mlflow-experiment-id": experiment}
    for _ in range(2):  # sent again: nothing doubles
        answer = requests.post(server.url + "/v1/traces", data=gzip.compress(body), headers={**headers, "Content-Encoding": "gzip"}, timeout=30)
        assert answer.status_code == 200 and answer.content == b"", answer.text
    trace = mlflow.get_trace("tr-" + trace_id.hex())
    assert len(trace.data.spans) == 30 and trace.info.tags["service.name"] == "shop"
    assert trace.info.execution_duration == 1000 and trace.info.state == "OK"
    in_json = {"resourceSpans": [{"scopeSpans": [{"spans": [{
        "traceId": uuid.uuid4().hex, "spanId": "00f067aa0ba902b7", "name": "json", "startTimeUnixNano": "1700000000000000000",
        "endTimeUnixNano": "1700000000500000000", "attributes": [{"key": "n", "value": {"intValue": "7"}}]}]}]}]}
    answer = requests.post(server.url + "/v1/traces", json=in_json, headers={"x-mlflow-experiment-id": experiment}, timeout=30)
    assert answer.status_code == 200 and answer.json() == {}
    span = mlflow.get_trace("tr-" + in_json["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["traceId"]).data.spans[0]
    assert span.attributes["n"] == 7


def test_bad_spans_are_the_senders_fault(server, experiment):
    headers = {"Content-Type": "application/x-protobuf", "x-mlflow-experiment-id": experiment}
    url = server.url + "/v1/traces"
    body = otlp(uuid.uuid4().bytes, 3).SerializeToString()
    for data, more in [(body[:-1], {}), (b"\xff" * 50, {}), (b"", {}), (body, {"Content-Type": "text/plain"}),
                       (body, {"x-mlflow-experiment-id": "no-such"}), (b"{", {"Content-Type": "application/json"}),
                       (otlp(b"", 1).SerializeToString(), {})]:
        answer = requests.post(url, data=data, headers={**headers, **more}, timeout=30)
        assert 400 <= answer.status_code < 500, (more, answer.status_code, answer.text)
        assert answer.json()["error_code"]
    assert requests.post(url, data=body, headers={"Content-Type": "application/x-protobuf"}, timeout=30).status_code == 422
    assert requests.post(url, data=otlp(b"", 1).SerializeToString(), headers=headers, timeout=30).status_code == 422


def test_spans_that_did_not_arrive_are_kept_as_a_file(server, experiment):
    """The client's own fallback: when the server lacks spans, it must not claim to have them."""
    trace_id = "tr-" + uuid.uuid4().hex
    info = {"trace_id": trace_id, "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}},
            "request_time": "2025-01-01T00:00:00.123Z", "execution_duration": "1.500s", "state": "OK",
            "trace_metadata": {"mlflow.trace.sizeStats": json.dumps({"num_spans": 1})}, "tags": {"mlflow.traceName": "kept"}}
    made = server.post("/api/3.0/mlflow/traces", {"trace": {"trace_info": info}})["trace"]["trace_info"]
    assert "mlflow.trace.spansLocation" not in made["tags"]
    assert made["execution_duration"] == "1.500s" and made["request_time"].startswith("2025-01-01T00:00:00.123")
    place = made["tags"]["mlflow.artifactLocation"].removeprefix("mlflow-artifacts:/")
    spans = {"spans": [{"name": "root", "trace_id": "W47/95gDgQPSabYzgT/GDA==", "span_id": "7uGbfsPBsXQ=", "parent_span_id": "",
                        "start_time_unix_nano": 1, "end_time_unix_nano": 5, "status": {"code": "STATUS_CODE_OK", "message": ""},
                        "attributes": {"mlflow.traceRequestId": json.dumps(trace_id), "mlflow.spanInputs": '{"x": 1}'}}]}
    done = requests.put(f"{server.url}/api/2.0/mlflow-artifacts/artifacts/{place}/traces.json", data=json.dumps(spans), timeout=30)
    assert done.status_code == 200, done.text
    shown = own(server, trace_id)
    assert shown["spans"][0]["name"] == "root" and shown["spans"][0]["inputs"] == {"x": 1}
    assert mlflow.get_trace(trace_id).data.spans[0].name == "root"


def test_clients_before_three_open_and_close_a_trace(server, experiment):
    root = "/api/2.0/mlflow/traces"
    started = server.post(root, {"experiment_id": experiment, "timestamp_ms": 1000, "request_metadata": [{"key": "mlflow.traceInputs", "value": "1"}],
                                 "tags": [{"key": "mlflow.traceName", "value": "old"}]})["trace_info"]
    trace_id = started["request_id"]
    assert started["status"] == "IN_PROGRESS" and {t["key"] for t in started["tags"]} >= {"mlflow.artifactLocation"}
    ended = requests.patch(f"{server.url}{root}/{trace_id}", json={"timestamp_ms": 1250, "status": "OK", "tags": [{"key": "a", "value": "b"}]}, timeout=30).json()
    assert ended["trace_info"]["execution_time_ms"] == 250 and ended["trace_info"]["status"] == "OK"
    assert server.get(f"{root}/{trace_id}/info").json()["trace_info"]["timestamp_ms"] == 1000
    found = server.get(f"{root}?experiment_ids={experiment}&filter=name%20%3D%20'old'&max_results=5").json()["traces"]
    assert [t["request_id"] for t in found] == [trace_id]
