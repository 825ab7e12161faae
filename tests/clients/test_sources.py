"""Sources beyond files: tables of a real PostgreSQL, MariaDB and SQLite, objects of a real S3 server, files of web servers that break."""
import json
import os
import pathlib
import sqlite3
import subprocess
import types

import pytest

import jars
import mariadb
import object_store
import postgres
from conftest import BINARY, Server

WEB = {"MARU_SOURCES_ALLOWED_HOSTS": "127.0.0.1"}


def run(home, *words, env=None):
    return subprocess.run([BINARY, *words, "--home", str(home), "--json"], capture_output=True, text=True, timeout=300, check=False,
                          env={**os.environ, **(env or {})})


def take(home, *words, env=None):
    done = run(home, "data", "import", *words, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def refused(home, *words, env=None):
    done = run(home, "data", "import", *words, env=env)
    assert done.returncode != 0, done.stdout
    return done.stderr + done.stdout


def table(home, name, limit=10_000, offset=0):
    """Rows of the newest snapshot, the types of its columns, and what it says it came from"""
    server = Server(home)
    try:
        rows = server.get(f"/api/v1/datasets/{name}/rows?limit={limit}&offset={offset}").json()
        newest = server.get(f"/api/v1/datasets/{name}").json()["snapshots"][0]
    finally:
        server.stop()
    columns = [column["name"] for column in rows["columns"]]
    data = {column: [row[i] for row in rows["rows"]] for i, column in enumerate(columns)}
    return types.SimpleNamespace(**data), {column["name"]: column["type"] for column in newest["columns"]}, newest["source"]


def part_of(tmp_path, rows):
    """The bytes of a Parquet file with these rows"""
    (tmp_path / "one.csv").write_text("i,t\n" + "".join(f"{i},한\n" for i in rows), encoding="utf-8")
    take(tmp_path / f"make{rows[0]}", str(tmp_path / "one.csv"))
    files = [file for file in pathlib.Path(tmp_path, f"make{rows[0]}", "blobs").rglob("*") if file.is_file() and file.read_bytes()[:4] == b"PAR1"]
    assert len(files) == 1
    return files[0].read_bytes()


@pytest.fixture(scope="module")
def pg():
    if postgres.binaries() is None:
        pytest.skip("PostgreSQL is not installed")
    server = postgres.Postgres()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def maria():
    if mariadb.binary() is None:
        pytest.skip("MariaDB is not installed")
    server = mariadb.Mariadb()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def store():
    found = jars.classpath(jars.S3PROXY)
    if found is None:
        pytest.skip("there is no S3 server")
    server = object_store.ObjectStore(found)
    yield server
    server.stop()


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


def test_postgres_types_are_exact(pg, home):
    pg.psql("""
      CREATE TABLE kinds (id bigint PRIMARY KEY, yes boolean, small smallint, real8 double precision, price numeric(10, 2), code numeric(12, 0),
        big numeric, wide numeric(30, 0), name text, born date, seen timestamp, at timestamptz, tags jsonb, who uuid);
      INSERT INTO kinds VALUES (-9223372036854775808, true, -5, 0.1, 12.50, 123456789012, 9223372036854775808, 123456789012345678901234567890,
        E'tab\\there \\\\ 한국 😀\\nline', '2024-02-29', '2024-01-01 10:00:00.123456', '2024-01-01 10:00:00+09', '{"a": 1}', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'),
        (9223372036854775807, NULL, NULL, 'NaN', NULL, NULL, 1.5, NULL, '', NULL, NULL, NULL, NULL, NULL), (0, false, 1, 'Infinity', 0, 0, 2, 0, 'NULL', NULL,
        NULL, NULL, NULL, NULL)""")
    answer = take(home, pg.url() + "?table=kinds")
    frame, kinds, source = table(home, "kinds")
    assert postgres.PASSWORD not in json.dumps(answer) + source and "s3cret" not in source
    assert "postgresql://mlflow@127.0.0.1" in source
    assert kinds == {"id": "integer", "yes": "bool", "small": "integer", "real8": "float", "price": "float", "code": "integer", "big": "text", "wide": "text",
                     "name": "text", "born": "timestamp", "seen": "timestamp", "at": "timestamp", "tags": "text", "who": "text"}
    assert frame.id == [-2**63, 0, 2**63 - 1]
    assert frame.big == ["9223372036854775808", "2", "1.5"]
    assert frame.wide[0] == "123456789012345678901234567890" and frame.code[0] == 123456789012
    assert frame.name == ["tab\there \\ 한국 😀\nline", "NULL", ""]
    assert frame.price[0] == 12.5 and frame.real8[1] == "Infinity" and frame.real8[0] == 0.1
    assert frame.seen[0].startswith("2024-01-01T10:00:00.123456") and frame.at[0].startswith("2024-01-01T01:00:00") and frame.born[0].startswith("2024-02-29")
    assert frame.yes == [True, False, None]
    assert any("price" in note for note in answer["notes"])
    assert take(home, pg.url() + "?table=kinds")["unchanged"]


def test_postgres_parallel_ranges_are_one_state(pg, home):
    pg.psql("CREATE TABLE wide (id int PRIMARY KEY, v text); INSERT INTO wide SELECT i, md5(i::text) FROM generate_series(1, 400000) i")
    answer = take(home, pg.url() + "?table=wide")
    assert answer["rows"] == 400000 and len(answer["read"]["objects"]) > 1 and answer["read"]["rows"] == 400000
    frame, _, _ = table(home, "wide")
    assert frame.id == list(range(1, 10_001)) and table(home, "wide", offset=395_000)[0].id == list(range(395_001, 400_001))
    query = take(home, pg.url() + "?query=select id, count(*) over () as n from wide where id <= 10 order by id desc;", "--name", "few")
    assert query["rows"] == 10
    assert table(home, "few")[0].id == list(range(10, 0, -1))


def test_postgres_refusals_name_what_is_wrong(pg, home):
    pg.psql("CREATE TABLE files (id int, body bytea); INSERT INTO files VALUES (1, 'x'); CREATE TABLE nothing (a int)")
    assert "`body`" in refused(home, pg.url() + "?table=files")
    assert "did you mean `files`" in refused(home, pg.url() + "?table=filez")
    assert "no rows" in refused(home, pg.url() + "?table=nothing")
    assert "syntax error" in refused(home, pg.url() + "?query=selec 1", "--name", "x")
    before = pg.psql("SELECT count(*) FROM files")
    assert refused(home, pg.url() + "?query=delete from files returning id", "--name", "x")
    assert refused(home, pg.url() + "?query=select 1; drop table files", "--name", "x")
    assert refused(home, pg.url() + "?query=select 1) to program 'touch /tmp/x' --", "--name", "x")
    assert pg.psql("SELECT count(*) FROM files") == before
    wrong = refused(home, pg.url().replace("s3cret", "wr0ngpass") + "?table=files")
    assert "wr0ngpass" not in wrong and "password authentication failed" in wrong
    both = refused(home, pg.url())
    assert "table" in both


def test_mariadb_types_are_exact(maria, home):
    maria.run("""
      CREATE TABLE kinds (id bigint unsigned PRIMARY KEY, yes boolean, level tinyint(1), n int, price decimal(8, 2), code decimal(12, 0), x double, name varchar(50),
        born date, seen datetime(6), at timestamp NULL, doc json);
      SET time_zone = '+09:00';
      INSERT INTO kinds VALUES (18446744073709551615, 1, 3, -7, 1.25, 123456789012, 0.1, 'it''s 한국 😀', '2024-02-29', '2024-01-01 10:00:00.5', '2024-01-01 10:00:00', '{}'),
        (1, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)""")
    take(home, maria.url() + "?table=kinds")
    frame, kinds, source = table(home, "kinds")
    assert "s3cret" not in source
    assert kinds == {"id": "text", "yes": "bool", "level": "integer", "n": "integer", "price": "float", "code": "integer", "x": "float", "name": "text",
                     "born": "timestamp", "seen": "timestamp", "at": "timestamp", "doc": "text"}
    assert set(frame.id) == {"18446744073709551615", "1"}
    at = frame.id.index("18446744073709551615")
    assert frame.name[at] == "it's 한국 😀" and frame.price[at] == 1.25 and frame.x[at] == 0.1 and frame.level[at] == 3
    assert frame.at[at].startswith("2024-01-01T01:00:00") and frame.seen[at].startswith("2024-01-01T10:00:00.5")
    maria.run("CREATE TABLE raw (id int, body blob); INSERT INTO raw VALUES (1, 'x')")
    assert "`body`" in refused(home, maria.url() + "?table=raw")
    assert "did you mean" in refused(home, maria.url() + "?table=kind")
    wrong = refused(home, maria.url("wr0ngpass") + "?table=kinds")
    assert "wr0ngpass" not in wrong
    assert take(home, maria.url() + '?query=select n, "double quotes" as t from kinds where n < 0', "--name", "q")["rows"] == 1
    assert table(home, "q")[0].t == ["double quotes"]


def test_a_secret_is_kept_for_one_host(maria, home):
    maria.run("CREATE TABLE one (id int); INSERT INTO one VALUES (1)")
    done = subprocess.run([BINARY, "secret", "set", "shop-db", "--host", "127.0.0.1", "--home", str(home)], input=mariadb.PASSWORD, text=True,
                          capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    address = maria.url(password="") + "?table=one&secret=shop-db"
    assert take(home, address)["rows"] == 1
    assert mariadb.PASSWORD.encode() not in pathlib.Path(home, "maru.db").read_bytes()
    other = refused(home, address.replace("127.0.0.1", "localhost"))
    assert "another host" in other and mariadb.PASSWORD not in other
    assert "no such secret" in refused(home, address.replace("shop-db", "shop-dd"))
    assert take(home, address.replace("shop-db", "other.db"), env={"MARU_SECRET_OTHER_DB": mariadb.PASSWORD})["unchanged"]


def test_sqlite_columns_are_what_their_cells_are(home, tmp_path):
    path = tmp_path / "shop.db"
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE mixed (id INTEGER PRIMARY KEY, flag BOOLEAN, n INT, x REAL, either, code TEXT, at DATETIME)")
    db.executemany("INSERT INTO mixed VALUES (?, ?, ?, ?, ?, ?, ?)",
                   [(2**63 - 1, 1, 5, 1.5, 1, "007", "2024-01-01 10:00:00"), (1, 0, None, None, "가", "8", None)])
    db.commit()
    take(home, f"sqlite:///{path}?table=mixed")
    frame, kinds, _ = table(home, "mixed")
    assert kinds == {"id": "integer", "flag": "bool", "n": "integer", "x": "float", "either": "text", "code": "text", "at": "timestamp"}
    assert frame.id == [1, 2**63 - 1] and frame.either == ["가", "1"] and frame.code == ["8", "007"]
    assert frame.at[1].startswith("2024-01-01T10:00:00")
    assert "no such table" in refused(home, f"sqlite:///{path}?table=nothing")
    assert refused(home, f"sqlite:///{path}?query=delete from mixed", "--name", "x")
    (tmp_path / "no.db").write_text("not a database at all")
    assert "not a SQLite" in refused(home, f"sqlite:///{tmp_path}/no.db?table=a")


def csv_bytes(rows):
    return b"id,name\n" + b"".join(b"%d,name-%d-%s\n" % (i, i, b"x" * 40) for i in range(rows))


def test_web_file_survives_broken_connections(home):
    body = csv_bytes(400_000)  # 20 MB: three chunks
    web = object_store.Web({"data.csv": body}, breaks=5)
    answer = take(home, web.url("data.csv"), env=WEB)
    assert answer["rows"] == 400_000 and answer["read"]["retries"] >= 5 and answer["read"]["objects"][0]["mark"]
    assert any(one and one.startswith("bytes=8388608-") for one in web.asked), "it is read in chunks"
    assert not list(pathlib.Path(home, "tmp").glob("source-*")), "nothing is left"
    web.stop()
    plain = object_store.Web({"data.csv": body}, ranges=False, breaks=1)
    assert take(home, plain.url("data.csv"), "--name", "plain", env=WEB)["rows"] == 400_000
    plain.stop()


def test_web_file_that_changes_is_refused(home):
    for ranges in (True, False):
        files = {"data.csv": csv_bytes(400_000)}

        def change(number, files=files):
            if number == 2:  # after the first look
                files["data.csv"] = csv_bytes(400_001)
        web = object_store.Web(files, ranges=ranges, after=change)
        assert "changed while it was read" in refused(home, web.url("data.csv"), env=WEB)
        web.stop()

    def vanish(number, files=files):
        if number == 2:
            files.clear()
    files["data.csv"] = csv_bytes(400_000)
    web = object_store.Web(files, after=vanish)
    assert "disappeared" in refused(home, web.url("data.csv"), env=WEB)
    web.stop()
    assert json.loads(run(home, "data", "list").stdout)["datasets"] == []


def test_web_download_goes_on_where_it_was_cut_off(home):
    web = object_store.Web({"data.csv": csv_bytes(400_000)})
    # After the look and two chunks nobody answers any more.
    web.after = lambda number: setattr(web, "dead", number > 3)
    assert "cannot talk" in refused(home, web.url("data.csv"), env=WEB)
    web.after, web.dead, asked = None, False, len(web.asked)
    assert take(home, web.url("data.csv"), env=WEB)["rows"] == 400_000
    again = [one for one in web.asked[asked:] if one != "bytes=0-0"]
    assert 0 < len(again) < 3, "chunks that had come were not asked for again"
    web.stop()


def test_web_refusals(home):
    web = object_store.Web({"a.csv": b"a,b\n1,2\n1\n", "secret.csv": b"a\n1\n"})
    assert "private address" in refused(home, web.url("a.csv"))
    assert "not there" in refused(home, web.url("none.csv"), env=WEB)
    ragged = refused(home, web.url("a.csv"), env=WEB)
    assert web.url("a.csv") in ragged and "source-" not in ragged, "an error names the address"
    assert take(home, web.url("secret.csv") + "#secret=web", env={**WEB, "MARU_SECRET_WEB": "abc"})["rows"] == 1
    assert web.authorization == "Bearer abc"
    assert "user and password" in refused(home, web.url("a.csv").replace("//", "//u:pw0rd@"), env=WEB)
    web.stop()


def test_s3_objects_by_pattern(store, home, tmp_path):
    for i in range(3):
        store.put(f"sales/part {i}+x.parquet", part_of(tmp_path, range(i * 1000, i * 1000 + 1000)))
    store.put("sales/2026/deep.csv", "other\n1\n")
    env = store.environment()
    answer = take(home, "s3://lake/sales/part*.parquet", "--name", "sales", env=env)
    assert answer["rows"] == 3000 and [one["bytes"] > 0 for one in answer["read"]["objects"]] == [True] * 3
    assert answer["read"]["objects"][1]["name"] == "s3://lake/sales/part 1+x.parquet"
    frame, _, source = table(home, "sales")
    assert frame.i == list(range(3000)) and source == "s3://lake/sales/part*.parquet"
    assert take(home, f"s3://lake/sales/2026/?endpoint={env['AWS_ENDPOINT_URL']}&secret=minio", "--name", "deep",
                env={**WEB, "MARU_SECRET_MINIO": f"{object_store.KEY}:{object_store.SECRET}"})["rows"] == 1
    wrong = refused(home, "s3://lake/sales/part*.parquet", env={**env, "AWS_SECRET_ACCESS_KEY": "wrong-secret"})
    assert "refuses" in wrong and "wrong-secret" not in wrong
    assert "no object matches" in refused(home, "s3://lake/none*.parquet", env=env)
    assert "no key" in refused(home, "s3://lake/x", env={**WEB, "AWS_ACCESS_KEY_ID": ""})


def test_s3_many_objects_come_in_pages(store, home):
    for i in range(1100):
        store.put(f"many/{i:05}.csv", f"n\n{i}\n")
    assert take(home, "s3://lake/many/*.csv", "--name", "many", env=store.environment())["rows"] == 1100
    assert table(home, "many")[0].n == list(range(1100))


def test_a_project_reads_addresses_and_holds_no_password(pg, home, tmp_path):
    project = tmp_path / "maru.yaml"
    project.write_text(f"project: p\ndata: {{t: {{source: \"{pg.url()}?table=wide\"}}}}\npredict: {{label: v}}\n", encoding="utf-8")
    done = run(home, "run", str(project))
    assert done.returncode != 0 and "password" in done.stderr + done.stdout and "s3cret" not in done.stderr + done.stdout
