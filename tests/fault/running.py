"""What the fault tests share: a server (or demo) as a process that can be killed, and calls that tell "refused" from "gone"."""
import atexit
import http.client
import json
import os
import re
import signal
import subprocess
import threading
import time

REPO = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
BINARY = os.environ.get("MARU_BIN", os.path.join(REPO, "build/release/maru"))
RESUME_S = 180


class Gone(Exception):
    """The server is not there (any more): what was asked is not acknowledged"""


class Api:
    """The API at an address"""

    def __init__(self, address):
        self.address = address

    def ask(self, method, path, body=None, headers=None):
        """(status, headers, bytes) of a request to any path"""
        connection = http.client.HTTPConnection(self.address, timeout=60)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise Gone(str(error)) from error
        finally:
            connection.close()

    def call(self, method, path, body=None, kind="application/json"):
        data = json.dumps(body) if body is not None and not isinstance(body, str) else body
        status, _, text = self.ask(method, "/api/v1" + path, data, {"Content-Type": kind} if data else {})
        return status, json.loads(text) if text else None

    def get(self, path):
        status, value = self.call("GET", path)
        assert status == 200, f"GET {path}: {status} {value}"
        return value

    def settled(self, run):
        """The run's end state; polled, for a run that was cut off has no stream to wait on"""
        end = time.monotonic() + RESUME_S
        while time.monotonic() < end:
            value = self.get(f"/pipeline-runs/{run}")
            if value["state"] not in ("pending", "running"):
                return value
            time.sleep(0.1)
        raise AssertionError(f"run {run} was still {value['state']} {RESUME_S} s after the restart: {json.dumps(value)[:2000]}")


class Server(Api):
    """`maru up` on a home, ready when it is constructed; Gone when `faults` (MARU_FAULT) ended it before"""

    def __init__(self, home, faults=""):
        self.process = subprocess.Popen([BINARY, "up", "--home", home, "--listen", "127.0.0.1:0"], env={**os.environ, "MARU_FAULT": faults},
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        atexit.register(self.end)  # also when the test fails
        self.log, address = [], None
        for line in self.process.stdout:
            self.log.append(line)
            found = re.match(r"ready http://(\S+?)/?$", line.strip())
            if found:
                address = found.group(1)
                break
        if not address:
            if faults and self.process.wait() == -signal.SIGKILL:
                raise Gone("killed before it was ready")
            raise AssertionError("no ready line:\n" + "".join(self.log[-30:]))
        super().__init__(address)
        threading.Thread(target=self.log.extend, args=(self.process.stdout,), daemon=True).start()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def end(self):
        if self.process.poll() is None:
            self.kill()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(60)
        assert code == 0, f"the server exited with {code} after SIGTERM:\n" + "".join(self.log[-20:])
