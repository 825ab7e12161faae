"""Models that only Python can run: stock MLflow logs them, Maru serves them in processes of their own, and what those do harms nothing else."""
import concurrent.futures
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import warnings

import cloudpickle
import mlflow
import numpy
import pandas
import pytest
import requests
from conftest import BINARY, Server
from mlflow.models import infer_signature
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

warnings.filterwarnings("ignore")
cloudpickle.register_pickle_by_value(sys.modules[__name__])  # what it logs must not need this file
TIMEOUT_S = 3  # of a call, in this file's server
MEMORY = "1GiB"


class Odd(mlflow.pyfunc.PythonModel):
    """Does what its input says"""

    def predict(self, context, model_input, params=None):
        what = str(model_input["what"].iloc[0])
        if what == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        if what == "exit":
            os._exit(3)
        if what == "hang":
            time.sleep(600)
        if what == "flood":
            for _ in range(20_000):
                print("x" * 1000)
                print("y" * 1000, file=sys.stderr)
        if what == "leak":
            self.kept = [bytearray(64 << 20) for _ in range(64)]
        if what == "raise":
            raise RuntimeError("이것은 안 된다")
        if what == "secrets":
            return [json.dumps({k: v for k, v in os.environ.items() if "MARU" in k or "TOKEN" in k})] * len(model_input)
        if what == "files":
            return [json.dumps(sorted(os.readlink(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd") if n != "3"
                                      and os.path.exists(f"/proc/self/fd/{n}")))] * len(model_input)
        return [f"{what}!" for what in model_input["what"]]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("python")


@pytest.fixture(scope="module")
def python_server(home):
    os.environ["SOME_TOKEN"] = "not for models"
    server = Server(home / "home", "--python-interpreter", sys.executable, "--python-timeout-ms", str(TIMEOUT_S * 1000), "--python-memory", MEMORY)
    del os.environ["SOME_TOKEN"]
    mlflow.set_tracking_uri(server.url)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def rows():
    random = numpy.random.default_rng(5)
    return pandas.DataFrame({"amount": random.normal(size=400), "count": random.integers(0, 9, 400).astype(float),
                             "city": random.choice(["서울", "부산", "Jeju"], 400)})


def logged(name, flavor, model, **more):
    with mlflow.start_run():
        place = {"name": "model"} if mlflow.__version__.startswith("3") else {"artifact_path": "model"}
        return flavor.log_model(*([] if model is None else [model]), registered_model_name=name, **place, **more)


@pytest.fixture(scope="module")
def trees(python_server, rows):
    answer = numpy.where(rows.amount + (rows.city == "서울") > 0.4, "yes", "no")
    model = make_pipeline(make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["city"]), remainder="passthrough"),
                          RandomForestClassifier(10, random_state=0)).fit(rows, answer)
    how = {"serialization_format": "cloudpickle"}
    logged("trees", mlflow.sklearn, model, signature=infer_signature(rows, model.predict(rows)), input_example=rows.head(2), **how)
    put_endpoint(python_server, "trees")
    return model


@pytest.fixture(scope="module")
def odd(python_server):
    logged("odd", mlflow.pyfunc, None, python_model=Odd(), signature=infer_signature(pandas.DataFrame({"what": ["a"]}), ["a"]))
    put_endpoint(python_server, "odd")


def put_endpoint(server, name):
    answer = requests.put(f"{server.url}/api/v1/endpoints/{name}", json={"model": name}, timeout=180)
    assert answer.status_code in (200, 201), answer.text


def score(server, name, frame, timeout=60):
    return requests.post(f"{server.url}/invocations?endpoint={name}", json={"dataframe_split": frame.to_dict(orient="split")}, timeout=timeout)


def ask(server, *words, timeout=60):
    return score(server, "odd", pandas.DataFrame({"what": list(words)}), timeout)


def back_again(server, deadline_s=40):
    until = time.monotonic() + deadline_s
    while time.monotonic() < until:
        answer = ask(server, "hello")
        if answer.status_code == 200:
            return answer.json()["predictions"]
        time.sleep(0.2)
    raise AssertionError(answer.text)


