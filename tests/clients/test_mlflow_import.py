"""What stock MLflow wrote into a folder, a SQLite file or PostgreSQL comes into Maru whole: every run compared through MLflow's own client, and
back again.

The SQL half needs SQLAlchemy and Alembic, which mlflow-skinny does not bring; without them it is skipped."""
import math
import os
import random
import struct
import subprocess
import sys

import pytest

mlflow = pytest.importorskip("mlflow")
from mlflow import MlflowClient  # noqa: E402
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, ViewType  # noqa: E402

import postgres  # noqa: E402
from conftest import BINARY, Server, maru  # noqa: E402,F401

os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
MOST = sys.float_info.max
THREE = int(mlflow.__version__.split(".")[0]) >= 3


def fill(client, folder):
    """Two experiments, one deleted; runs of every state; awkward values; a registry."""
    rng = random.Random(7)
    one = client.create_experiment("vision/한글", tags={"team": "red", "note": "a: 'b' \"c\"\nd"})
    last = None
    for number in range(4):
        run = client.create_run(one, run_name=f"run {number}: 'q' \"x\" # é", tags={"long": "word " * 300, "empty": "", "lines": "a\n\n  b\n"}).info.run_id
        points = [Metric("loss", rng.random(), 1_700_000_000_000 + s, s) for s in range(300)]
        points += [Metric("odd", v, 1_700_000_000_000 + i, i) for i, v in enumerate([math.nan, math.inf, -math.inf, 0.0, 5e-324, 1e308, -1.5])]
        points += [Metric("deep/er key", float(s), 5 - s, -s) for s in range(3)]
        client.log_batch(run, metrics=points, params=[Param("lr", "0.1"), Param("empty", ""), Param("a/b", "x" * 400)])
        client.log_inputs(run, [DatasetInput(Dataset("train", f"d{number % 2}", "local", '{"uri": "/x"}', '{"c": "' + "long " * 60 + '"}', '{"rows": 3}'),
                                             [InputTag("mlflow.data.context", "training")])])
        client.log_text(run, "hello " * 50, "notes/a.txt")
        client.log_text(run, "", "빈 파일.txt")
        client.log_dict(run, {"k": [1, 2]}, "deep/er/d.json")
        if THREE:
            from mlflow.entities import LoggedModelOutput
            model = client.create_logged_model(one, name="net", source_run_id=run, params={"p": "1"}, tags={"t": "2"}, model_type="agent")
            client.finalize_logged_model(model.model_id, "READY")
            client.log_outputs(run, [LoggedModelOutput(model.model_id, 3)])
            client.log_metric(run, "acc", 0.5 + number, step=number, timestamp=1_700_000_000_009, model_id=model.model_id)
        if number < 3:
            client.set_terminated(run, ["FINISHED", "FAILED", "KILLED"][number])
        last = run
    client.delete_run(run)
    two = client.create_experiment("gone")
    client.create_run(two, run_name="in the trash")
    client.delete_experiment(two)
    client.create_registered_model("판매 예측", tags={"a": "b"}, description="what: it does")
    uri = client.get_run(last).info.artifact_uri
    for number in range(3):
        client.create_model_version("판매 예측", source=uri + "/notes", run_id=last, tags={"n": str(number)}, description=f"v{number}")
    client.set_registered_model_alias("판매 예측", "champion", "2")
    client.transition_model_version_stage("판매 예측", "1", "Production")
    client.delete_model_version("판매 예측", "3")


def number(value):
    """A value that compares: NaN equals itself, and infinities are the largest numbers, as MLflow's SQL store and Maru's wire have them."""
    return "nan" if math.isnan(value) else math.copysign(MOST, value) if math.isinf(value) else value


def files(client, run, path=None):
    out = {}
    for entry in client.list_artifacts(run, path):
        out.update(files(client, run, entry.path) if entry.is_dir else {entry.path: entry.file_size})
    return out


