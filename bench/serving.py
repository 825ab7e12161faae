"""Online serving: one row and a hundred to a model of 300 trees with 31 leaves each, beside a route that does nothing on the same server; a thousand switches of versions under load;
more callers than it can answer; models loaded and freed again and again."""
import json
import os
import re
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.request

import serving_grpc
from tracking import cpu_s

LOAD_S = 5
SWITCHES, CYCLES = 1000, 1000
ROW = [0.1 * i - 0.7 for i in range(serving_grpc.COLUMNS)]
LUA = """
wrk.method = METHOD
wrk.headers["Content-Type"] = "application/json"
wrk.body = BODY
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format("RESULT %f %f %f %d %d\\n", summary.requests / summary.duration * 1e6, latency:percentile(50) / 1000,
    latency:percentile(99) / 1000, e.status, e.connect + e.read + e.write + e.timeout))
end
"""


class Load:
    """What wrk saw: requests/s that were answered well, latency in ms, answers that were none, and the server's CPU microseconds a request"""

    def __init__(self, server, path, connections, body=None, seconds=LOAD_S):
        with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
            method = "GET" if body is None else "POST"
            script.write(LUA.replace("METHOD", json.dumps(method)).replace("BODY", "nil" if body is None else json.dumps(body)))
            script.flush()
            before = cpu_s(server)
            out = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "-s", script.name, server.url + path],
                                 capture_output=True, text=True, check=True).stdout
            used = cpu_s(server) - before
        rate, p50, p99, refused, broken = re.search(r"RESULT (\S+) (\S+) (\S+) (\d+) (\d+)", out).groups()
        self.rate, self.p50_ms, self.p99_ms = float(rate), float(p50), float(p99)
        self.refused, self.broken = int(refused), int(broken)
        self.good = max(0.0, self.rate - self.refused / seconds)
        self.cpu_us = used / max(1.0, self.rate * seconds) * 1e6


def tensors(rows):
    return json.dumps({"inputs": [{"name": "x", "datatype": "FP32", "shape": [rows, len(ROW)], "data": ROW * rows}]})


