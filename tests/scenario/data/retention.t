# How long snapshots live: a dry run first, tags and the newest stay, rows that are to be forgotten leave every snapshot.
file make.sh
  for i in 1 2 3 4; do printf 'id,email\n1,kim@x.kr\n2,lee@x.kr\n%s,new@x.kr\n' "1$i" > t.csv; maru data import t.csv --name people --json >/dev/null; done
  printf 'id,email\n3,ada@x.kr\n' > more.csv; maru data import more.csv --name people --append --json >/dev/null
  maru data tag people@2 gold

cli
  $ sh make.sh
  people@gold is snapshot @2
  $ maru data retention people
  people keeps every snapshot
  $ maru data gc --dry-run
  0 snapshots would go, 0 parts, 0 B freed
  $ maru data retention people --keep-last 1
  people keeps the last 1; always the newest, tagged ones and models' data
  $ maru data retention people --keep-last 1 --window id=30
  ! maru: not a column of times: id; a rolling window needs a date or a time
  [1]
  $ maru data gc people --dry-run --json
  =json {"dry_run": true, "snapshots": 3, "steps": [{"number": 1, "drop": true}, {"number": 2, "drop": false, "reason": "tagged gold"}, {"number": 3, "drop": true}, {"number": 4, "drop": true}, {"number": 5, "drop": false, "reason": "the newest"}]}
  $ maru data profile people@1 --json
  ...
  $ maru data gc people --json
  =json {"dry_run": false, "snapshots": 3, "parts": 0, "waiting": 2}
  $ maru sql 'SELECT count(*) AS n FROM people' --json
  =json {"rows": [[4]]}
  $ maru sql 'SELECT count(*) AS n FROM "people@gold"' --json
  =json {"rows": [[3]]}
  $ maru data profile people@1
  ! maru: the rows of people@1 are gone: retention: no rule keeps it; see `maru data log people`
  [1]
  $ maru data erase people --column email --value kim@x.kr
  ! maru: an erasure cannot be undone; say --yes
  [1]
  $ maru data erase people --column email --value kim@x.kr --yes --json
  =json {"number": 6, "rows": 1, "dropped": [2, 5], "models": []}
  $ maru sql 'SELECT count(*) AS n FROM people' --json
  =json {"rows": [[3]]}
  $ maru data profile people@gold
  ! maru: no such snapshot: people@gold; the newest is people@6
  [4]
  $ find home/blobs -type f | wc -l
  1
  $ maru data import t.csv --name people --append --json
  =json {"number": 7, "rows": 6}
