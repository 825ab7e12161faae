"""gRPC: stock tritonclient, grpcio's health and reflection clients, and calls that are wrong. Runs in the environment of requirements-grpc.txt."""
import json
import queue
import struct
import subprocess
import threading

import numpy
import pytest
import requests

grpc = pytest.importorskip("grpc")
pytest.importorskip("grpc_health")

import tritonclient.grpc as triton  # noqa: E402
from conftest import BINARY, Server  # noqa: E402
from google.protobuf.descriptor_pool import DescriptorPool  # noqa: E402
from grpc_health.v1 import health_pb2, health_pb2_grpc  # noqa: E402
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc  # noqa: E402
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase  # noqa: E402
from tensor_cases import test_triton_asks_for_the_best_classes, test_triton_infers_batches_bytes_and_small_integers, test_triton_unloads_and_loads  # noqa: E402, F401
from tensor_cases import A, B, import_models, inputs, needs_models  # noqa: E402
from tritonclient.grpc import service_pb2, service_pb2_grpc  # noqa: E402
from tritonclient.utils import InferenceServerException  # noqa: E402

INFER = "/inference.GRPCInferenceService/ModelInfer"
CODE = grpc.StatusCode
pytestmark = needs_models


@pytest.fixture(scope="module")
def models(server):
    import_models(server)
    return server.url.removeprefix("http://")


@pytest.fixture
def client(models):
    with triton.InferenceServerClient(models) as out:
        yield out


@pytest.fixture
def channel(models):
    with grpc.insecure_channel(models) as out:
        yield out


@pytest.fixture
def service(channel):
    return service_pb2_grpc.GRPCInferenceServiceStub(channel)


@pytest.fixture
def protocol():
    return triton


def tensors(first=A, second=B):
    return inputs(triton, first, second)


def typed(**more):
    """The same request with typed contents, built by hand."""
    request = service_pb2.ModelInferRequest(model_name="simple", **more)
    for name, values in (("INPUT0", A), ("INPUT1", B)):
        tensor = request.inputs.add(name=name, datatype="INT32", shape=values.shape)
        tensor.contents.int_contents.extend(values[0].tolist())
    return request


def test_triton_reads_the_server(client):
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready("simple") and client.is_model_ready("simple", "1") and not client.is_model_ready("nope")
    about = client.get_model_metadata("simple")
    assert [(t.name, t.datatype, list(t.shape)) for t in about.inputs] == [("INPUT0", "INT32", [-1, 16]), ("INPUT1", "INT32", [-1, 16])]
    config = client.get_model_config("simple").config
    assert config.max_batch_size > 0 and list(config.input[0].dims) == [16] and config.input[0].data_type == 8
    assert config.instance_group[0].kind == 2 and config.backend == "onnxruntime"
    assert "statistics" in client.get_server_metadata().extensions


@pytest.mark.parametrize("packed", [None, "gzip", "deflate"])
def test_triton_infers(client, packed):
    result = client.infer("simple", tensors(), request_id="7", compression_algorithm=packed, client_timeout=20)
    assert (result.as_numpy("OUTPUT0") == A + B).all() and (result.as_numpy("OUTPUT1") == A - B).all()
    assert result.get_response().id == "7" and result.get_response().model_version == "1"
    one = client.infer("simple", tensors(), outputs=[triton.InferRequestedOutput("OUTPUT1")], model_version="1")
    assert [o.name for o in one.get_response().outputs] == ["OUTPUT1"]


def test_triton_infers_many_at_once(client):
    answers = queue.Queue()
    for i in range(200):
        client.async_infer("simple", tensors(A + i), lambda result, error: answers.put((result, error)), request_id=str(i))
    for _ in range(200):
        result, error = answers.get(timeout=20)
        assert error is None
        assert (result.as_numpy("OUTPUT0") == A + B + int(result.get_response().id)).all()


