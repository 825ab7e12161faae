"""Models of tensors that another system trained, and what stock tritonclient is asked of them over HTTP and over gRPC alike.

A test module imports the cases by name, and has two fixtures for them: `client`, and `protocol` (tritonclient.http or tritonclient.grpc).
"""
import os
import pathlib
import subprocess

import numpy
import pytest
from conftest import BINARY, REPO
from tritonclient.utils import InferenceServerException

MODELS = pathlib.Path(os.environ.get("MARU_SHARED", REPO / "../shared")) / "models"
A, B = numpy.arange(16, dtype=numpy.int32)[None], numpy.ones((1, 16), numpy.int32)
needs_models = pytest.mark.skipif(not MODELS.is_dir(), reason="../shared/models is not there")


def import_models(server, *names):
    for name in names or ("simple", "simple_int8", "simple_string"):
        done = subprocess.run([BINARY, "model", "import", str(MODELS / f"{name}.onnx"), "--name", name, "--server", server.url],
                              capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def inputs(protocol, first=A, second=B, datatype="INT32", **how):
    out = []
    for name, values in (("INPUT0", first), ("INPUT1", second)):
        out.append(protocol.InferInput(name, values.shape, datatype))
        out[-1].set_data_from_numpy(values, **how)
    return out


def test_triton_infers_batches_bytes_and_small_integers(client, protocol):
    for rows in (100, 20_000):  # the second of 2.5 MB
        many = numpy.repeat(A, rows, axis=0)
        assert (client.infer("simple", inputs(protocol, many, many)).as_numpy("OUTPUT0") == 2 * many).all()
    words = numpy.array([[str(i).encode() for i in range(16)]], dtype=object)
    assert client.infer("simple_string", inputs(protocol, words, words, "BYTES")).as_numpy("OUTPUT0")[0][3] == b"6"
    small = numpy.full((1, 16), 3, numpy.int8)
    assert (client.infer("simple_int8", inputs(protocol, small, small, "INT8")).as_numpy("OUTPUT0") == 6).all()


def test_triton_asks_for_the_best_classes(client, protocol):
    wanted = [protocol.InferRequestedOutput("OUTPUT0", class_count=2)]
    assert client.infer("simple", inputs(protocol), outputs=wanted).as_numpy("OUTPUT0").tolist() == [[b"16.000000:15", b"15.000000:14"]]


def test_triton_unloads_and_loads(client, protocol):
    assert client.infer("simple", inputs(protocol)) is not None
    client.unload_model("simple")
    assert not client.is_model_ready("simple")
    with pytest.raises(InferenceServerException, match="unloaded") as told:
        client.infer("simple", inputs(protocol))
    assert told.value.status() in ("503", "StatusCode.UNAVAILABLE")
    client.load_model("simple")
    assert client.is_model_ready("simple") and client.infer("simple", inputs(protocol)) is not None
    with pytest.raises(InferenceServerException, match="failed to load"):
        client.load_model("nope")
