"""Every limit of MLflow's wire at one less, at itself and at one more: what is too long is refused by name or cut, as MLflow does, never a 5xx."""
import uuid

import pytest
import requests

API = "/api/2.0/mlflow/"
NOW = 1_700_000_000_000


def text(size):
    """`size` characters; some are three bytes long."""
    return ("가" + "x" * (size - 1)) if size else ""


def word(size):
    return "w" * size


class Home:
    def __init__(self, url):
        self.url = url
        self.experiment = self.ok("POST", "experiments/create", {"name": "limits " + uuid.uuid4().hex})["experiment_id"]
        self.run = self.ok("POST", "runs/create", {"experiment_id": self.experiment})["run"]["info"]["run_id"]
        self.model = "model " + uuid.uuid4().hex
        self.ok("POST", "registered-models/create", {"name": self.model})
        self.ok("POST", "model-versions/create", {"name": self.model, "source": f"runs:/{self.run}/x", "run_id": self.run})
        self.logged = self.ok("POST", "logged-models", {"experiment_id": self.experiment, "name": "net"})["model"]["info"]["model_id"]

    def send(self, method, path, body):
        arguments = {"params": body} if method == "GET" else {"json": body}
        return requests.request(method, self.url + (path if path.startswith("/") else API + path), timeout=60, **arguments)

    def ok(self, method, path, body):
        answer = self.send(method, path, body)
        assert answer.status_code == 200, (path, answer.text[:500])
        return answer.json()


@pytest.fixture(scope="module")
def home(tracking):
    return Home(tracking.url)


def dataset(home, **changed):
    whole = {"name": "d", "digest": uuid.uuid4().hex[:36], "source_type": "local", "source": "{}", **changed}
    return ("POST", "runs/log-inputs", {"run_id": home.run, "datasets": [{"dataset": whole, "tags": []}]})


def input_tag(home, key, value):
    return ("POST", "runs/log-inputs", {"run_id": home.run, "datasets": [
        {"dataset": {"name": "t", "digest": uuid.uuid4().hex[:30], "source_type": "local", "source": "{}"}, "tags": [{"key": key, "value": value}]}]})


def batch(home, **lists):
    return ("POST", "runs/log-batch", {"run_id": home.run, **lists})


def points(count):
    return [{"key": f"m{i}", "value": 1, "timestamp": NOW, "step": 0} for i in range(count)]


def values(prefix, count):
    return [{"key": f"{prefix}{i}", "value": "v"} for i in range(count)]


