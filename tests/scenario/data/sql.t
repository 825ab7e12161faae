# SQL over datasets and snapshots by name; results as a table, files, a dataset; nothing else can be reached.
file sales.csv
  id,city,fare
  1,서울,10
  2,Busan,20
  3,Busan,35
file more.csv
  id,city,fare
  4,Jeju,7

cli
  $ maru data import sales.csv --name sales --json && maru data import more.csv --name sales --append --json
  ...
  $ maru sql 'SELECT city, count(*) AS n, sum(fare) AS total FROM sales GROUP BY city ORDER BY total DESC'
  city   n  total
  Busan  2     55
  서울   1     10
  Jeju   1      7
  3 rows in .* (re)
  $ maru sql 'SELECT count(*) AS n FROM "sales@1"' --json
  =json {"columns": [{"name": "n", "type": "integer"}], "rows": [[3]], "row_count": 1, "truncated": false, "inputs": [{"name": "sales@1", "number": 1}]}
  $ maru sql 'SELECT * FROM sales ORDER BY id' --csv
  id,city,fare
  1,서울,10
  2,Busan,20
  3,Busan,35
  4,Jeju,7
  $ maru sql 'SELECT id FROM sales' --limit 2 --json
  =json {"row_count": 2, "truncated": true}
  $ maru sql 'SELECT * FROM sales WHERE fare > 8' --out big.parquet && maru sql 'SELECT * FROM sales WHERE fare > 8' --out big.jsonl && head -1 big.jsonl
  big.parquet .* (re)
  big.jsonl .* (re)
  {"id":1,"city":"서울","fare":10}
  $ maru data import big.parquet --name big --json
  =json {"rows": 3, "columns": 3}
  $ maru sql 'SELECT city, sum(fare) AS total FROM sales GROUP BY city ORDER BY city' --save totals
  totals@1  3 rows
  $ maru data log totals
  ...
  @1           3         .* ago        sales@2 (re)
  $ maru sql 'SELECT * FROM slaes'
  ! maru: no such dataset: slaes; did you mean `sales`?
  [4]
  $ maru sql 'SELECT fear FROM sales'
  ! maru: .*fear.*; did you mean "fare".* (re)
  [1]
  $ maru sql "SELECT * FROM read_csv('/etc/passwd')"
  ! maru: SQL reads datasets, no files, settings or other databases: .* (re)
  [1]
  $ maru sql "COPY sales TO 'stolen.csv'"; test -e stolen.csv
  ! maru: SQL reads datasets, no files, settings or other databases: .* (re)
  [1]
  $ maru sql 'CREATE TABLE t AS SELECT 1'
  ! maru: SQL here only reads: one SELECT or EXPLAIN; keep a result with --save NAME
  [1]
  $ maru sql "ATTACH 'maru.db'"
  ! .* (re)
  [1]
  $ maru sql "INSTALL httpfs"
  ! .* (re)
  [1]
  $ maru sql 'SELECT 1; DROP TABLE sales'
  ! maru: one statement at a time, not 2
  [1]
  $ maru sql 'SELECT count(*) FROM range(100000000000) a, range(100000000000) b' --timeout 1
  ! maru: the query took longer than 1.0 s; ask for less, or allow more time with --timeout
  [5]

# A sample: exactly as many rows, the same bytes for the same seed; by key and by stratum.
file make.py
  print("id,user,kind")
  for i in range(5000):
      print(f"{i},u{i % 100},{'rare' if i % 50 == 0 else 'common'}")
cli
  $ python3 make.py > big.csv && maru data import big.csv --name events --json
  ...
  $ maru data sample events --rows 100 --out a.csv && maru data sample events --rows 100 --out b.csv && cmp a.csv b.csv && wc -l < a.csv
  ...
  101
  $ maru data sample events --rows 100 --seed 2 --out c.csv && cmp a.csv c.csv
  ...
  [1]
  $ maru data sample events --rows 100 --stratify kind --out s.csv && grep -c rare s.csv
  ...
  2
  $ maru data sample events --rows 1000 --by user --out u.csv && tail -n +2 u.csv | cut -d, -f2 | sort | uniq -c | awk '{print $1}' | sort -u
  ...
  50
  $ maru data sample events --rows 10 --out x.doc
  ! maru: unknown kind of output file: x.doc; use .csv, .jsonl or .parquet
  [1]

server

http POST /api/v1/sql
  {"sql": "SELECT id FROM sales ORDER BY id LIMIT 1"}
  => 200
  {"rows": [[1]], "columns": [{"name": "id", "type": "integer"}]}
http GET /api/v1/sql?format=csv&sql=SELECT%20city%20FROM%20sales%20ORDER%20BY%20id
  => 200
  < Content-Type: text/csv; charset=utf-8
http POST /api/v1/sql
  {"sql": "SELECT * FROM read_text('/etc/passwd')"}
  => 403
  {"error_code": "PERMISSION_DENIED"}
http POST /api/v1/sql
  {"sql": "SELECT 1", "limit": 1000000}
  => 400
http POST /api/v1/sql/nothing/cancel
  => 404
http GET /api/v1/sql/names
  => 200
  {"datasets": [{"name": "big"}, {"name": "events"}, {"name": "sales", "number": 2, "columns": [{"name": "id", "type": "integer"}, {"name": "city"}, {"name": "fare"}]}, {"name": "totals"}]}
http POST /api/v1/datasets/named/sql
  {"sql": "SELECT DISTINCT city FROM sales"}
  => 200
  {"dataset": "named", "rows": 3}
