"""Models of trees as XGBoost and LightGBM write them, imported by command and served: the answers are the library's own."""
import json
import subprocess

import lightgbm
import numpy
import pytest
import requests
import tritonclient.http as triton
import xgboost
from conftest import BINARY

FEATURES = 8
LIGHTGBM = {"binary": {}, "multiclass": {"num_class": 3}, "regression": {}, "poisson": {}, "quantile": {}}
XGBOOST = {"binary:logistic": {}, "multi:softprob": {"num_class": 3}, "reg:squarederror": {}, "count:poisson": {}, "reg:tweedie": {},
           "binary:logistic*4": {"num_parallel_tree": 4}, "multi:softprob*2": {"num_class": 3, "num_parallel_tree": 2}}


def rows(count, seed):
    """Normal numbers with holes."""
    random = numpy.random.default_rng(seed)
    out = random.normal(size=(count, FEATURES))
    out[random.random(out.shape) < 0.12] = numpy.nan
    return out


def labels(x, objective):
    sums = numpy.nansum(x[:, :3], axis=1) + numpy.nan_to_num(x[:, 3]) * numpy.nan_to_num(x[:, 4])
    if "binary" in objective:
        return (sums > 0).astype(int)
    if "multi" in objective:
        return numpy.digitize(sums, [-1, 1])
    if "poisson" in objective or "tweedie" in objective:
        return numpy.random.default_rng(5).poisson(numpy.exp(numpy.clip(sums / 3, -2, 2)))
    return sums * 3 + 5


def imported(server, path, name):
    done = subprocess.run([BINARY, "model", "import", str(path), "--name", name, "--alias", "champion", "--server", server.url],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def served(server, name, x):
    inputs = requests.get(f"{server.url}/api/v1/models/{name}/signature", timeout=10).json()["inputs"]
    names = [column["name"] for column in inputs]
    body = {"instances": [{n: None if numpy.isnan(v) else v for n, v in zip(names, row)} for row in x]}
    answer = requests.post(f"{server.url}/api/v1/endpoints/{name}/predict", json=body, timeout=30)
    assert answer.status_code == 200, answer.text
    out = []
    for one in answer.json()["predictions"]:
        if isinstance(one, dict):
            out.append(one["probability"] if "probability" in one else [one["probabilities"][str(k)] for k in range(3)])
        else:
            out.append(one)
    return numpy.array(out)


@pytest.mark.parametrize("objective", LIGHTGBM)
def test_lightgbm_answers_as_itself(server, tmp_path, objective):
    x = rows(3000, 1)
    model = lightgbm.train({"objective": objective, "verbose": -1, "num_threads": 1, **LIGHTGBM[objective]},
                           lightgbm.Dataset(x, labels(x, objective)), 40)
    model.save_model(str(tmp_path / "m.txt"))
    imported(server, tmp_path / "m.txt", f"lgb_{objective}")
    numpy.testing.assert_allclose(served(server, f"lgb_{objective}", rows(200, 2)), model.predict(rows(200, 2)), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("ending", ["json", "ubj"])
@pytest.mark.parametrize("objective", XGBOOST)
def test_xgboost_answers_as_itself(server, tmp_path, objective, ending):
    x = rows(3000, 1)
    model = xgboost.train({"objective": objective.split("*")[0], "max_depth": 5, "nthread": 1, **XGBOOST[objective]},
                          xgboost.DMatrix(x, labels(x, objective)), 30)
    model.save_model(str(tmp_path / f"m.{ending}"))
    name = "xgb_" + "".join(c if c.isalnum() else "_" for c in objective) + ending
    imported(server, tmp_path / f"m.{ending}", name)
    test = rows(200, 2)
    numpy.testing.assert_allclose(served(server, name, test), model.predict(xgboost.DMatrix(test)), rtol=2e-6, atol=1e-6)


def test_a_tensor_of_all_features_is_taken_as_the_columns(server, tmp_path):
    x = rows(2000, 1)
    model = xgboost.train({"objective": "binary:logistic", "nthread": 1}, xgboost.DMatrix(x, labels(x, "binary")), 10)
    model.save_model(str(tmp_path / "m.json"))
    imported(server, tmp_path / "m.json", "matrix")
    test = rows(20, 3).astype(numpy.float32)
    with triton.InferenceServerClient(server.url.removeprefix("http://")) as client:
        tensor = triton.InferInput("input__0", test.shape, "FP32")
        tensor.set_data_from_numpy(test)
        answer = client.infer("matrix", [tensor])
        numpy.testing.assert_allclose(answer.as_numpy(answer.get_response()["outputs"][0]["name"]).ravel(),
                                      model.predict(xgboost.DMatrix(test)), rtol=2e-6)


def test_what_cannot_be_imported_is_said(server, tmp_path):
    x = rows(2000, 1)
    x[:, 0] = numpy.random.default_rng(3).integers(0, 5, len(x))
    data = lightgbm.Dataset(x, labels(x, "regression"), categorical_feature=[0])
    lightgbm.train({"objective": "regression", "verbose": -1, "num_threads": 1, "min_data_per_group": 1}, data, 5).save_model(str(tmp_path / "cat.txt"))
    xgboost.train({"booster": "dart", "nthread": 1}, xgboost.DMatrix(x, labels(x, "regression")), 3).save_model(str(tmp_path / "dart.json"))
    whole = tmp_path / "whole.json"
    xgboost.train({"nthread": 1}, xgboost.DMatrix(x, labels(x, "regression")), 3).save_model(str(whole))
    broken = json.loads(whole.read_text())
    broken["learner"]["gradient_booster"]["model"]["trees"][0]["left_children"][0] = 10**6
    (tmp_path / "broken.json").write_text(json.dumps(broken))
    (tmp_path / "cut.json").write_text(whole.read_text()[:2000])
    (tmp_path / "text.txt").write_text("hello")
    for file, words in (("cat.txt", "cannot be imported"), ("dart.json", "dart"), ("broken.json", "damaged"), ("cut.json", "damaged"),
                        ("text.txt", "ONNX")):
        done = subprocess.run([BINARY, "model", "import", str(tmp_path / file), "--name", "no", "--server", server.url],
                              capture_output=True, text=True, check=False)
        assert done.returncode != 0 and words in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr
    assert requests.get(f"{server.url}/api/v1/models/no", timeout=10).status_code == 404
