"""A private PostgreSQL server on loopback, and MLflow's tables in it: made by MLflow's own SQLAlchemy models for PostgreSQL, filled from the
SQLite file that a stock MLflow wrote (its clients' environment has no driver for PostgreSQL, so psql brings the rows)."""
import glob
import importlib
import os
import pkgutil
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile

PASSWORD = "s3cret/p@ss"


def binaries():
    """The folder of PostgreSQL's server programs; None when it is not installed."""
    found = [os.path.dirname(path) for path in sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))]
    return found[-1] if found else None


class Postgres:
    def __init__(self):
        self.bin = binaries()
        self.folder = tempfile.mkdtemp(prefix="maru-postgres-")
        self.user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}  # it refuses to run as root
        if self.user:
            shutil.chown(self.folder, "postgres", "postgres")
        with open(f"{self.folder}/password", "w", encoding="utf-8") as file:
            file.write(PASSWORD)
        os.chmod(f"{self.folder}/password", 0o644)
        subprocess.run([f"{self.bin}/initdb", "-A", "scram-sha-256", "-U", "mlflow", f"--pwfile={self.folder}/password", "-E", "UTF8",
                        "--locale=C.UTF-8", "-D", f"{self.folder}/data"], cwd=self.folder, check=True, stdout=subprocess.DEVNULL, **self.user)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.process = subprocess.Popen([f"{self.bin}/postgres", "-D", f"{self.folder}/data", "-p", str(self.port), "-h", "127.0.0.1", "-k", ""],
                                        cwd=self.folder, stderr=subprocess.PIPE, text=True, **self.user)
        for line in self.process.stderr:
            if "ready to accept connections" in line:
                break
        assert self.process.poll() is None, "PostgreSQL did not start"
        self.psql("CREATE DATABASE mlflow", "postgres")

    def psql(self, sql, database="mlflow"):
        done = subprocess.run([f"{self.bin}/psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", "mlflow", "-d", database, "-q", "-v",
                               "ON_ERROR_STOP=1"], input=sql, text=True, capture_output=True, check=False, env={**os.environ, "PGPASSWORD": PASSWORD})
        assert done.returncode == 0, done.stderr
        return done.stdout

    def url(self, scheme="postgresql", database="mlflow"):
        return f"{scheme}://mlflow:{PASSWORD.replace('/', '%2F').replace('@', '%40')}@127.0.0.1:{self.port}/{database}"

    def copy(self, sqlite_path):
        """The tables of MLflow's models, and every row of the SQLite file."""
        from sqlalchemy import Enum
        from sqlalchemy.dialects import postgresql
        from mlflow.store.db.base_sql_model import Base
        for package in ("mlflow.store.tracking.dbmodels", "mlflow.store.model_registry.dbmodels"):
            for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
                if module.name == "models":
                    importlib.import_module(f"{package}.{module.name}")
        theirs = sqlite3.connect(sqlite_path)
        there = {row[0] for row in theirs.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        dialect, script = postgresql.dialect(), []
        for table in Base.metadata.sorted_tables:
            # Columns and their types; MLflow's migrations make keys and checks differently from its models, which PostgreSQL would refuse.
            columns = ", ".join(f'"{c.name}" {"VARCHAR" if isinstance(c.type, Enum) else c.type.compile(dialect=dialect)}' for c in table.columns)
            script.append(f'CREATE TABLE "{table.name}" ({columns});')
            if table.name not in there:
                continue
            names = [column.name for column in table.columns]
            listed = ", ".join(f'"{name}"' for name in names)
            script.append(f'COPY "{table.name}" ({listed}) FROM stdin;')
            for row in theirs.execute(f'SELECT {listed} FROM "{table.name}"'):
                script.append("\t".join(r"\N" if cell is None else cell_text(cell) for cell in row))
            script.append("\\.")
        theirs.close()
        self.psql("\n".join(script) + "\n")

    def stop(self):
        self.process.send_signal(signal.SIGINT)  # "fast": it ends its sessions
        self.process.wait(30)
        self.process.stderr.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def cell_text(cell):
    text = repr(cell) if isinstance(cell, float) else str(cell)
    return text.replace("\\", r"\\").replace("\t", r"\t").replace("\n", r"\n").replace("\r", r"\r")
