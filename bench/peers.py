"""The same load on Maru and on the servers that it stands in for, one after the other, each on an empty store: a table with ratios.

The peers are looked for below $PEERS_HOME (as ../shared/bench/peers/setup.sh installs them: one Python environment each); who is not there is
left out with a line. Figures of a server are CPU of its whole process tree, and wall time; the load generator shares the machine.
"""
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
import urllib.request
import uuid

import tracking

HOME = os.environ.get("PEERS_HOME", os.path.join(tempfile.gettempdir(), "peers"))
RUNS, POINTS, BATCHES = 10_000, 100_000, 40


class Peer:
    """A server that was started with `command`; ready when /health answers"""

    def __init__(self, command, port, log):
        environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true",
                       "PATH": os.path.dirname(command[0]) + ":" + os.environ["PATH"]}
        self.url = f"http://127.0.0.1:{port}"
        began = time.monotonic()
        with open(log, "w", encoding="utf-8") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=out, env=environment, start_new_session=True)
        while True:
            try:
                with urllib.request.urlopen(self.url + "/health", timeout=3) as answer:
                    if answer.status == 200:
                        break
            except OSError:
                time.sleep(0.05)
            if time.monotonic() - began > 90 or self.process.poll() is not None:
                self.__exit__()
                raise RuntimeError(f"{command[0]} did not start: " + open(log, encoding="utf-8").read()[-500:])
        self.seconds = time.monotonic() - began

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)  # a group of its own: its workers too
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(20)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def fill_tables(path, experiment, count):
    """What tracking.fill logs, straight into MLflow's tables: over its API it would take a quarter of an hour"""
    runs, metrics, latest, params, tags = [], [], [], [], []
    for i in range(count):
        run, began = uuid.uuid4().hex, 1700000000000 + i * 1000
        runs.append((run, f"run-{i}", "UNKNOWN", "", "", "bench", "FINISHED", began, began + 900, "", "active",
                     f"mlflow-artifacts:/{experiment}/{run}/artifacts", int(experiment)))
        for j in range(10):
            value = ((i * 7919 + j * 104729) % 10007) / 10007
            metrics.append((f"m{j}", value, began, run, 0, 0))
            latest.append((f"m{j}", value, began, 0, 0, run))
            params.append((f"p{j}", f"v{(i * 31 + j * 7) % 20}", run))
        tags += [(k, v, run) for k, v in (("mlflow.user", "bench"), ("mlflow.runName", f"run-{i}"), ("mlflow.source.name", "train.py"),
                                          ("mlflow.source.type", "LOCAL"), ("team", f"t{i % 5}"))]
    tables = (("runs", "run_uuid,name,source_type,source_name,entry_point_name,user_id,status,start_time,end_time,source_version,"
                       "lifecycle_stage,artifact_uri,experiment_id", runs),
              ("metrics", "key,value,timestamp,run_uuid,step,is_nan", metrics),
              ("latest_metrics", "key,value,timestamp,step,is_nan,run_uuid", latest), ("params", "key,value,run_uuid", params),
              ("tags", "key,value,run_uuid", tags))
    with sqlite3.connect(path, timeout=60) as db:
        for table, columns, rows in tables:
            db.executemany(f"INSERT INTO {table} ({columns}) VALUES ({','.join('?' * len(rows[0]))})", rows)
    db.close()


def whole_history(client, run):
    """As the stock client reads it: pages of 25,000"""
    token, points = "", 0
    while token is not None:
        page = json.loads(client.raw("GET", f"{tracking.API}/metrics/get-history?run_id={run}&metric_key=h&max_results=25000"
                                     + (f"&page_token={urllib.request.quote(token)}" if token else "")))
        points += len(page.get("metrics", []))
        token = page.get("next_page_token") or None
    if points != POINTS:
        raise RuntimeError(f"a history of {points} points instead of {POINTS}")