def test_triton_streams(client):
    answers = queue.Queue()
    client.start_stream(lambda result, error: answers.put((result, error)))
    for i in range(50):
        client.async_stream_infer("nope" if i == 20 else "simple", tensors(A + i), request_id=str(i))
    for i in range(50):  # in order
        result, error = answers.get(timeout=20)
        if i == 20:
            assert "unknown model" in error.message()
        else:
            assert error is None and result.get_response().id == str(i) and (result.as_numpy("OUTPUT0") == A + B + i).all()
    client.async_stream_infer("simple", tensors(), request_id="last", enable_empty_final_response=True)
    assert answers.get(timeout=20)[0].get_response().parameters["triton_final_response"].bool_param
    client.stop_stream()


def test_triton_reads_the_repository(client):
    assert client.infer("simple", tensors()) is not None
    index = {m.name: m for m in client.get_model_repository_index().models}
    assert index["simple"].state == "READY" and index["simple"].version == "1"
    counted = client.get_inference_statistics("simple").model_stats[0]
    assert counted.inference_stats.success.count >= 1 and counted.last_inference > 0
    assert client.get_inference_statistics().model_stats
    with pytest.raises(InferenceServerException, match="takes no `config`"):
        client.load_model("simple", config="{}")


def test_kserve_names_the_model_in_the_other_field(service):
    loaded = service.RepositoryModelLoad(service_pb2.RepositoryModelLoadRequest(repository_name="simple"))
    assert loaded.SerializeToString() == b"\x0a\x06simple\x10\x01"  # KServe's model_name and isLoaded


def test_what_asked_raw_is_answered_raw_and_typed_typed(service):
    answer = service.ModelInfer(typed(id="t"))
    assert answer.id == "t" and not answer.raw_output_contents
    assert list(answer.outputs[0].contents.int_contents) == (A + B)[0].tolist()
    asked = typed()
    asked.parameters["binary_data_output"].bool_param = True
    assert service.ModelInfer(asked).raw_output_contents[0] == (A + B).tobytes()
    raw = typed()
    for tensor, values in zip(raw.inputs, (A, B)):
        tensor.ClearField("contents")
        raw.raw_input_contents.append(values.tobytes())
    assert service.ModelInfer(raw).raw_output_contents[1] == (A - B).tobytes()


def test_an_endpoint_of_columns_answers_as_over_http(server, service, trained, records, probabilities):
    about = service.ModelMetadata(service_pb2.ModelMetadataRequest(name=trained["model"]))
    names = [t.name for t in about.inputs]
    rows = [i for i, r in enumerate(records) if all(r[n] is not None for n in names)]
    field = {"FP64": ("fp64_contents", float), "INT64": ("int64_contents", int), "BYTES": ("bytes_contents", lambda v: str(v).encode()),
             "BOOL": ("bool_contents", bool)}
    request = service_pb2.ModelInferRequest(model_name=trained["model"])
    for column in about.inputs:
        values, datatype = [records[i][column.name] for i in rows], column.datatype
        if column.name == "signup":
            datatype = "BYTES"
        contents, cast = field[datatype]
        tensor = request.inputs.add(name=column.name, datatype=datatype, shape=[len(rows), 1])
        getattr(tensor.contents, contents).extend(cast(v) for v in values)
    answer = service.ModelInfer(request)
    scores = next(o for o in answer.outputs if o.name == "scores")
    got = numpy.array(scores.contents.fp64_contents).reshape(len(rows), -1)[:, -1]
    assert numpy.abs(got - probabilities[rows]).max() <= 1e-6
    assert answer.model_version == str(trained["version"])


