"""The MLflow side of the bench: what a tracking server is asked all day, each number beside its target.

Raw keep-alive HTTP, fresh steps every time (re-sent points would be an easier load). CPU is that of the server's process alone, from
/proc, so it does not depend on what else the machine does. Targets: MLflow 3.17 and FastTrackML 0.6 under the same load, two orders up.
"""
import http.client
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.parse

API = "/api/2.0/mlflow"
TICKS = os.sysconf("SC_CLK_TCK")
LOG_METRIC = """
local run, step = os.getenv("RUN"), tonumber(os.getenv("STEP0"))
local head = {["Content-Type"] = "application/json"}
function request()
  step = step + 1
  return wrk.format("POST", "/api/2.0/mlflow/runs/log-metric", head,
    string.format('{"run_id":"%s","key":"wire","value":%g,"timestamp":%d,"step":%d}', run, step * 0.5, 1700000000000 + step, step))
end
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format("RESULT %d %f %f %f %f %d\\n", summary.requests, summary.duration / 1e6, latency:percentile(50) / 1000,
    latency:percentile(99) / 1000, latency.max / 1000, e.status + e.connect + e.read + e.write + e.timeout))
end
"""


class Client:
    """One kept-alive connection"""

    def __init__(self, url):
        host, port = url.split("//")[1].split(":")
        self.connection = http.client.HTTPConnection(host, int(port), timeout=120)
        self.connection.connect()
        self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def raw(self, method, path, body=None, kind="application/json"):
        self.connection.request(method, path, body, {"Content-Type": kind} if body is not None else {})
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:300]!r}")
        return text

    def call(self, path, **body):
        return json.loads(self.raw("POST", API + path, json.dumps(body)))


def tree(pid):
    """The process and all below it"""
    children = {}
    for name in os.listdir("/proc"):
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8") as file:
                children.setdefault(int(file.read().rsplit(")", 1)[1].split()[1]), []).append(int(name))
        except (OSError, ValueError):
            continue  # not a process, or gone
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found


def cpu_s(server):
    ticks = 0
    for pid in tree(server.process.pid):
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
                fields = file.read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS


def resident_mib(server):
    total = 0
    for pid in tree(server.process.pid):
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:
            total += sum(int(line.split()[1]) for line in file if line.startswith("VmRSS"))
    return total / 1024


def timed(server, repeat, call):
    """(median wall ms, CPU ms a call)"""
    call()
    walls, cpu = [], cpu_s(server)
    for _ in range(repeat):
        began = time.perf_counter()
        call()
        walls.append((time.perf_counter() - began) * 1e3)
    return statistics.median(walls), (cpu_s(server) - cpu) * 1e3 / repeat, sorted(walls)[int(repeat * 0.99)]


def load_log_metric(bench, server, run, connections, seconds, step0):
    script = os.path.join(bench.folder, "log_metric.lua")
    with open(script, "w", encoding="utf-8") as file:
        file.write(LOG_METRIC)
    cpu = cpu_s(server)
    out = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "20s", "-s", script, server.url],
                         env={**os.environ, "RUN": run, "STEP0": str(step0)}, capture_output=True, text=True, check=True).stdout
    count, duration, p50, p99, most, errors = (float(x) for x in out.split("RESULT ")[1].split())
    return {"count": int(count), "rate": count / duration, "p50": p50, "p99": p99, "max": most, "errors": errors, "cpu_us": (cpu_s(server) - cpu) * 1e6 / max(1, count)}


def batch_bodies(run, count):
    for b in range(count):
        points = [{"key": "h", "value": 1 / (1 + b * 1000 + i), "timestamp": 1700000000000 + b * 1000 + i, "step": b * 1000 + i} for i in range(1000)]
        yield json.dumps({"run_id": run, "metrics": points}).encode()


