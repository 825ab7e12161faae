"""Every route that the newest MLflow client's messages declare is answered, or named here with the reason why it is not."""
import re

import mlflow
import pytest
import requests
from mlflow.protos import databricks_pb2, mlflow_artifacts_pb2, model_registry_pb2, service_pb2

if int(mlflow.__version__.split(".")[0]) < 3:
    pytest.skip("the newest client declares what the older ones do", allow_module_level=True)

# What Maru does not answer: paths below /api/N.0/mlflow/, by their beginning. All of them are 404 ENDPOINT_NOT_FOUND as JSON.
ABSENT = {
    "gateway/": "calls to language models through the server: not tracking",
    "prompt-optimization/": "jobs that the server would run with language models: not tracking",
    "scorers/": "judges by language models: not tracking",
    "issues": "what those judges find",
    "label-schemas/": "forms for people who review language models",
    "review-queues/": "likewise",
    "datasets/": "evaluation sets of language models; datasets of runs are logged and searched",
    "workspaces": "server-info says that there are none, so that no client asks",
    "traces/metrics": "charts of MLflow's own page",
    "traces/calculate-filter-correlation": "likewise",
    "unified-traces": "Databricks only",
    "get-online-trace-details": "Databricks only",
    "artifacts/presigned-upload-url": "artifacts go through the server; uploads in parts are mlflow-artifacts/mpu",
    "artifacts/presigned-download-url": "likewise",
}


def declared():
    for module in (service_pb2, model_registry_pb2, mlflow_artifacts_pb2):
        for service in module.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                for endpoint in method.GetOptions().Extensions[databricks_pb2.rpc].endpoints:
                    path = endpoint.path if endpoint.path.startswith("/") else "/" + endpoint.path
                    yield endpoint.method, f"/api/{endpoint.since.major}.0" + re.sub(r"<[^>]*>|\{[^}]*\}", "xx", path)


def reason(path):
    rest = re.sub(r"^/api/\d\.0/mlflow/", "", path)
    return max((known for known in ABSENT if rest.startswith(known)), key=len, default=None)


def test_every_declared_route_is_answered_or_named(server):
    answered, absent, wrong = 0, set(), []
    for method, path in sorted(set(declared())):
        got = requests.request(method, server.url + path, json=None if method == "GET" else {}, timeout=30)
        unknown = got.status_code in (404, 405) and got.json()["error_code"] == "ENDPOINT_NOT_FOUND"
        known = reason(path)
        if unknown and known:
            absent.add(known)
        elif unknown or got.status_code >= 500 and got.status_code != 501 or known:
            wrong.append((method, path, got.status_code, got.text[:80]))
        else:
            answered += 1
    assert not wrong, wrong
    assert absent == set(ABSENT) and answered >= 85
