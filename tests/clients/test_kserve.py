"""Stock KServe clients (InferenceRESTClient of v1 and v2, InferenceGRPCClient) against a live server. Runs in the environment of requirements-kserve.txt."""
import asyncio
import os
import pathlib
import subprocess

import numpy
import pytest
import requests

pytest.importorskip("kserve")

import grpc  # noqa: E402
import httpx  # noqa: E402
from conftest import BINARY, REPO  # noqa: E402
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest  # noqa: E402
from kserve.inference_client import RESTConfig  # noqa: E402
from kserve.protocol.infer_type import RequestedOutput  # noqa: E402

MODELS = pathlib.Path(os.environ.get("MARU_SHARED", REPO / "../shared")) / "models"
A, B = numpy.arange(16, dtype=numpy.int32)[None], numpy.ones((1, 16), numpy.int32)
needs_models = pytest.mark.skipif(not MODELS.is_dir(), reason="../shared/models is not there")


@pytest.fixture(scope="module")
def simple(server):
    for name in ("simple", "simple_string"):
        done = subprocess.run([BINARY, "model", "import", str(MODELS / f"{name}.onnx"), "--name", name, "--server", server.url],
                              capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return server


def rest(protocol, call):
    """What `call(client)` gives, of a client of its own."""
    async def run():
        async with InferenceRESTClient(RESTConfig(protocol=protocol, retries=0)) as client:
            return await call(client)
    return asyncio.run(run())


def rpc(server, call, **options):
    async def run():
        async with InferenceGRPCClient(server.url.removeprefix("http://"), retries=0, **options) as client:
            return await call(client)
    return asyncio.run(run())


def request(binary, first=A, second=B, datatype="INT32", **more):
    inputs = []
    for name, values in (("INPUT0", first), ("INPUT1", second)):
        inputs.append(InferInput(name, list(values.shape), datatype))
        inputs[-1].set_data_from_numpy(values, binary_data=binary)
    return InferRequest(model_name=more.pop("model", "simple"), infer_inputs=inputs, **more)


# ---- v1

def test_v1_says_that_it_lives_and_whether_a_model_is_ready(server, trained, probabilities):
    assert rest("v1", lambda c: c.is_server_live(server.url)) is True
    assert rest("v1", lambda c: c.is_model_ready(server.url, trained["model"])) is True
    with pytest.raises(httpx.HTTPStatusError, match="404"):
        rest("v1", lambda c: c.is_model_ready(server.url, "no-such-model"))


def test_v1_predicts_what_maru_answers(server, trained, records, probabilities):
    headers = {}
    answer = rest("v1", lambda c: c.infer(server.url, {"instances": records[:50]}, model_name=trained["model"], response_headers=headers))
    assert numpy.abs(numpy.array([p["scores"][0] for p in answer["predictions"]]) - probabilities[:50]).max() == 0
    assert len(headers["x-prediction-id"]) == 32 and headers["content-type"] == "application/json"


def test_v1_explains(server, trained, records, probabilities):
    answer = rest("v1", lambda c: c.explain(server.url, trained["model"], {"instances": records[:2]}))
    assert len(answer["explanations"]) and len(answer["predictions"]) == 2


def test_v1_errors_name_what_is_wrong(server, trained, records, probabilities):
    for body, status, words in (({"instances": [{"agee": 3}]}, 400, "age"), ({"rows": []}, 400, "instances"), ({"instances": records[0]}, 400, "")):
        with pytest.raises(httpx.HTTPStatusError) as told:
            rest("v1", lambda c, body=body: c.infer(server.url, body, model_name=trained["model"]))
        assert told.value.response.status_code == status and words in told.value.response.json()["error"]
    with pytest.raises(httpx.HTTPStatusError) as told:
        rest("v1", lambda c: c.infer(server.url, {"instances": []}, model_name="no-such-model"))
    assert told.value.response.status_code == 404 and "error" in told.value.response.json()


# ---- v2 over HTTP

@needs_models
def test_v2_health(simple):
    assert rest("v2", lambda c: c.is_server_live(simple.url)) is True
    assert rest("v2", lambda c: c.is_server_ready(simple.url)) is True
    assert rest("v2", lambda c: c.is_model_ready(simple.url, "simple")) is True
    assert rest("v2", lambda c: c.is_model_ready(simple.url, "no-such-model")) is False


@needs_models
@pytest.mark.parametrize("binary", [False, True], ids=["json", "binary"])
def test_v2_infers(simple, binary):
    wanted = [RequestedOutput(name, parameters={"binary_data": binary}) for name in ("OUTPUT1", "OUTPUT0")]
    answer = rest("v2", lambda c: c.infer(simple.url, request(binary, request_id="seven", request_outputs=wanted), model_name="simple"))
    assert answer.id == "seven" and answer.model_name == "simple"
    assert [o.name for o in answer.outputs] == ["OUTPUT1", "OUTPUT0"]
    assert (answer.get_output_by_name("OUTPUT0").as_numpy() == A + B).all() and (answer.get_output_by_name("OUTPUT1").as_numpy() == A - B).all()
    many = numpy.repeat(A, 1000, axis=0)
    assert (rest("v2", lambda c: c.infer(simple.url, request(binary, many, many), model_name="simple")).get_output_by_name("OUTPUT0").as_numpy() == 2 * many).all()


@needs_models
def test_v2_infers_texts(simple):
    words = numpy.array([[str(i).encode() for i in range(16)]], dtype=object)
    for binary in (False, True):
        answer = rest("v2", lambda c, b=binary: c.infer(simple.url, request(b, words, words, "BYTES", model="simple_string"), model_name="simple_string"))
        assert [str(x if isinstance(x, str) else x.decode()) for x in answer.outputs[0].as_numpy().reshape(-1)][:4] == ["0", "2", "4", "6"]


@needs_models
def test_v2_columns_of_a_table_answer_the_same(server, trained, records, probabilities):
    names = {"age": "FP64", "city": "BYTES", "plan": "BYTES", "visits": "INT64"}
    rows = [i for i, r in enumerate(records) if all(v is not None for v in r.values())][:20]
    micros = [int(numpy.datetime64(records[i]["signup"]).astype("datetime64[us]").astype(numpy.int64)) for i in rows]
    inputs = [InferInput("signup", [len(rows)], "INT64", data=micros)]
    for name, kind in names.items():
        inputs.append(InferInput(name, [len(rows)], kind, data=[records[i][name] for i in rows]))
    answer = rest("v2", lambda c: c.infer(server.url, InferRequest(trained["model"], inputs), model_name=trained["model"]))
    assert numpy.abs(answer.get_output_by_name("scores").as_numpy().reshape(-1) - probabilities[rows]).max() == 0


@needs_models
def test_v2_errors(simple):
    for wrong, status in ((request(False, A[:, :3]), 400), (request(True, A.astype(numpy.int64), B.astype(numpy.int64), "INT64"), 400)):
        with pytest.raises(httpx.HTTPStatusError) as told:
            rest("v2", lambda c, w=wrong: c.infer(simple.url, w, model_name="simple"))
        assert told.value.response.status_code == status and "INPUT" in told.value.response.json()["error"]
    with pytest.raises(httpx.HTTPStatusError) as told:
        rest("v2", lambda c: c.infer(simple.url, request(False, model="nope"), model_name="nope"))
    assert told.value.response.status_code == 404 and "unknown model" in told.value.response.json()["error"]


# ---- gRPC

@needs_models
def test_grpc_health_and_metadata(simple):
    assert rpc(simple, lambda c: c.is_server_live()) is True
    assert rpc(simple, lambda c: c.is_server_ready()) is True
    assert rpc(simple, lambda c: c.is_model_ready("simple")) is True
    assert rpc(simple, lambda c: c.is_model_ready("no-such-model")) is False


@needs_models
@pytest.mark.parametrize("binary", [False, True], ids=["typed", "raw"])
def test_grpc_infers(simple, binary):
    answer = rpc(simple, lambda c: c.infer(request(binary, request_id="eight")))
    assert answer.id == "eight"
    assert (answer.get_output_by_name("OUTPUT0").as_numpy() == A + B).all() and (answer.get_output_by_name("OUTPUT1").as_numpy() == A - B).all()


@needs_models
def test_grpc_errors(simple):
    for wrong, code in ((request(True, A[:, :3]), grpc.StatusCode.INVALID_ARGUMENT), (request(True, model="nope"), grpc.StatusCode.NOT_FOUND)):
        with pytest.raises(grpc.RpcError) as told:
            rpc(simple, lambda c, w=wrong: c.infer(w))
        assert told.value.code() == code


def test_the_calls_of_these_clients_are_traced(server, trained, records, probabilities):
    """KServe's agents add W3C trace headers to what they pass on"""
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = {}
    rest("v1", lambda c: c.infer(server.url, {"instances": records[:1]}, model_name=trained["model"],
                                 headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"}, response_headers=headers))
    assert headers["traceparent"].split("-")[1] == trace
    rows = requests.get(f"{server.url}/api/v1/endpoints/{trained['model']}/log?trace_id={trace}", timeout=30).json()["rows"]
    assert [row["id"] for row in rows] == [headers["x-prediction-id"]]