def log_batches(bench, server, client, experiment):
    run = client.call("/runs/create", experiment_id=experiment)["run"]["info"]["run_id"]
    bodies = list(batch_bodies(run, 1000))
    halves = [bodies[0::2], bodies[1::2]]
    connections = [Client(server.url) for _ in halves]

    def send(connection, part):
        for body in part:
            connection.raw("POST", API + "/runs/log-batch", body)

    cpu, began = cpu_s(server), time.perf_counter()
    threads = [threading.Thread(target=send, args=pair) for pair in zip(connections, halves)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    bench.report("log-batch of 1,000 points, 2 connections", 1e6 / seconds, "points/s", 300_000, ">=")
    bench.report("  server CPU a point", (cpu_s(server) - cpu) * 1e6 / 1e6, "us")
    return run


def histories(bench, server, client, experiment, million):
    run = client.call("/runs/create", experiment_id=experiment)["run"]["info"]["run_id"]
    for body in batch_bodies(run, 100):
        client.raw("POST", API + "/runs/log-batch", body)
    wall, cpu, _ = timed(server, 5, lambda: client.raw("GET", f"{API}/metrics/get-history?run_id={run}&metric_key=h"))
    bench.report("history of 100,000 points, wall", wall, "ms", 100)
    bench.report("  server CPU", cpu, "ms")
    path = f"/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval?run_ids={million}&metric_key=h&max_results=2500"
    wall, cpu, _ = timed(server, 20, lambda: client.raw("GET", path))
    bench.report("1,000,000 points sampled to 2,500, wall", wall, "ms", 20)
    bench.report("  server CPU", cpu, "ms")


def fill(server, experiment, count, workers=16):
    """`count` finished runs with 10 metrics, 10 parameters and 5 tags each, over the API"""
    def work(worker):
        client = Client(server.url)
        for i in range(worker, count, workers):
            began = 1700000000000 + i * 1000
            tags = [("mlflow.user", "bench"), ("mlflow.runName", f"run-{i}"), ("mlflow.source.name", "train.py"),
                    ("mlflow.source.type", "LOCAL"), ("team", f"t{i % 5}")]
            run = client.call("/runs/create", experiment_id=experiment, start_time=began,
                              tags=[{"key": k, "value": v} for k, v in tags])["run"]["info"]["run_id"]
            client.call("/runs/log-batch", run_id=run,
                        metrics=[{"key": f"m{j}", "value": ((i * 7919 + j * 104729) % 10007) / 10007, "timestamp": began, "step": 0} for j in range(10)],
                        params=[{"key": f"p{j}", "value": f"v{(i * 31 + j * 7) % 20}"} for j in range(10)])
    threads = [threading.Thread(target=work, args=(w,)) for w in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def searches(bench, server, client, count):
    experiment = client.call("/experiments/create", name=f"search {count}")["experiment_id"]
    began = time.perf_counter()
    fill(server, experiment, count)
    bench.report(f"create and fill {count:,} runs", time.perf_counter() - began, "s")
    time.sleep(2)  # the points are folded

    def search(**query):
        return lambda: client.call("/runs/search", experiment_ids=[experiment], **query)

    wanted = {"filter": "metrics.m3 > 0.5 and params.p2 = 'v7'", "order_by": ["metrics.m1 DESC"], "max_results": 100}
    if count <= 10_000:
        wall, cpu, _ = timed(server, 30, search(max_results=100))
        bench.report(f"runs/search, first 100 of {count:,}, CPU", cpu, "ms", 5)
        wall, cpu, _ = timed(server, 10, search(max_results=1000))
        bench.report(f"runs/search, page of 1,000 of {count:,}, CPU", cpu, "ms", 30)
        wall, cpu, _ = timed(server, 20, search(**wanted))
        bench.report(f"runs/search, filter and order, {count:,} runs, wall", wall, "ms")
        return
    wall, cpu, p99 = timed(server, 50, search(**wanted))
    bench.report(f"runs/search, filter and order, {count:,} runs, p50", wall, "ms", 20)
    bench.report("  p99", p99, "ms", 50)
    bench.report("  server CPU", cpu, "ms")


def send_file(connection, path):
    with open(path, "rb") as file:
        connection.sendfile(file)


def keep_file(connection, target, first=b""):
    """What comes until the end into a synced file"""
    with open(target, "wb") as file:
        file.write(first)
        while piece := connection.recv(1 << 18):
            file.write(piece)
        os.fsync(file.fileno())


def plain_copy(path, target):
    """Seconds of a copy over loopback into a synced file. Artifacts are sent and kept by the same code, so that the shares tell the server's part"""
    listener = socket.create_server(("127.0.0.1", 0))

    def receive():
        connection, _ = listener.accept()
        with connection:
            keep_file(connection, target)
            connection.sendall(b"x")

    thread = threading.Thread(target=receive)
    began = time.perf_counter()
    thread.start()
    with socket.create_connection(listener.getsockname()) as connection:
        send_file(connection, path)
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)
    thread.join()
    return time.perf_counter() - began


def answered(connection):
    """The body's first bytes of a 200"""
    head = b""
    while b"\r\n\r\n" not in head:
        piece = connection.recv(1 << 16)
        if not piece:
            raise RuntimeError(f"no answer: {head!r}")
        head += piece
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"answered {head[:200]!r}")
    return head[head.index(b"\r\n\r\n") + 4:]


def address_of(server):
    url = urllib.parse.urlsplit(server.url)
    return url.hostname, url.port


def upload(server, path, source):
    began = time.perf_counter()
    with socket.create_connection(address_of(server)) as connection:
        connection.sendall(f"PUT {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {os.path.getsize(source)}\r\n\r\n".encode())
        send_file(connection, source)
        answered(connection)
    return time.perf_counter() - began


