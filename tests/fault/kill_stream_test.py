#!/usr/bin/env python3
"""kill -9 while events stream in: what was acknowledged becomes a row, once; a dead letter is one dead letter.

First at sync points: a server that kills itself at its n-th durable step (MARU_FAULT) while events are pushed and batches are appended, for n
spread over the steps of one round; MARU_POINTS of them (default 8). Then at random moments: MARU_KILLS rounds (default 4) on one home that
lives on. MARU_SEED chooses the moments. Every request is sent again with its own key until it is answered, as a client would.
"""
import json
import os
import random
import shutil
import tempfile
import threading
import time

from running import Gone, Server

KILLS, POINTS = int(os.environ.get("MARU_KILLS", "4")), int(os.environ.get("MARU_POINTS", "8"))
SEED = int(os.environ.get("MARU_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)
REQUESTS, EVENTS = 12, 25  # of a round
LONGEST_S = 1.5
WAIT_S = 60


class Sender:
    """Pushes events with numbers of its own; `sent` are acknowledged"""

    def __init__(self):
        self.next, self.dead, self.request, self.pending = 0, 0, 0, None

    def send(self, server):
        if self.pending is None:
            lines = [json.dumps({"id": i, "text": f"사건 {i}"}, ensure_ascii=False) for i in range(self.next, self.next + EVENTS)]
            self.pending = (f"request-{self.request}", "\n".join(lines[:10] + [f"poison {self.request}"] + lines[10:]))
        key, body = self.pending
        status, _, text = server.ask("POST", "/api/v1/streams/events/events", body.encode(), {"Content-Type": "application/x-ndjson", "Idempotency-Key": key})
        assert status == 200, text
        answer = json.loads(text)
        assert answer["accepted"] + answer["duplicates"] == EVENTS + 1, answer
        self.next, self.dead, self.request, self.pending = self.next + EVENTS, self.dead + 1, self.request + 1, None


def rows(server, dataset):
    out, total = [], 1
    while len(out) < total:
        page = server.get(f"/datasets/{dataset}/rows?limit=10000&offset={len(out)}")
        total, columns = page["total"], [column["name"] for column in page["columns"]]
        out += [dict(zip(columns, row)) for row in page["rows"]]
    return out


def verify(server, sender):
    """Everything is there, once, and in order"""
    end = time.monotonic() + WAIT_S
    while True:
        stream = server.get("/streams/events")
        if stream["rows"] == sender.next and stream["dead"] == sender.dead and stream["lag"] == 0:
            break
        assert time.monotonic() < end, f"of {sender.next} rows and {sender.dead} dead letters: {stream}"
        time.sleep(0.05)
    found = [row["id"] for row in rows(server, "events")]
    assert found == list(range(sender.next)), f"{sender.next} events, {len(found)} rows, {len(set(found))} different"
    status, _ = server.call("POST", "/streams/events/stop")  # what waits of the dead letters goes to its dataset
    assert status == 200
    dead = [row["event"] for row in rows(server, "events_dead")]
    assert sorted(dead) == sorted(f"poison {i}" for i in range(sender.dead)), f"{sender.dead} dead letters, {len(dead)} rows"
    assert server.call("POST", "/streams/events/start")[0] == 200


def add(server):
    status, answer = server.call("POST", "/streams", {"name": "events", "batch_seconds": 0.05, "batch_rows": 60})
    assert status in (201, 409), answer


def round_of(server, sender, kill_after_s=None):
    """True when the server lived to the end"""
    if kill_after_s is not None:  # also in the middle of an answer or of a batch
        timer = threading.Timer(kill_after_s, server.kill)
        timer.daemon = True
        timer.start()
    try:
        add(server)
        for _ in range(REQUESTS):
            sender.send(server)
        while kill_after_s is not None:
            sender.send(server)
        while server.get("/streams/events")["lag"] != 0:
            time.sleep(0.02)
    except Gone:
        server.process.wait()
        return False
    return True


def at_sync_points(rng):
    killed = 0
    for turn in range(POINTS):
        folder = tempfile.mkdtemp(prefix="maru-kill-stream-")
        sender, point = Sender(), 10 + (turn * 120) // POINTS + rng.randrange(0, 12)
        try:
            lived = round_of(Server(folder + "/home", f"*:{point}:kill"), sender)
        except Gone:
            lived = False
        killed += not lived
        server = Server(folder + "/home")
        round_of(server, sender)
        verify(server, sender)
        server.stop()
        shutil.rmtree(folder)
    assert killed >= POINTS // 2, f"only {killed} of {POINTS} were killed"
    return killed


def at_random_moments(rng):
    folder, sender = tempfile.mkdtemp(prefix="maru-kill-stream-"), Sender()
    for _ in range(KILLS):
        server = Server(folder + "/home")
        round_of(server, sender, kill_after_s=rng.uniform(0, LONGEST_S))
        if server.process.poll() is None:
            server.kill()
    server = Server(folder + "/home")
    round_of(server, sender)
    verify(server, sender)
    server.stop()
    shutil.rmtree(folder)
    return sender.next


if __name__ == "__main__":
    chance = random.Random(SEED)
    print(f"seed {SEED}")
    print(f"killed at {at_sync_points(chance)} of {POINTS} sync points: no event lost, none doubled")
    print(f"killed at {KILLS} moments: {at_random_moments(chance)} events, none lost, none doubled")
    print(f"kill_stream: {POINTS + KILLS} passed, 0 failed")