# name: (limit, what is sent for a size). One more is refused with 400 INVALID_PARAMETER_VALUE.
REFUSED = {
    "metrics of a batch": (1000, lambda h, n: batch(h, metrics=points(n))),
    "params of a batch": (100, lambda h, n: batch(h, params=values("p" + uuid.uuid4().hex[:6], n))),
    "tags of a batch": (100, lambda h, n: batch(h, tags=values("t", n))),
    "all of a batch": (1000, lambda h, n: batch(h, metrics=points(n - 100), params=values("q" + uuid.uuid4().hex[:6], 50), tags=values("t", 50))),
    "key of a metric": (250, lambda h, n: ("POST", "runs/log-metric", {"run_id": h.run, "key": text(n), "value": 1, "timestamp": NOW})),
    "key of a metric in a batch": (250, lambda h, n: batch(h, metrics=[{"key": text(n), "value": 1, "timestamp": NOW, "step": 0}])),
    "key of a param": (250, lambda h, n: ("POST", "runs/log-parameter", {"run_id": h.run, "key": text(n), "value": "1"})),
    "key of a run's tag": (250, lambda h, n: ("POST", "runs/set-tag", {"run_id": h.run, "key": text(n), "value": "1"})),
    "key of an experiment's tag": (250, lambda h, n: ("POST", "experiments/set-experiment-tag", {"experiment_id": h.experiment, "key": text(n), "value": "1"})),
    "key of a model's tag": (250, lambda h, n: ("POST", "registered-models/set-tag", {"name": h.model, "key": word(n), "value": "1"})),
    "value of a model's tag": (100_000, lambda h, n: ("POST", "registered-models/set-tag", {"name": h.model, "key": "k", "value": text(n)})),
    "key of a version's tag": (250, lambda h, n: ("POST", "model-versions/set-tag", {"name": h.model, "version": "1", "key": word(n), "value": "1"})),
    "value of a version's tag": (100_000, lambda h, n: ("POST", "model-versions/set-tag", {"name": h.model, "version": "1", "key": "k", "value": text(n)})),
    "name of an experiment": (500, lambda h, n: ("POST", "experiments/create", {"name": uuid.uuid4().hex + text(n - 32)})),
    "new name of an experiment": (500, lambda h, n: ("POST", "experiments/update", {"experiment_id": h.experiment, "new_name": uuid.uuid4().hex + text(n - 32)})),
    "alias": (255, lambda h, n: ("POST", "registered-models/alias", {"name": h.model, "alias": word(n), "version": "1"})),
    "name of a webhook": (63, lambda h, n: ("POST", "webhooks", {"name": word(n), "url": "https://example.com/x", "events": [
        {"entity": "REGISTERED_MODEL", "action": "CREATED"}]})),
    "name of a dataset": (500, lambda h, n: dataset(h, name=text(n))),
    "digest of a dataset": (36, lambda h, n: dataset(h, digest=word(n))),
    "source of a dataset": (65_535, lambda h, n: dataset(h, source=text(n))),
    "schema of a dataset": (1_048_575, lambda h, n: dataset(h, schema=text(n))),
    "profile of a dataset": (16_777_215, lambda h, n: dataset(h, profile=text(n))),
    "key of an input's tag": (255, lambda h, n: input_tag(h, word(n), "v")),
    "value of an input's tag": (500, lambda h, n: input_tag(h, "k", text(n))),
    "max_results of runs": (50_000, lambda h, n: ("POST", "runs/search", {"experiment_ids": [h.experiment], "max_results": n})),
    "max_results of experiments": (50_000, lambda h, n: ("GET", "experiments/search", {"max_results": n})),
    "max_results of models": (1000, lambda h, n: ("GET", "registered-models/search", {"max_results": n})),
    "max_results of versions": (200_000, lambda h, n: ("GET", "model-versions/search", {"max_results": n})),
    "max_results of a history": (25_000, lambda h, n: ("GET", "metrics/get-history", {"run_id": h.run, "metric_key": "m0", "max_results": n})),
    "max_results of samples": (2500, lambda h, n: ("GET", "metrics/get-history-bulk-interval", {"run_ids": [h.run], "metric_key": "m0", "max_results": n})),
    "runs of samples": (100, lambda h, n: ("GET", "metrics/get-history-bulk-interval", {"run_ids": [h.run] * n, "metric_key": "m0", "max_results": 10})),
    "runs of a bulk history": (100, lambda h, n: ("GET", "/ajax-api/2.0/mlflow/metrics/get-history-bulk", {"run_id": [h.run] * n, "metric_key": "m0"})),
    "experiments of a dataset search": (20, lambda h, n: ("POST", "experiments/search-datasets", {"experiment_ids": [h.experiment] * n})),
}


@pytest.mark.parametrize("name", REFUSED)
def test_too_much_is_refused(home, name):
    limit, request = REFUSED[name]
    for size in (limit - 1, limit):
        answer = home.send(*request(home, size))
        assert answer.status_code == 200, (size, answer.status_code, answer.text[:500])
    answer = home.send(*request(home, limit + 1))
    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE"), answer.text[:500]
    assert len(answer.text) < 5000  # what was too long is not sent back


