"""The `mlflow` command line against Maru: what a shell script does with MLFLOW_TRACKING_URI set. Runs under mlflow 2.22 and 3.x."""
import csv
import io
import json
import os
import subprocess
import sys
import uuid

import mlflow
import numpy
import pandas
import pytest

THREE = int(mlflow.__version__.split(".")[0]) > 2


def cli(server, *words, code=0, cwd=None):
    env = {**os.environ, "MLFLOW_TRACKING_URI": server.url, "MLFLOW_DISABLE_TELEMETRY": "true", "NO_COLOR": "1"}
    done = subprocess.run([sys.executable, "-W", "ignore", "-m", "mlflow", *words], capture_output=True, text=True, timeout=120, env=env, cwd=cwd, check=False)
    assert done.returncode == code, f"mlflow {' '.join(words)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


@pytest.fixture
def tracking(server):
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(server.url)
    yield mlflow.MlflowClient(server.url)
    mlflow.set_tracking_uri(before)


def test_experiments(server, tracking, tmp_path):
    name = "cli-" + uuid.uuid4().hex[:8]
    cli(server, "experiments", "create", "-n", name)
    made = tracking.get_experiment_by_name(name).experiment_id
    assert name in cli(server, "experiments", "search")
    cli(server, "experiments", "rename", "-x", made, "--new-name", name + "-두번째")
    assert tracking.get_experiment(made).name == name + "-두번째"
    run = tracking.create_run(made, run_name="listed")
    tracking.log_param(run.info.run_id, "depth", 3)
    table = tmp_path / "runs.csv"
    cli(server, "experiments", "csv", "-x", made, "-o", str(table))
    rows = list(csv.DictReader(io.StringIO(table.read_text())))
    assert [(r["run_id"], r["params.depth"]) for r in rows] == [(run.info.run_id, "3")]
    cli(server, "experiments", "delete", "-x", made)
    assert tracking.get_experiment(made).lifecycle_stage == "deleted"
    assert made in cli(server, "experiments", "search", "--view", "deleted_only")
    cli(server, "experiments", "restore", "-x", made)
    assert tracking.get_experiment(made).lifecycle_stage == "active"


def test_runs_and_artifacts(server, tracking, tmp_path):
    experiment = tracking.create_experiment("cli-" + uuid.uuid4().hex[:8])
    run = tracking.create_run(experiment, run_name="from a shell").info.run_id
    assert "from a shell" in cli(server, "runs", "list", "--experiment-id", experiment)
    assert json.loads(cli(server, "runs", "describe", "--run-id", run))["info"]["run_name"] == "from a shell"
    folder = tmp_path / "out"
    (folder / "sub").mkdir(parents=True)
    (folder / "보고서.txt").write_text("one")
    (folder / "sub" / "b.txt").write_text("two")
    cli(server, "artifacts", "log-artifacts", "--local-dir", str(folder), "--run-id", run, "--artifact-path", "files")
    listed = json.loads(cli(server, "artifacts", "list", "--run-id", run, "--artifact-path", "files"))
    assert {(f["path"], f["is_dir"]) for f in listed} == {("files/보고서.txt", False), ("files/sub", True)}
    (tmp_path / "back").mkdir()
    cli(server, "artifacts", "download", "--run-id", run, "--artifact-path", "files", "--dst-path", str(tmp_path / "back"))
    assert (tmp_path / "back/files/sub/b.txt").read_text() == "two"
    cli(server, "runs", "delete", "--run-id", run)
    assert run in cli(server, "runs", "list", "--experiment-id", experiment, "--view", "deleted_only")
    cli(server, "runs", "restore", "--run-id", run)
    assert tracking.get_run(run).info.lifecycle_stage == "active"


def test_gc_is_the_servers_own(server, tracking):
    """`mlflow gc` empties a database that it opens itself; a server's trash is emptied by the server. What gc sends to a server is the
    deletion of a deleted run's artifacts."""
    run = tracking.create_run("0").info.run_id
    tracking.log_text(run, "bytes", "a/b.txt")
    tracking.delete_run(run)
    said = cli(server, "gc", "--backend-store-uri", server.url, "--run-ids", run, code=1)
    assert "hard-delet" in said, said
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
    files = get_artifact_repository(tracking.get_run(run).info.artifact_uri)
    files.delete_artifacts()
    assert files.list_artifacts() == []
    emptied = server.post("/api/v1/trash/empty", {})
    assert emptied["runs"] >= 1
    with pytest.raises(mlflow.exceptions.MlflowException, match="not found"):
        tracking.get_run(run)


def test_evaluate(server, tracking):
    sklearn = pytest.importorskip("sklearn.linear_model")
    pytest.importorskip("matplotlib", reason="mlflow.evaluate draws")
    experiment = tracking.create_experiment("evaluate-" + uuid.uuid4().hex[:8])
    rng = numpy.random.default_rng(1)
    frame = pandas.DataFrame(rng.normal(size=(200, 3)), columns=["a", "b", "c"])
    label = (frame["a"] + frame["b"] > 0).astype(int)
    model = sklearn.LogisticRegression().fit(frame, label)
    table = frame.assign(label=label, guess=model.predict(frame))
    with mlflow.start_run(experiment_id=experiment) as run:
        result = mlflow.models.evaluate(data=table, targets="label", predictions="guess", model_type="classifier", evaluators="default",
                                        evaluator_config={"log_model_explainability": False})
    assert result.metrics["accuracy_score"] > 0.9
    stored = tracking.get_run(run.info.run_id)
    assert stored.data.metrics["accuracy_score"] == pytest.approx(result.metrics["accuracy_score"])
    assert {f.path for f in tracking.list_artifacts(run.info.run_id)} >= {"confusion_matrix.png"}
    assert len(stored.inputs.dataset_inputs) == 1


def test_every_search_pages(tracking):
    name = "pages" + uuid.uuid4().hex[:8]
    experiment = tracking.create_experiment(name)
    for i in range(5):
        tracking.create_run(experiment, run_name=f"r{i}")
        tracking.create_registered_model(f"{name}-{i}")
        tracking.create_model_version(f"{name}-0", f"s3://bucket/{i}")
        tracking.create_experiment(f"{name}/{i}")

    def all_of(search, **more):
        got, token = [], None
        while True:
            page = search(max_results=2, page_token=token, **more)
            assert len(page) <= 2
            got += page
            token = page.token
            if not token:
                return got

    assert {r.info.run_name for r in all_of(tracking.search_runs, experiment_ids=[experiment])} == {f"r{i}" for i in range(5)}
    assert len(all_of(tracking.search_experiments, filter_string=f"name LIKE '{name}/%'")) == 5
    assert len(all_of(tracking.search_registered_models, filter_string=f"name LIKE '{name}-%'")) == 5
    assert len(all_of(tracking.search_model_versions, filter_string=f"name = '{name}-0'")) == 5
    if THREE:
        for i in range(5):
            tracking.create_logged_model(experiment, name=f"m{i}")
        assert len(all_of(tracking.search_logged_models, experiment_ids=[experiment])) == 5
