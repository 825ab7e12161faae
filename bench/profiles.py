"""Profiles of 2,000,000 rows x 20 columns, from CSV and from Parquet, beside DuckDB's SUMMARIZE in the same minute (../shared/reference/data_peers.md).

The rows are drawn with replacement from chicago_taxi (18 columns) with a unique id and a normal column added, as the peers' are. SUMMARIZE runs where the Python
of $DATA_PEERS_PYTHON (default: this one) has duckdb; it counts, but does not list, distinct values, and knows no duplicates, moments beyond the second or pairs.
"""
import json
import os
import random
import subprocess
import sys
import time

ROWS, COLUMNS = 2_000_000, 20
LONG_ROWS, LONG_COLUMNS = 10_000_000, 12
PEER = """
import duckdb, sys, time
con = duckdb.connect(); con.execute("SET threads=2")
print(len(con.execute("SUMMARIZE SELECT * FROM " + sys.argv[1]).fetchall()))
"""


def write_taxi(source, path):
    rng = random.Random(7)
    with open(source, encoding="utf-8") as file:
        head, *rows = file.read().splitlines()
    ids = list(range(ROWS))
    rng.shuffle(ids)
    with open(path, "w", encoding="utf-8") as out:
        out.write(head + ",trip_id,noise\n")
        for i in ids:
            out.write(f"{rng.choice(rows)},T{i:08d},{rng.gauss(0, 1)!r}\n")


def write_long(path):
    """12 mixed columns"""
    rng = random.Random(11)
    words = [f"word{i}" for i in range(5000)]
    block = []
    for i in range(100_000):
        block.append(f"{rng.gauss(50, 10):.4f},{rng.random():.6f},{rng.randrange(100)},{rng.randrange(10**6)},{rng.choice(words)},{rng.choice('abcd')},"
                     f"{rng.expovariate(1):.3f},{i % 7},{'' if i % 9 == 0 else rng.randrange(1000)},2024-01-{1 + i % 28:02d},{'true' if i % 3 else 'false'}\n")
    with open(path, "w", encoding="utf-8") as out:
        out.write("id,a,b,c,d,e,f,g,h,i,j,k\n")
        for part in range(LONG_ROWS // len(block)):
            base = part * len(block)
            out.write("".join(f"{base + n},{line}" for n, line in enumerate(block)))


def timed(command):
    """(wall s, CPU s, peak MiB) of one process"""
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - began
    if status:
        raise RuntimeError(f"{command[:3]} failed: {process.stderr.read()[-500:]}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def best(command, times=3):
    return min((timed(command) for _ in range(times)), key=lambda found: found[0])


def peer_python():
    python = os.environ.get("DATA_PEERS_PYTHON", sys.executable)
    found = subprocess.run([python, "-c", "import duckdb"], capture_output=True, check=False)
    return python if found.returncode == 0 else None


def measure(bench, shared):
    source = os.path.join(shared, "data/chicago_taxi.csv")
    if not os.path.exists(source):
        print("profiles: left out, no chicago_taxi.csv in", shared)
        return
    folder = os.path.join(bench.folder, "profiles")
    os.makedirs(folder, exist_ok=True)
    table, home = os.path.join(folder, "taxi.csv"), os.path.join(folder, "home")
    write_taxi(source, table)
    json.loads(bench.maru("data", "import", table, "--name", "taxi", "--json", home=home))
    parts = [os.path.join(at, name) for at, _, names in os.walk(os.path.join(home, "blobs")) for name in names]
    parquet = os.path.join(folder, "taxi.parquet")
    os.link(max(parts, key=os.path.getsize), parquet)
    python = peer_python()
    cells = ROWS * COLUMNS
    for kind, path, target, reader in (("CSV", table, 2.9, "read_csv"), ("Parquet", parquet, 1.3, "read_parquet")):
        wall, cpu, peak = best([bench.binary, "data", "profile", path, "--json"])
        bench.report(f"full profile of 2 M x 20, {kind}", wall, "s", target)
        bench.report("the same, million cells a CPU second", cells / cpu / 1e6, "M/s", 20, ">=")
        bench.report("the same, peak resident memory", peak, "MiB", 143)
        if python is None:
            print(f"profiles: no DuckDB for Python, SUMMARIZE of the {kind} left out ($DATA_PEERS_PYTHON)")
            continue
        peer = best([python, "-c", PEER, f"{reader}('{path}')"])
        bench.report(f"DuckDB SUMMARIZE of the {kind}", peer[0], "s")
        bench.report("ratio to SUMMARIZE, wall", peer[0] / wall, "x", 3, ">=")
        bench.report("ratio to SUMMARIZE, CPU", peer[1] / cpu, "x")
    adult = os.path.join(shared, "data/adult.csv")
    if os.path.exists(adult):
        wall, _, peak = best([bench.binary, "data", "profile", adult], 5)
        bench.report("maru data profile adult.csv, cold start", wall, "s", 0.15)
        bench.report("the same, peak resident memory", peak, "MiB")
    if bench.options.full:
        path = os.path.join(folder, "long.csv")
        write_long(path)
        wall, cpu, peak = best([bench.binary, "data", "profile", path, "--json"], 1)
        bench.report("full profile of 10 M x 12, CSV", wall, "s", 10)
        bench.report("the same, million cells a CPU second", LONG_ROWS * LONG_COLUMNS / cpu / 1e6, "M/s", 20, ">=")
        bench.report("the same, peak resident memory", peak, "MiB", 512)
