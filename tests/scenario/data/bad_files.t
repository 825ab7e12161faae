# Each bad file gets one line that says what, where and what to do, and the right exit code.
cli
  $ maru data import nothing.csv --name x
  [4]
  $ : >empty.csv; maru data import empty.csv --name x
  [1]
  $ echo a,b,c >header.csv; maru data import header.csv --name x
  [1]
  $ printf 'a,b\n1,2\n1,2,3\n4\n' >ragged.csv; maru data import ragged.csv --name x
  [1]
  $ head -c 64 /dev/urandom >noise.parquet; maru data import noise.parquet --name x
  [1]
  $ mkdir folder; maru data import folder --name x
  [1]
  $ maru data list --json
  =json {"datasets": []}
