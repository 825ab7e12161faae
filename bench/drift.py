"""Drift of a million rows against a million, as ../shared/reference/data_peers.md measured its peers: bootstrapped rows of chicago_taxi, an id and a normal column.

Evidently took 95 s for this on a like machine. The pair is compared as two CSV files, as two snapshots (Parquet) with the HTML report, and by stored profiles alone.
"""
import json
import os
import random
import statistics
import time

ROWS = 1_000_000


def write_side(source, target, seed):
    rng = random.Random(seed)
    with open(source, encoding="utf-8") as file:
        head, *lines = file.read().splitlines()
    with open(target, "w", encoding="utf-8") as out:
        out.write(head + ",trip_id,noise\n")
        for first in range(0, ROWS, 100_000):
            out.writelines(f"{line},T{seed}{first + i:07d},{rng.gauss(0, 1)!r}\n" for i, line in enumerate(rng.choices(lines, k=100_000)))


def measure(bench, shared):
    source = os.path.join(shared, "data/chicago_taxi.csv")
    if not os.path.exists(source):
        return print("drift: left out, ../shared/data has no chicago_taxi.csv")
    home, sides = os.path.join(bench.folder, "drift"), []
    for seed, name in ((1, "old"), (2, "new")):
        sides.append(os.path.join(bench.folder, name + ".csv"))
        write_side(source, sides[-1], seed)
        bench.maru("data", "import", sides[-1], "--name", "taxi", home=home)
    report = os.path.join(bench.folder, "drift.html")

    def timed(*words):  # with HTML nothing is taken from what was stored
        seconds = []
        for _ in range(3):
            began = time.monotonic()
            bench.maru("data", "compare", *words, "--json", home=home)
            seconds.append(time.monotonic() - began)
        return statistics.median(seconds)
    bench.report("drift, 1 M x 1 M rows of 20 columns from snapshots, with HTML", timed("taxi@1", "taxi@2", "--html", report), "s", 2)
    bench.report("the same from two CSV files", timed(*sides, "--html", report), "s")
    for number in (1, 2):
        bench.maru("data", "profile", f"taxi@{number}", home=home)
    with_columns = timed("taxi@1", "taxi@2", "--profiles")
    columns = len(json.loads(bench.maru("data", "compare", "taxi@1", "taxi@2", "--profiles", "--json", home=home))["columns"])
    bench.report("drift of two profiled snapshots, a column, with the start of the program", with_columns / columns * 1000, "ms", 5)
