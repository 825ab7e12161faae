"""Calls of slow models wait for their turn: bounded, urgent first, within their deadlines, together where they fit, answered from the cache where that is wanted."""
import concurrent.futures
import sys
import time
import warnings

import cloudpickle
import mlflow
import numpy
import pandas
import pytest
import requests
import tritonclient.http as triton
from conftest import Server
from mlflow.models import infer_signature

warnings.filterwarnings("ignore")
cloudpickle.register_pickle_by_value(sys.modules[__name__])
SECONDS = 0.2  # of a call of the model
LONG = 2000.0  # asks for a call of two seconds


class Slow(mlflow.pyfunc.PythonModel):
    """Answers each row with the number of rows that came together, when, and something new each time"""

    def predict(self, context, model_input, params=None):
        began = time.monotonic()
        time.sleep(2 if model_input["x"].iloc[0] == LONG else SECONDS)
        size = len(model_input)
        return pandas.DataFrame({"rows": [float(size)] * size, "began": [began] * size, "new": numpy.random.random(size),
                                 "x": model_input["x"].to_numpy()})


@pytest.fixture(scope="module")
def slow_server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("queue") / "home", "--python-interpreter", sys.executable)
    mlflow.set_tracking_uri(server.url)
    mlflow.set_experiment("Default")  # not that of another file's server
    frame = pandas.DataFrame({"x": [1.0]})
    signature = infer_signature(frame, pandas.DataFrame({"rows": [1.0], "began": [1.0], "new": [1.0], "x": [1.0]}))
    with mlflow.start_run():
        place = {"name": "model"} if mlflow.__version__.startswith("3") else {"artifact_path": "model"}
        mlflow.pyfunc.log_model(python_model=Slow(), registered_model_name="slow", signature=signature, **place)
    yield server
    server.stop()


def endpoint(server, name, **execution):
    answer = requests.put(f"{server.url}/api/v1/endpoints/{name}", json={"model": "slow", "execution": execution}, timeout=180)
    assert answer.status_code in (200, 201), answer.text
    return name


def ask(server, name, value=1.0, **headers):
    answer = requests.post(f"{server.url}/invocations?endpoint={name}", json={"dataframe_split": {"columns": ["x"], "data": [[value]]}},
                           headers=headers, timeout=60)
    return answer


def together(calls):
    with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


def row(answer):
    assert answer.status_code == 200, answer.text
    return answer.json()["predictions"][0]


def metric(server, name, **labels):
    wanted = [f'{key}="{value}"' for key, value in labels.items()]
    for line in requests.get(f"{server.url}/metrics", timeout=30).text.splitlines():
        if line.startswith(name + "{") and all(label in line for label in wanted):
            return float(line.rsplit(" ", 1)[1])
    raise AssertionError(f"no {name} {labels}")


def test_a_full_queue_answers_503_at_once_and_loses_nothing(slow_server):
    name = endpoint(slow_server, "bounded", queue_calls=2)
    row(ask(slow_server, name))
    answers = together([lambda: ask(slow_server, name)] * 8)
    codes = sorted(answer.status_code for answer in answers)
    assert set(codes) == {200, 503} and 2 <= codes.count(200) <= 4, codes
    refused = next(answer for answer in answers if answer.status_code == 503)
    assert refused.headers["Retry-After"] == "1" and "queue of the model is full" in refused.text
    assert refused.elapsed.total_seconds() < SECONDS
    assert metric(slow_server, "maru_queue_refused_total", endpoint=name, reason="full") == codes.count(503)
    assert metric(slow_server, "nv_inference_request_failure", model=name, reason="REJECTED") == codes.count(503)
    assert row(ask(slow_server, name))["x"] == 1.0


def test_one_caller_may_not_fill_the_queue(slow_server):
    name = endpoint(slow_server, "fair", caller_calls=1)
    row(ask(slow_server, name))
    answers = together([lambda: ask(slow_server, name)] * 5)
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused and refused[0].headers["Retry-After"] == "1", [answer.status_code for answer in answers]
    assert {answer.status_code for answer in answers} == {200, 429}


