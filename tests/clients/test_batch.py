"""Batch prediction with models made elsewhere: ONNX files of tensors and models that only Python can run. What a batch writes is what a call answers."""
import csv
import json
import sys
import warnings

import mlflow
import numpy
import onnx
import pandas
import pytest
import requests
from conftest import Server
from mlflow.models import infer_signature
from onnx import TensorProto, helper
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

warnings.filterwarnings("ignore")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("batch")


@pytest.fixture(scope="module")
def any_server(place):
    server = Server(place / "home", "--python-interpreter", sys.executable)
    mlflow.set_tracking_uri(server.url)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def rows(place):
    random = numpy.random.default_rng(5)
    frame = pandas.DataFrame({"amount": random.normal(size=400).round(4), "count": random.integers(0, 9, 400).astype(float),
                              "city": random.choice(["서울", "부산", "Jeju"], 400)})
    frame.to_csv(place / "rows.csv", index=False)
    frame[["amount", "count"]].to_csv(place / "numbers.csv", index=False)
    return frame


def onnx_file(place, name, inputs, nodes, initializers, width):
    graph = helper.make_graph(nodes, name, inputs, [helper.make_tensor_value_info("score", TensorProto.FLOAT, [None, width])], initializers)
    path = place / f"{name}.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return str(path)


def add(server, name, path):
    answer = requests.post(f"{server.url}/api/v1/model-imports", json={"path": path, "name": name, "alias": "champion"}, timeout=120)
    assert answer.ok, answer.text
    endpoint(server, name)


def endpoint(server, name):
    answer = requests.put(f"{server.url}/api/v1/endpoints/{name}", json={"model": name}, timeout=180)
    assert answer.ok, answer.text


def batch(server, model, source, output, **more):
    job = requests.post(f"{server.url}/api/v1/batch", json={"model": model, "input": [str(source)], "output": str(output), **more}, timeout=60)
    assert job.status_code == 201, job.text
    path = f"{server.url}/api/v1/batch/{job.json()['id']}"
    while True:
        now = requests.get(path, timeout=60).json()
        if now["state"] not in ("pending", "queued", "running"):
            return now


def online(server, model, row):
    """the answer to one row with its numbers as they are written"""
    body = {"dataframe_split": {"columns": list(row.index), "data": [list(row)]}}
    answer = requests.post(f"{server.url}/invocations?endpoint={model}", json=body, timeout=60)
    assert answer.ok, answer.text
    return json.loads(answer.text, parse_float=str, parse_int=str)["predictions"]


def read(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_an_onnx_file_of_named_columns(any_server, place, rows):
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 1]) for name in ("amount", "count")]
    nodes = [helper.make_node("Mul", ["amount", "w"], ["a"]), helper.make_node("Add", ["a", "count"], ["b"]), helper.make_node("Sigmoid", ["b"], ["score"])]
    add(any_server, "named", onnx_file(place, "named", inputs, nodes, [helper.make_tensor("w", TensorProto.FLOAT, [1], [0.37])], 1))
    job = batch(any_server, "named", place / "rows.csv", place / "named.csv")
    assert (job["state"], job["rows"], job["failed"], job["engine"]) == ("succeeded", len(rows), 0, "onnxruntime"), job
    given = read(place / "named.csv")
    for at in range(0, len(rows), 9):
        assert online(any_server, "named", rows[["amount", "count"]].iloc[at]) == [[given[at]["score"]]]


def test_an_onnx_file_of_a_matrix(any_server, place, rows):
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 2])]
    nodes = [helper.make_node("MatMul", ["x", "w"], ["a"]), helper.make_node("Softmax", ["a"], ["score"])]
    add(any_server, "matrix", onnx_file(place, "matrix", inputs, nodes, [helper.make_tensor("w", TensorProto.FLOAT, [2, 3], [0.1, 0.2, -0.4, 0.5, 0.3, -0.1])], 3))
    job = batch(any_server, "matrix", place / "rows.csv", place / "matrix.csv")
    assert job["state"] == "failed" and "2 columns" in job["error"], job
    job = batch(any_server, "matrix", place / "numbers.csv", place / "matrix.csv")
    assert (job["state"], job["rows"]) == ("succeeded", len(rows)), job
    given = read(place / "matrix.csv")
    for at in range(0, len(rows), 9):
        assert online(any_server, "matrix", rows[["amount", "count"]].iloc[at]) == [[given[at][f"score_{k}"] for k in range(3)]]


def test_a_model_that_needs_python(any_server, place, rows):
    answer = numpy.where(rows.amount + (rows.city == "서울") > 0.4, "yes", "no")
    model = make_pipeline(make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["city"]), remainder="passthrough"),
                          RandomForestClassifier(10, random_state=0)).fit(rows, answer)
    with mlflow.start_run():
        mlflow.sklearn.log_model(model, name="model", registered_model_name="forest", signature=infer_signature(rows, model.predict(rows)),
                                 input_example=rows.head(2), serialization_format="cloudpickle")
    lines = (place / "rows.csv").read_text(encoding="utf-8").splitlines()
    lines[4] = "much," + lines[4].split(",", 1)[1]
    (place / "bad.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    job = batch(any_server, "forest", place / "bad.csv", place / "forest.csv", selector="1")
    assert (job["state"], job.get("rows"), job.get("failed"), job.get("engine")) == ("succeeded", len(rows), 1, "python"), job
    given = [row["predictions"] for row in read(place / "forest.csv")]
    expected = model.predict(rows).tolist()
    expected[3] = ""
    assert given == expected
    assert read(place / "forest.csv.errors.csv")[0]["row"] == "4"
