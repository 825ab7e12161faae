"""Bundles straight from the model room load with stock MLflow and ONNX and give the same numbers.

MARU_BUNDLE names a folder of bundles NAME beside NAME.expected.json; `MARU_BUNDLE_OUT=DIR model_test` makes one.
Without it the tests look for model_test in the build folders, and skip where it was not built.
"""
import json
import os
import pathlib
import subprocess
import warnings

import numpy
import pandas
import pytest

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
REPO = pathlib.Path(__file__).resolve().parents[2]
NAMES = ["trees", "linear", "classes", "regression", "calibrated", "seconds"]
MISSING_TIME = -(2**63)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    if "MARU_BUNDLE" in os.environ:
        return pathlib.Path(os.environ["MARU_BUNDLE"])
    tests = [REPO / "build" / preset / "src/learning/model/model_test" for preset in ("release", "dev", "asan")]
    maker = next((path for path in tests if path.exists()), None)
    if maker is None:
        pytest.skip("model_test is not built")
    out = tmp_path_factory.mktemp("bundles")
    done = subprocess.run([maker, "--test-case=bundles for other clients"], env={**os.environ, "MARU_BUNDLE_OUT": str(out)},
                          capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout
    return out


def rows_and_scores(folder, name):
    """The raw rows as a data frame: missing numbers NaN, missing text "", missing times the smallest int64"""
    expected = json.loads((folder / f"{name}.expected.json").read_text())
    holes = {"city": "", "plan": "", "signup": MISSING_TIME}
    columns = {key: [holes.get(key) if v is None else v for v in values] for key, values in expected["columns"].items()}
    return pandas.DataFrame(columns), numpy.array(expected["scores"]).reshape(-1, expected["width"])


def pyfunc(folder, name):
    import mlflow.pyfunc

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return mlflow.pyfunc.load_model(str(folder / name))


@pytest.mark.parametrize("name", NAMES)
def test_pyfunc_gives_the_same_scores(folder, name):
    rows, scores = rows_and_scores(folder, name)
    assert numpy.std(scores) > 0.01
    answer = pyfunc(folder, name).predict(rows)["scores"]
    assert answer.shape == scores.shape
    assert numpy.abs(answer - scores).max() <= 1e-6


@pytest.mark.parametrize("name", NAMES)
def test_missing_text_may_be_none_or_nan(folder, name):
    rows, scores = rows_and_scores(folder, name)
    keep = rows["city"].ne("").to_numpy()
    first = int(numpy.argmax(keep))  # MLflow judges a column by its first value, which must be there
    rows = pandas.concat([rows.iloc[[first]], rows]).reset_index(drop=True)
    for column in ("city", "plan"):
        rows[column] = rows[column].where(rows[column] != "", None)
    answer = pyfunc(folder, name).predict(rows)["scores"][1:]
    assert numpy.abs(answer - scores).max() <= 1e-6


@pytest.mark.parametrize("name", NAMES)
def test_rows_one_by_one(folder, name):
    rows, scores = rows_and_scores(folder, name)
    model = pyfunc(folder, name)
    for r in range(0, 40, 3):
        answer = model.predict(rows.iloc[[r]].reset_index(drop=True))["scores"]
        assert numpy.abs(answer[0] - scores[r]).max() <= 1e-6


@pytest.mark.parametrize("name", NAMES)
def test_the_graph_passes_the_onnx_checker(folder, name):
    import onnx

    model = onnx.load(str(folder / name / "model.onnx"))
    onnx.checker.check_model(model, full_check=True)
    assert {o.domain: o.version for o in model.opset_import} == {"": 17, "ai.onnx.ml": 3}


def test_integers_and_booleans_are_cast(folder):
    rows, scores = rows_and_scores(folder, "trees")
    whole = rows["visits"].notna().to_numpy()
    rows = rows[whole].reset_index(drop=True).astype({"visits": "int64", "member": "bool"})
    answer = pyfunc(folder, "trees").predict(rows)["scores"]
    assert numpy.abs(answer - scores[whole]).max() <= 1e-6


def test_a_missing_column_is_refused(folder):
    rows, _ = rows_and_scores(folder, "trees")
    with pytest.raises(Exception, match="city"):
        pyfunc(folder, "trees").predict(rows.drop(columns=["city"]))
