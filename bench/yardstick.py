"""How fast this machine is now: what an answer of a bare epoll loop costs under the same load generator, beside what it cost where the targets come from."""
import os
import re
import shutil
import socket
import subprocess
import time

# One thread, eight connections, on the machine of the targets (2 cores, 2026-11).
THEN_CPU_US, THEN_RATE = 4.5, 176_000
SECONDS = 3


class Yardstick:
    """`cpu_us` an answer and `rate` of answers/s of a bare epoll loop here; None where there is no compiler or no wrk"""

    def __init__(self, bench):
        self.bench, self.program = bench, os.path.join(bench.folder, "bare_server")
        self.cpu_us = self.rate = None
        if shutil.which("c++") and shutil.which("wrk"):
            source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bare_server.cpp")
            subprocess.run(["c++", "-O2", "-std=c++20", "-o", self.program, source], check=True)
            self.measure()

    def measure(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        server = subprocess.Popen([self.program, str(port)])
        try:
            time.sleep(0.2)
            out = subprocess.run(["wrk", "-t1", "-c8", f"-d{SECONDS}s", f"http://127.0.0.1:{port}/"], capture_output=True, text=True, check=True).stdout
            with open(f"/proc/{server.pid}/stat", encoding="utf-8") as file:
                fields = file.read().rsplit(")", 1)[1].split()
        finally:
            server.kill()
            server.wait()
        count = int(re.search(r"(\d+) requests in", out).group(1))
        ticks = int(fields[11]) + int(fields[12])
        self.cpu_us, self.rate = ticks / os.sysconf("SC_CLK_TCK") / count * 1e6, count / SECONDS
        self.bench.report("yardstick: a bare epoll answer, CPU", self.cpu_us, "us")
        self.bench.report(f"  times that of the targets' machine ({THEN_CPU_US} us)", self.cpu_us / THEN_CPU_US, "x")

    def cpu(self, cpu_us, target_us):
        """The same figure and target, counted in bare answers"""
        if self.cpu_us:
            self.bench.report("  in bare epoll answers of this run", cpu_us / self.cpu_us, "x", target_us / THEN_CPU_US)

    def share(self, rate, target_rate):
        if self.rate:
            self.bench.report("  share of bare epoll answers/s", rate / self.rate, "x", target_rate / THEN_RATE, ">=")
