# The whole loop by hand: init, run, predict, a second version, promote and roll back.
copy tests/scenario/data/visitors.csv

cli timeout=180
  $ maru init visitors.csv --label bought --out maru.yaml --json
  =json {"task": "binary"}
  $ maru run --budget 3s --json
  =json {"run": "...", "model": "visitors", "version": 1, "task": "binary", "metric": "roc_auc", "score": {"value": "> 0.6", "low": "> 0.5", "high": "< 0.95"}, "promoted": true, "leaderboard": [{"learner": "...", "valid": "> 0.5"}, "..."], "seconds": "> 0"}
  $ maru predict visitors visitors.csv --json
  =json {"rows": 1200, "seconds": ">= 0"}
  $ maru predict visitors visitors.csv --output out.csv --json
  =json {"rows": 1200}
  $ wc -l <out.csv
  1201
  $ maru run --budget 2s --json >/dev/null; maru model list --json
  =json {"models": [{"name": "visitors", "versions": 2}]}
  $ maru model promote visitors/2 --json
  =json {"to": 2}
  $ maru model rollback visitors --json
  =json {"from": 2, "to": 1}
  $ maru model show visitors --json
  =json {"model": "visitors", "aliases": {"champion": 1}, "versions": ["..."]}
  $ maru predict nowhere visitors.csv
  [4]

# The trials that came furthest carry their evaluation, each its own, so that a comparison of runs has curves to draw.
sql
  SELECT COUNT(*) BETWEEN 3 AND 10, COUNT(DISTINCT run_id) = COUNT(*), MIN(bytes) > 1000 FROM artifacts WHERE path = 'evaluation.json'
  =>
  1	1	1
