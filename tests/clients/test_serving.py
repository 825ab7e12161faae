"""Models of tensors behind every protocol: stock tritonclient, and the shapes that TF-Serving's, KServe's and MLflow's clients send."""
import numpy
import pytest
import requests
import tritonclient.http as triton
from tensor_cases import test_triton_asks_for_the_best_classes, test_triton_infers_batches_bytes_and_small_integers, test_triton_unloads_and_loads  # noqa: F401
from tensor_cases import A, B, import_models, inputs, needs_models
from tritonclient.utils import InferenceServerException

pytestmark = needs_models


@pytest.fixture(scope="module")
def models(server):
    import_models(server)
    return server.url


@pytest.fixture
def client(models):
    with triton.InferenceServerClient(models.removeprefix("http://")) as out:
        yield out


@pytest.fixture
def protocol():
    return triton


def tensors(first=A, second=B, datatype="INT32", binary=True):
    return inputs(triton, first, second, datatype, binary_data=binary)


def test_triton_reads_the_server(client):
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready("simple") and client.is_model_ready("simple", "1") and not client.is_model_ready("nope")
    about = client.get_model_metadata("simple")
    assert [(t["name"], t["datatype"], t["shape"]) for t in about["inputs"]] == [("INPUT0", "INT32", [-1, 16]), ("INPUT1", "INT32", [-1, 16])]
    config = client.get_model_config("simple")
    assert config["max_batch_size"] > 0 and config["input"][0]["dims"] == [16] and config["input"][0]["data_type"] == "TYPE_INT32"
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]


@pytest.mark.parametrize("packed", [None, "gzip", "deflate"])
@pytest.mark.parametrize("answer", [True, False, None])
@pytest.mark.parametrize("sent", [True, False])
def test_triton_infers_in_every_form(client, sent, answer, packed):
    wanted = None if answer is None else [triton.InferRequestedOutput("OUTPUT1", binary_data=answer),
                                          triton.InferRequestedOutput("OUTPUT0", binary_data=not answer)]
    result = client.infer("simple", tensors(binary=sent), outputs=wanted, request_id="7",
                          request_compression_algorithm=packed, response_compression_algorithm=packed)
    assert (result.as_numpy("OUTPUT0") == A + B).all() and (result.as_numpy("OUTPUT1") == A - B).all()
    assert result.get_response()["id"] == "7" and result.get_response()["model_version"] == "1"


def test_triton_reads_the_repository(client):
    assert client.infer("simple", tensors()) is not None
    index = {m["name"]: m for m in client.get_model_repository_index()}
    assert index["simple"]["state"] == "READY"
    counted = client.get_inference_statistics("simple")["model_stats"][0]
    assert counted["inference_stats"]["success"]["count"] >= 1 and counted["last_inference"] > 0


def test_triton_is_told_what_is_wrong(client):
    with pytest.raises(InferenceServerException, match="Request for unknown model: 'nope'") as told:
        client.infer("nope", tensors())
    assert told.value.status() == "404"
    with pytest.raises(InferenceServerException, match="wants INT32") as told:
        client.infer("simple", tensors(A.astype(numpy.float32), B.astype(numpy.float32), "FP32"))
    assert told.value.status() == "400"


def test_an_endpoint_is_asked_with_tensors(client, trained):
    about = client.get_model_metadata(trained["model"])
    assert {t["name"] for t in about["outputs"]} == {"scores", "prediction"}
    with pytest.raises(InferenceServerException, match="production"):
        client.unload_model(trained["model"])