def call(server, method, path, body=None):
    request = urllib.request.Request(server.url + path, method=method, data=None if body is None else json.dumps(body).encode(),
                                     headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        text = answer.read()
        return json.loads(text) if text.strip() else {}


def point(server, version):
    call(server, "POST", "/api/2.0/mlflow/registered-models/alias", {"name": "numbers", "alias": "champion", "version": str(version)})


def table(bench, server):
    one, hundred = tensors(1), tensors(100)
    path = "/v2/models/numbers/infer"
    Load(server, path, 8, one, 1)  # warm
    null, few, many = Load(server, "/healthz", 8), Load(server, path, 8, one), Load(server, path, 8, hundred)
    yardstick = bench.yardstick()
    bench.report("OIP REST, one row, 8 connections", few.good, "req/s", 60_000, ">=")
    yardstick.share(few.good, 60_000)
    bench.report("  CPU of the server a request", few.cpu_us, "us", 12)
    yardstick.cpu(few.cpu_us, 12)
    bench.report("  p50", few.p50_ms, "ms", 0.11)
    bench.report("  p99, times that of a route that does nothing", few.p99_ms / null.p99_ms, "x", 3)
    bench.report("a route that does nothing, 8 connections", null.good, "req/s")
    bench.report("  its CPU a request", null.cpu_us, "us")
    bench.report("OIP REST, 100 rows, 8 connections", many.good, "req/s", 5_000, ">=")
    yardstick.share(many.good, 5_000)
    named = json.dumps({"instances": [{f"x{i}": value for i, value in enumerate(ROW)}]})
    rows = Load(server, "/api/v1/endpoints/numbers/predict", 8, named)
    bench.report("named columns, one row, 8 connections", rows.good, "req/s", 40_000, ">=")
    yardstick.share(rows.good, 40_000)
    bench.report("  CPU of the server a request", rows.cpu_us, "us")
    split = {"arms": [{"version": 1, "weight": 0.5}, {"version": 2, "weight": 0.5}]}
    call(server, "PUT", "/api/v1/endpoints/plain", {"model": "numbers", "log": {"sample": 0}})
    call(server, "PUT", "/api/v1/endpoints/split", {"model": "numbers", "route": split})
    plain, routed = [], []
    for _ in range(3):
        plain.append(Load(server, "/v2/models/plain/infer", 8, one, 2).cpu_us)
        routed.append(Load(server, "/v2/models/split/infer", 8, one, 2).cpu_us)
    bench.report("added CPU of routing and logging, best of 3", min(routed) - min(plain), "us", 5)
    yardstick.cpu(min(routed) - min(plain), 5)
    bench.report("failed requests", few.refused + few.broken + many.refused + many.broken + rows.refused + rows.broken, "", 0)


def switches(bench, server):
    """Every answer after a switch has returned is the new version's; the load in the meantime fails nowhere."""
    path, body = "/v2/models/numbers/infer", tensors(1)
    steady = Load(server, path, 6, body)
    wrong, seconds = 0, 0.0

    def switch():
        nonlocal wrong, seconds
        began = time.monotonic()
        for i in range(SWITCHES):
            version = 1 + (i + 1) % 2
            point(server, version)
            wrong += call(server, "POST", path, json.loads(body))["model_version"] != str(version)
        seconds = time.monotonic() - began

    thread = threading.Thread(target=switch)
    thread.start()
    loads = []
    while thread.is_alive():
        loads.append(Load(server, path, 6, body))
    thread.join()
    bench.report(f"{SWITCHES} switches of the version under load", seconds, "s")
    bench.report("  answers of the wrong version", wrong, "", 0)
    bench.report("  failed requests", sum(load.refused + load.broken for load in loads), "", 0)
    bench.report("  p99 during switches, times steady", max(load.p99_ms for load in loads) / steady.p99_ms, "x", 1.5)


def overload(bench, server, name, path, body, least):
    peak = max(Load(server, path, connections, body, 3).good for connections in (8, 64))
    idle_peak = Load(server, "/healthz", 64, None, 3).good
    for times in (1, 5, 20):
        probes, stop = [], threading.Event()

        def probe(into=probes, end=stop):
            while not end.wait(0.05):
                began = time.monotonic()
                call(server, "GET", "/v2/health/ready")
                into.append(time.monotonic() - began)

        thread = threading.Thread(target=probe)
        thread.start()
        load = Load(server, path, 64 * times, body)
        stop.set()
        thread.join()
        probes.sort()
        nothing = Load(server, "/healthz", 64 * times, None, 3).good / idle_peak  # what the load generator itself loses to so many connections
        bench.report(f"{name}, {64 * times} callers, share of the peak", load.good / peak, "x")
        bench.report("  the same of a route that does nothing", nothing, "x")
        bench.report("  ratio of the two", load.good / peak / nothing, "x", least, ">=")
        bench.report("  probes meanwhile, p99", probes[int(len(probes) * 0.99)] * 1000, "ms", 100)
        bench.report("  failed requests", load.broken, "", 0)


def cycles(bench, server):
    def one():
        call(server, "POST", "/v2/repository/models/simple/load", {})
        tensor = {"shape": [1, 16], "datatype": "INT32", "data": [1] * 16}
        call(server, "POST", "/v2/models/simple/infer", {"inputs": [{"name": "INPUT0", **tensor}, {"name": "INPUT1", **tensor}]})
        call(server, "POST", "/v2/repository/models/simple/unload", {})

    for _ in range(CYCLES // 10):
        one()
    before = server.resident_mib()
    for _ in range(CYCLES):
        one()
    bench.report(f"{CYCLES} loads, calls and unloads: memory grew by", server.resident_mib() - before, "MiB", 2)


def first_answer(bench, server_type, home):
    """From exec to the first answer of a model that a home serves."""
    times = []
    for _ in range(5):
        began = time.monotonic()
        with server_type(bench.binary, home) as server:
            call(server, "POST", "/v2/models/numbers/infer", json.loads(tensors(1)))
            times.append(time.monotonic() - began)
    bench.report("exec to first answer, median of 5", statistics.median(times) * 1000, "ms", 50)


def measure(bench, server_type):
    home, model_file = os.path.join(bench.folder, "online"), os.path.join(bench.folder, "numbers.json")
    serving_grpc.write_model(model_file)
    for _ in range(2):
        bench.maru("model", "import", model_file, "--name", "numbers", home=home)
    simple = os.path.join(bench.shared, "models/simple.onnx")
    if os.path.exists(simple):
        bench.maru("model", "import", simple, "--name", "simple", home=home)
    with server_type(bench.binary, home) as server:
        point(server, 1)
        call(server, "PUT", "/api/v1/endpoints/numbers", {"model": "numbers"})
        table(bench, server)
        switches(bench, server)
        overload(bench, server, "inline model", "/v2/models/numbers/infer", tensors(1), 0.9)
        if os.path.exists(simple):
            tensor = {"shape": [1, 16], "datatype": "INT32", "data": [1] * 16}
            body = json.dumps({"inputs": [{"name": "INPUT0", **tensor}, {"name": "INPUT1", **tensor}]})
            overload(bench, server, "model with a queue", "/v2/models/simple/infer", body, 0.9)
            cycles(bench, server)
    first_answer(bench, server_type, home)
