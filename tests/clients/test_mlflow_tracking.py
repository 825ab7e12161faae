"""Stock MLflow clients log to a fresh Maru: experiments, runs, metrics, searches, autologging. Runs under mlflow 2.22 and 3.x alike."""
import math
import os
import time
import uuid

import pandas
import pytest
import requests

mlflow = pytest.importorskip("mlflow")
from mlflow import MlflowClient  # noqa: E402
from mlflow.entities import Metric, Param, RunTag, ViewType  # noqa: E402
from mlflow.exceptions import MlflowException  # noqa: E402

os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")


@pytest.fixture
def experiment(client):
    return client.create_experiment("experiment " + uuid.uuid4().hex[:8])


def test_the_default_experiment_is_there(client):
    default = client.get_experiment("0")
    assert (default.name, default.lifecycle_stage) == ("Default", "active")


def test_experiments_are_made_found_renamed_deleted_and_restored(client):
    name = "비전/검출 " + uuid.uuid4().hex[:6]
    made = client.create_experiment(name, tags={"team": "a"})
    assert client.get_experiment_by_name(name).experiment_id == made
    assert client.get_experiment(made).tags == {"team": "a"}
    with pytest.raises(MlflowException) as again:
        client.create_experiment(name)
    assert again.value.error_code == "RESOURCE_ALREADY_EXISTS"
    client.rename_experiment(made, name + "2")
    client.set_experiment_tag(made, "k", "v" * 6000)
    assert len(client.get_experiment(made).tags["k"]) == 5000
    run = client.create_run(made)
    client.delete_experiment(made)
    assert client.get_experiment(made).lifecycle_stage == "deleted"
    assert client.get_run(run.info.run_id).info.lifecycle_stage == "deleted"
    with pytest.raises(MlflowException):
        client.create_run(made)
    client.restore_experiment(made)
    assert client.get_run(run.info.run_id).info.lifecycle_stage == "active"
    assert client.get_experiment_by_name("no such thing") is None


def test_experiment_search_pages_and_filters(client):
    mark = uuid.uuid4().hex[:6]
    for i in range(7):
        client.create_experiment(f"s {mark} {i}", tags={"parity": str(i % 2)})
    found = client.search_experiments(filter_string=f"name LIKE 's {mark}%' AND tags.parity = '0'", order_by=["name ASC"])
    assert [e.name[-1] for e in found] == ["0", "2", "4", "6"]
    names, token = [], None
    while True:
        page = client.search_experiments(filter_string=f"name ILIKE 'S {mark}%'", order_by=["name DESC"], max_results=3, page_token=token)
        names += [e.name[-1] for e in page]
        token = page.token
        if not token:
            break
    assert names == list("6543210")
    with pytest.raises(MlflowException):
        client.search_experiments(filter_string="nme = 'x'")


def test_the_fluent_life_of_a_run(tracking, experiment):
    mlflow.set_experiment(experiment_id=experiment)
    with mlflow.start_run(run_name="첫 실행", tags={"a": "1"}) as run:
        mlflow.log_param("lr", 0.1)
        mlflow.log_params({"depth": 3, "empty": ""})
        for step in range(20):
            mlflow.log_metric("loss", 1 / (step + 1), step=step)
        mlflow.log_metrics({"auc": 0.9, "nan": math.nan, "inf": math.inf}, step=3)
        mlflow.set_tag("stage", "test")
    got = mlflow.get_run(run.info.run_id)
    assert (got.info.status, got.info.run_name) == ("FINISHED", "첫 실행")
    assert got.info.end_time >= got.info.start_time
    assert got.data.params == {"lr": "0.1", "depth": "3", "empty": ""}
    assert got.data.metrics["loss"] == 1 / 20 and math.isnan(got.data.metrics["nan"])
    assert got.data.metrics["inf"] == 1.7976931348623157e308
    assert got.data.tags["stage"] == "test" and got.data.tags["mlflow.runName"] == "첫 실행"
    history = MlflowClient().get_metric_history(run.info.run_id, "loss")
    assert [m.step for m in history] == list(range(20))
    assert [m.value for m in history] == [1 / (s + 1) for s in range(20)]


def test_a_failing_run_is_failed_and_a_resumed_one_runs(tracking, experiment):
    with pytest.raises(ZeroDivisionError):
        with mlflow.start_run(experiment_id=experiment) as run:
            mlflow.log_metric("x", 1 / 0)
    assert mlflow.get_run(run.info.run_id).info.status == "FAILED"
    mlflow.set_experiment(experiment_id=experiment)
    with mlflow.start_run(run_id=run.info.run_id):
        assert mlflow.get_run(run.info.run_id).info.status == "RUNNING"
        mlflow.log_metric("x", 2)
    assert mlflow.get_run(run.info.run_id).data.metrics == {"x": 2}


