# What is about persons is found in files and datasets, told masked, and protected on the way into a copy; the key of the home opens tokens and nothing else does.
file people.csv
  id,email,전화,memo,amount
  1,jane@example.com,010-1234-5678,fine,10
  2,kim@example.org,010-2222-3333,call 010-9876-5432,20
  3,lee@example.com,010-3333-4444,late,30
  4,park@example.net,02-123-4567,call 010-1111-2222,40
  5,choi@example.com,+82-10-5555-6666,fine,50
  6,jung@example.com,010-7777-8888,mail a@b.org or 010-1212-3434,60
  7,,010-9999-0000,,70

cli
  $ maru data sensitive people.csv | head -2
  people.csv  7 rows
  column  holds .* (re)
  $ maru data sensitive people.csv --json
  =json {"rows": 7, "findings": [{"column": "email", "kind": "email", "matched": 6}, {"column": "전화", "kind": "phone", "matched": 7, "named": true, "action": "mask"}, {"column": "memo", "kind": "phone", "inside": 3}]}
  $ maru data sensitive people.csv --json | grep -c "jane@example.com"
  0
  [1]
  $ maru data import people.csv --name people --json
  =json {"rows": 7}
  $ maru data protect people --json
  =json {"dataset": "people_protected", "number": 1, "rows": 7}
  $ maru data show people_protected --json
  =json {"snapshots": [{"rows": 7, "source": "people@1"}]}
  $ maru data protect people --column email=token --column memo=drop --into people_token --json
  =json {"dataset": "people_token", "rows": 7, "columns": ["email", "memo"]}
  $ maru data protect people --column mail=hash
  ! maru: no such column: mail; did you mean `email`?
  [1]
  $ maru data protect people --column email=hsh
  ! maru: unknown protection: hsh; did you mean `hash`?
  [1]
  $ maru data protect people --into people
  ! maru: the protected rows need a dataset of their own; .* (re)
  [1]
  $ maru data reveal t_bm90aGluZw==
  ! maru: a sealed secret cannot be read: .* (re)
  ! ...
  [1]

sql
  SELECT count(*) FROM audit_entries WHERE action IN ('dataset.protect', 'token.reveal')
  =>
  3
