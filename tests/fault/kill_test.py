#!/usr/bin/env python3
"""kill -9 at a random moment, again and again: what was acknowledged is there, and the interrupted run goes on where it was.

Every round starts the server on the same home, starts a run of the pipeline, imports small tables and moves an alias as fast as
answers come, kills the server, starts it again and checks. MARU_KILLS sets the rounds (default 4), MARU_SEED the moments.
"""
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time

from running import BINARY, Gone, Server

KILLS = int(os.environ.get("MARU_KILLS", "4"))
SEED = int(os.environ.get("MARU_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)
LONGEST_S = 3.0


class Client(threading.Thread):
    """Imports and moves the alias until the server is gone; keeps what was acknowledged"""

    def __init__(self, server, number, model, first_alias):
        super().__init__()
        self.server, self.number, self.model = server, number, model
        self.imported, self.alias, self.moving, self.problem = [], first_alias, None, None

    def run(self):
        try:
            for i in range(100000):
                name = f"table_{self.number}"
                rows = "a,b\n" + "".join(f"{k},{k * i + self.number}\n" for k in range(20))
                status, value = self.server.call("POST", f"/datasets/{name}/upload?filename=t.csv", rows, "text/csv")
                if status not in (429, 503):
                    assert status == 200, f"upload: {status} {value}"
                    self.imported.append((name, value["snapshot"]))
                self.moving = 1 + i % 2
                status, value = self.server.call("PUT", f"/models/{self.model}/aliases/moved", {"version": self.moving, "reason": "test"})
                assert status == 200, f"alias: {status} {value}"
                self.alias, self.moving = self.moving, None
        except Gone:
            pass
        except AssertionError as error:
            self.problem = error


def maru(home, *words, codes=(0,)):
    done = subprocess.run([BINARY, *words, "--home", home, "--json"], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode in codes, f"maru {' '.join(words)}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return json.loads(done.stdout)


def prepare(folder, rng):
    """A home with two versions of a model and the pipeline that made them"""
    home, table, project = (os.path.join(folder, n) for n in ("home", "visitors.csv", "maru.yaml"))
    with open(table, "w", encoding="utf-8") as file:
        file.write("age,plan,visits,bought\n")
        for _ in range(1500):
            age, plan, visits = round(rng.gauss(40, 12), 1), rng.choice(["free", "basic", "pro"]), rng.randrange(12)
            chance = 0.2 + 0.3 * (plan == "pro") + 0.02 * visits + 0.004 * (age - 40)
            file.write(f"{age},{plan},{visits},{int(rng.random() < chance)}\n")
    maru(home, "init", table, "--label", "bought", "--out", project)
    model = maru(home, "run", project, "--budget", "2s")["model"]
    maru(home, "run", project, "--budget", "3s", codes=(0, 3))  # 3: it is no better than the first, which a slow machine may bring about
    return home, model


def one_round(home, model, number, wait_s, known):
    """known: what earlier rounds had acknowledged (tables and the alias); returns it with this round's"""
    server = Server(home)
    pipeline = server.get("/pipelines")["pipelines"][0]["name"]
    status, started = server.call("POST", f"/pipelines/{pipeline}/runs", {})
    assert status in (200, 201, 202), f"start of a run: {status} {started}"
    run = started.get("id") or started["run"]
    client = Client(server, number, model, known["alias"])
    client.start()
    finished, end = {}, time.monotonic() + wait_s
    while time.monotonic() < end:
        for task in server.get(f"/pipeline-runs/{run}")["tasks"]:
            if task["state"] == "succeeded":
                finished[task["name"]] = task["started_us"]
        time.sleep(0.02)
    server.kill()
    client.join()
    if client.problem:
        raise client.problem

    server = Server(home)
    known["tables"] += client.imported
    names = {name for name, _ in known["tables"]}
    present = {name: {s["id"] for s in server.get(f"/datasets/{name}")["snapshots"]} for name in names}
    lost = [(name, snapshot) for name, snapshot in known["tables"] if snapshot not in present[name]]
    assert not lost, f"acknowledged snapshots are gone: {lost[:5]} of {len(known['tables'])}"
    alias = server.get(f"/models/{model}")["aliases"].get("moved")
    possible = {client.alias} | ({client.moving} if client.moving else set())
    assert alias in possible, f"alias is {alias}, acknowledged {client.alias}, in flight {client.moving}"
    value = server.settled(run)
    assert value["state"] == "succeeded", f"run {run} ended as {value['state']}: {value.get('error')}"
    again = [t["name"] for t in value["tasks"] if t["name"] in finished and t["started_us"] != finished[t["name"]]]
    assert not again, f"finished tasks were repeated: {again}"
    server.stop()
    print(f"round {number}: killed after {wait_s:.2f} s, {len(client.imported)} imports acknowledged, {len(finished)} tasks were finished", flush=True)
    return {"tables": known["tables"], "alias": alias}


def main():
    rng = random.Random(SEED)
    print(f"seed {SEED}, {KILLS} rounds", flush=True)
    passed, failed = 0, 0
    with tempfile.TemporaryDirectory(prefix="maru-kill-") as folder:
        home, model = prepare(folder, rng)
        known = {"tables": [], "alias": None}
        for number in range(KILLS):
            try:
                known = one_round(home, model, number, rng.uniform(0.05, LONGEST_S), known)
                passed += 1
            except (AssertionError, Gone) as error:
                failed += 1
                print(f"round {number}: {error}", flush=True)
                break
    print(f"kill: {passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