BAD = {
    "no JSON": (b"{", {}, "JSON"),
    "a header beyond the body": (b"{}", {"Inference-Header-Content-Length": "100"}, "Inference-Header-Content-Length"),
    "a negative header": (b"{}", {"Inference-Header-Content-Length": "-1"}, "Inference-Header-Content-Length"),
    "a raw body for two inputs": (b"\0" * 64, {"Inference-Header-Content-Length": "0"}, "one input"),
    "a negative dimension": (b'{"inputs":[{"name":"INPUT0","shape":[-1],"datatype":"INT32","data":[1]}]}', {}, "negative dimension"),
    "an overflowing shape": (b'{"inputs":[{"name":"INPUT0","shape":[9223372036854775807,9],"datatype":"INT32","data":[1]}]}', {}, "2^31-1"),
    "deep nesting": (b'{"inputs":[{"name":"INPUT0","shape":[1],"datatype":"INT32","data":' + b"[" * 5000 + b"]" * 5000 + b"}]}", {}, ""),
    "an output twice": (b'{"inputs":[{"name":"INPUT0","shape":[1],"datatype":"INT32","data":[1]}],"outputs":[{"name":"a"},{"name":"a"}]}', {}, "twice"),
    "FP16 as JSON": (b'{"inputs":[{"name":"INPUT0","shape":[1],"datatype":"FP16","data":[1]}]}', {}, "FP16"),
    "a length of texts that lies": (b'{"inputs":[{"name":"INPUT0","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":8}}]}\xff\xff\xff\x7fabcd',
                                    {"Inference-Header-Content-Length": "97"}, "not 1 texts"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_bodies_are_refused_with_a_reason(models, case):
    body, headers, part = BAD[case]
    answer = requests.post(f"{models}/v2/models/simple/infer", data=body, headers=headers, timeout=30)
    assert answer.status_code in (400, 413), answer.text
    assert answer.headers["Content-Type"] == "application/json" and part in answer.json()["error"]


def test_tensorflow_rows_and_columns(models):
    rows = {"instances": [{"INPUT0": A[0].tolist(), "INPUT1": B[0].tolist()}] * 2}
    answer = requests.post(f"{models}/v1/models/simple:predict", json=rows, timeout=30).json()
    assert [p["OUTPUT0"] for p in answer["predictions"]] == [(A + B)[0].tolist()] * 2
    columns = {"signature_name": "serving_default", "inputs": {"INPUT0": A.tolist(), "INPUT1": B.tolist()}}
    answer = requests.post(f"{models}/v1/models/simple/versions/1:predict", json=columns, timeout=30).json()
    assert answer["outputs"]["OUTPUT1"] == (A - B).tolist()
    for body in ({}, {"instances": [], "inputs": {}}, {"instances": [1]}, {"inputs": {"INPUT0": [[1]]}}, {"signature_name": "other", "inputs": {}}):
        refused = requests.post(f"{models}/v1/models/simple:predict", json=body, timeout=30)
        assert refused.status_code == 400 and refused.json()["error"], body


def test_tensorflow_and_kserve_read_the_model(models):
    status = requests.get(f"{models}/v1/models/simple", timeout=30).json()
    assert status["name"] == "simple" and status["ready"] is True
    assert status["model_version_status"][0]["state"] == "AVAILABLE"
    about = requests.get(f"{models}/v1/models/simple/metadata", timeout=30).json()
    inputs = about["metadata"]["signature_def"]["signature_def"]["serving_default"]["inputs"]
    assert inputs["INPUT0"]["dtype"] == "DT_INT32" and inputs["INPUT0"]["tensor_shape"]["dim"][1]["size"] == "16"
    assert requests.get(f"{models}/v1/models/nope", timeout=30).status_code == 404


def test_tensorflow_classifies(server, trained, records, probabilities):
    body = {"examples": [{k: [v] for k, v in r.items()} for r in records[:5]]}
    results = server.post(f"/v1/models/{trained['model']}:classify", body)["results"]
    assert numpy.abs(numpy.array([r[1][1] for r in results]) - probabilities[:5]).max() <= 1e-6
    refused = requests.post(f"{server.url}/v1/models/{trained['model']}:regress", json=body, timeout=30)
    assert refused.status_code == 400 and ":classify" in refused.json()["error"]


def test_scoring_reads_csv_as_json(server, trained, frame, probabilities):
    url = f"{server.url}/invocations?endpoint={trained['model']}"
    text = frame.drop(columns="bought").head(len(probabilities)).to_csv(index=False)
    answer = requests.post(url, data=text.encode(), headers={"Content-Type": "text/csv; charset=utf-8"}, timeout=30).json()
    assert numpy.abs(numpy.array(answer["predictions"]) - probabilities).max() <= 1e-6


@pytest.mark.parametrize("headers, body, status, part", [
    ({"Content-Type": "text/plain"}, "x", 415, "only supports"),
    ({"Content-Type": "application/json; charset=latin-1"}, "{}", 415, "UTF-8"),
    ({"Content-Type": "application/json"}, "{}", 400, "exactly one of the input fields"),
    ({"Content-Type": "application/json"}, '{"inputs":[],"instances":[]}', 400, "exactly one of the input fields"),
    ({"Content-Type": "application/json"}, '{"dataframe_split":[]}', 400, "Dataframe split format must be a dictionary. Got list"),
    ({"Content-Type": "application/json"}, '{"dataframe_records":{}}', 400, "Dataframe records format must be a list of records. Got dictionary"),
    ({"Content-Type": "application/json"}, "nonsense", 400, "Invalid input"),
], ids=["type", "charset", "no form", "two forms", "split", "records", "no JSON"])
def test_scoring_refuses_as_mlflow_does(server, trained, headers, body, status, part):
    answer = requests.post(f"{server.url}/invocations?endpoint={trained['model']}", data=body, headers=headers, timeout=30)
    assert answer.status_code == status and part in answer.text
    if status == 400:
        assert answer.json()["error_code"] == "BAD_REQUEST"
