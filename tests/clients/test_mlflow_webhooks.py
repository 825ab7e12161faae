"""Stock MLflow webhooks of Maru: made, changed and tested by the client; delivered, signed, tried again, and never to a private address
that nobody allowed."""
import base64
import hashlib
import hmac
import http.server
import json
import threading
import time
import uuid

import mlflow
import pytest
import requests
from conftest import Server
from mlflow.exceptions import MlflowException

pytest.importorskip("mlflow.entities.webhook", reason="clients before MLflow 3.3 know no webhooks")
from mlflow.entities.webhook import WebhookAction, WebhookEntity, WebhookEvent, WebhookStatus  # noqa: E402

CREATED = WebhookEvent(WebhookEntity.REGISTERED_MODEL, WebhookAction.CREATED)


class Receiver:
    """A loopback listener: answers with the next of `answers`, else 200, and keeps what came."""

    def __init__(self):
        self.got, self.answers, self.changed = [], [], threading.Condition()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                with outer.changed:
                    outer.got.append((dict(self.headers), body))
                    status = outer.answers.pop(0) if outer.answers else 200
                    outer.changed.notify_all()
                self.send_response(status)
                self.end_headers()
                self.wfile.write(b"thanks")

            def log_message(self, *words):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def wait(self, match, count=1, timeout=20):
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.matching(match)) >= count, timeout), f"got {self.got}"
            return self.matching(match)

    def matching(self, match):
        return [(h, json.loads(b)) for h, b in self.got if match(json.loads(b))]


@pytest.fixture(scope="module")
def receiver():
    running = Receiver()
    yield running
    running.server.shutdown()


@pytest.fixture(scope="module")
def allowed(tmp_path_factory):
    """A server of its own that may call 127.0.0.1."""
    import os
    os.environ["MARU_WEBHOOK_ALLOWED_HOSTS"] = "127.0.0.1"
    try:
        running = Server(tmp_path_factory.mktemp("hooks") / "home")
    finally:
        del os.environ["MARU_WEBHOOK_ALLOWED_HOSTS"]
    before, active = mlflow.get_tracking_uri(), mlflow.tracking.fluent._active_experiment_id
    mlflow.set_tracking_uri(running.url)
    mlflow.set_experiment("hooks")
    yield running
    mlflow.set_tracking_uri(before)
    mlflow.tracking.fluent._active_experiment_id = active
    assert running.stop() == 0


@pytest.fixture
def client(allowed):
    mlflow.set_tracking_uri(allowed.url)
    return mlflow.MlflowClient(allowed.url)


def deliveries(server, webhook_id):
    return server.get(f"/api/v1/webhooks/{webhook_id}/deliveries").json()["deliveries"]


def wait_for(check, timeout=20):
    end = time.monotonic() + timeout
    while not (value := check()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)
    return value


def test_the_client_makes_changes_and_removes_webhooks(client, receiver):
    made = client.create_webhook(name="first", url=receiver.url, events=[CREATED], description="d", secret="hidden")
    assert made.status == WebhookStatus.ACTIVE and made.events == [CREATED] and made.description == "d"
    assert client.get_webhook(made.webhook_id).name == "first"
    changed = client.update_webhook(made.webhook_id, name="second", status=WebhookStatus.DISABLED, events=[
        WebhookEvent(WebhookEntity.MODEL_VERSION, WebhookAction.CREATED), WebhookEvent(WebhookEntity.MODEL_VERSION_ALIAS, WebhookAction.CREATED)])
    assert changed.name == "second" and changed.status == WebhookStatus.DISABLED and len(changed.events) == 2
    assert changed.url == receiver.url
    more = [client.create_webhook(name=f"h{i}", url=receiver.url, events=[CREATED]) for i in range(3)]
    page = client.list_webhooks(max_results=2)
    rest = client.list_webhooks(max_results=10, page_token=page.token)
    assert len(page) == 2 and len(page) + len(rest) == 4
    for webhook in [made, *more]:
        client.delete_webhook(webhook.webhook_id)
    assert not client.list_webhooks()
    with pytest.raises(MlflowException, match="not found"):
        client.get_webhook(made.webhook_id)


