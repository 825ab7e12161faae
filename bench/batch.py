"""Batch prediction from Parquet, beside what ONNX Runtime does with the like in one thread (../shared/reference/dependencies.md).

The model is 300 trees of 31 leaves on 14 numbers, as the peers' (../shared/bench/peers/model), written as LightGBM's text: its splits are drawn, not learned, each
at a leaf that is drawn too, so the trees are as uneven as learned ones. Nothing but the binary is needed.
"""
import json
import os
import random

TREES, LEAVES, COLUMNS, ROWS = 300, 31, 14, 1_000_000
ORT_ROWS_A_THREAD = 114_000  # measured on a like machine; serving_peers.md
TARGET = 500_000


def tree_text(number, rng):
    """One tree: leaves are split one after the other, as LightGBM grows them"""
    feature, threshold, left, right = [], [], [], []
    where = {0: None}  # leaf -> (node, side) that points at it
    for node in range(LEAVES - 1):
        leaf, fresh = rng.choice(sorted(where)), node + 1
        if where[leaf] is not None:
            parent, side = where[leaf]
            side[parent] = node
        feature.append(rng.randrange(COLUMNS))
        threshold.append(round(rng.gauss(0, 1), 3))
        left.append(~leaf)
        right.append(~fresh)
        where[leaf], where[fresh] = (node, left), (node, right)
    inner = LEAVES - 1

    def line(values):
        return " ".join(str(v) for v in values)
    return (f"Tree={number}\nnum_leaves={LEAVES}\nnum_cat=0\nsplit_feature={line(feature)}\nsplit_gain={line([1] * inner)}\n"
            f"threshold={line(threshold)}\ndecision_type={line([2] * inner)}\nleft_child={line(left)}\nright_child={line(right)}\n"
            f"leaf_value={line(round(rng.gauss(0, 0.05), 6) for _ in range(LEAVES))}\nleaf_weight={line([1] * LEAVES)}\nleaf_count={line([1] * LEAVES)}\n"
            f"internal_value={line([0] * inner)}\ninternal_weight={line([1] * inner)}\ninternal_count={line([1] * inner)}\nis_linear=0\nshrinkage=1\n\n\n")


def model_text():
    rng = random.Random(7)
    names = [f"x{i}" for i in range(COLUMNS)]
    trees = [tree_text(t, rng) for t in range(TREES)]
    return ("tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\n" + f"max_feature_idx={COLUMNS - 1}\nobjective=binary sigmoid:1\n"
            + "feature_names=" + " ".join(names) + "\nfeature_infos=" + " ".join(["[-10:10]"] * COLUMNS) + "\n"
            + "tree_sizes=" + " ".join(str(len(t)) for t in trees) + "\n\n" + "".join(trees) + "end of trees\n\nend of parameters\n\npandas_categorical:null\n")


def measure(bench):
    model, home = (os.path.join(bench.folder, name) for name in ("trees.txt", "batch"))
    with open(model, "w", encoding="utf-8") as file:
        file.write(model_text())
    rng = random.Random(1)
    table, parquet = (os.path.join(bench.folder, name) for name in ("rows.csv", "rows.parquet"))
    lines = [",".join(f"{rng.gauss(0, 1):.4f}" for _ in range(COLUMNS)) for _ in range(ROWS // 20)]
    with open(table, "w", encoding="utf-8") as file:
        file.write(",".join(f"x{i}" for i in range(COLUMNS)) + "\n")
        for _ in range(20):
            rng.shuffle(lines)
            file.write("\n".join(lines) + "\n")
    bench.maru("data", "import", table, "--name", "rows", home=home)
    bench.maru("model", "import", model, "--name", "trees", "--alias", "champion", home=home)
    parts = [os.path.join(at, name) for at, _, names in os.walk(os.path.join(home, "blobs")) for name in names]
    os.link(max(parts, key=os.path.getsize), parquet)

    def run(*words):
        out = os.path.join(bench.folder, "scored.parquet")
        return json.loads(bench.maru("batch", "trees", "--input", parquet, "--output", out, "--overwrite", "--json", *words, home=home))
    run()  # warm
    found = max((run() for _ in range(5)), key=lambda job: job["rows_per_second"])
    bench.report("batch, Parquet to Parquet, all columns", found["rows_per_second"], "rows/s", TARGET, ">=")
    bench.report("the same, CPU for a million rows", found["cpu_seconds_per_million"], "s")
    bench.report("rows/s that its CPU time makes of free cores", os.cpu_count() / found["cpu_seconds_per_million"] * 1e6, "rows/s")
    bench.report("ratio to ONNX Runtime on as many threads", found["rows_per_second"] / (ORT_ROWS_A_THREAD * os.cpu_count()), "x")
    alone = max((run("--columns", "none") for _ in range(3)), key=lambda job: job["rows_per_second"])
    bench.report("batch, the answers alone", alone["rows_per_second"], "rows/s")
    text = json.loads(bench.maru("batch", "trees", "--input", table, "--output", os.path.join(bench.folder, "scored.csv"), "--json", home=home))
    bench.report("batch, CSV to CSV", text["rows_per_second"], "rows/s")