def test_every_protocol_gives_the_models_own_answers(python_server, trees, rows):
    expected = trees.predict(rows).tolist()
    url, records = python_server.url, rows.to_dict(orient="records")
    assert score(python_server, "trees", rows).json() == {"predictions": expected}
    csv = requests.post(f"{url}/invocations?endpoint=trees", data=rows.to_csv(index=False).encode(), headers={"Content-Type": "text/csv"}, timeout=60)
    assert csv.json() == {"predictions": expected}
    assert requests.post(f"{url}/v1/models/trees:predict", json={"instances": records}, timeout=60).json()["predictions"] == expected
    own = requests.post(f"{url}/api/v1/endpoints/trees/predict", json={"instances": records}, timeout=60).json()
    assert own["predictions"] == expected and own["version"] == 1 and len(own["id"]) == 32
    inputs = requests.get(f"{url}/api/v1/models/trees/signature", timeout=60).json()["inputs"]
    assert [(i["kind"], i["example"]) for i in inputs] == [("number", rows.amount[0]), ("number", rows["count"][0]), ("text", rows.city[0])]
    about = requests.get(f"{url}/v2/models/trees", timeout=60).json()
    assert about["platform"] == "python"
    assert [(t["name"], t["datatype"], t["shape"]) for t in about["inputs"]] == [("amount", "FP64", [-1]), ("count", "FP64", [-1]), ("city", "BYTES", [-1])]
    inputs = [{"name": t["name"], "datatype": t["datatype"], "shape": [len(rows)], "data": rows[t["name"]].tolist()} for t in about["inputs"]]
    answer = requests.post(f"{url}/v2/models/trees/infer", json={"inputs": inputs}, timeout=60).json()
    assert answer["outputs"][0]["data"] == expected


def test_calls_are_logged_and_replayed(python_server, trees, rows):
    """What a model in Python was asked is in the prediction log, and asked again it says the same, to the last bit"""
    endpoint = f"{python_server.url}/api/v1/endpoints/trees"
    before = requests.get(endpoint, timeout=30).json()["log"]["accepted"]
    score(python_server, "trees", rows.head(3))
    assert requests.get(endpoint, timeout=30).json()["log"]["accepted"] == before + 1
    row = requests.get(endpoint + "/log?limit=1", timeout=30).json()["rows"][0]
    assert set(row["inputs"]) == set(rows.columns) and row["stages"]["model_us"] > 0 and row["cpu_us"] is None  # another process's
    report = requests.post(endpoint + "/replay", json={"last": 1}, timeout=60).json()
    assert (report["rows"], report["same_bits"], report["different"], report["failed"]) == (1, 1, 0, 0), report


@pytest.mark.parametrize("spoil, part", [
    (lambda row: row.pop("city"), "city"), (lambda row: row.update(amount="much"), "expected a number"),
    (lambda row: row.update(colour="red"), "unknown input `colour`"), (lambda row: row.update(city=3), "expected a text")])
def test_wrong_rows_are_told_by_name(python_server, trees, rows, spoil, part):
    row = rows.iloc[0].to_dict()
    spoil(row)
    answer = requests.post(f"{python_server.url}/invocations?endpoint=trees", json={"dataframe_records": [row]}, timeout=60)
    assert answer.status_code == 400 and part in answer.json()["message"], answer.text


