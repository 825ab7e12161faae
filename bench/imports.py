"""Imports of 2,000,000 rows x 20 columns (profiles.write_taxi), and of a table four times a memory limit: imported, profiled and validated by one server within it."""
import json
import os

import profiles

LIMIT_MIB = 256


def measure(bench, shared):
    source = os.path.join(shared, "data/chicago_taxi.csv")
    if not os.path.exists(source):
        print("imports: left out, no chicago_taxi.csv in", shared)
        return
    folder = os.path.join(bench.folder, "imports")
    os.makedirs(folder, exist_ok=True)
    table, home = os.path.join(folder, "taxi.csv"), os.path.join(folder, "home")
    profiles.write_taxi(source, table)
    megabytes, cells = os.path.getsize(table) / 1e6, profiles.ROWS * profiles.COLUMNS
    run = [bench.binary, "data", "import", table, "--name", "taxi", "--home", home]
    wall, cpu, peak = profiles.best(run)
    bench.report("import of 2 M x 20, CSV", wall, "s")
    bench.report("the same, MB a CPU second", megabytes / cpu, "MB/s", 200, ">=")
    bench.report("the same, peak resident memory", peak, "MiB", LIMIT_MIB)
    parts = [os.path.join(at, name) for at, _, names in os.walk(os.path.join(home, "blobs")) for name in names]
    parquet = os.path.join(folder, "taxi.parquet")
    os.link(max(parts, key=os.path.getsize), parquet)
    wall, cpu, peak = profiles.best([*run[:3], parquet, *run[4:]])
    bench.report("import of 2 M x 20, Parquet, million cells/s", cells / wall / 1e6, "M/s", 50, ">=")
    bench.report("the same, peak resident memory", peak, "MiB")
    python = profiles.peer_python()
    if python:
        peer = profiles.best([python, "-c", "import duckdb, sys; con = duckdb.connect(); con.execute('SET threads=2'); con.execute(f\"COPY (SELECT * FROM read_csv('{sys.argv[1]}')) TO '{sys.argv[2]}' (FORMAT parquet, COMPRESSION zstd)\")",
                              table, os.path.join(folder, "peer.parquet")])
        bench.report("DuckDB: the same CSV to Parquet", peer[0], "s")
        bench.report("the same, MB a CPU second", megabytes / peer[1], "MB/s")
    if not bench.options.full:
        return
    long = os.path.join(folder, "long.csv")
    with open(table, encoding="utf-8") as file:
        head, body = file.readline(), file.read()
    with open(long, "w", encoding="utf-8") as out:
        out.write(head)
        for _ in range(-(-4 * LIMIT_MIB * 2**20 // len(body))):
            out.write(body)
    for words in (["import", long, "--name", "long"], ["profile", "long", "--json"], ["validate", "long"]):
        _, _, peak = profiles.best([bench.binary, "data", *words, "--home", home], 1)
        bench.report(f"{words[0]} of a CSV of {os.path.getsize(long) / 2**20:.0f} MiB, peak resident memory", peak, "MiB", LIMIT_MIB)
