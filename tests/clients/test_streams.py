"""Streams of real brokers: every event once, in the order of its partition, whatever is killed in between."""
import json
import time

import pytest
import requests

import brokers
import jars
from conftest import Server

WAIT_S = 60


@pytest.fixture(scope="module")
def kafka():
    found = jars.classpath(jars.KAFKA)
    if found is None:
        pytest.skip("there is no Kafka")
    broker = brokers.Kafka(found)
    yield broker
    broker.stop()


@pytest.fixture(scope="module")
def nats():
    if not brokers.nats_is_there():
        pytest.skip("there is no NATS server")
    broker = brokers.Nats()
    yield broker
    broker.stop()


@pytest.fixture
def maru(tmp_path):
    running = Server(tmp_path / "home")
    running.home = tmp_path / "home"
    yield running
    running.stop()


def add(server, name, address, **more):
    answer = requests.post(server.url + "/api/v1/streams", json={"name": name, "address": address, "batch_seconds": 0.3, **more}, timeout=30)
    assert answer.status_code == 201, answer.text
    return answer.json()


def wait_for(server, name, **wanted):
    """The stream's state once it has what is wanted; each condition is a value or a function"""
    end = time.monotonic() + WAIT_S
    while True:
        state = server.get(f"/api/v1/streams/{name}").json()
        if all(check(state[field]) if callable(check) else state[field] == check for field, check in wanted.items()):
            return state
        assert time.monotonic() < end, f"not {wanted}: {json.dumps(state, ensure_ascii=False)}"
        time.sleep(0.05)


def rows(server, dataset):
    out, offset = [], 0
    while True:
        page = server.get(f"/api/v1/datasets/{dataset}/rows?limit=10000&offset={offset}").json()
        names = [column["name"] for column in page["columns"]]
        out += [dict(zip(names, row)) for row in page["rows"]]
        offset += len(page["rows"])
        if offset >= page["total"]:
            return out


def events(first, last, **more):
    return [json.dumps({"id": i, "city": "서울" if i % 2 else "Oslo", **more}, ensure_ascii=False) for i in range(first, last)]


def test_kafka_events_become_rows_once(kafka, maru):
    kafka.produce("once", events(0, 5000))
    add(maru, "once", kafka.address("once"), batch_rows=700)
    wait_for(maru, "once", rows=5000)
    kafka.produce("once", events(5000, 6000))
    state = wait_for(maru, "once", rows=6000, lag=0)
    assert state["batches"] > 7 and state["dead"] == 0 and sum(one["next"] for one in state["positions"]) == 6000
    assert sorted(row["id"] for row in rows(maru, "once")) == list(range(6000))


def test_kafka_goes_on_after_a_kill_and_after_the_broker_was_away(kafka, maru):
    kafka.produce("killed", events(0, 2000))
    add(maru, "killed", kafka.address("killed"), batch_rows=100)
    again, count = maru, 2000
    for kill in range(4):  # in the middle of reading, each time after some more batches
        wait_for(again, "killed", rows=lambda n, least=min(count, 100 + 700 * kill): n >= least)
        again.process.kill()
        again.process.wait()
        kafka.produce("killed", events(count, count + 500))
        count += 500
        again = Server(maru.home)
    try:
        wait_for(again, "killed", rows=count)
        kafka.kill()
        kafka.start()
        kafka.produce("killed", events(count, count + 500))
        count += 500
        wait_for(again, "killed", rows=count, state="running")
        assert sorted(row["id"] for row in rows(again, "killed")) == list(range(count))
    finally:
        again.stop()


def test_kafka_poison_new_columns_and_wrong_types(kafka, maru):
    kafka.produce("mixed", events(0, 10))
    add(maru, "mixed", kafka.address("mixed"))
    wait_for(maru, "mixed", rows=10)
    kafka.produce("mixed", ["{broken", '{"id": "text"}', '[1]', '{"id": 99, "new": 1.5}', '{"id": 18446744073709551615}'])
    state = wait_for(maru, "mixed", rows=11, dead=4, dead_waiting=0)
    assert state["state"] == "running"
    dead = rows(maru, "mixed_dead")
    assert {row["event"] for row in dead} == {"{broken", '{"id": "text"}', "[1]", '{"id": 18446744073709551615}'}
    assert all(row["reason"] for row in dead)
    assert [row["new"] for row in rows(maru, "mixed") if row["id"] == 99] == [1.5]
    add(maru, "strict", kafka.address("mixed"), on_change="dead", columns=[{"name": "id", "type": "integer"}])
    wait_for(maru, "strict", dead=lambda n: n >= 14)


def test_kafka_csv_event_key_and_clock(kafka, maru):
    kafka.produce("lines", ['1,"a, b",2026-01-01', "2,c,2999-01-01", "1,again,2026-01-01", "3,only two", "4,d,2025-01-01"])
    add(maru, "lines", kafka.address("lines"), format="csv", event_key="id", event_time="at", future="dead",
        columns=[{"name": "id", "type": "integer"}, {"name": "name"}, {"name": "at", "type": "timestamp"}])
    state = wait_for(maru, "lines", rows=2, dead=2, duplicates=1)
    assert state["future_events"] == 1
    assert sorted(row["id"] for row in rows(maru, "lines")) == [1, 4]


def test_kafka_refusals(kafka, maru):
    add(maru, "absent", kafka.address("no.such.topic") + "?broker.address.family=v4")
    add(maru, "nowhere", "kafka://127.0.0.1:1/topic")
    assert "Kafka" in wait_for(maru, "nowhere", state="waiting")["error"]
    for address, word in (("kafka://127.0.0.1:1/t?plugin.library.paths=/tmp/x.so", "unknown option"), ("kafka://127.0.0.1:1/t?secret=none", "no such secret")):
        name = "wrong-" + word[:2]
        add(maru, name, address)
        assert word in wait_for(maru, name, state="failed")["error"]


def test_nats_events_become_rows_once(nats, maru):
    nats.make("CLICKS", "clicks.>")
    nats.publish("clicks.web", events(0, 3000))
    add(maru, "clicks", nats.address("CLICKS"), batch_rows=500)
    wait_for(maru, "clicks", rows=3000)
    maru.process.kill()
    maru.process.wait()
    nats.publish("clicks.app", events(3000, 4000) + ["not json"])
    again = Server(maru.home)
    try:
        wait_for(again, "clicks", rows=4000, dead=1)
        nats.kill()
        nats.start()
        nats.publish("clicks.web", events(4000, 4100))
        wait_for(again, "clicks", rows=4100, lag=0)
        assert [row["id"] for row in rows(again, "clicks")] == list(range(4100)), "in the order of the stream"
    finally:
        again.stop()
