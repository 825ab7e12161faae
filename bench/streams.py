"""Events of Kafka into a dataset, and tables of databases: a real broker (KRaft), its jars out of the local Maven repository (tests/clients/jars.py says how).

The peer of the stream is Kafka's own console consumer, which only prints the events (its start included).
"""
import json
import os
import random
import sqlite3
import sys
import time
import urllib.request

MESSAGES = 600_000
ROWS = 1_000_000

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/clients"))


def event(rng, i):
    return json.dumps({"id": i, "user": f"u{rng.randrange(50_000)}", "city": rng.choice(("서울", "부산", "Oslo", "London")), "price": round(rng.random() * 100, 2),
                       "count": rng.randrange(20), "at": f"2026-11-{1 + i % 28:02}T10:{i % 60:02}:00Z"}, ensure_ascii=False)


def post(url, body):
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    return json.load(urllib.request.urlopen(request, timeout=30))


def kafka(bench, Server):
    import brokers
    import jars
    found = jars.classpath(jars.KAFKA)
    if found is None:
        return
    broker, rng = brokers.Kafka(found), random.Random(7)
    try:
        broker.produce("bench", (event(rng, i) for i in range(MESSAGES)))
        with Server(bench.binary, os.path.join(bench.folder, "streams")) as server:
            began = time.monotonic()
            post(server.url + "/api/v1/streams", {"name": "bench", "address": broker.address("bench"), "batch_rows": 100_000, "batch_seconds": 2})
            while True:
                stream = bench.get(server.url + "/api/v1/streams/bench")
                if stream["rows"] >= MESSAGES:
                    break
                if stream["state"] == "failed" or time.monotonic() - began > 120:
                    sys.exit(f"the stream does not go on: {stream}")
                time.sleep(0.02)
            seconds = time.monotonic() - began
            assert stream["rows"] == MESSAGES and stream["dead"] == 0, stream
            bench.report("Kafka's events into a dataset, durable, each once", MESSAGES / seconds, "events/s", 100_000, ">=")
            bench.report("  resident memory of the server then", server.resident_mib(), "MiB")
        began = time.monotonic()
        broker.java("kafka.tools.ConsoleConsumer", "--bootstrap-server", f"127.0.0.1:{broker.port}", "--topic", "bench", "--from-beginning", "--max-messages", str(MESSAGES))
        bench.report("  Kafka's own console consumer, which only prints them, with its start", MESSAGES / (time.monotonic() - began), "events/s")
    finally:
        broker.stop()


def tables(bench):
    path = os.path.join(bench.folder, "orders.db")
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, price REAL, code TEXT, count INTEGER)")
        db.executemany("INSERT INTO orders VALUES (?, ?, ?, ?)", ((i, i * 0.25, f"code {i % 1000}", i % 7) for i in range(ROWS)))
    began = time.monotonic()
    bench.maru("data", "import", f"sqlite:///{path}?table=orders", home=os.path.join(bench.folder, "tables"))
    bench.report("a table of SQLite, 1,000,000 rows of 4 columns, with its types looked for first", ROWS / (time.monotonic() - began), "rows/s")


def measure(bench, Server):
    tables(bench)
    kafka(bench, Server)
