#!/usr/bin/env python3
"""kill -9 while clients log: what was acknowledged is there exactly once, nothing is half there, and sending again is harmless.

First at sync points: a script of calls against a server that kills itself at its n-th durable step (MARU_FAULT), for n spread over all of
them; MARU_POINTS=all takes every one. Then at random moments, several clients at once, on one home that lives on: MARU_KILLS rounds
(default 3). MARU_SEED chooses calls and moments.

What a client knows is a table of facts. A call changes some of them, and all or none: after a restart the server shows the facts with or
without the one call that was not answered. Read are runs by search and by id, histories, artifacts byte by byte, versions, traces.
"""
import hashlib
import json
import os
import random
import shutil
import sqlite3
import sys
import tempfile
import threading
import time
import urllib.parse

from running import Gone, Server

KILLS = int(os.environ.get("MARU_KILLS", "3"))
POINTS = os.environ.get("MARU_POINTS", "6")
SEED = int(os.environ.get("MARU_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)
CLIENTS = 6
LONGEST_S = 2.0
SCRIPT_CALLS = 60
PART_BYTES = 40_000
JSON = {"Content-Type": "application/json"}
API, FILES = "/api/2.0/mlflow/", "/api/2.0/mlflow-artifacts/"


def sha(data):
    return hashlib.sha256(data).hexdigest()


def mlflow(server, method, path, body=None, query=""):
    status, _, text = server.ask(method, API + path + query, json.dumps(body) if body is not None else None, JSON)
    return status, json.loads(text)


def must(answer, what):
    status, value = answer
    assert status == 200, f"{what}: {status} {value}"
    return value


class Call:
    """One write: how it is sent, and the facts that it makes. `again`: it may be sent again when its answer was lost; `later`: at any time."""

    def __init__(self, name, send, facts, again=True, later=True):
        self.name, self.send, self.facts, self.again, self.later = name, send, facts, again, again and later


class Client(threading.Thread):
    """Logs into an experiment and a model of its own. `facts` are acknowledged, `pending` was sent and not answered."""

    def __init__(self, number, rng):
        super().__init__()
        self.number, self.rng = number, rng
        self.experiment, self.model = None, f"model-{number}"
        self.facts, self.pending, self.done = {}, None, []
        self.runs, self.versions, self.traces, self.files, self.count = {}, 0, [], [], 0
        self.upload = None
        self.server, self.calls_left, self.problem = None, 0, None

    def furnish(self, server):
        self.server = server
        self.experiment = must(mlflow(server, "POST", "experiments/create", {"name": f"kill/{self.number}"}), "experiment")["experiment_id"]
        must(mlflow(server, "POST", "registered-models/create", {"name": self.model}), "model")
        self.step_run()

    def on(self, server, calls):
        """A thread that goes on where the last one stopped"""
        threading.Thread.__init__(self)
        self.server, self.calls_left = server, calls
        return self

    def run(self):
        try:
            while self.calls_left > 0:
                self.calls_left -= 1
                self.step()
        except Gone:
            pass
        except Exception as error:  # pylint: disable=broad-except  # said by the main thread
            self.problem = error

    # ---- what it sends

    def perform(self, call):
        self.pending = call
        value = must(call.send(), call.name)
        self.facts.update(call.facts)
        self.pending = None
        if call.later:
            self.done.append(call)
        return value

    def post(self, path, body, facts, again=True, method="POST"):
        return self.perform(Call(path, lambda: mlflow(self.server, method, path, body), facts, again))

    def step(self):
        self.count += 1
        kinds = [self.step_metric] * 4 + [self.step_batch] * 4 + [self.step_param, self.step_tag, self.step_file, self.step_upload,
                 self.step_upload, self.step_upload, self.step_run, self.step_version, self.step_alias, self.step_trace, self.step_trace]
        self.rng.choice(kinds)()

    def any_run(self):
        return self.rng.choice(sorted(self.runs.items()))

    def points(self, name, many):
        out, facts = [], {}
        for _ in range(many):
            key, point = self.rng.choice(["loss", "acc/top 1"]), (self.rng.uniform(-1e6, 1e6), self.count, self.rng.randrange(1, 1 << 41))
            out.append({"key": key, "value": point[0], "step": point[1], "timestamp": point[2]})
            facts[("point", name, key, point)] = True
        return out, facts

    def step_run(self):
        name = f"run {len(self.runs)} {self.count}"
        made = self.post("runs/create", {"experiment_id": self.experiment, "run_name": name, "start_time": 1}, {("run", name): True}, again=False)
        self.runs[name] = made["run"]["info"]["run_id"]

    def step_metric(self):
        name, run = self.any_run()
        points, facts = self.points(name, 1)
        self.post("runs/log-metric", {"run_id": run, **points[0]}, facts)

    def step_batch(self):
        name, run = self.any_run()
        points, facts = self.points(name, self.rng.choice([1, 10, 300]))
        key, text = f"p{self.count}", f"값 {self.count}" * self.rng.choice([1, 50])
        facts.update({("param", name, key): text, ("tag", name, "last batch"): str(self.count)})
        self.post("runs/log-batch", {"run_id": run, "metrics": points, "params": [{"key": key, "value": text}],
                                     "tags": [{"key": "last batch", "value": str(self.count)}]}, facts)

    def step_param(self):
        name, run = self.any_run()
        key = f"single{self.count}"
        self.post("runs/log-parameter", {"run_id": run, "key": key, "value": "x"}, {("param", name, key): "x"})

    def step_tag(self):
        name, run = self.any_run()
        self.post("runs/set-tag", {"run_id": run, "key": "state", "value": str(self.count)}, {("tag", name, "state"): str(self.count)})

    def folder(self, run):
        return f"{self.experiment}/{run}/artifacts"

    def step_file(self):
        _, run = self.any_run()
        path = f"{self.folder(run)}/files/{self.rng.choice(['a.bin', 'b.bin', '보고서.txt'])}"
        data = self.rng.randbytes(self.rng.choice([0, 1000, 200_000]))

        def put():
            status, _, text = self.server.ask("PUT", FILES + "artifacts/" + urllib.parse.quote(path), data)
            return status, text
        self.perform(Call("artifacts PUT", put, {("file", path): sha(data)}))

    def step_upload(self):
        """One call of an upload in parts, which goes on after a kill: begin, each part, completion"""
        if self.upload is None:
            _, run = self.any_run()
            folder, name = self.folder(run) + "/parts", f"{self.count}.bin"
            made = self.perform(Call("mpu/create", lambda: self.multipart("create", folder, {"path": name, "num_parts": 2}), {}, again=False))
            pieces = {c["part_number"]: (urllib.parse.urlsplit(c["url"]), self.rng.randbytes(PART_BYTES)) for c in made["credentials"]}
            self.upload = {"id": made["upload_id"], "folder": folder, "name": name, "pieces": pieces, "etags": {}}
            return
        upload = self.upload
        left = [n for n in upload["pieces"] if n not in upload["etags"]]
        if left:
            url, data = upload["pieces"][left[0]]

            def put():
                status, headers, text = self.server.ask("PUT", url.path + "?" + url.query, data)
                upload["etags"][left[0]] = headers["ETag"] if status == 200 else None
                return status, text
            self.perform(Call("mpu part", put, {}, later=False))  # once the upload is complete it is gone
            return
        body = {"path": upload["name"], "upload_id": upload["id"],
                "parts": [{"part_number": n, "etag": e, "url": ""} for n, e in sorted(upload["etags"].items())]}
        whole = b"".join(data for _, (_, data) in sorted(upload["pieces"].items()))
        self.perform(Call("mpu/complete", lambda: self.multipart("complete", upload["folder"], body),
                          {("file", f"{upload['folder']}/{upload['name']}"): sha(whole)}))
        self.upload = None

    def multipart(self, what, folder, body):
        status, _, text = self.server.ask("POST", f"{FILES}mpu/{what}/{urllib.parse.quote(folder)}", json.dumps(body), JSON)
        return status, json.loads(text)

    def step_version(self):
        number = self.versions + 1
        made = self.post("model-versions/create", {"name": self.model, "source": f"mlflow-artifacts:/{self.folder(self.any_run()[1])}/m"},
                         {("version", str(number)): True}, again=False)["model_version"]["version"]
        assert made == str(number), f"version {made} came after {self.versions}"
        self.versions = number

    def step_alias(self):
        if not self.versions:
            return
        version = str(self.rng.randrange(1, self.versions + 1))
        self.post("registered-models/alias", {"name": self.model, "alias": "best", "version": version}, {("alias", "best"): version})

    def step_trace(self):
        """Spans of a new trace, or more of one that is there"""
        if self.traces and self.rng.random() < 0.5:
            trace = self.rng.choice(self.traces)
        else:
            trace = f"{self.rng.getrandbits(128):032x}"
            self.traces.append(trace)
        first = self.facts.get(("trace", trace), 0)
        many = self.rng.choice([1, 5])
        root = f"{int(trace[:15], 16):016x}"
        spans = [{"traceId": trace, "spanId": root if first + i == 0 else f"{self.rng.getrandbits(63) + 1:016x}", "name": f"s{first + i}",
                  **({} if first + i == 0 else {"parentSpanId": root}), "startTimeUnixNano": "1000", "endTimeUnixNano": "2000",
                  "attributes": [{"key": "text", "value": {"stringValue": "x" * 100}}]} for i in range(many)]
        body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]})

        def post():
            status, _, text = self.server.ask("POST", "/v1/traces", body, {**JSON, "x-mlflow-experiment-id": self.experiment})
            return status, text
        self.perform(Call("v1/traces", post, {("trace", trace): first + many}))

    # ---- what it finds after a restart

    def seen(self):
        facts = {}
        runs = self.pages("runs/search", {"experiment_ids": [self.experiment], "max_results": 50}, "runs")
        names = [r["info"]["run_name"] for r in runs]
        assert len(names) == len(set(names)), f"a run is there twice: {names}"
        for run in runs:
            self.see_run(run, facts)
        model = must(mlflow(self.server, "GET", "registered-models/get", query="?name=" + self.model), "model")["registered_model"]
        for alias in model.get("aliases", []):
            facts[("alias", alias["alias"])] = alias["version"]
        versions = self.pages("model-versions/search?filter=" + urllib.parse.quote(f"name = '{self.model}'") + "&max_results=100", None, "model_versions")
        for version in versions:
            facts[("version", version["version"])] = True
        numbers = sorted(int(v["version"]) for v in versions)
        assert numbers == list(range(1, len(numbers) + 1)), f"versions have a hole or a double: {numbers}"
        token = ""
        while True:
            page = self.server.get(f"/traces?experiment={self.experiment}&limit=500&page_token={urllib.parse.quote(token)}")
            for trace in page["traces"]:
                facts[("trace", trace["id"].removeprefix("tr-"))] = trace["spans"]
            token = page.get("next_page_token", "")
            if not token:
                return facts

    def pages(self, path, body, key):
        out, token = [], ""
        while True:
            if body is None:
                value = must(mlflow(self.server, "GET", path + ("&page_token=" + urllib.parse.quote(token) if token else "")), path)
            else:
                value = must(mlflow(self.server, "POST", path, {**body, "page_token": token}), path)
            out += value.get(key, [])
            token = value.get("next_page_token", "")
            if not token:
                return out

    def see_run(self, run, facts):
        name, run_id, data = run["info"]["run_name"], run["info"]["run_id"], run["data"]
        one = must(mlflow(self.server, "GET", "runs/get", query="?run_id=" + run_id), "runs/get")["run"]
        by_key = lambda items: sorted(items, key=lambda item: item["key"])
        for part in ("metrics", "params", "tags"):
            assert by_key(one["data"].get(part, [])) == by_key(data.get(part, [])), f"search and get differ in {part} of {run_id}"
        facts[("run", name)] = True
        for param in data.get("params", []):
            facts[("param", name, param["key"])] = param["value"]
        for tag in data.get("tags", []):
            if not tag["key"].startswith("mlflow."):
                facts[("tag", name, tag["key"])] = tag["value"]
        for latest in data.get("metrics", []):
            key = latest["key"]
            history = must(mlflow(self.server, "GET", "metrics/get-history", query=f"?run_id={run_id}&metric_key={urllib.parse.quote(key)}"), "history")["metrics"]
            points = [(m["value"], m["step"], m["timestamp"]) for m in history]
            assert len(points) == len(set(points)), f"{key} of {run_id} has points twice"
            newest = max(points, key=lambda p: (p[1], p[2], p[0]))
            assert newest == (latest["value"], latest["step"], latest["timestamp"]), f"latest {key} of {run_id}: {latest}, of its history: {newest}"
            facts.update({("point", name, key, point): True for point in points})
        self.see_files(self.folder(run_id), facts)

    def see_files(self, folder, facts):
        status, _, text = self.server.ask("GET", FILES + "artifacts?path=" + urllib.parse.quote(folder))
        assert status == 200, f"list of {folder}: {status} {text}"
        for entry in json.loads(text).get("files", []):
            path = f"{folder}/{entry['path']}"
            if entry["is_dir"]:
                self.see_files(path, facts)
                continue
            status, _, data = self.server.ask("GET", FILES + "artifacts/" + urllib.parse.quote(path))
            assert status == 200 and len(data) == entry["file_size"], f"{path}: {status}, {len(data)} bytes of {entry['file_size']}"
            facts[("file", path)] = sha(data)

    def verify(self, server):
        """Settles what was pending and sends again; raises AssertionError with the first differences"""
        self.server = server
        seen, call, self.pending = self.seen(), self.pending, None
        after = {**self.facts, **(call.facts if call else {})}
        if seen != self.facts and seen != after:
            raise AssertionError(f"client {self.number}: " + self.difference(seen, call))
        if call and seen == after:
            self.facts = after
        self.adopt()
        again = [c for c in self.done if self.current(c)]
        again = self.rng.sample(again, min(4, len(again)))
        if call and call.again:
            again.append(call)
            self.facts = after
        for repeated in again:
            must(repeated.send(), repeated.name + " again")
        if call and call.name == "mpu/complete":
            self.upload = None
        seen = self.seen()
        assert seen == self.facts, f"client {self.number}, after sending again: " + self.difference(seen, None)
        return len(self.facts)

    def current(self, call):
        """Whether nothing has overwritten what the call wrote"""
        return all(self.facts.get(fact) == value for fact, value in call.facts.items())

    def difference(self, seen, call):
        lost = [f for f, v in self.facts.items() if seen.get(f) != v and not (call and f in call.facts and call.facts[f] == seen.get(f))]
        strange = [f for f in seen if f not in self.facts and not (call and f in call.facts)]
        part = [f for f in call.facts if seen.get(f) != call.facts[f]] if call else []
        return (f"{len(lost)} lost or changed {lost[:3]}, {len(strange)} from nowhere {strange[:3]}; " +
                (f"of the unanswered {call.name} {len(part)} of {len(call.facts)} are missing {part[:3]}" if call else "nothing was unanswered"))

    def adopt(self):
        """Ids and numbers of what is there although its answer never came"""
        for run in self.pages("runs/search", {"experiment_ids": [self.experiment], "max_results": 50}, "runs"):
            self.runs[run["info"]["run_name"]] = run["info"]["run_id"]
        self.versions = sum(1 for fact in self.facts if fact[0] == "version")
        self.traces = [fact[1] for fact in self.facts if fact[0] == "trace"]


