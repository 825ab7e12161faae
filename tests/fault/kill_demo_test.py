#!/usr/bin/env python3
"""kill -9 at a random moment of `maru demo`, then `maru up` on the same home: nothing acknowledged is lost, the run resumes.

Every round is a fresh home. Beside the demo's own traffic a client of the test predicts and sends labels, and looks at runs, datasets,
models and alerts: whatever got a 2xx answer must be there after the restart. MARU_KILLS sets the rounds (default 3), MARU_SEED the moments.
"""
import hashlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

from running import BINARY, REPO, Api, Gone, Server

KILLS = int(os.environ.get("MARU_KILLS", "3"))
SEED = int(os.environ.get("MARU_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)
LONGEST_S = float(os.environ.get("MARU_KILL_WITHIN_S", "40"))
LOG_DELAY_S = 5.0  # a prediction is durable at most 2 s after its answer; the rest is for a busy machine
ROW = {"carrier": "AA", "origin": "JFK", "dest": "LAX", "sched_dep_time": 900, "sched_arr_time": 1200, "distance": 2475, "hour": 9,
       "minute": 0, "time_hour": "2013-04-01 09:00:00", "temp": 50.0, "wind_speed": 8.0, "precip": 0.0, "visib": 10.0}


class Witness(threading.Thread):
    """Looks and predicts until the server is gone; keeps what was acknowledged"""

    def __init__(self, home):
        super().__init__()
        self.home, self.problem, self.over = home, None, threading.Event()
        self.snapshots, self.runs, self.tasks, self.versions, self.alerts = set(), set(), {}, set(), set()
        self.champion, self.predictions, self.labels, self.tables = 0, {}, {}, []

    def address(self):
        """Where the demo listens, once it does"""
        path = os.path.join(self.home, "server.json")
        while not self.over.is_set():
            try:
                with open(path, encoding="utf-8") as file:
                    return json.load(file)["url"].split("//")[1]
            except (OSError, ValueError):
                self.over.wait(0.02)
        return None

    def look(self, api, i):
        for run in api.call("GET", "/pipelines/flights/runs?limit=10")[1].get("runs", []):
            self.runs.add(run["id"])
            for task in api.get(f"/pipeline-runs/{run['id']}")["tasks"]:
                if task["state"] == "succeeded":
                    self.tasks[(run["id"], task["name"])] = task["started_us"]
        for dataset in api.get("/datasets")["datasets"]:
            for snapshot in api.get(f"/datasets/{dataset['name']}")["snapshots"]:
                self.snapshots.add((dataset["name"], snapshot["id"]))
        status, model = api.call("GET", "/models/flights")
        if status == 200:
            self.versions |= {v["version"] for v in model["versions"]}
            self.champion = max(self.champion, model["aliases"].get("champion", 0))
        self.alerts |= {alert["id"] for alert in api.get("/alerts")["alerts"]}
        status, value = api.call("POST", "/datasets/side/upload?filename=t.csv", f"a,b\n{i},1\n{i + 1},2\n", "text/csv")
        if status == 200:
            self.snapshots.add(("side", value["snapshot"]))

    def predict(self, api, i):
        status, value = api.call("POST", "/endpoints/flights/predict", {"instances": [ROW]})
        if status == 404 or status == 503:
            return
        assert status == 200, f"predict: {status} {value}"
        self.predictions[value["id"]] = time.monotonic()
        status, answer = api.call("POST", "/endpoints/flights/feedback", {"id": value["id"], "label": i % 2})
        assert status == 200, f"feedback: {status} {answer}"
        self.labels[value["id"]] = str(i % 2)

    def run(self):
        try:
            address = self.address()
            i = 0
            while address and not self.over.is_set():
                api = Api(address)
                self.look(api, i)
                for _ in range(5):
                    self.predict(api, i)
                    i += 1
                self.over.wait(0.05)
        except Gone:
            pass
        except Exception as error:  # the round reports it
            self.problem = error


def rows(home, sql):
    with sqlite3.connect(f"file:{os.path.join(home, 'maru.db')}?mode=ro", uri=True) as database:
        return database.execute(sql).fetchall()


def check_blobs(home):
    root, count = os.path.join(home, "blobs/sha256"), 0
    for folder, _, names in os.walk(root):
        for name in names:
            if name.startswith("tmp-"):
                continue  # unfinished when the process ended; swept at the next start
            with open(os.path.join(folder, name), "rb") as file:
                assert hashlib.sha256(file.read()).hexdigest() == name, f"blob is damaged: {name}"
            count += 1
    return count


def check_audit(home):
    before, entries = "", rows(home, "SELECT number, time_us, principal, action, object, detail, chain FROM audit_entries ORDER BY number")
    for number, (stored, time_us, principal, action, thing, detail, chain) in enumerate(entries, 1):
        text = json.dumps({"before": before, "number": number, "time_us": time_us, "principal": principal, "action": action,
                           "object": thing, "detail": detail}, separators=(",", ":"), ensure_ascii=False)
        assert stored == number and hashlib.sha256(text.encode()).hexdigest() == chain, f"the audit chain breaks at entry {number}"
        before = chain
    return len(entries)


def check_present(server, home, seen, killed):
    names = {name for name, _ in seen.snapshots}
    present = {(name, s["id"]) for name in names for s in server.get(f"/datasets/{name}")["snapshots"]}
    assert not seen.snapshots - present, f"acknowledged snapshots are gone: {list(seen.snapshots - present)[:5]}"
    known = {r["id"] for r in server.get("/pipelines/flights/runs?limit=50")["runs"]} if seen.runs else set()
    assert not seen.runs - known, f"acknowledged runs are gone: {seen.runs - known}"
    if seen.versions:
        model = server.get("/models/flights")
        assert not seen.versions - {v["version"] for v in model["versions"]}, f"model versions are gone: {seen.versions}"
        assert model["aliases"].get("champion", 0) >= seen.champion, f"the champion went back: {seen.champion}, now {model['aliases']}"
    lost = seen.alerts - {a["id"] for a in server.get("/alerts")["alerts"]}
    assert not lost, f"alerts are gone: {lost}"
    labels = dict(rows(home, "SELECT id, label FROM monitor_labels")) if seen.labels else {}
    lost = [i for i, label in seen.labels.items() if labels.get(i) not in (label, {"0": "false", "1": "true"}[label])]
    assert not lost, f"{len(lost)} of {len(seen.labels)} acknowledged labels are gone or changed: {[(i, labels.get(i)) for i in lost[:3]]}"
    old = [i for i, at in seen.predictions.items() if at < killed - LOG_DELAY_S]
    for prediction in old[-20:] + old[:5]:
        found = server.get(f"/endpoints/flights/log?id={prediction}")["rows"]
        assert len(found) == 1, f"prediction {prediction} is {len(found)} times in the log"


def one_round(folder, number, wait_s):
    home = os.path.join(folder, f"home-{number}")
    with open(os.path.join(folder, "demo.log"), "w", encoding="utf-8") as log:
        demo = subprocess.Popen([BINARY, "demo", "--home", home, "--listen", "127.0.0.1:0"], stdout=log, stderr=log, cwd=folder,
                                env={**os.environ, "MARU_EXAMPLES": os.path.join(REPO, "examples")})
    witness = Witness(home)
    witness.start()
    try:
        demo.wait(wait_s)
    except subprocess.TimeoutExpired:
        pass
    ended = demo.poll()
    committed = rows(home, "SELECT count(*) FROM monitor_labels")[0][0] if witness.labels else 0
    killed = time.monotonic()
    demo.send_signal(signal.SIGKILL)
    demo.wait()
    witness.over.set()
    witness.join()
    with open(os.path.join(folder, "demo.log"), encoding="utf-8") as log:
        assert ended is None, f"the demo ended by itself with {ended}:\n{log.read()[-2000:]}"
    if witness.problem:
        raise AssertionError(f"before the kill: {witness.problem!r}")

    began = time.monotonic()
    server = Server(home)
    try:
        check_round(server, home, witness, killed, committed)
        server.stop()
    finally:
        if server.process.poll() is None:
            server.kill()
    blobs, entries = check_blobs(home), check_audit(home)
    print(f"round {number}: killed after {wait_s:.2f} s; {len(witness.runs)} runs, {len(witness.tasks)} finished tasks, "
          f"{len(witness.snapshots)} snapshots, {len(witness.labels)} labels of ours, {committed} in all, {blobs} blobs, {entries} audit entries: "
          f"all there; {time.monotonic() - began:.1f} s", flush=True)


def check_round(server, home, witness, killed, committed):
    check_present(server, home, witness, killed)
    assert rows(home, "SELECT count(*) FROM monitor_labels")[0][0] >= committed, "labels of the demo's own client are gone"
    for run in witness.runs:
        value = server.settled(run)
        assert value["state"] == "succeeded", f"run {run} ended as {value['state']}: {value.get('error')}"
        again = [t["name"] for t in value["tasks"] if witness.tasks.get((run, t["name"]), t["started_us"]) != t["started_us"]]
        assert not again, f"finished tasks were repeated: {again}"
    if witness.runs:
        status, value = server.call("POST", "/endpoints/flights/predict", {"instances": [ROW]})
        assert status == 200, f"the endpoint does not answer after the restart: {status} {value}"


def main():
    rng = random.Random(SEED)
    print(f"seed {SEED}, {KILLS} rounds", flush=True)
    passed, failed = 0, 0
    with tempfile.TemporaryDirectory(prefix="maru-kill-demo-") as folder:
        for number in range(KILLS):
            # One share of the time for each round, so that few rounds meet its beginning, middle and end.
            wait_s = LONGEST_S * (number + rng.uniform(0.02, 1.0)) / KILLS
            try:
                one_round(folder, number, wait_s)
                passed += 1
            except (AssertionError, Gone) as error:
                failed += 1
                print(f"round {number}, killed after {wait_s:.2f} s: {error}", flush=True)
                if os.environ.get("MARU_KEEP"):
                    os.rename(os.path.join(folder, f"home-{number}"), os.path.join(os.environ["MARU_KEEP"], f"home-{number}"))
    print(f"kill demo: {passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