def whole(client, run, folder):
    info, data = run.info, run.data
    names = files(client, info.run_id)
    bodies = {}
    for name in names:
        local = client.download_artifacts(info.run_id, name, str(folder))
        with open(local, "rb") as file:
            bodies[name] = file.read()
    outputs = run.outputs.model_outputs if THREE and run.outputs else []
    return {
        "name": info.run_name, "status": info.status, "start": info.start_time, "end": info.end_time, "stage": info.lifecycle_stage, "user": info.user_id,
        "params": data.params, "tags": data.tags, "files": names, "bodies": bodies,
        "points": {key: sorted({(m.step, m.timestamp, number(m.value)) for m in client.get_metric_history(info.run_id, key)}, key=str) for key in data.metrics},
        "datasets": sorted((i.dataset.name, i.dataset.digest, i.dataset.source_type, i.dataset.source, i.dataset.schema, i.dataset.profile,
                            tuple((t.key, t.value) for t in i.tags)) for i in run.inputs.dataset_inputs),
        "outputs": sorted((m.model_id, m.step) for m in outputs)}


def everything(client, folder):
    from mlflow.tracking._tracking_service import utils
    getattr(utils, "_artifact_repos_cache", {}).clear()  # by run id: it would answer with the files of the server asked before
    out = {}
    for experiment in client.search_experiments(view_type=ViewType.ALL):
        runs = client.search_runs([experiment.experiment_id], run_view_type=ViewType.ALL, max_results=1000)
        models = client.search_logged_models([experiment.experiment_id], max_results=100) if THREE and experiment.name != "gone" else []
        out[experiment.name] = {
            "id": experiment.experiment_id, "tags": experiment.tags, "stage": experiment.lifecycle_stage, "created": experiment.creation_time,
            "runs": {run.info.run_id: whole(client, client.get_run(run.info.run_id), folder) for run in runs},
            "models": {m.model_id: (m.name, m.model_type, m.source_run_id, m.status, m.creation_timestamp, m.params, m.tags,
                                    sorted((p.key, p.value, p.step, p.timestamp, p.run_id) for p in m.metrics or [])) for m in models}}
    out.get("Default", {}).pop("created", None)  # both have their own
    return out


def registry(client):
    out = {}
    for model in client.search_registered_models():
        versions = client.search_model_versions(f"name = '{model.name}'")
        out[model.name] = (model.description, model.tags, {a: str(v) for a, v in model.aliases.items()}, model.creation_timestamp, {
            str(v.version): (v.current_stage, v.run_id, v.description, v.tags, v.creation_timestamp, v.status) for v in versions})
    return out