def download(server, path, target):
    began = time.perf_counter()
    with socket.create_connection(address_of(server)) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        keep_file(connection, target, answered(connection))
    return time.perf_counter() - began


def artifacts(bench, server, client, experiment, mib=1024):
    run = client.call("/runs/create", experiment_id=experiment)["run"]["info"]["run_id"]
    folder = tempfile.mkdtemp(dir=bench.folder)
    source = os.path.join(folder, "source")
    with open(source, "wb") as file:
        for _ in range(mib):
            file.write(os.urandom(1 << 20))
    path = f"/api/2.0/mlflow-artifacts/artifacts/{experiment}/{run}/artifacts"
    before = server.resident_mib()
    peak = [before]
    stop = threading.Event()

    def watch():
        while not stop.wait(0.05):
            peak[0] = max(peak[0], server.resident_mib())

    watcher = threading.Thread(target=watch)
    watcher.start()
    ups, firsts, downs, cpu = [], [], [], 0
    back = os.path.join(folder, "back")

    def copied(original=source):
        seconds = plain_copy(original, back)
        os.unlink(back)
        return seconds

    def copied_fresh():
        """Of a file that was never in the page cache, as a large artifact is after its upload"""
        fresh = os.path.join(folder, "fresh")
        subprocess.run(["dd", f"if={source}", f"of={fresh}", "bs=1M", "oflag=direct", "status=none"], check=True)
        seconds = copied(fresh)
        os.unlink(fresh)
        return seconds

    def came(turn):
        seconds = download(server, f"{path}/big{turn}.bin", back)
        if os.path.getsize(back) != mib << 20:
            raise RuntimeError("the artifact came back shorter")
        os.unlink(back)
        return seconds

    for turn in range(5):  # in turn with the copy, as the machine's disk and memory have their moods
        plain = copied()
        cpu -= cpu_s(server)
        ups.append(plain / upload(server, f"{path}/big{turn}.bin", source))
        cpu += cpu_s(server)
        firsts.append(copied_fresh() / came(turn))
        downs.append(copied() / came(turn))
        client.raw("DELETE", f"{path}/big{turn}.bin")
    stop.set()
    watcher.join()
    bench.report(f"artifact of {mib} MiB up, share of a plain copy's speed", statistics.median(ups), "x", 0.8, ">=")
    bench.report("  server CPU, with SHA-256", cpu / len(ups), "s")
    bench.report(f"artifact of {mib} MiB down for the first time, share of a plain copy from the disk", statistics.median(firsts), "x", 0.8, ">=")
    bench.report("  again, share of a plain copy from memory", statistics.median(downs), "x", 0.8, ">=")
    bench.report("  resident memory grew by", peak[0] - before, "MiB", 32)
    shutil.rmtree(folder)


def soak(bench, server, client, experiment, seconds):
    """1,000 log calls a second: memory and descriptors at the beginning and the end"""
    runs = [client.call("/runs/create", experiment_id=experiment)["run"]["info"]["run_id"] for _ in range(20)]
    failed, stop = [0], time.monotonic() + seconds

    def facts():
        return server.resident_mib(), len(os.listdir(f"/proc/{server.process.pid}/fd"))

    def work(worker):
        connection, step = Client(server.url), 0
        while time.monotonic() < stop:
            due = time.monotonic() + 0.02
            try:
                connection.call("/runs/log-metric", run_id=runs[worker], key=f"k{step % 50}", value=step, timestamp=step, step=step)
            except RuntimeError:
                failed[0] += 1
            step += 1
            time.sleep(max(0, due - time.monotonic()))

    threads = [threading.Thread(target=work, args=(w,)) for w in range(20)]
    for thread in threads:
        thread.start()
    time.sleep(min(30, seconds / 4))
    first = facts()
    for thread in threads:
        thread.join()
    last = facts()
    bench.report(f"soak of {seconds} s at 1,000 calls/s, resident memory grew by", last[0] - first[0], "MiB", 16)
    bench.report("  descriptors grew by", last[1] - first[1], "", 0)
    bench.report("  failed calls", failed[0], "", 0)


STOCK = """
import sys, time, mlflow
mlflow.set_tracking_uri(sys.argv[1])
walls, cpu = [], 0
with mlflow.start_run():
    for i in range(300):
        mlflow.log_metric("warm", i, step=i)
    cpu = time.process_time()
    for i in range(1500):
        began = time.perf_counter()
        mlflow.log_metric("loss", i * 0.5, step=i)
        walls.append(time.perf_counter() - began)
    cpu = time.process_time() - cpu
walls.sort()
print(walls[len(walls) // 2] * 1e3, walls[int(len(walls) * 0.99)] * 1e3, cpu / len(walls) * 1e3)
"""


