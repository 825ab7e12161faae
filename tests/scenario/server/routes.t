# A second version is tried beside the first: split with rewards, bandit, canary, kill switch; each by command, and told by the server.
copy tests/scenario/data/visitors.csv

cli timeout=180
  $ maru init visitors.csv --label bought --json >/dev/null && maru run --budget 1s --json
  =json {"version": 1, "promoted": true}

# A version beside the champion, as a first model from elsewhere would come: export and import.
cli timeout=120
  $ maru model export visitors@1 out >/dev/null && maru model import out --name visitors --json
  =json {"version": 2}

server

cli
  $ maru endpoint split visitors champion=50 2=50 --reward binary --json
  =json {"state": "ready", "arms": [{"version": 1, "weight": 50}, {"version": 2, "weight": 50}], "experiment": {"reward": "binary", "differences": [{"version": 2, "against": 1, "decided": false}]}}

http POST /api/v1/endpoints/visitors/predict
  {"instances": [{"visitor": 1, "age": 30, "city": "서울", "plan": "pro", "visits": 3, "signup": "2024-05-01 10:00:00"}]}
  => 200
  {"version": "(re) [12]", "id": "(re) (?P<id>[0-9a-f]{32})"}

http POST /api/v1/endpoints/visitors/feedback
  {"id": "${id}", "reward": true, "label": 1}
  => 200
  {"rewards": 1, "accepted": 1}

# A prediction has one reward.
http POST /api/v1/endpoints/visitors/feedback
  [{"id": "${id}", "reward": 0}]
  => 200
  {"rewards": 0}

http GET /api/v1/endpoints/visitors/assignment?id=${id}
  => 200
  {"id": "${id}", "version": "(re) [12]", "in_force": {"versions": [1, 2], "shares": [[50, 50]]}}

http POST /api/v1/endpoints/visitors/feedback
  {"id": "${id}", "reward": 0.5}
  => 400
  {"message": "(re) reward of .* is not 0 or 1: 0.5"}

http POST /api/v1/endpoints/visitors/feedback
  {"id": "0123456789abcdef0123456789abcdef", "reward": 1}
  => 404
  {"message": "(re) no prediction of this route has the id.*"}

http GET /api/v1/endpoints/visitors/assignment?id=nonsense
  => 400

cli
  $ maru endpoint bandit visitors 1 2 --policy epsilon_greedy --json
  =json {"experiment": {"bandit": {"policy": "epsilon_greedy", "segments": [{"segment": "", "shares": [0.5, 0.5]}]}}}

# The experiment of another route is a new one.
http POST /api/v1/endpoints/visitors/feedback
  {"id": "${id}", "reward": 1}
  => 200
  {"rewards": 0}

cli
  $ maru endpoint stop visitors --json
  =json {"arms": [{"version": 1, "weight": 1}, {"version": 2, "weight": 0}], "experiment": {"stopped": true}}

cli
  $ maru endpoint canary visitors 2 --steps 10%,100% --step-seconds 3600 --json
  =json {"arms": [{"version": 1, "weight": 0.9}, {"version": 2, "weight": 0.1}], "experiment": {"canary": {"phase": "running", "step": 0, "steps": [0.1, 1]}}}

cli
  $ maru endpoint show visitors
  visitors  model visitors  ready
  arm  alias     share   requests  errors
  v1   champion  90.0 %  \d+ +0 (re)
  v2             10.0 %  \d+ +0 (re)
  canary: step 1 of 2, 10.0 %, 0 of 200 requests, began \d+ s ago (re)

# A canary of no patience and no minimum but one request becomes the champion by itself.
cli timeout=60
  $ maru endpoint canary visitors 2 --steps 100% --step-seconds 0 --step-requests 1 --json
  =json {"arms": [{"weight": 0}, {"weight": 1}]}

http POST /api/v1/endpoints/visitors/predict
  {"instances": [{"visitor": 1, "age": 30, "city": "서울", "plan": "pro", "visits": 3, "signup": "2024-05-01 10:00:00"}]}
  => 200
  {"version": 2}

http GET /api/v1/models/visitors within=20
  => 200
  {"aliases": {"champion": 2}}

http GET /api/v1/endpoints/visitors
  => 200
  {"arms": [{"version": 2, "selector": "champion", "weight": 1}], "experiment": null}

# Mistakes.
cli
  $ maru endpoint split visitors champion=50 2=50
  ! maru: two arms are the same version 2: champion and 2; name another version.* (re)
  ...
  [1]
  $ maru endpoint bandit visitors 1 2 --policy thomson
  ! maru: route.policy is unknown: thomson.* (re)
  ...
  [1]
  $ maru endpoint route visitors '{"arms": [{"version": 1}], "stiky": {}}'
  ! maru: route has an unknown key: stiky.* (re)
  ...
  [1]
  $ maru endpoint stop visitors
  ! maru: endpoint has one arm, there is nothing to stop: visitors.* (re)
  ...
  [1]
