"""A Kafka broker (KRaft, from Maven's jars) and a NATS server with JetStream (Debian's), each private and on loopback."""
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


class Kafka:
    def __init__(self, jars, partitions=3):
        self.jars, self.folder = jars, tempfile.mkdtemp(prefix="maru-kafka-")
        self.port, controller = free_port(), free_port()
        self.config = f"{self.folder}/server.properties"
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(f"process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@127.0.0.1:{controller}\n"
                       f"listeners=PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{controller}\ncontroller.listener.names=CONTROLLER\n"
                       f"advertised.listeners=PLAINTEXT://127.0.0.1:{self.port}\nlog.dirs={self.folder}/logs\nnum.partitions={partitions}\n"
                       "offsets.topic.replication.factor=1\ntransaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\n"
                       "offsets.topic.num.partitions=1\ngroup.initial.rebalance.delay.ms=0\n")
        self.java("kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c", self.config)
        self.process = None
        self.start()

    def java(self, main, *words, text=None):
        done = subprocess.run(["java", "-Xmx256m", "-cp", self.jars, main, *words], input=text, text=True, capture_output=True, check=False, timeout=300)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]

    def start(self):
        self.process = subprocess.Popen(["java", "-Xmx512m", "-cp", self.jars, "kafka.Kafka", self.config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert self.process.poll() is None and time.monotonic() < end, "Kafka did not start"
                time.sleep(0.1)  # it has no log here that says when

    def produce(self, topic, lines):
        """Sends each line as a message; to partitions in turn"""
        self.java("kafka.tools.ConsoleProducer", "--bootstrap-server", f"127.0.0.1:{self.port}", "--topic", topic, "--batch-size", "100000",
                  text="".join(line + "\n" for line in lines))

    def address(self, topic):
        return f"kafka://127.0.0.1:{self.port}/{topic}"

    def kill(self):
        self.process.kill()
        self.process.wait(30)

    def stop(self):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class Nats:
    """Its wire protocol is text, so a socket is all that publishing takes."""

    def __init__(self):
        self.folder, self.port = tempfile.mkdtemp(prefix="maru-nats-"), free_port()
        self.start()

    def start(self):
        self.process = subprocess.Popen(["nats-server", "-js", "-sd", self.folder, "-a", "127.0.0.1", "-p", str(self.port)],
                                        stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if "Server is ready" in line:
                break
        assert self.process.poll() is None, "NATS did not start"
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def publish(self, subject, messages):
        with socket.create_connection(("127.0.0.1", self.port)) as link:
            reader = link.makefile("rb")
            reader.readline()  # INFO
            out = b'CONNECT {"verbose":false,"pedantic":false}\r\n'
            for message in messages:
                body = message if isinstance(message, bytes) else message.encode()
                out += f"PUB {subject} {len(body)}\r\n".encode() + body + b"\r\n"
            link.sendall(out + b"PING\r\n")
            while not reader.readline().startswith(b"PONG"):
                pass

    def make(self, name, subject):
        self.publish(f"$JS.API.STREAM.CREATE.{name}", [json.dumps({"name": name, "subjects": [subject], "storage": "file", "num_replicas": 1,
                                                                   "retention": "limits", "max_consumers": -1, "max_msgs": -1, "max_bytes": -1})])

    def address(self, name):
        return f"nats://127.0.0.1:{self.port}/{name}"

    def kill(self):
        self.process.kill()
        self.process.wait(30)

    def stop(self):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def nats_is_there():
    return shutil.which("nats-server") is not None or os.path.exists("/usr/sbin/nats-server")