def stock_client(bench, server):
    """The fluent call of a training loop, from the environment of tests/clients"""
    repo = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    folder = subprocess.run([os.path.join(repo, "tools/setup"), "--print-clients"], capture_output=True, text=True, check=True).stdout.strip()
    python = os.path.join(folder, "bin/python")
    if not os.path.exists(python):
        print("stock client: left out, tools/setup --clients was not run")
        return
    done = subprocess.run([python, "-c", STOCK, server.url], capture_output=True, text=True, check=False,
                          env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"})
    if done.returncode:
        raise RuntimeError("the stock client failed: " + done.stderr[-500:])
    p50, p99, own = (float(word) for word in done.stdout.split()[-3:])
    bench.report("stock client, log_metric p50", p50, "ms", 2.5)
    bench.report("  p99", p99, "ms")
    bench.report("  the client's own CPU a call", own, "ms")


def runs_page(bench, server_class):
    """What web/e2e/runs.mjs measures; its checks are not the bench's"""
    repo = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    if not os.path.isdir(os.path.join(repo, "web/node_modules")):
        print("runs page: left out, tools/setup installs the packages of web/")
        return
    node = subprocess.run([os.path.join(repo, "tools/setup"), "--print-node"], capture_output=True, text=True, check=True).stdout.strip()
    with server_class(bench.binary, os.path.join(bench.folder, "page")) as server:
        env = {**os.environ, "MARU_URL": server.url, "MARU_E2E_ONLY": "runs", "PATH": (node + ":" if node else "") + os.environ["PATH"]}
        done = subprocess.run(["npm", "run", "--silent", "e2e"], cwd=os.path.join(repo, "web"), env=env, capture_output=True, text=True, check=False)
    rows = re.findall(r"first rows of (\d+) \((.+?)\) (\d+) ms", done.stdout)
    scrolls = re.findall(r"scroll \((.+?)\) mean (\S+) ms a frame, p95 (\S+),", done.stdout)
    if not rows or not scrolls:
        raise RuntimeError("web/e2e told no speeds: " + (done.stdout + done.stderr)[-500:])
    for count, what, ms in rows:
        bench.report(f"runs page, {int(count):,} runs, {what}, first rows", float(ms), "ms", 300)
    for what, mean, p95 in scrolls:
        bench.report(f"  scroll, {what}, a frame", float(mean), "ms", 17)  # 60 a second
        bench.report("  p95", float(p95), "ms")


def stored(client, run):
    answer = json.loads(client.raw("GET", f"{API}/metrics/get-history?run_id={run}&metric_key=wire"))
    return len(answer.get("metrics", []))


def measure(bench, server_class, many=100_000, soak_s=0):
    home = os.path.join(bench.folder, "tracking")
    with server_class(bench.binary, home) as server:
        client = Client(server.url)
        experiment = client.call("/experiments/create", name="bench")["experiment_id"]
        run = client.call("/runs/create", experiment_id=experiment)["run"]["info"]["run_id"]
        load_log_metric(bench, server, run, 8, 1, 0)
        eight = load_log_metric(bench, server, run, 8, 5, 10**6)
        yardstick = bench.yardstick()
        bench.report("log-metric, durable, 8 connections", eight["rate"], "req/s", 20_000, ">=")
        yardstick.share(eight["rate"], 20_000)
        bench.report("  server CPU a request", eight["cpu_us"], "us", 40)
        yardstick.cpu(eight["cpu_us"], 40)
        bench.report("  p50", eight["p50"], "ms")
        bench.report("  p99", eight["p99"], "ms")
        shared = client.call("/runs/create", experiment_id=experiment)["run"]["info"]["run_id"]
        crowd = load_log_metric(bench, server, shared, 1000, 5, 10**8)
        bench.report("log-metric, 1,000 writers at once", crowd["rate"], "req/s")
        bench.report("  failed", eight["errors"] + crowd["errors"], "", 0)
        bench.report("  acknowledged points that are not stored", max(0, crowd["count"] - stored(client, shared)), "", 0)
        bench.report("  p50", crowd["p50"], "ms")
        bench.report("  longest wait", crowd["max"], "ms")
        stock_client(bench, server)
        million = log_batches(bench, server, client, experiment)
        time.sleep(2)
        histories(bench, server, client, experiment, million)
        searches(bench, server, client, 10_000)
        artifacts(bench, server, client, experiment)
        if soak_s:
            soak(bench, server, client, experiment, soak_s)
        if many:
            searches(bench, server, client, many)
            time.sleep(90)  # what searches hold is dropped after a minute, by one who looks every 10 s
            bench.report("  resident memory 90 s after the last search", server.resident_mib(), "MiB", 64)
    if many:
        with server_class(bench.binary, home) as server:
            bench.report(f"start to ready with {many + 10_000:,} runs", server.seconds, "s", 0.3)
            time.sleep(2)
            bench.report("  idle resident memory", server.resident_mib(), "MiB", 64)
