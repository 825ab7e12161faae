# `serve.rollout`: a newer version that passes its gates takes over step by step while callers come, and the run waits for it; a run without a server switches at once.
copy tests/scenario/data/visitors.csv

cli timeout=180
  $ maru init visitors.csv --label bought --json >/dev/null
  $ python3 - <<'X'
  > import re
  > text = open("maru.yaml").read()
  > text = re.sub(r"(?m)^serve:.*$", "serve: {endpoint: visitors, rollout: {canary: [50%, 100%], rollback_on: [errors, latency_p99, roc_auc], step: 1s, step_requests: 20}}", text)
  > text = re.sub(r"(?m)^monitor:.*$", "monitor: {window: 1d}", text)  # callers of one row drift: no third version
  > text = re.sub(r"(?m)^  gates:.*$", "  gates: {roc_auc: 0.1}", text)
  > open("maru.yaml", "w").write(text)
  > X
  $ grep -c "canary: \[50%, 100%\]" maru.yaml
  1
  $ maru run --budget 1s --json
  =json {"version": 1, "promoted": true}

server

# Callers come while the second version goes out; none is refused, and every answer is of one of the two.
file callers.py
  import json, subprocess, sys, urllib.request
  url = sys.argv[1]
  row = {"visitor": 1, "age": 30, "city": "서울", "plan": "pro", "visits": 3, "signup": "2024-05-01 10:00:00"}
  run = subprocess.Popen(["maru", "run", "--budget", "2s", "--json"], stdout=subprocess.PIPE)
  versions, failed = {}, 0
  while run.poll() is None:
      body = json.dumps({"instances": [row]}).encode()
      try:
          answer = json.load(urllib.request.urlopen(urllib.request.Request(url + "/api/v1/endpoints/visitors/predict", body)))
          versions[answer["version"]] = versions.get(answer["version"], 0) + 1
      except Exception:
          failed += 1
  done = json.load(run.stdout)
  print(done["promoted"], done["version"], sorted(versions), failed)

cli timeout=180
  $ python3 callers.py $URL
  True 2 [1, 2] 0

http GET /api/v1/endpoints/visitors
  => 200
  {"arms": [{"version": 2, "selector": "champion", "weight": 1}], "experiment": null}

http GET /api/v1/models/visitors
  => 200
  {"aliases": {"champion": 2}}

# A rollout that cannot be is refused before anything runs.
cli
  $ sed 's/canary: \[50%, 100%\]/canary: [50%, 10%]/' maru.yaml > down.yaml; maru run down.yaml
  ! maru: project file, line \d+, column \d+: route.steps do not rise.* (re)
  ...
  [2]