WRONG = {
    "no model": (typed(), lambda r: r.ClearField("model_name"), CODE.INVALID_ARGUMENT, "model_name"),
    "an unknown model": (typed(), lambda r: setattr(r, "model_name", "nope"), CODE.NOT_FOUND, "Request for unknown model"),
    "a path for a model": (typed(), lambda r: setattr(r, "model_name", "../simple"), CODE.NOT_FOUND, "unknown model"),
    "a version that is none": (typed(), lambda r: setattr(r, "model_version", "0"), CODE.INVALID_ARGUMENT, "version"),
    "an unknown version": (typed(), lambda r: setattr(r, "model_version", "99"), CODE.NOT_FOUND, "99"),
    "no inputs": (typed(), lambda r: r.ClearField("inputs"), CODE.INVALID_ARGUMENT, "inputs"),
    "an input missing": (typed(), lambda r: r.inputs.pop(), CODE.INVALID_ARGUMENT, "INPUT1"),
    "an input without a name": (typed(), lambda r: r.inputs[0].ClearField("name"), CODE.INVALID_ARGUMENT, "name"),
    "a datatype that is none": (typed(), lambda r: setattr(r.inputs[0], "datatype", "INT128"), CODE.INVALID_ARGUMENT, "INT128"),
    "another datatype": (typed(), lambda r: setattr(r.inputs[0], "datatype", "INT64"), CODE.INVALID_ARGUMENT, "INPUT0"),
    "contents of another datatype": (typed(), lambda r: r.inputs[0].contents.fp32_contents.append(1), CODE.INVALID_ARGUMENT, "datatype"),
    "a wrong shape": (typed(), lambda r: r.inputs[0].shape.__setitem__(1, 15), CODE.INVALID_ARGUMENT, "16 values for 15"),
    "a shape of the wrong rank": (typed(), lambda r: r.inputs[0].shape.pop(0), CODE.INVALID_ARGUMENT, "INPUT0"),
    "a negative dimension": (typed(), lambda r: r.inputs[0].shape.__setitem__(0, -1), CODE.INVALID_ARGUMENT, "negative"),
    "an overflowing shape": (typed(), lambda r: r.inputs[0].shape.__setitem__(0, 2**62), CODE.RESOURCE_EXHAUSTED, "2^31-1"),
    "FP16 typed": (typed(), lambda r: setattr(r.inputs[0], "datatype", "FP16"), CODE.INVALID_ARGUMENT, "raw_input_contents"),
    "raw and typed": (typed(), lambda r: r.raw_input_contents.extend([A.tobytes(), B.tobytes()]), CODE.INVALID_ARGUMENT, "both"),
    "one raw of two": (typed(), lambda r: r.raw_input_contents.append(A.tobytes()), CODE.INVALID_ARGUMENT, "1 raw contents"),
    "an output twice": (typed(), lambda r: [r.outputs.add(name="OUTPUT0") for _ in range(2)], CODE.INVALID_ARGUMENT, "twice"),
    "an unknown output": (typed(), lambda r: r.outputs.add(name="nope"), CODE.INVALID_ARGUMENT, "nope"),
    "shared memory": (typed(), lambda r: setattr(r.inputs[0].parameters["shared_memory_region"], "string_param", "x"), CODE.UNIMPLEMENTED, "shared memory"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_has_its_status_and_its_reason(service, case):
    request, spoil, code, part = WRONG[case]
    spoiled = service_pb2.ModelInferRequest()
    spoiled.CopyFrom(request)
    spoil(spoiled)
    with pytest.raises(grpc.RpcError) as told:
        service.ModelInfer(spoiled, timeout=20)
    assert told.value.code() == code and part in told.value.details(), told.value.details()


def test_raw_contents_that_do_not_fit(service):
    for raw in (b"", A.tobytes()[:-1], A.tobytes() + b"\0"):
        request = typed()
        for tensor in request.inputs:
            tensor.ClearField("contents")
        request.raw_input_contents.extend([raw, B.tobytes()])
        with pytest.raises(grpc.RpcError) as told:
            service.ModelInfer(request)
        assert told.value.code() == CODE.INVALID_ARGUMENT and "INPUT0" in told.value.details()
    lying = service_pb2.ModelInferRequest(model_name="simple_string", raw_input_contents=[struct.pack("<I", 2**31 - 1) + b"abcd"])
    lying.inputs.add(name="INPUT0", datatype="BYTES", shape=[1, 1])
    with pytest.raises(grpc.RpcError) as told:
        service.ModelInfer(lying)
    assert told.value.code() == CODE.INVALID_ARGUMENT and "not 1 texts" in told.value.details()


def call(channel, path, body, **options):
    return channel.unary_unary(path, request_serializer=lambda b: b, response_deserializer=lambda b: b)(body, **options)


def test_bytes_that_are_no_message(channel):
    for path in (INFER, "/inference.GRPCInferenceService/ModelMetadata", "/grpc.health.v1.Health/Check"):
        for body in (b"\xff\xff\xff\xff", b"\x0a\x7f", b"\x0a\x02\xff\xfe", b"\x0a" * 999):
            with pytest.raises(grpc.RpcError) as told:
                call(channel, path, body)
            assert told.value.code() == CODE.INVALID_ARGUMENT, (path, body)
    with pytest.raises(grpc.RpcError) as told:
        call(channel, "/inference.GRPCInferenceService/LogSettings", b"")
    assert told.value.code() == CODE.UNIMPLEMENTED and "LogSettings" in told.value.details()


def test_a_message_beyond_the_limit_and_a_deadline_that_has_passed(server, models):
    with grpc.insecure_channel(models, options=[("grpc.max_send_message_length", -1)]) as channel:
        with pytest.raises(grpc.RpcError) as told:
            call(channel, INFER, b"\0" * ((64 << 20) + 1))
        assert told.value.code() == CODE.RESOURCE_EXHAUSTED
    with grpc.insecure_channel(models) as channel:
        with pytest.raises(grpc.RpcError) as told:
            call(channel, INFER, b"\0" * (60 << 20), timeout=0.001)  # no loopback takes them in a millisecond
        assert told.value.code() == CODE.DEADLINE_EXCEEDED


def test_a_cancelled_stream_leaves_the_connection_whole(service):
    feed = queue.Queue()
    answers = service.ModelStreamInfer(iter(feed.get, None))
    feed.put(typed(id="1"))
    assert next(answers).infer_response.id == "1"
    answers.cancel()
    feed.put(None)
    assert service.ModelInfer(typed(id="2")).id == "2"


def test_health(channel):
    health = health_pb2_grpc.HealthStub(channel)
    for service in ("", "inference.GRPCInferenceService", "grpc.health.v1.Health"):
        assert health.Check(health_pb2.HealthCheckRequest(service=service)).status == health_pb2.HealthCheckResponse.SERVING
    with pytest.raises(grpc.RpcError) as told:
        health.Check(health_pb2.HealthCheckRequest(service="nope"))
    assert told.value.code() == CODE.NOT_FOUND
    unknown = health.Watch(health_pb2.HealthCheckRequest(service="nope"))
    assert next(unknown).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
    unknown.cancel()


def test_reflection(channel):
    database = ProtoReflectionDescriptorDatabase(channel)
    services = set(database.get_services())
    assert services == {"grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection",
                        "inference.GRPCInferenceService"}
    pool = DescriptorPool(database)
    service = pool.FindServiceByName("inference.GRPCInferenceService")
    ours = pool.FindMessageTypeByName("inference.ModelInferRequest")
    stock = service_pb2.ModelInferRequest.DESCRIPTOR
    assert [(f.name, f.number, f.type) for f in ours.fields] == [(f.name, f.number, f.type) for f in stock.fields]
    for method in service.methods:  # the same messages under the same numbers as the stock client's
        theirs = service_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"].methods_by_name[method.name]
        assert {(f.name, f.number, f.type) for f in method.input_type.fields} == {(f.name, f.number, f.type) for f in theirs.input_type.fields}
    reflection = reflection_pb2_grpc.ServerReflectionStub(channel)
    asked = [reflection_pb2.ServerReflectionRequest(file_containing_symbol="nope"), reflection_pb2.ServerReflectionRequest(),
             reflection_pb2.ServerReflectionRequest(all_extension_numbers_of_type="inference.ModelInferRequest")]
    codes = [a.error_response.error_code for a in reflection.ServerReflectionInfo(iter(asked))]
    assert codes == [5, 3, 0]


def test_tls_and_the_protocol_that_it_names(tmp_path):
    """ALPN: h2 for gRPC and for a client that knows it, HTTP/1.1 for one that does not; the same routes behind both."""
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", certificate,
                    "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"], check=True, capture_output=True)
    server = Server(tmp_path / "home", "--tls-cert", str(certificate), "--tls-key", str(key))
    try:
        assert server.url.startswith("https://")
        with grpc.secure_channel(server.url.removeprefix("https://"), grpc.ssl_channel_credentials(certificate.read_bytes())) as channel:
            assert service_pb2_grpc.GRPCInferenceServiceStub(channel).ServerLive(service_pb2.ServerLiveRequest()).live
        for flag, version in (("--http2", "2"), ("--http1.1", "1.1")):
            for path, part in (("/healthz", "ok"), ("/", "<html"), ("/api/v1/openapi.json", "openapi")):
                done = subprocess.run(["curl", "-sS", "--compressed", flag, "--cacert", str(certificate), "-w", "\n%{http_version} %{http_code}",
                                       "-H", "Accept: text/html, */*", server.url + path],
                                      capture_output=True, text=True, check=True)
                assert done.stdout.endswith(f"\n{version} 200") and part in done.stdout.lower(), done.stdout[-300:]
    finally:
        assert server.stop() == 0