def test_nested_runs_know_their_parent(tracking, experiment):
    with mlflow.start_run(experiment_id=experiment) as parent:
        for i in range(3):
            with mlflow.start_run(experiment_id=experiment, nested=True):
                mlflow.log_metric("i", i)
    children = MlflowClient().search_runs([experiment], f"tags.mlflow.parentRunId = '{parent.info.run_id}'", order_by=["metrics.i DESC"])
    assert [r.data.metrics["i"] for r in children] == [2, 1, 0]


def test_a_parameter_never_changes_and_batches_are_all_or_nothing(client, experiment):
    run = client.create_run(experiment).info.run_id
    client.log_param(run, "p", 1)
    client.log_param(run, "p", 1)
    with pytest.raises(MlflowException) as changed:
        client.log_param(run, "p", 2)
    assert "Changing param values is not allowed" in str(changed.value)
    with pytest.raises(MlflowException):
        client.log_batch(run, [Metric("m", 1, 0, 0)], [Param("p", "3")], [RunTag("t", "x")])
    got = client.get_run(run)
    assert got.data.metrics == {} and "t" not in got.data.tags


def test_a_batch_sent_again_is_harmless(client, experiment):
    run = client.create_run(experiment).info.run_id
    batch = [Metric(f"m{i % 300}", i / 7, i, i) for i in range(1000)]
    for _ in range(3):
        client.log_batch(run, batch)
    assert len(client.get_metric_history(run, "m5")) == len([i for i in range(1000) if i % 300 == 5])


def test_limits_of_a_batch(client, experiment):
    run = client.create_run(experiment).info.run_id

    def refused(**what):
        with pytest.raises(MlflowException) as wrong:
            client.log_batch(run, **what)
        assert wrong.value.error_code == "INVALID_PARAMETER_VALUE"

    client.log_batch(run, metrics=[Metric("k" * 250, 1, 0, 0)])
    client.log_batch(run, params=[Param(f"p{i}", "v" * 6000) for i in range(100)])
    url = f"{client.tracking_uri}/api/2.0/mlflow/runs/log-batch"
    import requests

    def status(body):
        return requests.post(url, json={"run_id": run, **body}, timeout=30).status_code

    point = {"key": "m", "value": 1, "timestamp": 0, "step": 0}
    assert status({"metrics": [point] * 1000}) == 200
    assert status({"metrics": [point] * 1001}) == 400
    assert status({"params": [{"key": f"q{i}", "value": "1"} for i in range(101)]}) == 400
    assert status({"tags": [{"key": f"q{i}", "value": "1"} for i in range(101)]}) == 400
    assert status({"metrics": [{**point, "key": "k" * 251}]}) == 400
    for bad in ("a/../b", "/a", "a//b", "..", "", "a\nb", "a;b"):
        assert status({"metrics": [{**point, "key": bad}]}) == 400, bad
    assert status({"params": [{"key": "twice", "value": "1"}, {"key": "twice", "value": "2"}]}) == 400
    for wrong in ({"metrics": "x"}, {"metrics": [1]}, {"metrics": [{**point, "value": "x"}]}, {"metrics": [{**point, "step": 1.5}]}, {"tags": {"a": 1}}):
        assert status(wrong) == 400, wrong


def test_metric_paging_and_sampling(client, tracking, experiment):
    run = client.create_run(experiment).info.run_id
    for begin in range(0, 30_000, 1000):
        client.log_batch(run, [Metric("h", math.sin(i / 100), i, i) for i in range(begin, begin + 1000)])
    history = client.get_metric_history(run, "h")
    assert [m.step for m in history] == list(range(30_000))
    sampled = tracking.get(f"/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval?run_ids={run}&metric_key=h&max_results=320").json()["metrics"]
    assert 320 <= len(sampled) <= 330 and (sampled[0]["step"], sampled[-1]["step"]) == (0, 29_999)
    assert max(m["value"] for m in sampled) == max(m.value for m in history)


