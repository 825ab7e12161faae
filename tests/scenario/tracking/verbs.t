# Experiments and runs by verb, without a server and through one.
cli
  $ maru experiment create vision/detector
  created vision/detector (id 1)
  $ maru experiment create vision/detector
  ! maru: Experiment(name=vision/detector) already exists.
  [1]
  $ maru experiment rename vision/detector vision/faces
  vision/detector is now vision/faces
  $ maru experiment show vision/face
  ! maru: no experiment has this name: vision/face; did you mean `vision/faces`?
  [4]
  $ maru experiment delete vision/faces
  vision/faces is in the trash with its runs
  undo: maru experiment restore 'vision/faces'
  $ maru experiment list --deleted --json
  =json {"experiments": [{"name": "vision/faces"}]}
  $ maru experiment restore vision/faces
  vision/faces is back with its runs
  $ maru experiment lst
  ! maru: unknown command `lst`; did you mean `list`?
  [2]
  $ maru runs list
  No runs.
  $ maru runs list --filter 'metrics.auc >'
  ! maru: Expected numeric value type for metric: .* at position 14, found the end (re)
  [1]
  $ maru runs show 0123
  ! maru: no run has an id that begins so: 0123; see `maru runs list`
  [4]

server

http POST /api/2.0/mlflow/runs/create
  > Content-Type: application/json
  {"experiment_id": "1", "run_name": "a", "start_time": 1700000000000}
  => 200
  {"run": {"info": {"run_id": "(re) (?P<a>.*)"}}}

http POST /api/2.0/mlflow/runs/create
  > Content-Type: application/json
  {"experiment_id": "1", "run_name": "b", "start_time": 1700000001000}
  => 200
  {"run": {"info": {"run_id": "(re) (?P<b>.*)"}}}

http POST /api/2.0/mlflow/runs/log-batch
  > Content-Type: application/json
  {"run_id": "${a}", "metrics": [{"key": "auc", "value": 0.7, "timestamp": 1, "step": 0}], "params": [{"key": "depth", "value": "4"}, {"key": "rate", "value": "0.1"}]}
  => 200
  {}

http POST /api/2.0/mlflow/runs/log-batch
  > Content-Type: application/json
  {"run_id": "${b}", "metrics": [{"key": "auc", "value": 0.8, "timestamp": 1, "step": 0}], "params": [{"key": "depth", "value": "8"}, {"key": "rate", "value": "0.1"}]}
  => 200
  {}

file report.txt
  all is well

cli
  $ maru runs list --order-by 'metrics.auc DESC' --columns name,metrics.auc,params.depth
  name  auc  params.depth
  b     0.8  8
  a     0.7  4
  $ maru runs list vision/faces --filter "params.depth = '4'" --json
  =json {"total": 1, "runs": [{"name": "a", "experiment": "vision/faces"}]}
  $ maru runs compare $a $b --json
  =json {"rows": [{"kind": "metrics", "key": "auc", "same": false}, {"kind": "params", "key": "depth", "values": ["4", "8"]}, {"kind": "tags", "key": "mlflow.runName"}]}
  $ maru artifact put $a report.txt notes/report.txt
  notes/report.txt  12 B  .* (re)
  $ maru artifact get $a notes/report.txt --output got.txt && cmp got.txt report.txt
  12 B → got.txt
  $ maru artifact get $a notes/none.txt
  ! maru: .* (re)
  [4]
  $ maru runs export --output runs.csv && head -1 runs.csv
  2 runs → runs.csv
  id,name,experiment,status,state,user,start_us,end_us,artifact_uri,metrics.auc,params.depth,params.rate,tags.mlflow.runName
  $ maru runs delete $a
  a  .*  is in the trash (re)
  $ maru runs list --deleted --columns name
  name
  a
  $ maru runs restore $a
  a  .*  is back (re)