def test_an_address_of_its_own_tokens_and_a_stop_that_loses_nothing(trained, tmp_path):
    """--grpc-listen, access tokens, a watch that hears of the stop, and calls during it: each is answered or told to try elsewhere."""
    token = json.loads(subprocess.run([BINARY, "token", "create", "reader", "--role", "viewer", "--home", str(tmp_path / "home"), "--json"],
                                      capture_output=True, text=True, check=True).stdout)["token"]
    server = Server(tmp_path / "home", "--grpc-listen", "127.0.0.1:0")
    address = json.loads((tmp_path / "home/server.json").read_text())["grpc"]
    assert address != server.url.removeprefix("http://")
    assert requests.get(f"http://{address}/healthz", timeout=10).status_code == 505
    import_models(server, "simple")
    with grpc.insecure_channel(address) as channel:
        service = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        viewer = (("authorization", f"Bearer {token}"),)
        assert service.ModelInfer(typed(), metadata=viewer).model_name == "simple"
        with pytest.raises(grpc.RpcError) as told:
            service.RepositoryModelUnload(service_pb2.RepositoryModelUnloadRequest(model_name="simple"), metadata=viewer)
        assert told.value.code() == CODE.PERMISSION_DENIED
        with pytest.raises(grpc.RpcError) as told:
            service.ModelInfer(typed(), metadata=(("authorization", "Bearer maru_wrong"),))
        assert told.value.code() == CODE.UNAUTHENTICATED
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        told, stopping = [], threading.Event()

        def load():
            while not stopping.is_set():
                try:
                    service.ModelInfer(typed(), timeout=10)
                    told.append(None)
                except grpc.RpcError as error:
                    told.append(error.code())
                    return

        threads = [threading.Thread(target=load) for _ in range(4)]
        for thread in threads:
            thread.start()
        while len(told) < 100:
            threading.Event().wait(0.01)
        assert server.stop() == 0
        stopping.set()
        for thread in threads:
            thread.join(20)
        assert set(told) <= {None, CODE.UNAVAILABLE}
        assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
        with pytest.raises(grpc.RpcError) as end:
            next(watch)
        assert end.value.code() == CODE.UNAVAILABLE


