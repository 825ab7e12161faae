# A damaged database or blob is named with its path; nothing of it is served, and the rest goes on.
cli
  $ mkdir noise && head -c 8192 /dev/urandom >noise/maru.db && maru up --home noise --listen 127.0.0.1:0
  ! maru: the database file is damaged: noise/maru.db: file is not a database; .*backup.* (re)
  [1]
  $ printf 'a,b\n1,2\n' >t.csv && maru data import t.csv --name t >/dev/null && maru data import t.csv --name u >/dev/null && cp -r home pages && python3 -c 'f = open("pages/maru.db", "r+b"); f.seek(4096 * 3); f.write(b"\xff" * 81920)' && maru data list --home pages 2>err; echo "$? $(wc -l <err)"; cat err
  1 1
  maru: the database file is damaged: pages/maru.db: .*; .*backup.* (re)
  $ printf 'c,d\n3,4\n' >v.csv && maru data import v.csv --name v --json >/dev/null && for f in $(find home/blobs -type f); do chmod u+w $f; printf XXXX | dd of=$f bs=1 seek=60 conv=notrunc 2>/dev/null; done; printf 'e,f\n5,6\n' >w.csv && maru data import w.csv --name w --json >/dev/null
  $ maru data profile t
  ! maru: a part of the snapshot is gone or damaged: t@1: blob is damaged: .*/home/blobs/sha256/.*; restore the home folder from a backup (re)
  [1]
  $ maru data profile w --json
  =json {"rows": 1}

server

http GET /api/v1/datasets/v/rows
  => 500
  {"error_code": "DATA_LOSS", "message": "(re) .*blob is damaged.*", "hint": "(re) .*backup.*"}

http GET /api/v1/datasets/w/rows
  => 200
  {"rows": [[5, 6]]}

server stop
