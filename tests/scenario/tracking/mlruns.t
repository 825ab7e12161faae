# An mlruns folder comes in whole; a second time brings nothing; damage is named and the exit code says so.
file mlruns/7/meta.yaml
  artifact_location: file:///gone/7
  creation_time: 1700000000000
  experiment_id: '7'
  last_update_time: 1700000000500
  lifecycle_stage: active
  name: vision/detector

file mlruns/7/0123456789abcdef0123456789abcdef/meta.yaml
  artifact_uri: file:///gone/7/0123456789abcdef0123456789abcdef/artifacts
  end_time: 1700000061000
  entry_point_name: ''
  experiment_id: '7'
  lifecycle_stage: active
  run_id: 0123456789abcdef0123456789abcdef
  run_name: first
  start_time: 1700000001000
  status: 3
  tags: []
  user_id: min

file mlruns/7/0123456789abcdef0123456789abcdef/metrics/loss
  1700000002000 0.5 1
  1700000001000 1.0 0

file mlruns/7/0123456789abcdef0123456789abcdef/params/depth
  6

file mlruns/7/0123456789abcdef0123456789abcdef/artifacts/notes/a.txt
  hello

file mlruns/7/fedcba98765432100123456789abcdef/meta.yaml
  run_id: [

cli
  $ maru tracking import mlruns
  mlruns mlruns in .* (re)
  found
    1 experiments, 1 runs, 1 params, 1 metrics, 2 points, 1 artifacts, 6 B
  new here
    1 experiments, 1 runs, 1 params, 1 metrics, 2 points, 1 artifacts, 6 B
  read back: the same  sha256 .* (re)
  left out: 1
    .*fedcba98765432100123456789abcdef: meta.yaml cannot be read.*line 1 .* (re)
  next: maru runs list
  [3]
  $ rm -r mlruns/7/fedc*
  $ maru tracking import mlruns --json
  =json {"kind": "mlruns", "runs_present": 1, "equal": true, "skipped": 0, "written": {"runs": 0, "points": 0}}
  $ maru runs list --columns name,id,experiment,metrics.loss,params.depth,seconds
  name   id            experiment       loss  params.depth  seconds
  first  0123456789ab  vision/detector   0.5  6             1 m 00 s
  $ maru runs show 0123 --json
  =json {"name": "first", "status": "FINISHED", "metrics": {"loss": 0.5}, "start_us": 1700000001000000}
  $ maru artifact list 0123
  file         size  sha256
  notes/a\.txt +6 B  .* (re)
  $ maru artifact get 0123 notes/a.txt && cat a.txt
  6 B → a.txt
  hello

# What is written out is what came in.
cli
  $ maru tracking export out
  mlruns → out
  ...
  read back: the same
  ...
  $ diff -r mlruns/7/0123456789abcdef0123456789abcdef/artifacts out/7/0123456789abcdef0123456789abcdef/artifacts
  $ maru tracking export out
  ! maru: an export would be mixed with what is here: .* (re)
  [1]
  $ maru tracking export tables --format parquet --json
  =json {"kind": "parquet", "equal": true, "written": {"runs": 1, "metrics": 2, "params": 1}}
  $ maru tracking import nothing
  ! maru: nothing is here: .*/nothing (re)
  [4]