def test_traces_and_times_come_back_in_metadata(service, server, models):
    """W3C trace context as gRPC metadata: the same trace goes on, in the answer and in the prediction log; times only when asked for"""
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    answer, call = service.ModelInfer.with_call(typed(), metadata=(("traceparent", f"00-{trace}-00f067aa0ba902b7-01"), ("x-maru-timing", "1")))
    told = dict(call.initial_metadata())
    version, same, span, flags = told["traceparent"].split("-")
    assert (version, same, flags) == ("00", trace, "01") and len(span) == 16 and span != "00f067aa0ba902b7"
    assert "model;dur=" in told["server-timing"] and "total;dur=" in told["server-timing"]
    rows = requests.get(f"{server.url}/api/v1/endpoints/{answer.model_name}/log?trace_id={trace}", timeout=30)
    assert rows.status_code == 200 and [row["version"] for row in rows.json()["rows"]] == [1]
    _, bare = service.ModelInfer.with_call(typed(), metadata=(("traceparent", "00-no"),))
    assert not {"traceparent", "server-timing"} & set(dict(bare.initial_metadata()))


TREE = {"version": [3, 2, 0], "learner": {
    "feature_names": ["age", "visits"], "objective": {"name": "binary:logistic"},
    "learner_model_param": {"base_score": "5E-1", "num_class": "0", "num_feature": "2", "num_target": "1"},
    "gradient_booster": {"name": "gbtree", "model": {"tree_info": [0], "trees": [{
        "left_children": [1, 3, -1, -1, -1], "right_children": [2, 4, -1, -1, -1], "split_indices": [1, 0, 0, 0, 0],
        "split_conditions": [3.0, 40.0, 1.0, -2.0, 0.0], "sum_hessian": [40, 30, 10, 15, 15], "default_left": [1, 0, 0, 0, 0],
        "split_type": [0, 0, 0, 0, 0], "tree_param": {"size_leaf_vector": "1"}}]}}}}


