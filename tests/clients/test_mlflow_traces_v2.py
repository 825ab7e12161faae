"""Traces as clients of MLflow 2 send them: one call opens a trace, one closes it, the spans are a file beside it."""
import json
import threading
import time
import uuid

import mlflow
import pytest
from mlflow.exceptions import MlflowException

if int(mlflow.__version__.split(".")[0]) > 2:
    pytest.skip("clients since MLflow 3 send traces otherwise: test_mlflow_traces.py", allow_module_level=True)


@pytest.fixture
def experiment(server):
    mlflow.set_tracking_uri(server.url)
    chosen = mlflow.set_experiment("traces2-" + uuid.uuid4().hex[:8])
    yield chosen.experiment_id
    mlflow.tracking.fluent._active_experiment_id = None


def last():
    return mlflow.get_trace(mlflow.get_last_active_trace_id())


def test_nested_spans_come_back_as_they_were(server, experiment):
    @mlflow.trace(span_type="TOOL")
    def square(x):
        return x * x

    @mlflow.trace(name="sum of squares", attributes={"team": "core", "ratio": 0.5, "deep": {"a": [1, "둘", None]}})
    def total(values):
        with mlflow.start_span(name="inner") as span:
            span.set_inputs({"n": len(values)})
            span.set_outputs("fine")
        return sum(square(v) for v in values)

    assert total([1, 2, 3]) == 14
    trace = last()
    assert [s.name for s in trace.data.spans] == ["sum of squares", "inner", "square_1", "square_2", "square_3"]
    root = trace.data.spans[0]
    assert root.parent_id is None and root.inputs == {"values": [1, 2, 3]} and root.outputs == 14
    assert root.attributes["team"] == "core" and root.attributes["deep"] == {"a": [1, "둘", None]}
    assert all(s.parent_id == root.span_id for s in trace.data.spans[1:])
    assert trace.info.status == "OK" and trace.info.experiment_id == experiment
    assert trace.info.tags["mlflow.traceName"] == "sum of squares" and "mlflow.trace.spansLocation" not in trace.info.tags
    shown = server.get(f"/api/v1/traces/{trace.info.request_id}").json()  # what the page draws: read from the file
    assert [(s["name"], s["depth"]) for s in shown["spans"]] == [("sum of squares", 0)] + [(n, 1) for n in ("inner", "square_1", "square_2", "square_3")]
    assert shown["spans"][0]["inputs"] == {"values": [1, 2, 3]} and shown["spans"][2]["type"] == "TOOL"


def test_an_exception_is_an_error(experiment):
    @mlflow.trace
    def fails():
        raise ValueError("no such thing")

    with pytest.raises(ValueError):
        fails()
    trace = last()
    assert trace.info.status == "ERROR" and trace.data.spans[0].status.status_code == "ERROR"
    assert any("ValueError" in str(e.attributes) for e in trace.data.spans[0].events)


def test_a_client_opens_and_closes_a_trace_by_hand(experiment):
    client = mlflow.MlflowClient()
    root = client.start_trace("by hand", inputs={"a": 1}, tags={"who": "kim"}, attributes={"n": 5})
    child = client.start_span("child", request_id=root.request_id, parent_id=root.span_id, inputs={"b": "나"})
    client.end_span(root.request_id, child.span_id, outputs={"c": 3})
    client.end_trace(root.request_id, outputs="done", status="OK")
    trace = client.get_trace(root.request_id)
    assert [(s.name, s.inputs, s.outputs) for s in trace.data.spans] == [("by hand", {"a": 1}, "done"), ("child", {"b": "나"}, {"c": 3})]
    assert trace.info.tags["who"] == "kim" and trace.data.spans[0].attributes["n"] == 5
    assert json.loads(trace.info.request_metadata["mlflow.traceInputs"]) == {"a": 1}
    with pytest.raises(MlflowException, match="already finished"):
        client.end_trace(root.request_id)
    with pytest.raises(MlflowException, match="not found"):
        client.get_trace("tr-" + "0" * 32)


def test_search_filters_orders_and_pages(experiment):
    for i in range(7):
        with mlflow.start_span(name=f"f{i}") as span:
            span.set_attribute("model", f"m{i}")
            mlflow.update_current_trace(tags={"parity": "odd" if i % 2 else "even"})
            if i == 5:
                span.set_status("ERROR")
        time.sleep(0.002)  # so that each begins in another millisecond

    def names(filter_string=None, **more):
        found = mlflow.MlflowClient().search_traces([experiment], filter_string=filter_string, **more)
        return [t.info.tags["mlflow.traceName"] for t in found]

    assert names() == [f"f{i}" for i in reversed(range(7))]
    assert names("tags.parity = 'odd'") == ["f5", "f3", "f1"]
    assert names("trace.status = 'ERROR'") == ["f5"] and names("attributes.status = 'ERROR'") == ["f5"]
    assert names("name = 'f2'") == ["f2"] and names("tag.mlflow.traceName = 'f3'") == ["f3"]
    assert names(order_by=["timestamp_ms ASC"]) == [f"f{i}" for i in range(7)]
    client = mlflow.MlflowClient()
    page = client.search_traces([experiment], max_results=3)
    rest = client.search_traces([experiment], max_results=10, page_token=page.token)
    assert len(page) == 3 and len(rest) == 4 and not rest.token
    frame = mlflow.search_traces(experiment_ids=[experiment], filter_string="tags.parity = 'even'")
    assert len(frame) == 4 and {str(s) for s in frame["status"]} == {"TraceStatus.OK"}
    with pytest.raises(MlflowException, match="Invalid"):
        names("tagz.parity = 'odd'")


def test_tags_deletion_and_runs(experiment):
    client, ids = mlflow.MlflowClient(), []
    for _ in range(4):
        with mlflow.start_span(name="x"):
            pass
        ids.append(mlflow.get_last_active_trace_id())
    client.set_trace_tag(ids[0], "note", "좋음")
    assert client.get_trace(ids[0]).info.tags["note"] == "좋음"
    client.delete_trace_tag(ids[0], "note")
    assert "note" not in client.get_trace(ids[0]).info.tags
    with mlflow.start_run() as run, mlflow.start_span(name="in run"):
        pass
    found = mlflow.search_traces(experiment_ids=[experiment], run_id=run.info.run_id)
    assert list(found["request_id"]) == [mlflow.get_last_active_trace_id()]
    assert client.delete_traces(experiment, request_ids=ids[:1]) == 1
    assert client.delete_traces(experiment, max_timestamp_millis=int(time.time() * 1000) + 1000, max_traces=2) == 2
    assert len(client.search_traces([experiment])) == 2
    with pytest.raises(MlflowException, match="not found"):
        client.get_trace(ids[0])


def test_many_threads_lose_no_span(experiment):
    @mlflow.trace
    def leaf(i):
        return i

    @mlflow.trace
    def work(n):
        return [leaf(i) for i in range(n)]

    threads = [threading.Thread(target=lambda: [work(9) for _ in range(5)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = mlflow.MlflowClient().search_traces([experiment], max_results=100)
    assert [len(t.data.spans) for t in found] == [10] * 20
