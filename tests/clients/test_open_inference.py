"""Open Inference Protocol v2 with JSON tensors, as its specification's clients send them."""
import numpy
import pytest

TYPES = {"FP64": float, "FP32": float, "INT64": int, "BYTES": str, "BOOL": bool}


@pytest.fixture(scope="module")
def metadata(server, trained, probabilities):
    return server.get(f"/v2/models/{trained['model']}").json()


def tensors(metadata, records, shape):
    """One tensor a column; only rows without holes, since the protocol has no null."""
    out = []
    for column in metadata["inputs"]:
        values = [TYPES[column["datatype"]](r[column["name"]]) for r in records]
        out.append({"name": column["name"], "datatype": column["datatype"], "shape": shape(len(values)), "data": values})
    return out


def whole(records, metadata):
    """Rows without holes and without times, whose tensor form is integer microseconds"""
    names = [c["name"] for c in metadata["inputs"]]
    return [i for i, r in enumerate(records) if all(r[n] is not None for n in names)]


def with_times(records):
    import pandas
    return [{**r, "signup": int(pandas.Timestamp(r["signup"]).value // 1000)} for r in records]


@pytest.mark.parametrize("shape", [lambda n: [n], lambda n: [n, 1]], ids=["flat", "column"])
def test_infer_answers_the_same(server, trained, metadata, records, probabilities, shape):
    rows = whole(records, metadata)
    body = {"id": "call-1", "inputs": tensors(metadata, [with_times(records)[i] for i in rows], shape)}
    answer = server.post(f"/v2/models/{trained['model']}/infer", body)
    assert answer["id"] == "call-1"
    scores = next(o for o in answer["outputs"] if o["datatype"] in ("FP64", "FP32"))
    got = numpy.array(scores["data"], dtype=float).reshape(len(rows), -1)[:, -1]
    assert numpy.abs(got - probabilities[rows]).max() <= 1e-6


def test_metadata_names_what_the_model_takes(metadata, trained):
    assert metadata["name"] == trained["model"]
    assert {c["name"] for c in metadata["inputs"]} >= {"age", "city", "plan"}
    assert metadata["outputs"]


def test_server_and_model_say_they_are_ready(server, trained):
    for path in ("/v2/health/live", "/v2/health/ready", f"/v2/models/{trained['model']}/ready"):
        assert server.get(path).status_code == 200
