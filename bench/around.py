"""What stands around the model: explanations, and features looked up by key (docs/serving.md)."""
import json
import os
import random
import urllib.request

KEYS = 200_000


def put(url, body):
    request = urllib.request.Request(url, method="PUT", data=json.dumps(body).encode(), headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.loads(answer.read())


def measure(bench, server_class):
    with server_class(bench.binary, bench.flights()) as server:
        endpoint = bench.get(server.url + "/api/v1/endpoints")["endpoints"][0]
        url = f"{server.url}/api/v1/endpoints/{endpoint['name']}"
        inputs = bench.get(f"{server.url}/api/v1/models/{endpoint['model']}/signature")["inputs"]
        row = {i["name"]: i["example"] for i in inputs}
        plain = bench.wrk(url + "/predict", 8, json.dumps({"instances": [row]}))
        why = bench.wrk(url + "/predict", 1, json.dumps({"instances": [row], "explain": True}))
        bench.report("explained prediction p50, 1 connection", why[1], "ms", 1)
        bench.report("explained predictions, failed requests", why[3], "", 0)

        # All numbers of the model out of a dataset of 200,000 keys: one row a call, then a hundred with a key each.
        columns = [i["name"] for i in inputs if i["kind"] in ("number", "integer")]
        path = os.path.join(bench.folder, "keys.csv")
        draw = random.Random(1)
        with open(path, "w", encoding="utf-8") as file:
            file.write(",".join(["bench_key", *columns]) + "\n")
            for key in range(KEYS):
                file.write(",".join([f"key-{key}", *(str(row[c] if draw.random() < 0.5 else 0) for c in columns)]) + "\n")
        bench.maru("data", "import", path, "--name", "bench-keys", "--server", server.url)
        features = put(url, {"model": endpoint["model"], "route": endpoint["route"],
                             "features": {"dataset": "bench-keys", "key": "bench_key", "columns": columns}})["features"]
        bench.report(f"memory of {KEYS:,} keys with {len(columns)} columns", features["bytes"] / 2**20, "MiB")
        rows = [{**{k: v for k, v in row.items() if k not in columns}, "bench_key": f"key-{draw.randrange(KEYS)}"} for _ in range(100)]
        looked = bench.wrk(url + "/predict", 8, json.dumps({"instances": rows[:1]}))
        many = bench.wrk(url + "/predict", 1, json.dumps({"instances": rows}))
        after = bench.get(url)
        stage = next(s for s in after["stages"] if s["name"] == "features")
        bench.report("features of a row by key, p50 of the stage", stage["p50_us"], "us", 50)
        bench.report("features of 1 and of 100 rows, p99 of the stage", stage["p99_us"], "us")
        bench.report("predict by key against all columns sent", looked[0] / plain[0], "x")
        bench.report("lookups, failed requests", looked[3] + many[3], "", 0)
        bench.report("lookups, keys not found", after["features"]["missing"], "rows", 0)
