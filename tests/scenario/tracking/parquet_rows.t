# A Parquet file that a run logged is read row by row where it lies; what is none says so.
file log.py
  import json, sys, urllib.request
  url = sys.argv[1]
  def rest(path, body):
      request = urllib.request.Request(url + "/api/2.0/mlflow/" + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
      return json.load(urllib.request.urlopen(request, timeout=10))
  run = rest("runs/create", {"experiment_id": "0", "run_name": "with a table"})["run"]["info"]["run_id"]
  for begin in range(0, 1500, 500):
      rest("runs/log-batch", {"run_id": run, "metrics": [{"key": "손실", "value": s / 2, "step": s, "timestamp": 1000 + s} for s in range(begin, begin + 500)]})
  print(run)

server

cli
  $ python3 log.py $URL
  (?P<run>[0-9a-f]{32}) (re)
  $ maru tracking export tables --format parquet --server $URL --json >report.json; ls tables/metrics-*
  tables/metrics-*.parquet (glob)
  $ head -c 100 tables/metrics-*.parquet >cut.parquet; echo text >notes.parquet
  $ for f in tables/metrics-*.parquet cut.parquet notes.parquet log.py; do maru artifact put $run $f --server $URL >/dev/null || echo $f; done
  $ maru artifact put $run tables/metrics-*.parquet '자료/표 1.PARQUET' --server $URL >/dev/null
  $ basename tables/metrics-*.parquet
  (?P<name>metrics-.*\.parquet) (re)

http GET /api/v1/experiment-runs/${run}/rows/${name}?offset=1499&limit=5
  => 200
  {"total": 1500, "columns": [{"name": "run_id"}, {"name": "key"}, {"name": "step"}, {"name": "time"}, {"name": "value"}], "rows": [["${run}", "손실", 1499, "...", 749.5]]}

http GET /api/v1/experiment-runs/${run}/rows/%EC%9E%90%EB%A3%8C/%ED%91%9C%201.PARQUET?limit=2
  => 200
  {"total": 1500, "rows": [["${run}", "손실", 0, "...", 0], ["${run}", "손실", 1, "...", 0.5]]}

# Beyond the end there is nothing; more rows than a page may have, or a number that is none, are refused.
http GET /api/v1/experiment-runs/${run}/rows/${name}?offset=1500
  => 200
  {"total": 1500, "rows": []}

http GET /api/v1/experiment-runs/${run}/rows/${name}?limit=-1
  => 400

# Damaged files, other files, and none.
http GET /api/v1/experiment-runs/${run}/rows/cut.parquet
  => 400
  {"message": "(re) .*cannot be read as Parquet.*"}

http GET /api/v1/experiment-runs/${run}/rows/notes.parquet
  => 400
  {"message": "(re) .*cannot be read as Parquet.*"}

http GET /api/v1/experiment-runs/${run}/rows/log.py
  => 400
  {"message": "(re) .*not a Parquet file.*"}

http GET /api/v1/experiment-runs/${run}/rows/nothing.parquet
  => 404

http GET /api/v1/experiment-runs/${run}/rows/%2e%2e/%2e%2e/x.parquet
  => 400

http GET /api/v1/experiment-runs/none/rows/${name}
  => 404

server stop
