# Each bad file gets one line that says what, where and what to do, and the right exit code; nothing of it is kept.
cli
  $ maru data import nothing.csv --name x
  ! maru: no such file: $DIR/nothing.csv
  [4]
  $ : >empty.csv; maru data import empty.csv --name x
  ! maru: the file is empty: $DIR/empty.csv; a table needs a header and at least one row
  [1]
  $ echo a,b,c >header.csv; maru data import header.csv --name x
  ! maru: a header but no rows: $DIR/header.csv; a table needs at least one row
  [1]
  $ printf 'a,b\n1,2\n1,2,3\n4\n' >ragged.csv; maru data import ragged.csv --name x
  ! maru: ragged row: $DIR/ragged.csv line 3 has 3 cells, the first row has 2; quote cells that hold the delimiter, or fix the row
  [1]
  $ head -c 64 /dev/urandom >noise.parquet; maru data import noise.parquet --name x
  ! maru: .*noise.parquet.* (re)
  [1]
  $ mkdir folder; maru data import folder --name x
  ! maru: a folder, not a file: $DIR/folder; name the files: $DIR/folder/*.csv
  [1]
  $ maru data list --json
  =json {"datasets": []}

# Padding ragged rows is a choice.
cli
  $ maru data import ragged.csv --name ragged --fill-ragged --json
  =json {"rows": 3, "columns": 2}

# So is setting them apart: the good rows are kept, the others lie in NAME_dead with their line.
cli
  $ maru data import ragged.csv --name kept --ragged dead --json
  =json {"rows": 1, "columns": 2, "notes": ["2 ragged rows set apart in kept_dead"]}
  $ maru data profile kept_dead --json
  =json {"rows": 2, "columns": [{"name": "file"}, {"name": "line", "min": 3, "max": 4}, {"name": "reason"}, {"name": "row"}]}

# A packed file that would fill the disk is refused, as is one that ends early.
cli
  $ python3 -c 'print("a\n" + "1" * 300000000)' | gzip -9 >bomb.csv.gz; maru data import bomb.csv.gz --name bomb
  ! maru: .*bomb.csv.gz.* (re)
  [1]
  $ printf 'a,b\n1,2\n' | gzip | head -c 20 >cut.csv.gz; maru data import cut.csv.gz --name cut
  ! maru: damaged or cut gzip file: $DIR/cut.csv.gz; copy it again
  [1]

# The same over HTTP: the right status, the same line.
server

http POST /api/v1/datasets/x/upload?filename=ragged.csv
  > Content-Type: text/csv
  @ragged.csv
  => 400
  {"error_code": "...", "message": "(re) .*line 3 has 3 cells.*", "hint": "(re) .+"}

http POST /api/v1/datasets/x/upload?filename=header.csv
  > Content-Type: text/csv
  @header.csv
  => 400
  {"message": "(re) .*header but no rows.*"}

http GET /api/v1/datasets/x
  => 404

server stop
