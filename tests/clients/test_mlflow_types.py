"""JSON of the wrong type in each field of each call: refused with MLflow's error as JSON or taken as what it can mean, never a 5xx, and nothing
of a refused call is kept."""
import uuid

import pytest
import requests

NOW = 1_700_000_000_000
WRONG = [None, True, 7, -1.5, 2**70, "", "text", "가\u0000", [], [1], [[]], {}, {"a": 1}, [{"key": 1}], [None], {"key": {"value": []}}]


class Facts:
    def __init__(self, url):
        self.url = url
        self.experiment = self.ok("experiments/create", {"name": uuid.uuid4().hex})["experiment_id"]
        self.run = self.ok("runs/create", {"experiment_id": self.experiment})["run"]["info"]["run_id"]
        self.model = uuid.uuid4().hex
        self.ok("registered-models/create", {"name": self.model})
        self.ok("model-versions/create", {"name": self.model, "source": f"runs:/{self.run}/x", "run_id": self.run})
        self.logged = self.ok("logged-models", {"experiment_id": self.experiment, "name": "net"})["model"]["info"]["model_id"]

    def seen(self, path):
        """What a call of this path could have changed, as it is now"""
        what = path.removeprefix("2.0/mlflow/").split("/")[0]
        where = {"runs": f"runs/get?run_id={self.run}", "experiments": f"experiments/get?experiment_id={self.experiment}",
                 "logged-models": f"logged-models/{self.logged}", "registered-models": f"registered-models/get?name={self.model}",
                 "model-versions": f"model-versions/get?name={self.model}&version=1"}.get(what)
        return where and requests.get(f"{self.url}/api/2.0/mlflow/{where}", timeout=30).json()

    def ok(self, path, body):
        answer = requests.post(f"{self.url}/api/2.0/mlflow/{path}", json=body, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture(scope="module")
def facts(tracking):
    return Facts(tracking.url)


DATASET = {"name": "d", "digest": "1", "source_type": "local", "source": "{}", "schema": "{}", "profile": "{}"}
EVENT = {"entity": "REGISTERED_MODEL", "action": "CREATED"}
# method, path, a body that is good; {words} are of the facts.
CALLS = [
    ("POST", "2.0/mlflow/experiments/create", {"name": "{fresh}", "artifact_location": "mlflow-artifacts:/x", "tags": [{"key": "k", "value": "v"}]}),
    ("POST", "2.0/mlflow/experiments/search", {"max_results": 10, "filter": "name = 'x'", "order_by": ["name"], "view_type": "ALL", "page_token": ""}),
    ("POST", "2.0/mlflow/experiments/update", {"experiment_id": "{experiment}", "new_name": "{fresh}"}),
    ("POST", "2.0/mlflow/experiments/set-experiment-tag", {"experiment_id": "{experiment}", "key": "k", "value": "v"}),
    ("POST", "2.0/mlflow/experiments/search-datasets", {"experiment_ids": ["{experiment}"]}),
    ("POST", "2.0/mlflow/runs/create", {"experiment_id": "{experiment}", "user_id": "u", "run_name": "n", "start_time": NOW,
                                        "tags": [{"key": "k", "value": "v"}]}),
    ("POST", "2.0/mlflow/runs/update", {"run_id": "{run}", "status": "RUNNING", "end_time": NOW, "run_name": "n"}),
    ("POST", "2.0/mlflow/runs/search", {"experiment_ids": ["{experiment}"], "filter": "metrics.m > 1", "run_view_type": "ALL", "max_results": 5,
                                        "order_by": ["metrics.m DESC"], "page_token": ""}),
    ("POST", "2.0/mlflow/runs/log-metric", {"run_id": "{run}", "key": "m", "value": 1, "timestamp": NOW, "step": 1, "model_id": "{logged}",
                                            "dataset_name": "d", "dataset_digest": "1"}),
    ("POST", "2.0/mlflow/runs/log-parameter", {"run_id": "{run}", "key": "{fresh}", "value": "1"}),
    ("POST", "2.0/mlflow/runs/set-tag", {"run_id": "{run}", "key": "k", "value": "v"}),
    ("POST", "2.0/mlflow/runs/delete-tag", {"run_id": "{run}", "key": "k"}),
    ("POST", "2.0/mlflow/runs/log-batch", {"run_id": "{run}", "metrics": [{"key": "m", "value": 1, "timestamp": NOW, "step": 0}],
                                           "params": [{"key": "{fresh}", "value": "1"}], "tags": [{"key": "k", "value": "v"}]}),
    ("POST", "2.0/mlflow/runs/log-model", {"run_id": "{run}", "model_json": "{}"}),
    ("POST", "2.0/mlflow/runs/log-inputs", {"run_id": "{run}", "datasets": [{"tags": [{"key": "k", "value": "v"}], "dataset": DATASET}],
                                            "models": [{"model_id": "{logged}"}]}),
    ("POST", "2.0/mlflow/runs/outputs", {"run_id": "{run}", "models": [{"model_id": "{logged}", "step": 1}]}),
    ("POST", "2.0/mlflow/logged-models", {"experiment_id": "{experiment}", "name": "n", "model_type": "t", "source_run_id": "{run}",
                                          "params": [{"key": "k", "value": "v"}], "tags": [{"key": "k", "value": "v"}]}),
    ("POST", "2.0/mlflow/logged-models/search", {"experiment_ids": ["{experiment}"], "filter": "name = 'n'", "datasets": [{"dataset_name": "d", "dataset_digest": "1"}],
                                                 "max_results": 5, "order_by": [{"field_name": "name", "ascending": True}], "page_token": ""}),
    ("POST", "2.0/mlflow/logged-models/{logged}/params", {"params": [{"key": "k", "value": "v"}]}),
    ("PATCH", "2.0/mlflow/logged-models/{logged}", {"model_id": "{logged}", "status": "LOGGED_MODEL_READY"}),
    ("PATCH", "2.0/mlflow/logged-models/{logged}/tags", {"tags": [{"key": "k", "value": "v"}]}),
    ("POST", "2.0/mlflow/registered-models/create", {"name": "{fresh}", "tags": [{"key": "k", "value": "v"}], "description": "d"}),
    ("PATCH", "2.0/mlflow/registered-models/update", {"name": "{model}", "description": "d"}),
    ("POST", "2.0/mlflow/registered-models/set-tag", {"name": "{model}", "key": "k", "value": "v"}),
    ("POST", "2.0/mlflow/registered-models/alias", {"name": "{model}", "alias": "a", "version": "1"}),
    ("DELETE", "2.0/mlflow/registered-models/alias", {"name": "{model}", "alias": "a"}),
    ("POST", "2.0/mlflow/registered-models/get-latest-versions", {"name": "{model}", "stages": ["None"]}),
    ("POST", "2.0/mlflow/model-versions/create", {"name": "{model}", "source": "runs:/{run}/x", "run_id": "{run}", "tags": [{"key": "k", "value": "v"}],
                                                  "run_link": "l", "description": "d", "model_id": "{logged}"}),
    ("PATCH", "2.0/mlflow/model-versions/update", {"name": "{model}", "version": "1", "description": "d"}),
    ("POST", "2.0/mlflow/model-versions/set-tag", {"name": "{model}", "version": "1", "key": "k", "value": "v"}),
    ("POST", "2.0/mlflow/model-versions/transition-stage", {"name": "{model}", "version": "1", "stage": "Staging", "archive_existing_versions": False}),
    ("POST", "2.0/mlflow/webhooks", {"name": "w", "description": "d", "url": "https://example.com/x", "events": [EVENT], "secret": "s", "status": "DISABLED"}),
    ("POST", "3.0/mlflow/traces/search", {"locations": [{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "{experiment}"}}],
                                          "filter": "status = 'OK'", "max_results": 5, "order_by": ["timestamp DESC"], "page_token": ""}),
    ("POST", "2.0/mlflow/traces", {"experiment_id": "{experiment}", "timestamp_ms": NOW, "request_metadata": [{"key": "k", "value": "v"}],
                                   "tags": [{"key": "k", "value": "v"}]}),
]