def row(**values):
    out = []
    for name, value in values.items():
        out.append(triton.InferInput(name, [1, 1], "FP64"))
        out[-1].set_data_from_numpy(numpy.array([[value]], numpy.float64))
    return out


def test_triton_asks_why(server, client, tmp_path):
    (tmp_path / "tree.json").write_text(json.dumps(TREE))
    done = subprocess.run([BINARY, "model", "import", str(tmp_path / "tree.json"), "--name", "why", "--server", server.url],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    plain = client.infer("why", row(age=30, visits=1))
    assert plain.as_numpy("explain.base") is None
    why = client.infer("why", row(age=30, visits=1), parameters={"explain": True})
    assert (why.as_numpy("scores") == plain.as_numpy("scores")).all()
    assert [name.decode() for name in why.as_numpy("explain.columns")] == ["age", "visits"]
    assert numpy.allclose(why.as_numpy("explain.contributions"), [[-0.875, -0.625]], atol=1e-9)  # worked out in tests/scenario/serve/explain.t
    assert numpy.allclose(why.as_numpy("explain.base"), [-0.5], atol=1e-9)
    with pytest.raises(InferenceServerException, match="cannot be explained"):
        client.infer("simple", tensors(), parameters={"explain": True})


def test_a_fallback_says_so(server, client):
    answer = requests.put(server.url + "/api/v1/endpoints/cold", json={"model": "cold", "fallback": {"prediction": 12.5}}, timeout=20)
    assert answer.status_code == 200, answer.text
    result = client.infer("cold", row(anything=1))
    assert result.as_numpy("scores").tolist() == [[12.5]]
    response = result.get_response()
    assert response.model_version == "0" and response.parameters["fallback"].bool_param
    assert not client.is_model_ready("cold")
    assert requests.delete(server.url + "/api/v1/endpoints/cold", timeout=20).ok