def test_run_search(client, experiment):
    ids = []
    for i in range(12):
        run = client.create_run(experiment, tags={"team": "ab"[i % 2]}, run_name=f"r{i}")
        client.log_batch(run.info.run_id, [Metric("auc", i / 10 if i != 7 else math.nan, 0, 0)], [Param("depth", str(i))])
        ids.append(run.info.run_id)

    def names(filter_string="", **kw):
        return [r.info.run_name for r in client.search_runs([experiment], filter_string, **kw)]

    assert names("metrics.auc > 0.8", order_by=["metrics.auc"]) == ["r9", "r10", "r11"]
    assert names("params.depth = '3' and tags.team = 'b'") == ["r3"]
    assert names("attributes.run_name LIKE 'r1%'", order_by=["attributes.run_name"]) == ["r1", "r10", "r11"]
    assert names(f"run_id IN ('{ids[2]}', '{ids[4]}')", order_by=["params.depth"]) == ["r2", "r4"]
    assert names("metrics.auc < 0.3 OR params.depth = '11'", order_by=["start_time"]) == ["r0", "r1", "r2", "r11"]
    assert names("tags.none != 'x'") == []
    assert names(order_by=["metrics.auc DESC"])[-1] == "r7"
    client.delete_run(ids[0])
    assert "r0" not in names() and names(run_view_type=ViewType.DELETED_ONLY) == ["r0"]
    client.restore_run(ids[0])
    pages, token = [], None
    while True:
        page = client.search_runs([experiment], order_by=["metrics.auc DESC"], max_results=5, page_token=token)
        pages += [r.info.run_name for r in page]
        token = page.token
        if not token:
            break
    assert len(pages) == len(set(pages)) == 12
    frame = mlflow.search_runs([experiment])
    assert isinstance(frame, pandas.DataFrame) and len(frame) == 12 and "metrics.auc" in frame.columns
    for wrong in ("metrics.auc >> 1", "metrics.auc = 'x'", "params.depth = 1", "foo.x = '1'", "metrics.auc >", "'a' = params.x"):
        with pytest.raises(MlflowException) as refused:
            client.search_runs([experiment], wrong)
        assert refused.value.error_code == "INVALID_PARAMETER_VALUE", wrong


def test_writes_to_what_is_not_there(client, experiment):
    for call in (lambda: client.log_metric("0" * 32, "m", 1), lambda: client.get_run("0" * 32), lambda: client.set_terminated("0" * 32)):
        with pytest.raises(MlflowException) as missing:
            call()
        assert missing.value.error_code == "RESOURCE_DOES_NOT_EXIST"
    run = client.create_run(experiment).info.run_id
    client.delete_run(run)
    with pytest.raises(MlflowException) as gone:
        client.log_metric(run, "m", 1)
    assert "must be in the 'active' state" in str(gone.value)
    with pytest.raises(MlflowException):
        client.get_experiment("987654321")


def test_tags_and_names(client, experiment):
    run = client.create_run(experiment, run_name="one").info.run_id
    client.set_tag(run, "k", "v" * 9000)
    assert len(client.get_run(run).data.tags["k"]) == 8000
    client.delete_tag(run, "k")
    with pytest.raises(MlflowException) as missing:
        client.delete_tag(run, "k")
    assert missing.value.error_code == "RESOURCE_DOES_NOT_EXIST"
    client.update_run(run, name="two")
    got = client.get_run(run)
    assert got.info.run_name == got.data.tags["mlflow.runName"] == "two"
    client.set_tag(run, "mlflow.runName", "three")
    assert client.get_run(run).info.run_name == "three"
    assert client.create_run(experiment).info.run_name


def test_datasets_of_a_run(tracking, client, experiment):
    frame = pandas.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "z"]})
    dataset = mlflow.data.from_pandas(frame, source="s3://bucket/a.csv", name="letters")
    with mlflow.start_run(experiment_id=experiment) as run:
        mlflow.log_input(dataset, context="training")
        mlflow.log_input(dataset, context="training")
    inputs = client.get_run(run.info.run_id).inputs.dataset_inputs
    assert len(inputs) == 1 and inputs[0].dataset.name == "letters" and inputs[0].tags[0].value == "training"
    assert len(client.search_runs([experiment], "dataset.name = 'letters' AND dataset.context = 'training'")) == 1
    summary = tracking.post("/api/2.0/mlflow/experiments/search-datasets", {"experiment_ids": [experiment]})
    assert summary["dataset_summaries"][0]["digest"] == dataset.digest


def test_asynchronous_logging_loses_nothing(tracking, client, experiment):
    with mlflow.start_run(experiment_id=experiment) as run:
        waiting = [mlflow.log_metric("a", i, step=i, synchronous=False) for i in range(500)]
        for one in waiting:
            one.wait()
    assert [m.value for m in client.get_metric_history(run.info.run_id, "a")] == list(range(500))


