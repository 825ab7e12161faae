"""gRPC: one row of 14 numbers to a model of 300 trees with 31 leaves each, raw contents as tritonclient sends them, beside a call that does nothing, on the same server."""
import json
import os
import random
import re
import shutil
import struct
import subprocess

from tracking import cpu_s

LOAD_S = 5
COLUMNS, TREES, LEAVES = 14, 300, 31
INFER, NOTHING = "/inference.GRPCInferenceService/ModelInfer", "/grpc.health.v1.Health/Check"


def varint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out + bytes([number]))


def field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def infer_frame(model, values):
    tensor = field(1, b"x") + field(2, b"FP32") + field(3, varint(1) + varint(len(values)))
    message = field(1, model.encode()) + field(5, tensor) + field(7, struct.pack(f"<{len(values)}f", *values))
    return b"\0" + struct.pack(">I", len(message)) + message


def grow(rng):
    """A tree of 31 leaves in XGBoost's arrays: the leaf that is split next is any of them."""
    left, right, column, value, leaves = [-1], [-1], [0], [0.0], [0]
    while len(leaves) < LEAVES:
        at = leaves.pop(rng.randrange(len(leaves)))
        left[at], right[at], column[at], value[at] = len(left), len(left) + 1, rng.randrange(COLUMNS), rng.gauss(0, 1)
        leaves += [left[at], right[at]]
        for _ in range(2):
            left.append(-1), right.append(-1), column.append(0), value.append(rng.gauss(0, 0.1))
    none = [0] * len(left)
    return {"left_children": left, "right_children": right, "split_indices": column, "split_conditions": value, "default_left": none, "split_type": none,
            "tree_param": {"size_leaf_vector": "1"}}


def write_model(path):
    rng = random.Random(3)
    booster = {"tree_info": [0] * TREES, "trees": [grow(rng) for _ in range(TREES)]}
    learner = {"feature_names": [f"x{i}" for i in range(COLUMNS)], "gradient_booster": {"name": "gbtree", "model": booster},
               "learner_model_param": {"base_score": "5E-1", "num_class": "0", "num_feature": str(COLUMNS), "num_target": "1"}, "objective": {"name": "binary:logistic"}}
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"version": [3, 2, 0], "learner": learner}, file)


def load(server, path, frame_file, connections, calls_at_once=1, seconds=LOAD_S):
    """(requests/s, CPU microseconds a request, mean ms, failed)"""
    before = cpu_s(server)
    out = subprocess.run(["h2load", "-t1", f"-c{connections}", f"-m{calls_at_once}", f"-D{seconds}", "-d", frame_file, "-H", "content-type: application/grpc",
                          "-H", "te: trailers", server.url + path], capture_output=True, text=True, check=True).stdout
    used = cpu_s(server) - before
    done, good, bad = map(int, re.search(r"(\d+) done, (\d+) succeeded, (\d+) failed", out).groups())
    rate = float(re.search(r"([\d.]+) req/s", out).group(1))
    number, unit = re.search(r"time for request:\s+\S+\s+\S+\s+([\d.]+)(us|ms|s)", out).groups()
    mean_ms = float(number) * {"us": 1e-3, "ms": 1, "s": 1e3}[unit]
    return rate, used / max(1, good) * 1e6, mean_ms, bad + done - good - bad


def answered(server, path, frame_file, folder):
    """h2load counts every answer with HTTP status 200; whether it is a good one is in the trailers."""
    head = os.path.join(folder, "head")
    subprocess.run(["curl", "-sS", "--http2-prior-knowledge", "-H", "content-type: application/grpc", "-H", "te: trailers", "--data-binary", "@" + frame_file,
                    "-D", head, "-o", os.devnull, server.url + path], check=True)
    with open(head, encoding="utf-8") as file:
        return re.search(r"grpc-status: 0\b", file.read()) is not None


def measure(bench, server_type):
    if not shutil.which("h2load"):
        return print("grpc: left out, h2load is not installed")
    home, model_file = os.path.join(bench.folder, "numbers"), os.path.join(bench.folder, "numbers.json")
    write_model(model_file)
    bench.maru("model", "import", model_file, "--name", "numbers", home=home)
    frames = {}
    for path, content in ((INFER, infer_frame("numbers", [0.1 * i - 0.7 for i in range(COLUMNS)])), (NOTHING, bytes(5))):
        frames[path] = os.path.join(bench.folder, path.rsplit("/", 1)[1] + ".bin")
        with open(frames[path], "wb") as file:
            file.write(content)
    with server_type(bench.binary, home) as server:
        for path, frame_file in frames.items():
            if not answered(server, path, frame_file, bench.folder):
                raise RuntimeError(f"{path} is not answered")
            load(server, path, frame_file, 8, seconds=1)  # warm
        nothing = load(server, NOTHING, frames[NOTHING], 8)
        infer = load(server, INFER, frames[INFER], 8)
        many = load(server, INFER, frames[INFER], 8, 8)
        model = next(m for m in bench.get(server.url + "/v2/models/stats")["model_stats"] if m["name"] == "numbers")["inference_stats"]
    bench.report("gRPC ModelInfer, one row, 8 connections", infer[0], "req/s", 40_000, ">=")
    bench.yardstick().share(infer[0], 40_000)
    bench.report("gRPC ModelInfer, CPU of the server a call", infer[1], "us", 18)
    bench.yardstick().cpu(infer[1], 18)
    bench.report("the same for a call that does nothing", nothing[0], "req/s")
    bench.report("its CPU a call", nothing[1], "us")
    bench.report("gRPC ModelInfer, of it the model", model["compute_infer"]["ns"] / model["compute_infer"]["count"] / 1e3, "us")
    bench.report("gRPC ModelInfer, mean, 8 connections", infer[2], "ms")
    bench.report("gRPC ModelInfer, 8 connections of 8 calls", many[0], "req/s")
    bench.report("gRPC ModelInfer, their CPU a call", many[1], "us")
    bench.report("gRPC, failed requests", infer[3] + many[3] + nothing[3], "", 0)
