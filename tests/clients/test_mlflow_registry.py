"""Stock MLflow clients register models with a fresh Maru and load them again. Runs under mlflow 2.22 and 3.x alike."""
import os
import uuid

import numpy
import pytest
import requests

mlflow = pytest.importorskip("mlflow")
from mlflow import MlflowClient  # noqa: E402
from mlflow.exceptions import MlflowException  # noqa: E402

from conftest import maru  # noqa: E402

os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
THREE = int(mlflow.__version__.split(".")[0]) >= 3
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")


@pytest.fixture(scope="module")
def registry(tracking):
    return tracking


@pytest.fixture
def name(client):
    made = "모델 " + uuid.uuid4().hex[:8]
    client.create_registered_model(made, {"team": "a"}, "what it does")
    return made


def refused(code, call, *args, **kwargs):
    with pytest.raises(MlflowException) as error:
        call(*args, **kwargs)
    assert error.value.error_code == code, error.value
    return str(error.value)


class Doubled(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return [2 * value for value in numpy.asarray(model_input).ravel()]


@pytest.fixture(scope="module")
def logged(registry):
    """A python model logged by a run: the run's id and the URI of the model."""
    with mlflow.start_run() as run:
        mlflow.log_metric("acc", 0.75)
        keyword = {"name": "doubled"} if THREE else {"artifact_path": "doubled"}
        info = mlflow.pyfunc.log_model(python_model=Doubled(), pip_requirements=[], **keyword)
    return {"run": run.info.run_id, "uri": info.model_uri, "id": getattr(info, "model_id", None)}


def test_registered_models_are_made_described_renamed_and_deleted(client, name):
    model = client.get_registered_model(name)
    assert (model.description, model.tags, model.latest_versions) == ("what it does", {"team": "a"}, [])
    assert model.creation_timestamp == model.last_updated_timestamp > 1_700_000_000_000
    assert "already exists" in refused("RESOURCE_ALREADY_EXISTS", client.create_registered_model, name)
    client.update_registered_model(name, "better")
    client.set_registered_model_tag(name, "team", "b" * 100_000)
    assert len(client.get_registered_model(name).tags["team"]) == 100_000
    refused("INVALID_PARAMETER_VALUE", client.set_registered_model_tag, name, "team", "b" * 100_001)
    client.delete_registered_model_tag(name, "team")
    client.rename_registered_model(name, name + " 2")
    refused("RESOURCE_DOES_NOT_EXIST", client.get_registered_model, name)
    assert client.get_registered_model(name + " 2").description == "better"
    client.delete_registered_model(name + " 2")
    assert f"Registered Model with name={name} 2 not found" in refused("RESOURCE_DOES_NOT_EXIST", client.get_registered_model, name + " 2")


def test_search_of_registered_models_pages_and_orders(client):
    mark = uuid.uuid4().hex[:8]
    names = [f"search {mark} {i:02}" for i in range(7)]
    for i, each in enumerate(names):
        client.create_registered_model(each, {"parity": str(i % 2)})
    found, token = [], None
    while True:
        page = client.search_registered_models(f"name LIKE 'search {mark}%'", max_results=3, order_by=["name DESC"], page_token=token)
        found += [model.name for model in page]
        token = page.token
        if not token:
            break
    assert found == names[::-1]
    odd = client.search_registered_models(f"name ILIKE 'SEARCH {mark}%' AND tags.parity = '1'")
    assert [model.name for model in odd] == names[1::2]
    refused("INVALID_PARAMETER_VALUE", client.search_registered_models, "name > 'a'")
    refused("INVALID_PARAMETER_VALUE", client.search_registered_models, page_token="garbage")


def test_versions_have_stages_tags_and_numbers_that_are_never_used_twice(client, name):
    for number in ("1", "2", "3"):
        assert client.create_model_version(name, "s3://bucket/model", tags={"n": number}).version == number
    assert client.get_model_version(name, "1").current_stage == "None"
    client.transition_model_version_stage(name, "1", "staging")
    client.transition_model_version_stage(name, "2", "Staging", archive_existing_versions=True)
    assert client.get_model_version(name, "1").current_stage == "Archived"
    latest = {v.current_stage: v.version for v in client.get_latest_versions(name)}
    assert latest == {"None": "3", "Staging": "2", "Archived": "1"}
    assert "Invalid Model Version stage: foo" in refused("INVALID_PARAMETER_VALUE", client.transition_model_version_stage, name, "1", "foo")
    client.update_model_version(name, "1", "first")
    client.set_model_version_tag(name, "1", "k", "")
    version = client.get_model_version(name, "1")
    assert (version.description, version.tags) == ("first", {"n": "1", "k": ""})
    assert [v.version for v in client.search_model_versions(f"name='{name}' and tags.n = '2'")] == ["2"]
    assert [v.version for v in client.search_model_versions(f"name='{name}'", order_by=["version_number ASC"])] == ["1", "2", "3"]
    client.delete_model_version(name, "3")
    assert f"Model Version (name={name}, version=3) not found" in refused("RESOURCE_DOES_NOT_EXIST", client.get_model_version, name, "3")
    assert client.create_model_version(name, "s3://bucket/model").version == "4"
    refused("INVALID_PARAMETER_VALUE", client.get_model_version, name, "four")


def test_aliases(client, name):
    for _ in range(2):
        client.create_model_version(name, "s3://bucket/model")
    client.set_registered_model_alias(name, "champion", "1")
    client.set_registered_model_alias(name, "도전", "1")
    assert client.get_model_version_by_alias(name, "champion").version == "1"
    assert sorted(client.get_model_version(name, "1").aliases) == ["champion", "도전"]
    client.set_registered_model_alias(name, "champion", "2")
    assert client.get_registered_model(name).aliases == {"champion": "2", "도전": "1"}
    assert client.get_model_version_by_alias(name, "latest").version == "2"
    for reserved in ("latest", "Latest", "v1"):
        refused("INVALID_PARAMETER_VALUE", client.set_registered_model_alias, name, reserved, "1")
    refused("RESOURCE_DOES_NOT_EXIST", client.set_registered_model_alias, name, "x", "9")
    client.delete_registered_model_alias(name, "champion")
    assert "Registered model alias champion not found." in refused("INVALID_PARAMETER_VALUE", client.get_model_version_by_alias, name, "champion")


@pytest.mark.parametrize("source", ["/etc", "file:///etc/passwd", "relative/path", "file://host/../etc", "s3:/bucket/a/../../b",
                                    "mlflow-artifacts://h:1/..%2f..%2f..", "http://h/api/2.0/mlflow-artifacts/artifacts/%252e%252e/x",
                                    "http://h/a%00", "s3://b/%2e%2e/x", "mlflow-artifacts:/0/../x"])
def test_sources_that_lead_elsewhere_are_refused(client, registry, name, source):
    answer = requests.post(registry.url + "/api/2.0/mlflow/model-versions/create", json={"name": name, "source": source}, timeout=10)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert "Invalid model version source" in answer.json()["message"]


def test_a_logged_model_is_loaded_by_run_version_alias_and_stage(client, logged):
    name = "doubled-" + uuid.uuid4().hex[:8]
    registered = mlflow.register_model(logged["uri"], name)
    again = mlflow.register_model(logged["uri"], name)
    assert (registered.version, again.version, registered.run_id) == ("1", "2", logged["run"])
    client.set_registered_model_alias(name, "best", "1")
    client.transition_model_version_stage(name, "2", "Production")
    uris = [logged["uri"], f"runs:/{logged['run']}/doubled", f"models:/{name}/1", f"models:/{name}@best", f"models:/{name}/Production",
            f"models:/{name}/latest"]
    for uri in uris:
        assert list(mlflow.pyfunc.load_model(uri).predict(numpy.array([1.0, 2.5]))) == [2, 5], uri
    copied = client.copy_model_version(f"models:/{name}/1", name + "-copy")
    assert copied.version == "1"
    assert list(mlflow.pyfunc.load_model(f"models:/{name}-copy/1").predict(numpy.array([4]))) == [8]
    found = client.search_model_versions(f"run_id = '{logged['run']}'")
    assert {v.name for v in found} >= {name, name + "-copy"}


@pytest.mark.skipif(not THREE, reason="logged models are MLflow 3's")
def test_logged_models_are_found_tagged_and_know_their_versions(client, registry, logged):
    name = "known-" + uuid.uuid4().hex[:8]
    mlflow.register_model(logged["uri"], name)
    model = mlflow.get_logged_model(logged["id"])
    assert (model.name, str(model.status), model.source_run_id) == ("doubled", "READY", logged["run"])
    assert [(m.key, m.value) for m in model.metrics] == [("acc", 0.75)]
    assert name in model.tags["mlflow.modelVersions"]
    with mlflow.start_run(run_id=logged["run"]):
        mlflow.log_metric("f1", 0.5, model_id=logged["id"])
        mlflow.log_metric("f1", 0.25, step=1, model_id=logged["id"])
    found = mlflow.search_logged_models(experiment_ids=["0"], filter_string="metrics.f1 > 0.4 AND name = 'doubled'", output_format="list")
    assert [m.model_id for m in found] == [logged["id"]]
    assert not mlflow.search_logged_models(experiment_ids=["0"], filter_string="metrics.f1 > 0.6", output_format="list")
    mlflow.set_logged_model_tags(logged["id"], {"a": "b"})
    client.delete_logged_model_tag(logged["id"], "a")
    assert "a" not in mlflow.get_logged_model(logged["id"]).tags
    external = mlflow.create_external_model(name="elsewhere", params={"p": "q"}, tags={"x": "y"})
    assert mlflow.get_logged_model(external.model_id).params == {"p": "q"}
    pages = []
    page = client.search_logged_models(["0"], max_results=1)
    while True:
        pages += [m.model_id for m in page]
        if not page.token:
            break
        page = client.search_logged_models(["0"], max_results=1, page_token=page.token)
    assert len(pages) == len(set(pages)) >= 2
    client.delete_logged_model(external.model_id)
    refused("RESOURCE_DOES_NOT_EXIST", mlflow.get_logged_model, external.model_id)
    files = requests.get(f"{registry.url}/api/2.0/mlflow/logged-models/{logged['id']}/artifacts/directories", timeout=10).json()
    assert "MLmodel" in [entry["path"] for entry in files["files"]]
    one = requests.get(f"{registry.url}/ajax-api/2.0/mlflow/logged-models/{logged['id']}/artifacts/files",
                       params={"artifact_file_path": "MLmodel"}, timeout=10)
    assert one.status_code == 200 and b"flavors" in one.content


def test_a_version_that_maru_cannot_serve_says_so(registry, client, logged):
    name = "foreign-" + uuid.uuid4().hex[:8]
    client.log_text(logged["run"], "weights", "plain/weights.txt")
    client.create_registered_model(name)
    client.create_model_version(name, f"runs:/{logged['run']}/plain", logged["run"])
    version = registry.get(f"/api/v1/models/{name}").json()["versions"][0]
    assert version["state"] == "foreign" and "MLmodel" in version["reason"]
    answer = requests.put(f"{registry.url}/api/v1/models/{name}/aliases/champion", json={"version": 1}, timeout=10)
    assert 400 <= answer.status_code < 500 and "foreign" in answer.text, answer.text


def test_prompts(client):
    if not hasattr(mlflow, "register_prompt") and not (THREE and hasattr(mlflow, "genai")):
        pytest.skip("this client has no prompts")
    prompts = mlflow.genai if THREE else mlflow
    name = "greeting-" + uuid.uuid4().hex[:8]
    made = prompts.register_prompt(name=name, template="Hello {{who}}", commit_message="first")
    assert int(made.version) == 1
    assert prompts.register_prompt(name=name, template="Hi {{who}}").version in (2, "2")
    assert prompts.load_prompt(f"prompts:/{name}/1").format(who="A") == "Hello A"
    prompts.set_prompt_alias(name, "production", 1)
    assert prompts.load_prompt(f"prompts:/{name}@production").template == "Hello {{who}}"
    assert name not in [model.name for model in client.search_registered_models()]
    if THREE:
        assert name in [prompt.name for prompt in prompts.search_prompts()]


def test_a_bundle_of_maru_comes_back_through_mlflow(trained, server):
    """A version that Maru made is downloaded by the stock client, and registered again by it is one that Maru can serve."""
    mlflow.set_tracking_uri(server.url)
    uri = f"models:/{trained['model']}/{trained['version']}"
    folder = mlflow.artifacts.download_artifacts(uri)
    assert os.path.exists(os.path.join(folder, "model.onnx"))
    with mlflow.start_run() as run:
        mlflow.log_artifacts(folder, "model")
    name = "back-" + uuid.uuid4().hex[:8]
    client = MlflowClient(server.url)
    client.create_registered_model(name)
    source = f"{client.get_run(run.info.run_id).info.artifact_uri}/model"
    assert client.create_model_version(name, source, run.info.run_id).version == "1"
    assert server.get(f"/api/v1/models/{name}").json()["versions"][0]["state"] == "ready"
    answer = requests.put(f"{server.url}/api/v1/models/{name}/aliases/champion", json={"version": 1}, timeout=30)
    assert answer.status_code == 200, answer.text
