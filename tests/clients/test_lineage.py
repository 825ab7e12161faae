"""What came from what, asked from both ends, over runs that a stock client logged."""
import hashlib

import mlflow
import pandas


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


def test_source_environment_and_files(tracking, tmp_path):
    experiment = mlflow.create_experiment("lineage of code")
    commit = "c0ffee" * 6 + "c0ff"
    packages = tmp_path / "requirements.txt"
    packages.write_text("numpy==2.4.6\n")
    digest = hashlib.sha256(packages.read_bytes()).hexdigest()
    client, runs = mlflow.MlflowClient(), []
    for i in range(2):
        run = client.create_run(experiment, tags={"mlflow.source.git.commit": commit}).info.run_id
        client.log_artifact(run, str(packages), "model")
        client.log_text(run, "seen", "notes.txt")
        runs.append(run)
    up_and_down, graph = edges(tracking, f"run:{runs[0]}")
    assert up_and_down == {("commit", "source of", "run"), ("environment", "environment of", "run"), ("run", "logged", "artifact")}
    names = {n["id"] for n in graph["nodes"]}
    assert names == {f"run:{runs[0]}", f"commit:{commit}", f"environment:{digest}", f"artifact:{runs[0]}/model", f"artifact:{runs[0]}/notes.txt"}
    for of in (f"commit:{commit}", f"environment:{digest}"):
        _, graph = edges(tracking, of)
        assert {n["id"] for n in graph["nodes"] if n["depth"] == 1} == {f"run:{run}" for run in runs}
    _, graph = edges(tracking, f"artifact:{runs[1]}/notes.txt")
    assert {n["id"]: n["depth"] for n in graph["nodes"]} == {
        f"artifact:{runs[1]}/notes.txt": 0, f"run:{runs[1]}": -1, f"commit:{commit}": -2, f"environment:{digest}": -2}


def test_what_is_not_there(tracking):
    import requests

    for of, status in (("", 400), ("run:", 400), ("thing:1", 400), ("run:none", 404), ("version:none/1", 404), ("dataset:1", 400), ("commit:0000", 404), ("environment:00", 404),
                       ("artifact:none/x", 404)):
        assert requests.get(f"{tracking.url}/api/v1/lineage?of={of}", timeout=10).status_code == status, of