def test_secrets_are_never_told(allowed, client, receiver):
    made = client.create_webhook(name="s", url=receiver.url, events=[CREATED], secret="do-not-tell")
    for path in (f"/api/2.0/mlflow/webhooks/{made.webhook_id}", "/api/2.0/mlflow/webhooks", f"/api/v1/webhooks/{made.webhook_id}/deliveries"):
        assert "do-not-tell" not in allowed.get(path).text
    assert "do-not-tell" not in "".join(allowed.log)
    client.delete_webhook(made.webhook_id)


def test_a_test_is_sent_and_signed(client, receiver):
    made = client.create_webhook(name="t", url=receiver.url, events=[CREATED], secret="s3cret")
    result = client.test_webhook(made.webhook_id)
    assert result.success and result.response_status == 200 and result.response_body == "thanks"
    headers, body = receiver.wait(lambda b: b["data"].get("name") == "example_model")[-1]
    assert body["entity"] == "registered_model" and body["action"] == "created"
    raw = [b for h, b in receiver.got if h.get("X-MLflow-Delivery-Id") == headers["X-MLflow-Delivery-Id"]][0]
    signed = f"{headers['X-MLflow-Delivery-Id']}.{headers['X-MLflow-Timestamp']}.".encode() + raw
    assert headers["X-MLflow-Signature"] == "v1," + base64.b64encode(hmac.new(b"s3cret", signed, hashlib.sha256).digest()).decode()
    receiver.answers.append(500)
    failed = client.test_webhook(made.webhook_id, WebhookEvent(WebhookEntity.MODEL_VERSION, WebhookAction.CREATED))
    assert not failed.success and failed.response_status == 500
    client.delete_webhook(made.webhook_id)


def test_registry_events_arrive(allowed, client, receiver):
    every = [WebhookEvent(e, a) for e, a in [
        (WebhookEntity.REGISTERED_MODEL, WebhookAction.CREATED), (WebhookEntity.MODEL_VERSION, WebhookAction.CREATED),
        (WebhookEntity.MODEL_VERSION_TAG, WebhookAction.SET), (WebhookEntity.MODEL_VERSION_TAG, WebhookAction.DELETED),
        (WebhookEntity.MODEL_VERSION_ALIAS, WebhookAction.CREATED), (WebhookEntity.MODEL_VERSION_ALIAS, WebhookAction.DELETED)]]
    made = client.create_webhook(name="r", url=receiver.url, events=every)
    name = "m-" + uuid.uuid4().hex[:8]
    with mlflow.start_run() as run:
        mlflow.log_text("x", "model/x.txt")
    client.create_registered_model(name, tags={"a": "b"}, description="d")
    version = client.create_model_version(name, f"{run.info.artifact_uri}/model", run.info.run_id)
    client.set_model_version_tag(name, version.version, "k", "v")
    client.set_registered_model_alias(name, "champion", version.version)
    client.delete_model_version_tag(name, version.version, "k")
    client.delete_registered_model_alias(name, "champion")
    got = [b for _, b in receiver.wait(lambda b: b["data"].get("name") == name, 6)]
    seen = {(b["entity"], b["action"]): b["data"] for b in got}
    assert seen[("registered_model", "created")] == {"name": name, "tags": {"a": "b"}, "description": "d"}
    assert seen[("model_version", "created")]["version"] == "1" and seen[("model_version", "created")]["run_id"] == run.info.run_id
    assert seen[("model_version_tag", "set")] == {"name": name, "version": "1", "key": "k", "value": "v"}
    assert seen[("model_version_tag", "deleted")] == {"name": name, "version": "1", "key": "k"}
    assert seen[("model_version_alias", "created")] == {"name": name, "alias": "champion", "version": "1"}
    assert seen[("model_version_alias", "deleted")] == {"name": name, "alias": "champion"}
    wait_for(lambda: [d["state"] for d in deliveries(allowed, made.webhook_id)] == ["delivered"] * 6)
    client.delete_webhook(made.webhook_id)


def test_run_events_arrive(allowed, receiver):
    made = allowed.post("/api/2.0/mlflow/webhooks", {"name": "runs", "url": receiver.url, "events": [
        {"entity": "RUN", "action": "CREATED"}, {"entity": "RUN", "action": "UPDATED"}, {"entity": "RUN", "action": "DELETED"}]})["webhook"]
    with mlflow.start_run(run_name="watched") as run:
        pass
    mlflow.delete_run(run.info.run_id)
    got = receiver.wait(lambda b: b["data"].get("run_id") == run.info.run_id, 3)
    assert [b["action"] for _, b in got] == ["created", "updated", "deleted"]
    assert got[1][1]["data"]["status"] == "FINISHED" and got[0][1]["data"]["run_name"] == "watched"
    requests.delete(f"{allowed.url}/api/2.0/mlflow/webhooks/{made['webhook_id']}", timeout=30).raise_for_status()


