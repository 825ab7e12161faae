# The catalogue: tags, time travel, descriptions, search, the log, the manifest; every read is in the audit trail, who and which snapshot.
file jan.csv
  id,city,fare
  1,Seoul,10
  2,Busan,20
  3,Daegu,30
file feb.csv
  id,city,fare
  1,Seoul,10
  2,busan,21
  4,Jeju,40

cli
  $ maru data import jan.csv --name sales --json && maru data import feb.csv --name sales --json
  ...
  $ maru data tag sales@1 gold
  sales@gold is snapshot @1
  $ maru data tag sales@1 3
  ! maru: not a tag: 3; a letter, then letters, digits, `.`, `_` or `-`; at most 64; not `latest`
  [1]
  $ maru data describe sales --owner Kim --description 'Fares of *taxis*' --licence CC-BY-4.0 --tag finance --column 'fare=in 1000 won' --sensitive city=address --json
  =json {"owner": "Kim", "columns": {"fare": "in 1000 won"}, "updated_by": "local"}
  $ maru data describe sales --column frae=x
  ! maru: no such column: frae in sales; did you mean `fare`?
  [4]
  $ maru data search taxis --json
  =json {"hits": [{"dataset": "sales", "where": ["description"], "owner": "Kim"}]}
  $ maru data search kim fare
  sales  owner, column fare, description
  $ maru data log sales
  snapshot  rows  added  created  tags  from
  @2 +3 +.* s ago +.*feb.csv (re)
  @1 +3 +.* s ago +gold +.*jan.csv (re)
  $ maru data profile sales@gold --json
  =json {"rows": 3, "number": 1}
  $ maru data profile sales@2199-01-01 --json
  =json {"number": 2}
  $ maru data profile sales@1999-01-01
  ! maru: no snapshot of sales is as old as 1999-01-01; see `maru data log sales`
  [4]

# What differs: by a declared key, by one that was found, by whole rows.
cli
  $ maru data diff sales@gold sales --key id
  sales@1 -> sales@2  by id
  rows: +1 -1 ~1   (0 rows in shared parts)
  city  1 rows
    id 2: Busan -> busan
  fare  1 rows
    id 2: 20 -> 21
  added, for example
    id=4  city=Jeju  fare=40
  removed, for example
    id=3  city=Daegu  fare=30
  $ maru data diff sales@1 sales@2 --json
  =json {"same": false, "key": ["id"], "key_found": true, "added": 1, "removed": 1, "changed": 1}
  $ maru data diff sales@1 sales@2 --rows --json
  =json {"key": [], "added": 2, "removed": 2, "changed": 0}
  $ maru data diff sales@1 sales@1 --gate
  sales@1 -> sales@1  whole rows
  the same rows
  $ maru data diff sales@1 sales@2 --gate --json
  ...
  [3]
  $ maru data diff sales@1 sales@2 --key it
  ! maru: no such column in both snapshots: it; did you mean `id`?
  [4]

server

http GET /api/v1/datasets/sales/manifest?snapshot=gold
  => 200
  {"manifest": {"format": 1, "rows": 3, "columns": [{"name": "id"}, {"name": "city"}, {"name": "fare"}], "parts": [{"rows": 3}]}, "tags": ["gold"], "licence": "CC-BY-4.0", "sensitive": {"city": "address"}, "profiled": true}
http GET /api/v1/datasets/sales/rows?snapshot=gold
  => 200
  {"total": 3}
http PUT /api/v1/datasets/sales/about
  {"colour": "red"}
  => 400
  {"message": "unknown key: colour"}
http DELETE /api/v1/datasets/sales/tags/gold
  => 204
http DELETE /api/v1/datasets/sales/tags/gold
  => 404
http POST /api/v1/diff
  {"before": "sales@1"}
  => 400

server stop
sql
  SELECT principal, object, detail FROM audit_entries WHERE action = 'dataset.read' ORDER BY number
  =>
  local	sales@1	profile
  local	sales@2	profile
  local	sales@1	diff
  local	sales@2	diff
  local	sales@1	diff
  local	sales@2	diff
  local	sales@1	diff
  local	sales@2	diff
  local	sales@1	diff
  local	sales@1	diff
  local	sales@1	diff
  local	sales@2	diff
  local	sales@1	diff
  local	sales@2	diff
  local	sales@1	rows