def load(bench, server, fill):
    """{figure: value}; None for what a server cannot answer"""
    client, out = tracking.Client(server.url), {"start, s": server.seconds}
    experiment = client.call("/experiments/create", name="peers")["experiment_id"]

    def new_run():
        return client.call("/runs/create", experiment_id=experiment, start_time=1)["run"]["info"]["run_id"]

    run = new_run()
    tracking.load_log_metric(bench, server, run, 8, 1, 0)
    wire = tracking.load_log_metric(bench, server, run, 8, 4, 10**6)
    out["log-metric on the wire, 8 connections, req/s"], out["  server CPU a request, us"] = wire["rate"], wire["cpu_us"]
    out["  p50, ms"], out["  failed"] = wire["p50"], wire["errors"]
    client = tracking.Client(server.url)
    run = new_run()
    bodies = list(tracking.batch_bodies(run, POINTS // 1000))
    began = time.perf_counter()
    for body in bodies[:BATCHES]:
        client.raw("POST", tracking.API + "/runs/log-batch", body)
    out["log-batch of 1,000 points, one connection, points/s"] = BATCHES * 1000 / (time.perf_counter() - began)
    for body in bodies[BATCHES:]:
        client.raw("POST", tracking.API + "/runs/log-batch", body)
    try:
        out["history of 100,000 points, ms"] = tracking.timed(server, 2, lambda: whole_history(client, run))[0]
    except (RuntimeError, ValueError, OSError):
        client, out["history of 100,000 points, ms"] = tracking.Client(server.url), None
    searched = client.call("/experiments/create", name="searched")["experiment_id"]
    fill(server, searched, RUNS)
    time.sleep(2)
    client = tracking.Client(server.url)  # an idle connection may have been closed
    for count, repeat in ((100, 10), (1000, 3)):
        _, cpu, _ = tracking.timed(server, repeat, lambda: client.call("/runs/search", experiment_ids=[searched], max_results=count))
        out[f"runs/search, {count:,} of 10,000, CPU ms"] = cpu
    wanted = {"filter": "metrics.m3 > 0.5 and params.p2 = 'v7'", "order_by": ["metrics.m1 DESC"], "max_results": 100}
    out["runs/search, filter and order, 10,000, wall ms"] = tracking.timed(server, 5, lambda: client.call(
        "/runs/search", experiment_ids=[searched], **wanted))[0]
    out["resident after that, MiB"] = tracking.resident_mib(server)
    return out


def peers(folder):
    """(name, starts it, fills it) of those that are installed"""
    mlflow, fasttrackml = (os.path.join(HOME, "v", *parts) for parts in (("mlflow", "bin", "mlflow"), ("fasttrackml", "bin", "fml")))
    if os.path.exists(mlflow):
        version = re.search(r"[\d.]+", subprocess.run([mlflow, "--version"], capture_output=True, text=True, check=True).stdout).group(0)
        store = os.path.join(folder, "mlflow.db")
        yield (f"MLflow {version}", lambda port: [mlflow, "server", "--host", "127.0.0.1", "--port", str(port), "--backend-store-uri", f"sqlite:///{store}",
                                                  "--artifacts-destination", os.path.join(folder, "artifacts")],
               lambda server, experiment, count: fill_tables(store, experiment, count))
    else:
        print(f"peers: MLflow left out, it is not in {HOME} (../shared/bench/peers/setup.sh mlflow)")
    if os.path.exists(fasttrackml):
        yield ("FastTrackML", lambda port: [fasttrackml, "server", "--listen-address", f"127.0.0.1:{port}", "--database-uri",
                                            f"sqlite://{os.path.join(folder, 'fml.db')}", "--default-artifact-root", os.path.join(folder, "fml")],
               tracking.fill)
    else:
        print(f"peers: FastTrackML left out, it is not in {HOME} (../shared/bench/peers/setup.sh fasttrackml)")


def measure(bench, server_class):
    folder = tempfile.mkdtemp(dir=bench.folder)
    found = list(peers(folder))
    if not found:
        return
    with server_class(bench.binary, os.path.join(folder, "home")) as server:
        own = load(bench, server, tracking.fill)
    theirs = {}
    for name, command, fill in found:
        port = free_port()
        with Peer(command(port), port, os.path.join(folder, "log")) as server:
            theirs[name] = load(bench, server, fill)
    print(f"{'':52} {'Maru':>10}" + "".join(f" {name:>18} {'ratio':>8}" for name in theirs))
    for figure, value in own.items():
        line = f"{figure:52} {value:10,.4g}"
        for name, figures in theirs.items():
            other = figures[figure]
            if other is None:
                line += f" {'not answered':>18} {'':8}"
                continue
            better = value / other if figure.endswith("/s") and other else other / value if value else 0
            line += f" {other:18,.4g} " + (f"{better:7,.3g}x" if better else " " * 8)
            bench.results.append({"name": f"{name}: {figure.strip()}", "value": other, "unit": "", "target": None, "met": None})
        bench.results.append({"name": f"Maru beside them: {figure.strip()}", "value": value, "unit": "", "target": None, "met": None})
        print(line, flush=True)