def check_database(home):
    connection = sqlite3.connect(os.path.join(home, "maru.db"))
    try:
        found = connection.execute("PRAGMA integrity_check").fetchall()
        assert found == [("ok",)], f"integrity_check: {found[:5]}"
    finally:
        connection.close()


def at_point(template, folder, n):
    """The script against a server that kills itself at its n-th durable step. Returns (whether it did, facts)"""
    home = os.path.join(folder, "home")
    shutil.copytree(template, home)
    client = Client(0, random.Random(SEED))
    server, killed = None, True
    try:
        server = Server(home)
        client.furnish(server)
        server.stop()
        server = Server(home, faults=f"*:{n}:kill")
        client.on(server, SCRIPT_CALLS).run()
        if client.problem:
            raise client.problem
        killed = client.calls_left > 0 or client.pending is not None
        if killed:
            server.process.wait(60)
        else:
            server.kill()
    except Gone:
        pass  # before it was ready
    name = client.pending.name if client.pending else "-"
    server = Server(home)
    facts = client.verify(server)
    server.stop()
    check_database(home)
    shutil.rmtree(home)
    return killed, facts, name


def sync_points(folder):
    template = os.path.join(folder, "template")
    Server(template).stop()
    last, done = 64, []

    def one(n):
        killed, facts, name = at_point(template, folder, n)
        done.append(n)
        print(f"sync point {n}: {'killed in ' + name if killed else 'passed by'}, {facts} facts", flush=True)
        return killed
    while one(last):
        last *= 2
    if POINTS == "all":
        wanted = range(1, last)
    else:
        wanted = sorted(random.Random(SEED).sample(range(1, last // 2), int(POINTS)))
    for n in wanted:
        if n not in done and not one(n):
            break
    return len(done)


def random_moments(folder):
    rng = random.Random(SEED)
    home = os.path.join(folder, "random")
    server = Server(home)
    clients = [Client(i, random.Random(SEED + 1 + i)) for i in range(CLIENTS)]
    for client in clients:
        client.furnish(server)
    for number in range(KILLS):
        wait_s = rng.uniform(0.05, LONGEST_S)
        before = sum(client.count for client in clients)
        for client in clients:
            client.on(server, 1 << 30).start()
        time.sleep(wait_s)
        server.kill()
        for client in clients:
            client.join()
            if client.problem:
                raise client.problem
        server = Server(home)
        names = sorted({client.pending.name for client in clients if client.pending})
        facts = sum(client.verify(server) for client in clients)
        print(f"round {number}: killed after {wait_s:.2f} s and {sum(c.count for c in clients) - before} calls, in {', '.join(names)}; {facts} facts", flush=True)
    server.stop()
    check_database(home)
    return KILLS


def main():
    print(f"seed {SEED}, {KILLS} rounds, sync points: {POINTS}", flush=True)
    passed, failed = 0, 0
    with tempfile.TemporaryDirectory(prefix="maru-kill-") as folder:
        for part in (sync_points, random_moments):
            try:
                passed += part(folder)
            except (AssertionError, Gone) as error:
                failed += 1
                print(f"{part.__name__}: {error}", flush=True)
    print(f"kill_tracking: {passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