def test_many_writers_at_once(tracking, client, experiment):
    import concurrent.futures
    import requests

    run = client.create_run(experiment).info.run_id
    url = f"{tracking.url}/api/2.0/mlflow/runs/log-metric"

    def write(worker):
        with requests.Session() as session:
            for i in range(20):
                body = {"run_id": run, "key": f"w{worker % 10}", "value": i, "timestamp": i, "step": worker * 100 + i}
                assert session.post(url, json=body, timeout=60).status_code == 200

    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        list(pool.map(write, range(64)))
    total = sum(len(client.get_metric_history(run, f"w{i}")) for i in range(10))
    assert total == 64 * 20


def test_system_metrics_are_ordinary_ones(tracking, client, experiment):
    pytest.importorskip("psutil")
    mlflow.set_system_metrics_sampling_interval(1)
    mlflow.set_system_metrics_samples_before_logging(1)
    with mlflow.start_run(experiment_id=experiment, log_system_metrics=True) as run:
        deadline = time.monotonic() + 30
        while not any(k.startswith("system/") for k in client.get_run(run.info.run_id).data.metrics):
            assert time.monotonic() < deadline
            time.sleep(0.2)


@pytest.mark.parametrize("library", ["sklearn", "lightgbm", "xgboost"])
def test_autologging(tracking, client, experiment, library):
    pytest.importorskip(library)
    pytest.importorskip("sklearn")
    import numpy

    rng = numpy.random.default_rng(1)
    x = rng.normal(size=(200, 4))
    y = (x[:, 0] > 0).astype(int)
    mlflow.set_experiment(experiment_id=experiment)
    flavor = getattr(mlflow, library)
    flavor.autolog(silent=True, log_models=False)
    try:
        with mlflow.start_run(experiment_id=experiment) as run:
            if library == "sklearn":
                from sklearn.linear_model import LogisticRegression

                LogisticRegression(C=0.5).fit(x, y)
            elif library == "lightgbm":
                import lightgbm

                lightgbm.train({"objective": "binary", "verbosity": -1}, lightgbm.Dataset(x, y), 5, [lightgbm.Dataset(x, y)])
            else:
                import xgboost

                xgboost.train({"objective": "binary:logistic"}, xgboost.DMatrix(x, y), 5, [(xgboost.DMatrix(x, y), "train")])
    finally:
        flavor.autolog(disable=True)
    got = client.get_run(run.info.run_id)
    assert got.info.status == "FINISHED" and got.data.params and got.data.metrics


def test_what_is_no_text_is_refused_by_name(tracking):
    """Numbers are no text, but in ids that older clients send so, and in enums."""
    def post(path, body):
        return requests.post(f"{tracking.url}/api/2.0/mlflow/{path}", json=body, timeout=30)

    made = post("runs/create", {"experiment_id": 0, "start_time": "1"})
    assert made.status_code == 200 and made.json()["run"]["info"]["experiment_id"] == "0"
    run = made.json()["run"]["info"]["run_id"]
    assert post("runs/update", {"run_id": run, "status": 3}).json()["run_info"]["status"] == "FINISHED"
    for path, body, said in [("experiments/create", {"name": 123}, "Invalid value 123 for parameter 'name'"),
                             ("experiments/create", {"name": "x", "artifact_location": 9.0}, "Invalid value 9.0 for parameter 'artifact_location'"),
                             ("experiments/create", {"name": "x", "tags": "5"}, "Invalid value \"5\" for parameter 'tags'"),
                             ("runs/log-metric", {"run_id": 31, "key": "m", "value": 1, "timestamp": 1}, "Invalid value 31 for parameter 'run_id'"),
                             ("runs/log-parameter", {"run_id": run, "key": 31, "value": "1"}, "Invalid value 31 for parameter 'key'"),
                             ("runs/set-tag", {"run_id": run, "key": "k", "value": 41}, "Invalid value 41 for parameter 'value'")]:
        answer = post(path, body)
        assert answer.status_code == 400 and said in answer.json()["message"], answer.text


def test_a_relative_artifact_location_is_the_servers(tracking):
    """A client started elsewhere must not write to another folder of the same name."""
    made = mlflow.MlflowClient(tracking.url).create_experiment("relative-" + uuid.uuid4().hex[:8], artifact_location="my_location")
    location = mlflow.MlflowClient(tracking.url).get_experiment(made).artifact_location
    assert location.startswith("/") and location.endswith("/my_location")