def test_deadlines_of_every_kind(slow_server):
    name = endpoint(slow_server, "hasty")
    row(ask(slow_server, name))
    late = ask(slow_server, name, **{"X-Request-Timeout": "20ms"})
    assert late.status_code == 504 and late.headers["Retry-After"] == "1" and late.elapsed.total_seconds() < SECONDS, late.text
    assert row(ask(slow_server, name, **{"X-Request-Timeout": "30s"}))
    client = triton.InferenceServerClient(slow_server.url.removeprefix("http://"))
    tensor = triton.InferInput("x", [1], "FP64")
    tensor.set_data_from_numpy(numpy.ones(1))
    with pytest.raises(triton.InferenceServerException, match="deadline"):
        client.infer(name, [tensor], timeout=20_000)
    assert client.infer(name, [tensor], timeout=30_000_000, priority=1).as_numpy("x")[0] == 1
    wrong = requests.post(f"{slow_server.url}/v2/models/{name}/infer", timeout=60, json={
        "parameters": {"timeout": -1}, "inputs": [{"name": "x", "shape": [1], "datatype": "FP64", "data": [1]}]})
    assert wrong.status_code == 400 and "timeout" in wrong.json()["error"]
    strict = endpoint(slow_server, "strict", timeout_ms=20)
    assert ask(slow_server, strict).status_code == 504
    assert ask(slow_server, strict).status_code == 504  # also once it is known how long a call takes


def test_the_urgent_first(slow_server):
    name = endpoint(slow_server, "urgent")
    row(ask(slow_server, name))
    order = []

    def call(label, priority, wait):
        time.sleep(wait)
        order.append((row(ask(slow_server, name, **{"X-Request-Priority": priority}))["began"], label))

    together([lambda: call("first", "2", 0)] + [lambda: call("low", "3", 0.05)] * 3 + [lambda: call("high", "1", 0.12)])
    assert [label for _, label in sorted(order)][:2] == ["first", "high"], order


def test_what_waits_runs_together(slow_server):
    name = endpoint(slow_server, "together", batch_rows=8)
    row(ask(slow_server, name))
    values = [float(value) for value in range(9)]
    began = time.monotonic()
    rows = [row(answer) for answer in together([lambda value=value: ask(slow_server, name, value) for value in values])]
    assert [one["x"] for one in rows] == values
    assert max(one["rows"] for one in rows) >= 4 and time.monotonic() - began < 5 * SECONDS, rows
    queue = requests.get(f"{slow_server.url}/api/v1/endpoints/{name}", timeout=30).json()["queue"]
    assert queue["calls"] == 10 and queue["batches"] <= 6, queue


def test_the_cache_answers_what_was_asked_before(slow_server):
    name = endpoint(slow_server, "cached", cache_bytes=1_000_000)
    first, again, other = (row(ask(slow_server, name, value)) for value in (1.0, 1.0, 2.0))
    assert first == again and other["new"] != first["new"]
    assert metric(slow_server, "nv_cache_num_hits_per_model", model=name) == 1
    assert metric(slow_server, "nv_cache_num_misses_per_model", model=name) == 2
    endpoint(slow_server, "cached", cache_bytes=0)
    assert row(ask(slow_server, name))["new"] != first["new"]


def test_settings_that_are_none_are_refused(slow_server):
    for execution, text in (({"queue_call": 1}, "queue_calls"), ({"batch_rows": 0}, "from 1 to"), ([], "object")):
        answer = requests.put(f"{slow_server.url}/api/v1/endpoints/bad", json={"model": "slow", "execution": execution}, timeout=60)
        assert answer.status_code == 400 and text in answer.text, answer.text


def test_a_version_above_its_bounds_does_not_serve(slow_server):
    answer = requests.put(f"{slow_server.url}/api/v1/endpoints/small", json={"model": "slow", "bounds": {"memory_bytes": 1_000_000}}, timeout=180)
    assert answer.status_code == 422, answer.text
    assert "not safe to serve" in answer.text


def test_a_stop_waits_for_what_is_under_way(slow_server):
    """The last test of the file: the server is gone after it."""
    name = endpoint(slow_server, "last", queue_calls=10)
    row(ask(slow_server, name))
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        under_way = [pool.submit(ask, slow_server, name, LONG), pool.submit(ask, slow_server, name, 1.0)]
        time.sleep(0.5)
        slow_server.process.terminate()
        assert [row(future.result())["x"] for future in under_way] == [LONG, 1.0]
    assert slow_server.process.wait(30) == 0
