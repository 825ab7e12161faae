# Appending: new rows behind the old ones, older snapshots as they were; columns widen, what does not fit is refused by name.
file jan.csv
  id,price,code
  1,10,00123
  2,20,00456
file feb.csv
  id,price,code,city
  3,1.5,789,서울
file wrong.csv
  id,price,code
  x,y,1
file narrow.csv
  id,price
  4,2

cli
  $ maru data import jan.csv --name sales --append --key jan --json
  =json {"number": 1, "rows": 2, "unchanged": false}
  $ maru data import jan.csv --name sales --append --key jan --json
  =json {"number": 1, "rows": 2, "unchanged": true}
  $ maru data import feb.csv --name sales --append --json
  =json {"number": 2, "rows": 3, "columns": 4, "notes": ["price widens from integer to float", "whole numbers of code became text, as before", "new column city: missing in older rows"]}
  $ maru data import wrong.csv --name sales --append
  ! maru: columns do not fit sales@2: id (integer so far, now text), price (float so far, now text); convert them, or import the file as a snapshot of its own
  [1]
  $ maru data import narrow.csv --name sales --append
  ! maru: columns of sales@2 are not in the new rows: code, city; --fill-missing leaves them empty
  [1]
  $ maru data import narrow.csv --name sales --append --fill-missing --json
  =json {"number": 3, "rows": 4, "columns": 4}
  $ maru data import jan.csv --name sales --key jan
  ! .*--append.* (re)
  ...
  [2]

server

# Rows of every snapshot; the parent is named.
http GET /api/v1/datasets/sales/rows
  => 200
  {"total": 4, "rows": [[1, 10.0, "00123", null], [2, 20.0, "00456", null], [3, 1.5, "789", "서울"], [4, 2.0, null, null]]}
http GET /api/v1/datasets/sales/rows?snapshot=1
  => 200
  {"total": 2, "rows": [[1, 10, "00123"], [2, 20, "00456"]]}
http GET /api/v1/datasets/sales
  => 200
  {"snapshots": [{"number": 3, "rows": 4, "added_rows": 1, "parent": "(re) [0-9a-f]{64}"}, {"number": 2}, {"number": 1, "parent": ""}]}
http GET /api/v1/datasets/sales/profile
  => 200
  {"rows": 4}

http POST /api/v1/datasets/sales/upload?filename=more.csv&append=true&key=web-1
  > Content-Type: text/csv
  id,price,code,city
  5,3,9,Busan
  => 200
  {"number": 4, "rows": 5}
http POST /api/v1/datasets/sales/upload?filename=more.csv&append=true&key=web-1
  > Content-Type: text/csv
  id,price,code,city
  5,3,9,Busan
  => 200
  {"number": 4, "rows": 5, "unchanged": true}

server stop
sql
  SELECT action, object FROM audit_entries WHERE action LIKE 'dataset.%' ORDER BY number DESC LIMIT 1
  =>
  dataset.append	sales@4
