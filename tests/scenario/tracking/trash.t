# What was deleted can be listed, taken back, or let go for good at once.
cli
  $ maru tracking trash list
  The trash is empty.
  $ maru experiment create doomed --json
  =json {"id": "1", "name": "doomed"}
  $ maru experiment create kept --json
  =json {"id": "2"}

server

http POST /api/2.0/mlflow/runs/create
  > Content-Type: application/json
  {"experiment_id": "1", "run_name": "first", "start_time": 1}
  => 200
  {"run": {"info": {"run_id": "(re) (?P<run>[0-9a-f]{32})"}}}

http POST /api/2.0/mlflow/runs/delete
  > Content-Type: application/json
  {"run_id": "${run}"}
  => 200
  {}

cli
  $ maru experiment delete doomed --json
  =json {"state": "deleted"}
  $ maru tracking trash list --json
  =json {"items": [{"kind": "(re) experiment|run", "deleted_us": "> 0", "goes_us": "> 0"}, {"kind": "(re) experiment|run"}]}
  $ maru tracking trash list
  kind        name    id            deleted  kept by
  ...
  back: maru tracking trash restore ID
  $ maru tracking trash restore nothing
  ! maru: the trash has nothing like this: nothing; see `maru tracking trash list`
  [4]
  $ maru tracking trash restore doomed
  experiment doomed is back
  $ maru runs show ${run} --json
  =json {"state": "active"}
  $ maru runs delete ${run} --json
  =json {}
  $ maru tracking trash empty --older-than 1 --json
  =json {"runs": 0, "experiments": 0}
  $ maru tracking trash restore ${run} --json
  =json {"restored": [{"kind": "run", "id": "${run}"}]}
  $ maru experiment delete doomed --json
  =json {"state": "deleted"}
  $ maru tracking trash empty
  gone for good: 1 experiments, 1 runs, 0 models, 0 traces, 0 files
  $ maru tracking trash list
  The trash is empty.
  $ maru runs show ${run}
  ! maru: Run with id=${run} not found
  [4]

http POST /api/v1/trash/restore
  > Content-Type: application/json
  {"kind": "model", "id": "m-1"}
  => 400
  {"hint": "a deleted logged model stays deleted"}

sql
  SELECT COUNT(*) FROM runs
  =>
  0