def test_refusals_name_the_place(client, experiment):
    run = client.create_run(experiment).info.run_id
    for what, said in [({"metrics": [Metric("fine", 1, 1, 0), Metric("../bad", 1, 1, 0)]}, r"'metrics\[1\].name'"),
                       ({"params": [Param("../bad", "1")]}, r"'params\[0\].key'"), ({"tags": [RunTag("../bad", "1")]}, r"'tags\[0\].key'")]:
        with pytest.raises(MlflowException, match=said):
            client.log_batch(run, **what)
    assert client.get_run(run).data.metrics == {}
    name = "taken-" + uuid.uuid4().hex[:8]
    client.delete_experiment(client.create_experiment(name))
    with pytest.raises(MlflowException, match=rf"Experiment\(name={name}\) already exists in deleted state"):
        client.create_experiment(name)
    with pytest.raises(MlflowException, match="No Experiment with id=-1337 exists"):
        client.get_experiment("-1337")


def test_the_query_of_an_artifact_location_stays_at_its_end(client):
    made = client.create_experiment("query-" + uuid.uuid4().hex[:8], artifact_location="s3://bucket/root?region=kr")
    run = client.create_run(made).info
    assert run.artifact_uri == f"s3://bucket/root/{run.run_id}/artifacts?region=kr"


def test_the_calls_of_the_r_client(tracking):
    """As mlflow for R sends them: httr, jsonlite with auto_unbox, times as doubles, run_uuid beside run_id."""
    headers = {"User-Agent": "mlflow-r-client/2.22.0", "Content-Type": "application/json", "Accept": "application/json, text/xml, application/xml, */*"}

    def call(verb, path, body=None, query=None, code=200):
        answer = requests.request(verb, f"{tracking.url}/api/2.0/mlflow/{path}", data=body, params=query, headers=headers, timeout=30)
        assert answer.status_code == code, answer.text
        return answer.json()

    name = "r-" + uuid.uuid4().hex[:8]
    assert call("GET", "experiments/get-by-name", query={"experiment_name": name}, code=404)["error_code"] == "RESOURCE_DOES_NOT_EXIST"
    experiment = call("POST", "experiments/create", f'{{"name":"{name}","tags":[]}}')["experiment_id"]
    made = call("POST", "runs/create", f'{{"experiment_id":"{experiment}","user_id":"r","start_time":1.7000000000e+12,"tags":[{{"key":"mlflow.source.name","value":"a.R"}}]}}')
    run = made["run"]["info"]["run_uuid"]
    assert made["run"]["info"]["start_time"] == 1_700_000_000_000
    ids = f'"run_uuid":"{run}","run_id":"{run}"'
    call("POST", "runs/log-parameter", f'{{{ids},"key":"depth","value":"6"}}')
    call("POST", "runs/log-metric", f'{{{ids},"key":"loss","value":0.5,"timestamp":1.7000000001e+12,"step":0}}')
    call("POST", "runs/log-metric", f'{{{ids},"key":"odd","value":"NaN","timestamp":1700000001000,"step":1}}')
    call("POST", "runs/log-batch", f'{{"run_id":"{run}","metrics":[{{"key":"m","value":"Infinity","timestamp":1700000001000,"step":1}}],"params":[],"tags":[]}}')
    call("POST", "runs/set-tag", f'{{{ids},"key":"note","value":"알"}}')
    call("POST", "runs/update", f'{{{ids},"status":"FINISHED","end_time":1.7000000020e+12}}')
    seen = call("GET", "runs/get", query={"run_uuid": run, "run_id": run})["run"]
    assert seen["info"]["status"] == "FINISHED" and {m["key"] for m in seen["data"]["metrics"]} == {"loss", "odd", "m"}
    found = call("POST", "runs/search", f'{{"experiment_ids":["{experiment}"],"filter":"metrics.loss < 1","run_view_type":"ACTIVE_ONLY","order_by":[]}}')
    assert [r["info"]["run_id"] for r in found["runs"]] == [run]
    assert call("GET", "artifacts/list", query={"run_uuid": run, "run_id": run})["root_uri"].endswith("/artifacts")
    assert call("GET", "metrics/get-history", query={"run_uuid": run, "run_id": run, "metric_key": "loss"})["metrics"][0]["value"] == 0.5
    assert {"key": "note", "value": "알"} in seen["data"]["tags"]