@pytest.fixture(params=["mlruns", "sqlite", "postgresql"])
def source(request, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if request.param == "postgresql" and not postgres.binaries():
        pytest.skip("PostgreSQL's server is not installed (Debian: postgresql)")
    if request.param in ("sqlite", "postgresql"):
        pytest.importorskip("sqlalchemy")
        pytest.importorskip("alembic")
        path, uri = tmp_path / "mlflow.db", f"sqlite:///{tmp_path}/mlflow.db"
    else:
        path, uri = tmp_path / "mlruns", str(tmp_path / "mlruns")
    client = MlflowClient(uri, registry_uri=uri)
    fill(client, tmp_path)
    if request.param != "postgresql":
        yield path, client
        return
    server = postgres.Postgres()
    try:
        server.copy(path)
        yield server.url("postgresql+psycopg2"), client  # as a tracking server's command line has it
    finally:
        server.stop()


def test_import_and_back(source, tmp_path):
    path, theirs = source
    home = tmp_path / "home"
    report = maru(home, "tracking", "import", str(path))
    assert report["equal"] and report["skipped"] == 0, report
    assert "s3cret" not in str(report)
    assert report["found"] == {**report["written"], "experiments": 3}
    assert report["found"]["runs"] == 5 and report["found"]["versions"] == 3
    again = maru(home, "tracking", "import", str(path))
    assert again["runs_present"] == 5 and again["equal"] and not any(again["written"].values()), again
    server = Server(home)
    try:
        mlflow.set_tracking_uri(server.url)  # 2.x asks it for artifacts, whatever the client was made with
        ours = MlflowClient(server.url, registry_uri=server.url)
        (tmp_path / "a").mkdir()
        (tmp_path / "b").mkdir()
        here = everything(ours, tmp_path / "b")
        assert here == everything(theirs, tmp_path / "a")
        assert registry(ours) == registry(theirs)
        version = ours.get_model_version_by_alias("판매 예측", "champion")
        got = mlflow.artifacts.download_artifacts(ours.get_model_version_download_uri("판매 예측", version.version), dst_path=str(tmp_path / "b"),
                                                  tracking_uri=server.url)
        assert os.listdir(got) == ["a.txt"]
        # New work goes on beside it.
        run = ours.create_run(here["vision/한글"]["id"], run_name="new")
        ours.log_metric(run.info.run_id, "loss", 1.0)
        ours.set_terminated(run.info.run_id)
    finally:
        server.stop()
    # What Maru writes out, MLflow's own folder store reads, and another home takes in.
    out = tmp_path / "out"
    written = maru(home, "tracking", "export", str(out))
    assert written["equal"] and written["skipped"] == 0, written
    mlflow.set_tracking_uri(str(out))
    folder = MlflowClient(str(out), registry_uri=str(out))
    for directory in ("c", "d"):
        (tmp_path / directory).mkdir()
    back = everything(folder, tmp_path / "c")
    back["vision/한글"]["runs"].pop(run.info.run_id)
    assert back == here
    assert registry(folder) == registry(theirs)
    other = maru(tmp_path / "other", "tracking", "import", str(out))
    assert other["equal"] and other["skipped"] == 0 and other["written"]["runs"] == 6, other


@pytest.mark.skipif(not postgres.binaries(), reason="PostgreSQL's server is not installed (Debian: postgresql)")
def test_postgres_that_is_none_of_mlflows(tmp_path):
    server = postgres.Postgres()
    try:
        for url, said in ((server.url(database="postgres"), "MLflow's tables"),
                          (server.url().replace("s3cret", "wr0ng"), "password authentication failed"),
                          (server.url(database="nowhere"), "nowhere")):
            done = subprocess.run([BINARY, "tracking", "import", url, "--home", str(tmp_path / "home")], capture_output=True, text=True, check=False)
            assert done.returncode not in (0, 3), done.stdout
            assert said in done.stderr and "p@ss" not in done.stderr and "%40ss" not in done.stderr, done.stderr
    finally:
        server.stop()


# ---- TensorBoard: a small writer of its own, so that no TensorFlow is needed ------------------------------------------------------------

TABLE = []
for seed in range(256):
    for _ in range(8):
        seed = (seed >> 1) ^ (0x82F63B78 if seed & 1 else 0)
    TABLE.append(seed)


def masked_crc(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ TABLE[(crc ^ byte) & 255]
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def varint(value):
    out = b""
    while value >= 128:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def field(tag, data):
    return varint(tag << 3 | 2) + varint(len(data)) + data


def record(data):
    head = struct.pack("<Q", len(data))
    return head + struct.pack("<I", masked_crc(head)) + data + struct.pack("<I", masked_crc(data))


def scalar(tag, value, step, when):
    summary = field(1, field(1, tag.encode()) + b"\x15" + struct.pack("<f", value))
    return record(b"\x09" + struct.pack("<d", when) + b"\x10" + varint(step) + field(5, summary))


def test_event_files(tmp_path):
    for part in ("train", "validation/fold 1"):
        (tmp_path / "logs" / part).mkdir(parents=True)
        with open(tmp_path / "logs" / part / "events.out.tfevents.1700000000.host.1.0", "wb") as file:
            file.write(record(b"\x09" + struct.pack("<d", 1_700_000_000.0) + field(3, b"brain.Event:2")))
            for step in range(200):
                file.write(scalar("loss", step / 4, step, 1_700_000_000 + step))
    home = tmp_path / "home"
    report = maru(home, "tracking", "import", str(tmp_path / "logs"))
    assert report["kind"] == "tensorboard" and report["equal"] and report["written"]["points"] == 400, report
    server = Server(home)
    try:
        client = MlflowClient(server.url)
        experiment = client.get_experiment_by_name("logs")
        runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
        assert set(runs) == {"train", "validation/fold 1"}
        history = client.get_metric_history(runs["train"].info.run_id, "loss")
        assert [(m.step, m.value, m.timestamp) for m in history] == [(s, s / 4, (1_700_000_000 + s) * 1000) for s in range(200)]
    finally:
        server.stop()
