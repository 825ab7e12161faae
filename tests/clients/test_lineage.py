"""What came from what, asked from both ends, over runs that a stock client logged."""
import mlflow
import pandas
import pytest

from conftest import Server


@pytest.fixture(scope="module")
def tracking(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("lineage") / "home")
    mlflow.set_tracking_uri(server.url)
    yield server
    server.stop()


def edges(tracking, of, depth=6):
    graph = tracking.get(f"/api/v1/lineage?of={of}&depth={depth}").json()
    assert {e["from"] for e in graph["edges"]} | {e["to"] for e in graph["edges"]} <= {n["id"] for n in graph["nodes"]}
    return {(e["from"].split(":")[0], e["what"], e["to"].split(":")[0]) for e in graph["edges"]}, graph


def test_from_data_to_version_and_back(tracking, tmp_path):
    experiment = mlflow.create_experiment("lineage")
    frame = pandas.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]})
    dataset = mlflow.data.from_pandas(frame, name="letters", source="s3://bucket/letters.csv")
    with mlflow.start_run(experiment_id=experiment) as parent:
        with mlflow.start_run(experiment_id=experiment, nested=True) as run:
            mlflow.log_input(dataset, context="training")
            (tmp_path / "model.txt").write_text("weights")
            mlflow.log_artifact(str(tmp_path / "model.txt"), "model")
    client = mlflow.MlflowClient()
    client.create_registered_model("letters")
    client.create_model_version("letters", f"runs:/{run.info.run_id}/model", run_id=run.info.run_id)

    down, _ = edges(tracking, f"dataset:{experiment}/letters@{dataset.digest}")
    assert down == {("dataset", "read by", "run"), ("run", "registered as", "version")}
    up, graph = edges(tracking, "version:letters/1")
    assert up == {("dataset", "read by", "run"), ("run", "registered as", "version"), ("run", "parent of", "run")}
    depth = {n["id"]: n["depth"] for n in graph["nodes"]}
    assert depth[f"run:{run.info.run_id}"] == -1 and depth[f"run:{parent.info.run_id}"] == -2
    near, _ = edges(tracking, "version:letters/1", depth=1)
    assert near == {("run", "registered as", "version")}


def test_what_is_not_there(tracking):
    import requests

    for of, status in (("", 400), ("run:", 400), ("thing:1", 400), ("run:none", 404), ("version:none/1", 404), ("dataset:1", 400)):
        assert requests.get(f"{tracking.url}/api/v1/lineage?of={of}", timeout=10).status_code == status, of