def test_frames_matrices_and_no_signature(python_server, rows):
    numbers = rows[["amount", "count"]].to_numpy()
    line = LinearRegression().fit(numbers, numbers.sum(axis=1))
    how = {"serialization_format": "cloudpickle"}
    logged("matrix", mlflow.sklearn, line, signature=infer_signature(numbers, line.predict(numbers)), **how)
    logged("bare", mlflow.sklearn, line, **how)

    class Frame(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            return pandas.DataFrame({"half": model_input["x"] / 2, "word": model_input["t"].dt.year.astype(str), "none": [None] * len(model_input)})

    frame = pandas.DataFrame({"x": [1.0, 3.0], "t": pandas.to_datetime(["2024-05-01", "2025-05-01"])})
    logged("frame", mlflow.pyfunc, None, python_model=Frame(), signature=infer_signature(frame))
    for name in ("matrix", "bare", "frame"):
        put_endpoint(python_server, name)
    csv = pandas.DataFrame(numbers, columns=["a", "b"]).to_csv(index=False).encode()
    for name in ("matrix", "bare"):
        answer = requests.post(f"{python_server.url}/invocations?endpoint={name}", data=csv, headers={"Content-Type": "text/csv"}, timeout=60).json()
        assert numpy.allclose(answer["predictions"], line.predict(numbers), rtol=1e-12), name
        answer = requests.post(f"{python_server.url}/v1/models/{name}:predict", json={"instances": numbers.tolist()}, timeout=60).json()
        assert numpy.allclose(answer["predictions"], line.predict(numbers), rtol=1e-12), name
    asked = [{"x": 1.0, "t": "2024-05-01"}, {"x": 3.0, "t": "2025-05-01"}]
    answer = requests.post(f"{python_server.url}/invocations?endpoint=frame", json={"dataframe_records": asked}, timeout=60)
    assert [(r["half"], r["word"]) for r in answer.json()["predictions"]] == [(0.5, "2024"), (1.5, "2025")], answer.text
    assert all(numpy.isnan(r["none"]) for r in answer.json()["predictions"])
    assert ask_frame_with_a_bad_time(python_server).status_code == 400


def ask_frame_with_a_bad_time(server):
    return requests.post(f"{server.url}/invocations?endpoint=frame", json={"dataframe_records": [{"x": 1.0, "t": "soon"}]}, timeout=60)


class Scaled(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return [float(x) * (params or {}).get("factor", 1.0) for x in model_input["x"]]


def test_params_of_predict_reach_the_model(python_server):
    frame = pandas.DataFrame({"x": [1.0, 2.0]})
    logged("scaled", mlflow.pyfunc, None, python_model=Scaled(), signature=infer_signature(frame, [1.0], params={"factor": 2.0}))
    put_endpoint(python_server, "scaled")
    url, rows = f"{python_server.url}/invocations?endpoint=scaled", {"columns": ["x"], "data": [[1.0], [2.0]]}

    def predictions(**more):
        answer = requests.post(url, json={"dataframe_split": rows, **more}, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()["predictions"]

    assert predictions() == [2.0, 4.0]  # the signature's default
    assert predictions(params={"factor": 10.0}) == [10.0, 20.0]
    refused = requests.post(url, json={"dataframe_split": rows, "params": {"factor": "many"}}, timeout=60)
    assert refused.status_code == 400 and "factor" in refused.json()["message"], refused.text
    call = {"parameters": {"params": {"factor": 3.0}}, "inputs": [{"name": "x", "datatype": "FP64", "shape": [2], "data": [1, 2]}]}
    assert requests.post(f"{python_server.url}/v2/models/scaled/infer", json=call, timeout=60).json()["outputs"][0]["data"] == [3.0, 6.0]


def test_what_the_model_raises_is_told(python_server, odd):
    answer = ask(python_server, "raise")
    assert answer.status_code == 400 and "RuntimeError: 이것은 안 된다" in answer.json()["message"]
    assert ask(python_server, "hello", "안녕").json() == {"predictions": ["hello!", "안녕!"]}


@pytest.mark.parametrize("how", ["crash", "exit"])
def test_a_crash_is_told_and_survived(python_server, odd, trees, rows, how):
    back_again(python_server)
    answer = ask(python_server, how)
    assert answer.status_code == 503 and "process ended" in answer.json()["message"], answer.text
    assert score(python_server, "trees", rows.head(1)).status_code == 200
    assert back_again(python_server) == ["hello!"]


def test_a_hang_ends_by_itself_and_holds_nobody_up(python_server, odd, trees, rows):
    back_again(python_server)
    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        hanging = [pool.submit(ask, python_server, "hang") for _ in range(40)]
        time.sleep(0.5)
        assert score(python_server, "trees", rows.head(1), timeout=TIMEOUT_S).status_code == 200
        assert requests.get(f"{python_server.url}/api/v1/endpoints", timeout=TIMEOUT_S).status_code == 200
        codes = sorted({h.result().status_code for h in hanging})
    assert set(codes) <= {503, 504} and 504 in codes, codes
    assert back_again(python_server) == ["hello!"]


def test_a_flood_of_output_and_a_leak(python_server, odd):
    back_again(python_server)
    assert ask(python_server, "flood").json() == {"predictions": ["flood!"]}
    answer = ask(python_server, "leak")
    assert answer.status_code == 503, answer.text
    assert back_again(python_server) == ["hello!"]


def test_a_model_sees_no_secrets_and_no_files_of_the_server(python_server, odd):
    back_again(python_server)
    assert ask(python_server, "secrets").json() == {"predictions": ["{}"]}
    files = json.loads(ask(python_server, "files").json()["predictions"][0])
    assert not [f for f in files if "maru.db" in f or "server.json" in f or f.startswith("socket:")], files


def test_processes_go_with_the_model(python_server, odd, home):
    def workers():
        out = subprocess.run(["pgrep", "-P", str(python_server.process.pid), "-f", "models/"], capture_output=True, text=True, check=False).stdout
        return len(out.split())
    back_again(python_server)
    before, until = workers(), time.monotonic() + 20
    assert requests.delete(f"{python_server.url}/api/v1/endpoints/odd", timeout=60).status_code in (200, 204)
    while workers() >= before and time.monotonic() < until:
        time.sleep(0.1)
    assert workers() < before


def test_a_new_version_takes_over_under_load(python_server, rows):
    class Constant(mlflow.pyfunc.PythonModel):
        def __init__(self, value):
            self.value = value

        def predict(self, context, model_input, params=None):
            return [self.value] * len(model_input)

    signature = infer_signature(pandas.DataFrame({"x": [1.0]}), [1.0])
    logged("constant", mlflow.pyfunc, None, python_model=Constant(1.0), signature=signature)
    client = mlflow.MlflowClient()
    client.set_registered_model_alias("constant", "champion", "1")
    put_endpoint(python_server, "constant")
    logged("constant", mlflow.pyfunc, None, python_model=Constant(2.0), signature=signature)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        moved = pool.submit(client.set_registered_model_alias, "constant", "champion", "2")
        seen = []
        until = time.monotonic() + 60
        while (not seen or seen[-1] != 2.0) and time.monotonic() < until:
            answer = score(python_server, "constant", pandas.DataFrame({"x": [0.0]}))
            assert answer.status_code == 200, answer.text
            seen.append(answer.json()["predictions"][0])
        moved.result()
    assert seen[-1] == 2.0 and seen == sorted(seen)


def test_an_interpreter_that_cannot_is_told(tmp_path, home, python_server, trees):
    for interpreter, part in (("off", "python.interpreter is off"), ("/nowhere/python3", "Python is not there: /nowhere/python3")):
        folder = mlflow.artifacts.download_artifacts("models:/trees/1", dst_path=str(tmp_path / f"m{len(interpreter)}"))
        done = subprocess.run([BINARY, "serve", folder, "--name", "trees", "--listen", "127.0.0.1:0", "--home", str(tmp_path / f"h{len(interpreter)}")],
                              env={**os.environ, "MARU_PYTHON_INTERPRETER": interpreter}, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode != 0 and part in done.stderr, done.stderr


def test_one_command_serves_a_folder(tmp_path, python_server, trees, rows):
    folder = mlflow.artifacts.download_artifacts("models:/trees/1", dst_path=str(tmp_path / "model"))
    process = subprocess.Popen([BINARY, "serve", folder, "--name", "trees", "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True,
                               env={**os.environ, "MARU_PYTHON_INTERPRETER": sys.executable})
    try:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("ready "):
                break
        call = next(line.strip() for line in lines if "curl" in line)
        told = json.loads(subprocess.run(["sh", "-c", call], capture_output=True, text=True, check=True).stdout)
        assert told == {"predictions": trees.predict(rows.head(2)).tolist()}, told
    finally:
        process.terminate()
        assert process.wait(30) == 0


