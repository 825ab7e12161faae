"""What pages listen to: a change that a client makes is told over the event stream, under the topics of what changed."""
import http.client
import json
import socket
import threading
import time
import uuid

import pytest
import requests

WAIT_S = 20


class Stream:
    """The events of some topics, as they come"""

    def __init__(self, url, *topics):
        self.connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=WAIT_S)
        self.connection.request("GET", "/api/v1/events?topics=" + ",".join(topics))
        self.socket = self.connection.sock  # the answer takes it over
        self.answer = self.connection.getresponse()
        assert self.answer.status == 200 and self.answer.headers["Content-Type"].startswith("text/event-stream")
        self.heard, self.news = set(), threading.Condition()
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()

    def listen(self):
        topic = None
        while line := self.answer.readline().decode():
            if line.startswith("event:"):
                topic = line[6:].strip()
            elif line.startswith("data:") and topic:
                assert json.loads(line[5:]) == {"type": "changed"}
                with self.news:
                    self.heard.add(topic)
                    self.news.notify_all()
            elif not line.strip():
                topic = None

    def wait_for(self, change, *topics):
        """Makes changes until all topics were told of: a topic is told at most every quarter of a second"""
        until = time.monotonic() + WAIT_S
        with self.news:
            while not set(topics) <= self.heard:
                assert time.monotonic() < until, (topics, self.heard)
                change()
                self.news.wait(0.1)

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join(WAIT_S)
        self.connection.close()


@pytest.fixture
def experiment(tracking):
    return tracking.post("/api/2.0/mlflow/experiments/create", {"name": "live " + uuid.uuid4().hex})["experiment_id"]


def test_a_run_that_goes_on(tracking, experiment):
    run = tracking.post("/api/2.0/mlflow/runs/create", {"experiment_id": experiment})["run"]["info"]["run_id"]
    stream = Stream(tracking.url, f"experiment:{experiment}", f"run:{run}", "experiment:0")
    try:
        stream.wait_for(lambda: tracking.post("/api/2.0/mlflow/runs/log-metric", {"run_id": run, "key": "m", "value": 1, "timestamp": 1}),
                        f"experiment:{experiment}", f"run:{run}")
        assert "experiment:0" not in stream.heard
    finally:
        stream.close()


def test_a_trace_that_grows(tracking, experiment):
    number = uuid.uuid4().hex
    stream = Stream(tracking.url, f"traces:{experiment}", f"trace:tr-{number}", "traces:0")
    try:
        span = {"traceId": number, "spanId": "00f067aa0ba902b7", "name": "s", "startTimeUnixNano": "1700000000000000000",
                "endTimeUnixNano": "1700000000100000000"}
        stream.wait_for(lambda: requests.post(tracking.url + "/v1/traces", json={"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]},
                                              headers={"x-mlflow-experiment-id": experiment}, timeout=30).raise_for_status(),
                        f"traces:{experiment}", f"trace:tr-{number}")
        assert "traces:0" not in stream.heard
    finally:
        stream.close()