# What MLflow's server cuts by default: the first so many characters are kept.
def test_long_values_are_cut(home):
    def read():
        data = home.ok("GET", "runs/get", {"run_id": home.run})["run"]["data"]
        experiment = home.ok("GET", "experiments/get", {"experiment_id": home.experiment})["experiment"]
        return [{pair["key"]: pair["value"] for pair in pairs} for pairs in (data["params"], data["tags"], experiment["tags"])]

    for size in (-1, 0, 1):
        home.ok("POST", "runs/log-parameter", {"run_id": home.run, "key": f"long{size}", "value": text(6000 + size)})
        home.ok("POST", "runs/set-tag", {"run_id": home.run, "key": f"long{size}", "value": text(8000 + size)})
        home.ok("POST", "experiments/set-experiment-tag", {"experiment_id": home.experiment, "key": f"long{size}", "value": text(5000 + size)})
    for found, limit in zip(read(), (6000, 8000, 5000)):
        assert [found[f"long{size}"] for size in (-1, 0, 1)] == [text(limit - 1), text(limit), text(limit)]


def test_ids(home):
    for size, status in ((255, 404), (256, 404), (257, 400)):  # none of them is there
        assert home.send("GET", "runs/get", {"run_id": word(size)}).status_code == status, size
    for size, status in ((63, 404), (64, 404), (65, 400)):
        assert home.send("POST", "runs/create", {"experiment_id": word(size)}).status_code == status, size
    for bad in ("-a", "_a", "a/b", "a b", "a\n", "한"):
        assert home.send("GET", "runs/get", {"run_id": bad}).status_code == 400, bad


@pytest.mark.parametrize("least", [
    ("POST", "runs/search", {"experiment_ids": ["0"], "max_results": 0}), ("GET", "experiments/search", {"max_results": 0}),
    ("GET", "registered-models/search", {"max_results": -1}), ("GET", "metrics/get-history-bulk-interval", {"run_ids": ["a"], "metric_key": "m", "max_results": 0})])
def test_too_few_results_are_refused(home, least):
    assert home.send(*least).status_code == 400


def test_a_run_of_ten_thousand_keys(home):
    run = home.ok("POST", "runs/create", {"experiment_id": home.experiment})["run"]["info"]["run_id"]
    for begin in range(0, 10_000, 1000):
        home.ok("POST", "runs/log-batch", {"run_id": run, "metrics": [
            {"key": f"key {i}", "value": i, "timestamp": NOW, "step": 0} for i in range(begin, begin + 1000)]})
    for begin in range(0, 2000, 100):
        home.ok("POST", "runs/log-batch", {"run_id": run, "params": [{"key": f"p{i}", "value": str(i)} for i in range(begin, begin + 100)]})
    data = home.ok("GET", "runs/get", {"run_id": run})["run"]["data"]
    assert len(data["metrics"]) == 10_000 and len(data["params"]) == 2000
    found = home.ok("POST", "runs/search", {"experiment_ids": [home.experiment], "filter": "metrics.`key 9999` > 9998 and params.p1999 = '1999'"})["runs"]
    assert [row["info"]["run_id"] for row in found] == [run]


def test_clocks_that_are_wrong(home):
    """Times before 1970 and far ahead, steps below zero: kept as they are sent."""
    times = [-1, 0, 1, 2**53, 4102444800000, -62135596800000]
    for i, when in enumerate(times):
        home.ok("POST", "runs/log-metric", {"run_id": home.run, "key": "skewed", "value": i, "timestamp": when, "step": -i})
    metrics = home.ok("GET", "metrics/get-history", {"run_id": home.run, "metric_key": "skewed"})["metrics"]
    assert {(m["value"], m["timestamp"], m["step"]) for m in metrics} == {(i, when, -i) for i, when in enumerate(times)}
    latest = {m["key"]: m for m in home.ok("GET", "runs/get", {"run_id": home.run})["run"]["data"]["metrics"]}["skewed"]
    assert (latest["step"], latest["value"]) == (0, 0)  # by step, then time, then value
    run = home.ok("POST", "runs/create", {"experiment_id": home.experiment, "start_time": 4102444800000})["run"]["info"]["run_id"]
    ended = home.ok("POST", "runs/update", {"run_id": run, "status": "FINISHED", "end_time": 1000})["run_info"]
    assert (ended["start_time"], ended["end_time"]) == (4102444800000, 1000)
