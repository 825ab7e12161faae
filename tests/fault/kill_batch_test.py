#!/usr/bin/env python3
"""kill -9 in the midst of a batch, again and again: the next try goes on behind the last shard on disk, and the output is that of an undisturbed one, byte for byte.

Once by command alone, once with a server that is killed and started again. MARU_KILLS sets the kills of each way (default 4), MARU_SEED the moments.
"""
import json
import os
import random
import subprocess
import sys
import tempfile

from running import BINARY, Gone, Server

KILLS = int(os.environ.get("MARU_KILLS", "4"))
SEED = int(os.environ.get("MARU_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)
ROWS, SHARD = 30000, 1000
STEPS = 4 * ROWS // SHARD  # durable steps of the files, about: rows, bad rows, journal


def maru(home, *words, faults="", check=True):
    done = subprocess.run([BINARY, *words, "--home", home, "--json"], capture_output=True, text=True, timeout=300, check=False,
                          env={**os.environ, "MARU_FAULT": faults})
    assert not check or done.returncode == 0, f"maru {' '.join(words)}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return json.loads(done.stdout) if done.returncode == 0 else done.returncode


def prepare(folder, rng):
    """A home with a model, a large input with some bad rows, and what an undisturbed batch makes of it"""
    home, table, project, large = (os.path.join(folder, n) for n in ("home", "visitors.csv", "maru.yaml", "large.csv"))

    def row():
        age, plan, visits = round(rng.gauss(40, 12), 1), rng.choice(["free", "basic", "pro"]), rng.randrange(12)
        return age, plan, visits, int(rng.random() < 0.2 + 0.3 * (plan == "pro") + 0.02 * visits)

    for path, rows in ((table, 1500), (large, ROWS)):
        with open(path, "w", encoding="utf-8") as file:
            file.write("age,plan,visits,bought\n")
            for number in range(rows):
                age, plan, visits, bought = row()
                file.write(f"{'old' if path == large and number % 701 == 3 else age},{plan},{visits},{bought}\n")
    maru(home, "init", table, "--label", "bought", "--out", project)
    model = maru(home, "run", project, "--budget", "2s")["model"]
    return home, model, large


def contents(output):
    return [open(path, "rb").read() for path in (output, output + ".errors.csv")]


def by_command(home, words, output, whole, rng):
    resumed = 0
    for number in range(KILLS):
        code = maru(home, *words, "--output", output, faults=f"append.write:{rng.randrange(8, STEPS // KILLS)}:kill", check=False)
        assert code == -9, f"kill {number}: exit {code}"
        assert not os.path.exists(output), "an output that is not whole can be seen"
    done = maru(home, *words, "--output", output)
    resumed = done["resumed_rows"]
    assert resumed > 0 and resumed % SHARD == 0, f"resumed {resumed} rows"
    assert contents(output) == whole, "the bytes are not those of an undisturbed batch"
    return resumed


def by_server(home, model, large, output, whole, rng):
    run = None
    for number in range(KILLS):
        try:
            server = Server(home, faults=f"append.write:{rng.randrange(8, STEPS // KILLS)}:kill")
            if run is None:
                status, job = server.call("POST", "/batch", {"model": model, "input": [large], "output": output, "shard_rows": SHARD})
                assert status == 201, f"{status} {job}"
                run = job["id"]
            server.process.wait(60)
        except Gone:
            pass  # it was killed as soon as it went on with the job
        assert not os.path.exists(output), "an output that is not whole can be seen"
    server = Server(home)
    assert run is not None
    value = server.settled(run)
    assert value["state"] == "succeeded", f"the job ended as {value['state']}: {value['error']}"
    job = server.get("/batch/" + run)
    server.stop()
    assert job["resumed_rows"] > 0, "nothing was gone on with"
    assert contents(output) == whole, "the bytes are not those of an undisturbed batch"
    return job["resumed_rows"]


def changed_input(home, words, large, output):
    """What was scored of another input does not count"""
    code = maru(home, *words, "--output", output, faults=f"append.write:{STEPS // 2}:kill", check=False)
    assert code == -9, f"exit {code}"
    with open(large, "a", encoding="utf-8") as file:
        file.write("33.5,pro,4,1\n")
    done = maru(home, *words, "--output", output)
    assert done["resumed_rows"] == 0 and done["rows"] == ROWS + 1, done
    assert "the input changed" in done["note"], done
    return 0


def main():
    rng = random.Random(SEED)
    print(f"seed {SEED}, {KILLS} kills a way", flush=True)
    passed, failed = 0, 0
    with tempfile.TemporaryDirectory(prefix="maru-batch-") as folder:
        home, model, large = prepare(folder, rng)
        for kind in ("csv", "parquet"):
            words = ("batch", model, "--input", large, "--shard-rows", str(SHARD))
            whole_path = os.path.join(folder, "whole." + kind)
            done = maru(home, *words, "--output", whole_path)
            assert done["rows"] == ROWS and done["failed"] == len(range(3, ROWS, 701)), done
            whole = contents(whole_path)
            for way, call in (("command", lambda path: by_command(home, words, path, whole, rng)),
                              ("server", lambda path: by_server(home, model, large, path, whole, rng))):
                try:
                    resumed = call(os.path.join(folder, f"{way}.{kind}"))
                    passed += 1
                    print(f"{way}, {kind}: {KILLS} kills, {resumed} of {ROWS} rows were there at the last try", flush=True)
                except (AssertionError, Gone) as error:
                    failed += 1
                    print(f"{way}, {kind}: {error}", flush=True)
        try:
            changed_input(home, words, large, os.path.join(folder, "changed.csv"))
            passed += 1
        except AssertionError as error:
            failed += 1
            print(f"changed input: {error}", flush=True)
    print(f"kill_batch: {passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
