# What the experiment pages ask of the server: keys, projected rows, comparison, thinned curves, edits, trash.
server

file log.py
  import json, sys, urllib.request
  url = sys.argv[1]
  def rest(path, body):
      request = urllib.request.Request(url + "/api/2.0/mlflow/" + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
      return json.load(urllib.request.urlopen(request, timeout=10))
  experiment = rest("experiments/create", {"name": "vision/small"})["experiment_id"]
  for i in range(3):
      run = rest("runs/create", {"experiment_id": experiment, "run_name": f"run-{i}", "start_time": 1000 + i})["run"]["info"]["run_id"]
      points = [{"key": "loss", "value": 1 / (s + 1) + i, "step": s, "timestamp": s} for s in range(990)]
      points[500]["value"] = 99
      rest("runs/log-batch", {"run_id": run, "metrics": points, "params": [{"key": "lr", "value": str(i)}], "tags": [{"key": "team", "value": "red"}]})
      rest("runs/log-metric", {"run_id": run, "key": "acc", "value": 0.5, "step": 0, "timestamp": 1})
      print(f"run{i} {run}")

cli
  $ python3 log.py $URL
  run0 (?P<a>[0-9a-f]{32}) (re)
  run1 (?P<b>[0-9a-f]{32}) (re)
  run2 (?P<c>[0-9a-f]{32}) (re)

http GET /api/v1/experiments
  => 200
  {"experiments": [{"name": "Default", "runs": 0}, {"name": "vision/small", "runs": 3, "state": "active"}]}

http GET /api/v1/experiments/1/keys
  => 200
  {"metrics": ["acc", "loss"], "params": ["lr"]}

# Rows hold only the columns that were asked for.
http GET /api/v1/experiments/1/runs?order_by=metric:loss&desc=1&limit=2&fields=metrics.loss
  => 200
  {"total": 3, "runs": [{"name": "run-2", "metrics": {"loss": "~ 2.001 0.0001"}, "params": {}}, {"name": "run-1"}]}

http GET /api/v1/experiments/1/runs?filter=params.lr%20%3D%20%271%27
  => 200
  {"total": 1, "runs": [{"name": "run-1"}]}

http GET /api/v1/experiments/1/runs?filter=metrics.loss%20%3E
  => 400
  {"error_code": "INVALID_ARGUMENT", "message": "(re) .*position 1[0-9].*"}

http POST /api/v1/run-comparisons
  {"runs": ["${a}", "${c}", "00000000000000000000000000000000"]}
  => 200
  {"runs": [{"name": "run-0", "params": {"lr": "0"}, "experiment": {"name": "vision/small"}}, {"name": "run-2"}], "missing": ["00000000000000000000000000000000"]}

http POST /api/v1/run-comparisons
  {"runs": []}
  => 400
  {"message": "(re) .*1 to 500.*"}

# Curves are thinned; what stands out stays.
file thin.py
  import json, sys, urllib.request
  url, runs = sys.argv[1], sys.argv[2:]
  body = json.dumps({"runs": runs, "keys": ["loss", "acc"], "points": 20}).encode()
  series = json.load(urllib.request.urlopen(urllib.request.Request(url + "/api/v1/metric-samples", body, {"Content-Type": "application/json"}), timeout=10))["series"]
  print([(s["key"], s["run"] == runs[0], len(s["steps"]) <= 26, max(s["values"]), s["steps"][-1]) for s in series])

cli
  $ python3 thin.py $URL $a $b
  [('loss', True, True, 99.0, 989), ('loss', False, True, 99.0, 989), ('acc', True, True, 0.5, 0), ('acc', False, True, 0.5, 0)]

http POST /api/v1/metric-samples
  {"runs": ["${a}"], "keys": "loss"}
  => 400

# Name, tags and notes.
http PATCH /api/v1/experiment-runs/${a}
  {"name": "best", "tags": {"team": null, "mlflow.note.content": "# seen"}}
  => 200
  {"name": "best", "tags": {"mlflow.note.content": "# seen"}, "datasets": [], "models": []}

http PATCH /api/v1/experiment-runs/${a}
  {"tags": {"team": 7}}
  => 400

# The trash.
http DELETE /api/v1/experiment-runs/${b}
  => 200
  {"state": "deleted"}

http GET /api/v1/experiments/1/runs?view=deleted
  => 200
  {"total": 1, "runs": [{"name": "run-1", "state": "deleted"}]}

http POST /api/v1/experiment-runs/${b}/restore
  => 200

http GET /api/v1/experiments/1/runs?view=deleted
  => 200
  {"total": 0}

server stop
