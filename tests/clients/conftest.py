"""A real server with a model trained from a small table, shared by the client tests of a run."""
import json
import os
import pathlib
import re
import signal
import subprocess
import threading

import numpy
import pandas
import pytest
import requests

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
pytest.register_assert_rewrite("tensor_cases")
REPO = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("MARU_BIN", str(REPO / "build/release/maru"))
ROWS, SEED = 3000, 7


def table():
    """Numbers with holes, two text columns (one Korean), an integer, a time, and a label they explain in part."""
    rng = numpy.random.default_rng(SEED)
    age = rng.normal(40, 12, ROWS).round(1)
    city = rng.choice(["서울", "부산", "London", "Oslo"], ROWS)
    plan = rng.choice(["free", "basic", "pro"], ROWS, p=[0.5, 0.3, 0.2])
    visits = rng.poisson(5, ROWS)
    signup = pandas.Timestamp("2024-01-01") + pandas.to_timedelta(rng.integers(0, 300 * 24, ROWS), unit="h")
    logit = 0.05 * (age - 40) + (city == "서울") * 1.2 - (plan == "free") * 1.5 + 0.2 * (visits - 5)
    late = (rng.random(ROWS) < 1 / (1 + numpy.exp(-logit))).astype(int)
    frame = pandas.DataFrame({"age": age, "city": city, "plan": plan, "visits": visits, "signup": signup, "bought": late})
    frame.loc[rng.random(ROWS) < 0.05, "age"] = numpy.nan
    return frame


def maru(home, *words, timeout=300):
    done = subprocess.run([BINARY, *words, "--home", str(home), "--json"], capture_output=True, text=True, timeout=timeout, check=False)
    assert done.returncode == 0, f"maru {' '.join(words)}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return json.loads(done.stdout)


class Server:
    def __init__(self, home, *options):
        self.process = subprocess.Popen([BINARY, "up", "--home", str(home), "--listen", "127.0.0.1:0", *options],
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.url, self.log = None, []
        for line in self.process.stdout:
            self.log.append(line)
            found = re.match(r"ready (https?://\S+?)/?$", line.strip())
            if found:
                self.url = found.group(1)
                break
        assert self.url, "no ready line:\n" + "".join(self.log)
        threading.Thread(target=self.log.extend, args=(self.process.stdout,), daemon=True).start()

    def get(self, path):
        answer = requests.get(self.url + path, timeout=30)
        assert answer.status_code == 200, f"GET {path}: {answer.status_code} {answer.text[:500]}"
        return answer

    def post(self, path, body, **headers):
        answer = requests.post(self.url + path, json=body, headers=headers, timeout=60)
        assert answer.status_code == 200, f"POST {path}: {answer.status_code} {answer.text[:500]}"
        return answer.json()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@pytest.fixture(scope="session")
def frame():
    return table()


@pytest.fixture(scope="session")
def trained(tmp_path_factory, frame):
    folder = tmp_path_factory.mktemp("maru")
    frame.to_csv(folder / "visitors.csv", index=False)
    home = folder / "home"
    project = str(folder / "maru.yaml")
    maru(home, "init", str(folder / "visitors.csv"), "--label", "bought", "--out", project)
    result = maru(home, "run", project, "--budget", "5s")
    return {"home": home, "folder": folder, "result": result, "model": result["model"], "version": result["version"]}


@pytest.fixture(scope="session")
def server(trained):
    running = Server(trained["home"])
    yield running
    assert running.stop() == 0, "the server did not stop cleanly:\n" + "".join(running.log[-20:])


@pytest.fixture(scope="module")
def tracking(tmp_path_factory):
    """An empty server of this module's own, which stock MLflow talks to."""
    mlflow = pytest.importorskip("mlflow")
    home = tmp_path_factory.mktemp("tracking") / "home"
    running = Server(home)
    running.home = home
    mlflow.set_tracking_uri(running.url)
    mlflow.tracking.fluent._active_experiment_id = None  # of another module's server, as is what it leaves in the environment
    os.environ.pop("MLFLOW_EXPERIMENT_ID", None)
    yield running
    while mlflow.active_run():
        mlflow.end_run()
    running.stop()


@pytest.fixture
def client(tracking):
    return pytest.importorskip("mlflow").MlflowClient(tracking.url)


@pytest.fixture(scope="session")
def records(frame):
    """Rows as a caller sends them: null where a value is missing, text for the time."""
    rows = frame.drop(columns=["bought"]).head(200).copy()
    rows["signup"] = rows["signup"].dt.strftime("%Y-%m-%d %H:%M:%S")
    return [{k: (None if isinstance(v, float) and numpy.isnan(v) else v) for k, v in row.items()} for row in rows.to_dict("records")]


@pytest.fixture(scope="session")
def probabilities(server, trained, records):
    """What Maru itself answers for `records`."""
    endpoint = f"/api/v1/endpoints/{trained['model']}"
    requests.put(server.url + endpoint, json={"model": trained["model"]}, timeout=30).raise_for_status()
    answer = server.post(endpoint + "/predict", {"instances": records})
    return numpy.array([p["probability"] for p in answer["predictions"]])


@pytest.fixture(scope="session")
def bundle(server, trained):
    """The registered version's folder, fetched file by file over the API."""
    base = f"/api/v1/models/{trained['model']}/versions/{trained['version']}/files"
    folder = trained["folder"] / "bundle"
    for entry in server.get(base).json()["files"]:
        target = folder / entry["path"]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(server.get(f"{base}/{entry['path']}").content)
    return folder
