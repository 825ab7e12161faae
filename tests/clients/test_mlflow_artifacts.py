"""Stock MLflow clients put files into a fresh Maru and take them out again, whatever their names and sizes. mlflow 2.22 and 3.x alike."""
import concurrent.futures
import hashlib
import os
import socket
import uuid

import pytest
import requests

mlflow = pytest.importorskip("mlflow")
from mlflow import MlflowClient  # noqa: E402

os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
PROXY = "/api/2.0/mlflow-artifacts/"
TRICKS = ["../x", "a/../../x", "..%2fx", "%2e%2e/x", "%2e%2e%2fx", "%252e%252e%252fx", "a/%252e%252e/x", "%25252e%25252e/x", "..\\x", "..%5cx",
          "%2fetc/passwd", "%252fetc/passwd", "a%00b", "a%2500b", "a%23b", "C:%2fx", "./../x", "a/%2e%2e"]


@pytest.fixture(scope="module")
def server(tracking):
    return tracking


@pytest.fixture
def run(client):
    return client.create_run("0")


def raw(server, target, method="GET"):
    """A request whose target nobody tidies up; status and body."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as peer:
        peer.sendall(f"{method} {target} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: peer.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


def test_files_go_up_and_come_down(client, run, tmp_path):
    names = {"빈 파일.txt": b"", "데이터/가나다 #1.csv": "이름\n값\n".encode(), "a+b & c=d.bin": os.urandom(70_000), "100%.txt": b"%", "deep/er/est/x": b"1"}
    for name, content in names.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    names.pop("데이터/가나다 #1.csv")  # MLflow itself refuses '#'
    (tmp_path / "데이터/가나다 #1.csv").rename(tmp_path / "데이터/가나다.csv")
    names["데이터/가나다.csv"] = "이름\n값\n".encode()
    client.log_artifacts(run.info.run_id, str(tmp_path))
    client.log_artifact(run.info.run_id, str(tmp_path / "100%.txt"), "또 하나")
    client.log_text(run.info.run_id, "text", "note.txt")
    client.log_dict(run.info.run_id, {"a": [1]}, "conf/a.json")
    listed = {entry.path: (entry.is_dir, entry.file_size) for entry in client.list_artifacts(run.info.run_id)}
    assert listed["빈 파일.txt"] == (False, 0)
    assert listed["데이터"] == (True, None)
    assert set(listed) == {"빈 파일.txt", "데이터", "a+b & c=d.bin", "100%.txt", "deep", "또 하나", "note.txt", "conf"}
    assert [entry.path for entry in client.list_artifacts(run.info.run_id, "deep/er")] == ["deep/er/est"]
    target = tmp_path / "down"
    target.mkdir()
    folder = client.download_artifacts(run.info.run_id, "", str(target))
    for name, content in names.items():
        with open(os.path.join(folder, name), "rb") as file:
            assert file.read() == content, name
    assert mlflow.artifacts.load_text(f"{run.info.artifact_uri}/note.txt") == "text"
    assert client.list_artifacts(run.info.run_id, "none") == []


def test_what_is_not_there_is_told_at_once(server, client, run):
    answer = requests.get(f"{server.url}{PROXY}artifacts/0/{run.info.run_id}/artifacts/none.txt", timeout=10)
    assert (answer.status_code, answer.json()["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")
    for path in ("/get-artifact", "/ajax-api/2.0/mlflow/get-artifact"):
        assert requests.get(server.url + path, params={"run_id": run.info.run_id, "path": "none"}, timeout=10).status_code == 404
    assert requests.get(server.url + "/get-artifact", params={"run_id": "0" * 32, "path": "x"}, timeout=10).status_code == 404
    assert requests.get(server.url + PROXY + "artifacts", params={"path": "no/such"}, timeout=10).json() == {}
    client.log_text(run.info.run_id, "x", "folder/file.txt")
    folder = requests.get(f"{server.url}{PROXY}artifacts/0/{run.info.run_id}/artifacts/folder", timeout=10)
    assert (folder.status_code, folder.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    for body in ("folder", "folder/file.txt/x"):
        assert requests.put(f"{server.url}{PROXY}artifacts/0/{run.info.run_id}/artifacts/{body}", data=b"x", timeout=10).status_code == 400


@pytest.mark.parametrize("trick", TRICKS)
def test_paths_that_lead_elsewhere_are_refused(server, run, trick):
    root = f"0/{run.info.run_id}/artifacts/"
    targets = [("GET", f"{PROXY}artifacts/{root}{trick}"), ("PUT", f"{PROXY}artifacts/{trick}"), ("DELETE", f"{PROXY}artifacts/{root}{trick}"),
               ("GET", f"{PROXY}presigned/{root}{trick}"), ("GET", f"{PROXY}artifacts?path={trick}"),
               ("GET", f"/get-artifact?run_id={run.info.run_id}&path={trick}"),
               ("GET", f"/api/2.0/mlflow/artifacts/list?run_id={run.info.run_id}&path={trick}")]
    for method, target in targets:
        status, body = raw(server, target, method)
        # What makes a path absolute is a trick only where the path begins.
        inside = root in target and trick.startswith(("%2f", "%252f", "C:"))
        assert status == 400 or inside and status in (200, 404), (method, target, body)
        if status == 400:
            assert b'"INVALID_PARAMETER_VALUE"' in body, (method, target, body)


def test_ranges_tags_and_headers(server, client, run):
    content = os.urandom(10_000)
    url = f"{server.url}{PROXY}artifacts/0/{run.info.run_id}/artifacts/x.bin"
    assert requests.put(url, data=content, timeout=10).json() == {}
    whole = requests.get(url, timeout=10)
    assert whole.content == content
    assert whole.headers["Content-Disposition"] == "attachment; filename=x.bin"
    assert whole.headers["X-Content-Type-Options"] == "nosniff"
    for asked, expected in (("bytes=0-0", content[:1]), ("bytes=9000-", content[9000:]), ("bytes=-5", content[-5:]), ("bytes=0-99999", content)):
        part = requests.get(url, headers={"Range": asked}, timeout=10)
        assert (part.status_code, part.content) == (206, expected), asked
    assert requests.get(url, headers={"Range": "bytes=10000-"}, timeout=10).status_code == 416
    assert requests.get(url, headers={"Range": "bytes=1-2,5-6"}, timeout=10).status_code == 200
    tag = whole.headers["ETag"]
    assert requests.get(url, headers={"If-None-Match": tag}, timeout=10).status_code == 304
    assert requests.get(url, headers={"Range": "bytes=0-0", "If-Range": '"other"'}, timeout=10).status_code == 200
    assert requests.head(url, timeout=10).headers["Content-Length"] == "10000"
    assert requests.put(url, data=(piece for piece in (b"chun", b"ked")), timeout=10).status_code == 200
    assert requests.get(url, timeout=10).content == b"chunked"
    assert requests.delete(url, timeout=10).json() == {}
    assert requests.get(url, timeout=10).status_code == 404


def test_a_client_that_dies_in_mid_upload_leaves_nothing(server, run):
    host, port = server.url.removeprefix("http://").split(":")
    path = f"0/{run.info.run_id}/artifacts/half.bin"
    with socket.create_connection((host, int(port)), timeout=10) as peer:
        peer.sendall(f"PUT {PROXY}artifacts/{path} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: 1000000\r\n\r\n".encode() + b"x" * 100_000)
    assert requests.get(f"{server.url}{PROXY}artifacts/{path}", timeout=10).status_code == 404


def begin(server, folder, name, parts):
    answer = requests.post(f"{server.url}{PROXY}mpu/create/{folder}", json={"path": f"/home/me/{name}", "num_parts": parts}, timeout=10)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_uploads_in_parts(server, run):
    folder = f"0/{run.info.run_id}/artifacts/모델"
    pieces = [os.urandom(100_000) for _ in range(4)]
    made = begin(server, folder, "weights.bin", 4)

    def put(credential):
        answer = requests.put(credential["url"], data=pieces[credential["part_number"] - 1], headers=credential["headers"], timeout=10)
        assert answer.status_code == 200, answer.text
        return {"part_number": credential["part_number"], "etag": answer.headers["ETag"], "url": credential["url"]}

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(put, made["credentials"][::-1]))
    wrong = made["credentials"][0]["url"].replace("signature=", "signature=0")
    assert requests.put(wrong, data=b"x", timeout=10).status_code == 403
    body = {"path": "/home/me/weights.bin", "upload_id": made["upload_id"], "parts": parts}
    missing = dict(body, parts=parts[1:])
    assert requests.post(f"{server.url}{PROXY}mpu/complete/{folder}", json=missing, timeout=10).status_code == 400
    for _ in range(2):  # the answer of the first may be lost
        assert requests.post(f"{server.url}{PROXY}mpu/complete/{folder}", json=body, timeout=10).json() == {}
    url = f"{server.url}{PROXY}artifacts/{folder}/weights.bin"
    assert requests.get(url, timeout=10).content == b"".join(pieces)
    signed = requests.get(f"{server.url}{PROXY}presigned/{folder}/weights.bin", timeout=10).json()
    assert signed["file_size"] == 400_000
    assert requests.get(signed["url"], headers={"Range": "bytes=100000-100009"}, timeout=10).content == pieces[1][:10]
    aborted = begin(server, folder, "gone.bin", 1)
    put(aborted["credentials"][0])
    body = {"path": "gone.bin", "upload_id": aborted["upload_id"]}
    assert requests.post(f"{server.url}{PROXY}mpu/abort/{folder}", json=body, timeout=10).json() == {}
    assert requests.put(aborted["credentials"][0]["url"], data=b"x", timeout=10).status_code == 404


def test_the_client_uploads_large_files_in_parts_by_itself(server, client, run, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD", "true")
    monkeypatch.setenv("MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE", str(5 << 20))
    monkeypatch.setenv("MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE", str(5 << 20))
    content = os.urandom(12 << 20)
    (tmp_path / "large.bin").write_bytes(content)
    client.log_artifact(run.info.run_id, str(tmp_path / "large.bin"), "dir")
    with open(client.download_artifacts(run.info.run_id, "dir/large.bin", str(tmp_path)), "rb") as file:
        assert file.read() == content


@pytest.mark.skipif(os.environ.get("MARU_SLOW") != "1", reason="600 MB; set MARU_SLOW=1")
def test_600_megabytes(server, client, run, tmp_path):
    block, digest = os.urandom(1 << 20), hashlib.sha256()
    with open(tmp_path / "huge.bin", "wb") as file:
        for i in range(600):
            piece = bytes([i % 256]) + block[1:]
            file.write(piece)
            digest.update(piece)
    client.log_artifact(run.info.run_id, str(tmp_path / "huge.bin"))
    (tmp_path / "down").mkdir()
    back = hashlib.sha256()
    with open(client.download_artifacts(run.info.run_id, "huge.bin", str(tmp_path / "down")), "rb") as file:
        for piece in iter(lambda: file.read(1 << 20), b""):
            back.update(piece)
    assert back.hexdigest() == digest.hexdigest()


def test_browsers_put_small_files(server, run):
    url = server.url + "/ajax-api/2.0/mlflow/upload-artifact"
    where = {"run_uuid": run.info.run_id, "path": "notes/a.md"}
    assert requests.post(url, params=where, data=b"# hello", timeout=10).status_code == 200
    assert requests.get(server.url + "/get-artifact", params={"run_id": run.info.run_id, "path": "notes/a.md"}, timeout=10).text == "# hello"
    assert requests.post(url, params=where, data=b"", timeout=10).status_code == 400
    assert requests.post(url, params={"path": "x"}, data=b"x", timeout=10).status_code == 400
    assert requests.post(url, params=where, data=b"x" * (10 << 20), timeout=30).status_code == 200
    big = requests.post(url, params=where, data=b"x" * ((10 << 20) + 1), timeout=30)
    assert (big.status_code, big.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_a_prefix_of_the_clients_own(server, tmp_path):
    name = uuid.uuid4().hex
    url = f"{server.url}{PROXY}artifacts/team {name}/data"
    assert requests.put(url + "/a.txt", data=b"1", timeout=10).status_code == 200
    assert requests.get(server.url + PROXY + "artifacts", params={"path": f"team {name}/data"}, timeout=10).json() == {
        "files": [{"path": "a.txt", "is_dir": False, "file_size": 1}]}
    experiment = MlflowClient(server.url).create_experiment(name, artifact_location=f"mlflow-artifacts:/own/{name}")
    with mlflow.start_run(experiment_id=experiment):
        mlflow.log_text("x", "x.txt")
        assert mlflow.active_run().info.artifact_uri.startswith(f"mlflow-artifacts:/own/{name}/")
        assert mlflow.artifacts.load_text(mlflow.get_artifact_uri("x.txt")) == "x"


def test_what_the_server_says_about_itself(server):
    version = requests.get(server.url + "/version", timeout=10)
    assert tuple(int(part) for part in version.text.split(".")) >= (3, 4) and version.headers["X-Maru-Version"]
    assert requests.get(server.url + "/health", timeout=10).text == "OK"
    assert requests.get(server.url + "/api/3.0/mlflow/server-info", timeout=10).json()["multipart_uploads_enabled"] is True
    for path in ("/api/2.0/mlflow/nothing", "/api/3.0/mlflow/nothing", "/ajax-api/2.0/mlflow/nothing", "/api/2.0/mlflow/runs/nothing"):
        answer = requests.get(server.url + path, timeout=10)
        assert (answer.status_code, answer.json()["error_code"]) == (404, "ENDPOINT_NOT_FOUND"), path
