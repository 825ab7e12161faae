"""A registered version is an MLflow model folder: stock MLflow loads it and answers the same numbers."""
import mlflow.pyfunc
import numpy
import pandas
import pytest


def scores_of(answer):
    """The score column of what pyfunc returns: a data frame, a dict of arrays, or an array"""
    if isinstance(answer, dict):
        answer = next(iter(answer.values()))
    return numpy.asarray(answer, dtype=float).reshape(len(answer), -1)[:, -1]


@pytest.fixture(scope="module")
def stock(bundle):
    return mlflow.pyfunc.load_model(str(bundle))


def test_pyfunc_answers_the_same(stock, frame, probabilities):
    rows = frame.drop(columns=["bought"]).head(len(probabilities))
    inputs = [column.name for column in stock.metadata.get_input_schema().inputs]
    # The ONNX flavour takes no datetime64: moments are whole microseconds since 1970.
    rows = rows.assign(signup=rows["signup"].astype("datetime64[us]").astype("int64"))
    answer = scores_of(stock.predict(rows[inputs]))
    assert numpy.abs(answer - probabilities).max() <= 1e-6


def test_signature_names_the_raw_columns(stock, frame):
    inputs = {column.name for column in stock.metadata.get_input_schema().inputs}
    assert inputs <= set(frame.columns) - {"bought"}
    assert {"age", "city", "plan"} <= inputs


def test_scores_are_not_constant(probabilities):
    assert numpy.std(probabilities) > 0.05


@pytest.mark.parametrize("orient", ["dataframe_split", "dataframe_records", "inputs"])
def test_invocations_speaks_mlflow_scoring(server, trained, records, probabilities, orient):
    rows = pandas.DataFrame.from_records(records).astype(object).where(lambda f: f.notna(), None)
    body = {"dataframe_split": lambda: rows.to_dict("split", index=False), "dataframe_records": lambda: rows.to_dict("records"),
            "inputs": lambda: rows.to_dict("list")}[orient]()
    answer = server.post(f"/invocations?endpoint={trained['model']}", {orient: body})["predictions"]
    scores = [p["probability"] if isinstance(p, dict) else p for p in answer]
    assert numpy.abs(numpy.array(scores, dtype=float) - probabilities).max() <= 1e-6


def test_ping(server):
    assert server.get("/ping").status_code == 200
