"""A private MariaDB server on loopback."""
import os
import shutil
import socket
import subprocess
import tempfile
import time

PASSWORD = "s3cret/p@ss"


def binary():
    return shutil.which("mariadbd") or next((path for path in ("/usr/sbin/mariadbd", "/usr/sbin/mysqld") if os.path.exists(path)), None)


class Mariadb:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="maru-mariadb-")
        os.chmod(self.folder, 0o755)
        user = ["--user=root"] if os.getuid() == 0 else []
        subprocess.run(["mariadb-install-db", "--no-defaults", f"--datadir={self.folder}/data", "--auth-root-authentication-method=normal", *user],
                       check=True, capture_output=True)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.socket = f"{self.folder}/socket"
        self.process = subprocess.Popen([binary(), "--no-defaults", f"--datadir={self.folder}/data", f"--port={self.port}", "--bind-address=127.0.0.1",
                                         f"--socket={self.socket}", "--innodb-buffer-pool-size=32M", "--skip-name-resolve", *user], stderr=subprocess.DEVNULL)
        end = time.monotonic() + 60
        while subprocess.run(["mariadb", "--no-defaults", f"--socket={self.socket}", "-uroot", "-e", "SELECT 1"],
                             capture_output=True, check=False).returncode:
            assert self.process.poll() is None and time.monotonic() < end, "MariaDB did not start"
            time.sleep(0.1)  # there is no line to wait for
        self.run(f"CREATE DATABASE shop CHARACTER SET utf8mb4; CREATE USER reader@'%' IDENTIFIED BY '{PASSWORD}'; GRANT SELECT ON shop.* TO reader@'%'",
                 "mysql")

    def run(self, sql, database="shop"):
        done = subprocess.run(["mariadb", "--no-defaults", f"--socket={self.socket}", "-uroot", "--default-character-set=utf8mb4", database],
                              input=sql, text=True, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def url(self, password=PASSWORD):
        word = ":" + password.replace("/", "%2F").replace("@", "%40") if password else ""
        return f"mysql://reader{word}@127.0.0.1:{self.port}/shop"

    def stop(self):
        self.process.terminate()
        self.process.wait(30)
        shutil.rmtree(self.folder, ignore_errors=True)
