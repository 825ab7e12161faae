# Pushed events become rows: durable when answered, in small batches, once; what cannot be read is a dead letter with its reason.
server

cli
  $ maru stream add clicks --dataset visits --every 200ms --event-key id --event-time at --server $URL --json
  =json {"name": "clicks", "address": "push", "dataset": "visits", "state": "running", "rows": 0, "batch_seconds": 0.2}
  $ maru stream add clicks --server $URL
  ! maru: there is a stream of that name: clicks; maru stream remove clicks
  [1]
  $ maru stream add rows --format csv --server $URL
  ! maru: events of CSV have no header: `columns` is missing; for example --columns id:integer,price:float,name
  [1]
  $ maru stream add far kafka://u:s3cret@host/topic --server $URL
  ! maru: a stream is kept, so its address holds no password: kafka://u@host/topic; maru secret set NAME --host HOST, and secret=NAME in the address
  [1]

# A list, an object, and lines; one line is no JSON, one is known already, one lies in the future.
http POST /api/v1/streams/clicks/events
  > Idempotency-Key: first
  [{"id": 1, "at": "2026-01-01 10:00:00", "city": "서울", "n": 1}, {"id": 9223372036854775807, "at": "2026-01-01 09:00:00", "city": "Oslo"}]
  => 200
  {"accepted": 2, "duplicates": 0}

http POST /api/v1/streams/clicks/events
  > Idempotency-Key: first
  [{"id": 1, "at": "2026-01-01 10:00:00", "city": "서울", "n": 1}, {"id": 9223372036854775807, "at": "2026-01-01 09:00:00", "city": "Oslo"}]
  => 200
  {"accepted": 0, "duplicates": 2}

http GET /api/v1/streams/clicks within=20
  => 200
  {"rows": 2, "out_of_order": 1, "dead": 0, "lag": "..."}

http POST /api/v1/streams/clicks/events
  {"id": 1, "city": "Oslo"}
  {"id": 2, "at": "2999-01-01", "n": 2.5, "extra": {"a": [1]}}
  not json
  {"id": "x", "city": "text in a column of integers"}
  => 200
  {"accepted": 4, "duplicates": 0}

http GET /api/v1/streams/clicks within=20
  => 200
  {"rows": 3, "duplicates": 1, "dead": 2, "future_events": 1, "batches": "> 1", "positions": [{"partition": 0, "next": 6}]}

http GET /api/v1/datasets/visits/rows
  => 200
  {"total": 3, "columns": [{"name": "id", "type": "integer"}, {"name": "at", "type": "timestamp"}, {"name": "city", "type": "text"}, {"name": "n", "type": "float"}, {"name": "extra", "type": "text"}], "rows": [[1, "...", "서울", 1, null], [9223372036854775807, "...", "Oslo", null, null], [2, "...", null, 2.5, "{\"a\":[1]}"]]}

cli
  $ maru stream stop clicks --server $URL
  clicks  stopped  push -> visits
    rows          3 in * batches (glob)
  ...
  $ maru stream dead clicks --server $URL --json
  =json {"total": 2, "rows": [[0, 4, "(re) not JSON: .*", "text", "not json", "..."], [0, 5, "column id is integer, the event has text", "text", "...", "..."]]}

# While it is stopped events are kept; after a kill they are there.
http POST /api/v1/streams/clicks/events
  {"id": 3}
  => 200
  {"accepted": 1}

server kill

server

cli
  $ maru stream start clicks --server $URL --json
  =json {"state": "running"}

http GET /api/v1/streams/clicks within=20
  => 200
  {"rows": 4, "duplicates": 1, "dead": 2, "state": "running"}

http GET /metrics
  => 200
  ...
  maru_stream_rows_total{stream="clicks"} 4
  ...
  maru_stream_dead_total{stream="clicks"} 2
  ...

cli
  $ maru stream remove clicks --server $URL
  removed clicks; its dataset stays
  $ maru stream list --server $URL
  No streams yet.
  next: maru stream add NAME kafka://host:9092/topic
  $ maru stream show clicks --server $URL
  ! maru: no such stream: clicks; see `maru stream list`
  [4]