def filled(value, words):
    if isinstance(value, dict):
        return {key: filled(item, words) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, words) for item in value]
    if isinstance(value, str):
        for name, word in words.items():
            value = value.replace("{" + name + "}", word)
    return value


def places(value, at=()):
    """The way to every value inside: names and indices"""
    if at:
        yield at
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*at, key))


def changed(value, at, new):
    if not at:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[at[0]] = changed(value[at[0]], at[1:], new)
    return copy


@pytest.mark.parametrize("call", CALLS, ids=[f"{method} {path}" for method, path, _ in CALLS])
def test_wrong_types(facts, call):
    method, path, body = call
    url = f"{facts.url}/api/{filled(path, vars(facts))}"
    session = requests.Session()

    def send(what):
        return session.request(method, url, json=what, timeout=30)

    def good():
        return filled(body, {**vars(facts), "fresh": uuid.uuid4().hex})

    assert send(good()).status_code in (200, 400, 404), send(good()).text  # some need more than types to succeed
    before = facts.seen(path)
    for at in places(body):
        for wrong in WRONG:
            answer = send(changed(good(), at, wrong))
            assert answer.status_code < 500 and answer.headers["Content-Type"].startswith("application/json"), (at, wrong, answer.text[:300])
            assert answer.status_code == 200 or answer.json()["error_code"], (at, wrong, answer.text[:300])
            assert len(answer.text) < 20_000
            now = facts.seen(path)
            assert answer.status_code == 200 or now == before, (at, wrong)
            before = now
    for whole in WRONG:
        assert send(whole).status_code in (200, 400, 404), whole
    assert requests.get(facts.url + "/health", timeout=10).status_code == 200


def test_two_writers_of_one_param(facts, tracking):
    """One of many values wins; who wrote another one is told, and nobody's is changed."""
    import concurrent.futures
    for _ in range(20):
        key = uuid.uuid4().hex
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            statuses = list(pool.map(lambda i: requests.post(f"{tracking.url}/api/2.0/mlflow/runs/log-parameter", timeout=30, json={
                "run_id": facts.run, "key": key, "value": str(i % 4)}).status_code, range(8)))
        params = {p["key"]: p["value"] for p in requests.get(f"{tracking.url}/api/2.0/mlflow/runs/get", params={"run_id": facts.run}, timeout=30)
                  .json()["run"]["data"]["params"]}
        won = int(params[key])
        assert [status == 200 for status in statuses] == [i % 4 == won for i in range(8)], (won, statuses)
