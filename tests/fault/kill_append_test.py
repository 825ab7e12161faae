#!/usr/bin/env python3
"""kill -9 while rows are appended by three callers at once and parts are merged: no row is lost, none is there twice, older snapshots stay.

Each caller appends small tables under keys of its own; what was not acknowledged is sent again under the same key after the restart.
MARU_KILLS sets the rounds (default 4), MARU_SEED the moments.
"""
import os
import random
import sys
import tempfile
import threading
import time

from running import Gone, Server

KILLS = int(os.environ.get("MARU_KILLS", "4"))
SEED = int(os.environ.get("MARU_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)
CALLERS, ROWS, LONGEST_S, PAGE = 3, 5, 2.5, 10000


class Caller(threading.Thread):
    """Appends until the server is gone; `next` is the first number that was not acknowledged"""

    def __init__(self, server, who, first):
        super().__init__()
        self.server, self.who, self.next, self.problem = server, who, first, None

    def run(self):
        try:
            while True:
                rows = "who,n\n" + "".join(f"{self.who},{self.next * ROWS + i}\n" for i in range(ROWS))
                path = f"/datasets/events/upload?filename=t.csv&append=true&key={self.who}-{self.next}"
                status, value = self.server.call("POST", path, rows, "text/csv")
                if status in (429, 503):
                    continue
                if status != 200:
                    self.problem = f"append: {status} {value}"
                    return
                self.next += 1
        except Gone:
            pass


def rows_of(server, snapshot=""):
    out, offset = [], 0
    while True:
        page = server.get(f"/datasets/events/rows?limit={PAGE}&offset={offset}{snapshot}")
        out += [tuple(row) for row in page["rows"]]
        offset += PAGE
        if offset >= page["total"]:
            assert len(out) == page["total"], f"{len(out)} rows, {page['total']} said"
            return out


def main():
    print(f"seed {SEED}, {KILLS} kills")
    rng = random.Random(SEED)
    with tempfile.TemporaryDirectory() as home:
        known, first = [0] * CALLERS, None
        for number in range(KILLS + 1):
            server = Server(home)
            callers = [Caller(server, who, known[who]) for who in range(CALLERS)]
            for caller in callers:
                caller.start()
            time.sleep(rng.uniform(0.3, LONGEST_S))
            server.kill()
            for caller in callers:
                caller.join()
                assert not caller.problem, caller.problem
            known = [caller.next for caller in callers]
            server = Server(home)
            rows = rows_of(server)
            assert len(rows) == len(set(rows)), f"round {number}: {len(rows) - len(set(rows))} rows are there twice"
            for who in range(CALLERS):
                mine = {n for w, n in rows if w == who}
                acknowledged = set(range(known[who] * ROWS))
                assert acknowledged <= mine, f"round {number}: caller {who} lost {sorted(acknowledged - mine)[:5]}"
                assert len(mine) % ROWS == 0 and len(mine) <= (known[who] + 1) * ROWS, f"round {number}: half an append is visible"
            snapshots = server.get("/datasets/events")["snapshots"]
            half = snapshots[len(snapshots) // 2]
            older = rows_of(server, f"&snapshot={half['number']}")
            assert older == rows[: half["rows"]], f"round {number}: snapshot @{half['number']} has other rows"
            first = first or rows[:ROWS]
            assert rows[:ROWS] == first, f"round {number}: the first rows changed"
            print(f"round {number}: {sum(known)} appends, {len(rows)} rows, {len(snapshots)} snapshots")
            server.kill()
    print(f"kill_append: {KILLS + 1} passed, 0 failed")  # rounds in which nothing was lost and nothing doubled
    return 0


if __name__ == "__main__":
    sys.exit(main())