def test_a_failure_is_tried_again_and_a_refusal_is_not(allowed, client, receiver):
    made = client.create_webhook(name="again", url=receiver.url, events=[CREATED])
    name = "again-" + uuid.uuid4().hex[:8]
    receiver.answers += [503]
    client.create_registered_model(name)
    got = receiver.wait(lambda b: b["data"].get("name") == name, 2)
    assert len({h["X-MLflow-Delivery-Id"] for h, _ in got}) == 1
    done = wait_for(lambda: [d for d in deliveries(allowed, made.webhook_id) if d["state"] == "delivered"])
    assert done[0]["attempts"] == 2
    receiver.answers += [400]
    client.create_registered_model(name + "-2")
    failed = wait_for(lambda: [d for d in deliveries(allowed, made.webhook_id) if d["state"] == "failed"])
    assert failed[0]["attempts"] == 1 and failed[0]["response_status"] == 400
    client.delete_webhook(made.webhook_id)


def test_an_event_outlives_a_killed_server(tmp_path, monkeypatch, receiver):
    """The listener is down, the server is killed with -9: what was acknowledged is delivered by the next one."""
    monkeypatch.setenv("MARU_WEBHOOK_ALLOWED_HOSTS", "127.0.0.1")
    first = Server(tmp_path / "home")
    made = first.post("/api/2.0/mlflow/webhooks", {"name": "k", "url": receiver.url, "events": [{"entity": "REGISTERED_MODEL", "action": "CREATED"}]})
    names = [f"killed-{i}-{uuid.uuid4().hex[:6]}" for i in range(5)]
    receiver.answers += [503] * 5
    for name in names:
        first.post("/api/2.0/mlflow/registered-models/create", {"name": name})
    first.process.kill()
    first.process.wait(30)
    receiver.answers.clear()
    second = Server(tmp_path / "home")
    try:
        for name in names:
            receiver.wait(lambda b, name=name: b["data"].get("name") == name)
        hook = made["webhook"]["webhook_id"]
        wait_for(lambda: [d["state"] for d in deliveries(second, hook)] == ["delivered"] * 5)
    finally:
        assert second.stop() == 0


def test_private_addresses_are_refused_unless_allowed(server, receiver):
    """The ordinary server: no host is allowed, so nothing on loopback or in a private net is called."""
    before = len(receiver.got)
    for url in (receiver.url, receiver.url.replace("127.0.0.1", "localhost"), receiver.url.replace("127.0.0.1", "2130706433"),
                "http://[::1]:80/", "http://169.254.169.254/latest/meta-data", "http://10.0.0.1/", "http://0.0.0.0/"):
        made = server.post("/api/2.0/mlflow/webhooks", {"name": "p", "url": url, "events": [{"entity": "REGISTERED_MODEL", "action": "CREATED"}]})["webhook"]
        result = server.post(f"/api/2.0/mlflow/webhooks/{made['webhook_id']}/test", {})["result"]
        assert result["success"] is False and "response_status" not in result, (url, result)
        requests.delete(f"{server.url}/api/2.0/mlflow/webhooks/{made['webhook_id']}", timeout=30).raise_for_status()
    assert len(receiver.got) == before


@pytest.mark.parametrize("change", [{"name": ""}, {"name": "a b"}, {"name": "x" * 64}, {"url": "ftp://x"}, {"url": "http://"}, {"events": []},
                                    {"events": [{"entity": "REGISTERED_MODEL", "action": "SET"}]}, {"events": "x"}, {"status": "ON"}, {"secret": "s" * 1001}])
def test_bad_webhooks_are_refused(server, change):
    good = {"name": "ok", "url": "https://example.com", "events": [{"entity": "REGISTERED_MODEL", "action": "CREATED"}]}
    answer = requests.post(server.url + "/api/2.0/mlflow/webhooks", json={**good, **change}, timeout=30)
    assert answer.status_code == 400 and answer.json()["error_code"] == "INVALID_PARAMETER_VALUE", answer.text
