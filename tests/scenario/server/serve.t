# A trained model answers over HTTP in three dialects, takes feedback and swaps when the alias moves.
copy tests/scenario/data/visitors.csv

cli timeout=180
  $ maru init visitors.csv --label bought --json >/dev/null && maru run --budget 2s --json
  =json {"version": 1, "promoted": true}

server

http GET /healthz
  => 200

http GET /readyz
  => 200

http PUT /api/v1/endpoints/shop
  {"model": "visitors"}
  => 200

# What a move of the alias would change is asked first; nothing moves.
http PUT /api/v1/models/visitors/aliases/champion?dry_run=true
  {"version": 1}
  => 200
  {"from": 1, "to": 1, "endpoints": ["shop", "..."], "consequences": ["champion moves from v1 to v1", "..."]}

http POST /api/v1/endpoints/shop/predict
  {"instances": [{"visitor": 1, "age": 30, "city": "서울", "plan": "pro", "visits": 3, "signup": "2024-05-01 10:00:00"}]}
  => 200
  {"version": 1, "id": "(re) (?P<id>[0-9a-f]{32})", "predictions": [{"prediction": "...", "probability": "> 0"}]}

http POST /api/v1/endpoints/shop/feedback
  {"id": "${id}", "label": 1}
  => 200
  {"accepted": 1}

http GET /v2/health/ready
  => 200

http GET /v2/models/shop
  => 200
  {"name": "shop", "inputs": [{"name": "...", "datatype": "...", "shape": [-1, 1]}, "..."]}

http POST /invocations?endpoint=shop
  {"dataframe_records": [{"visitor": 1, "age": 30, "city": "서울", "plan": "pro", "visits": 3, "signup": "2024-05-01 10:00:00"}]}
  => 200
  {"predictions": ["> 0"]}

# Mistakes are answered, not guessed.
http POST /api/v1/endpoints/nowhere/predict
  {"instances": []}
  => 404
  {"error_code": "...", "message": "..."}

http POST /api/v1/endpoints/shop/predict
  {"instances": [{"visitor": 1, "agee": 30}]}
  => 400
  {"message": "...", "hint": "(re) .*age.*"}

http POST /api/v1/endpoints/shop/predict
  {"instances": [
  => 400

http PUT /api/v1/endpoints/shop
  [{"model": "visitors"}]
  => 400

http GET /api/v1/no/such/path
  => 404
  {"error_code": "...", "message": "..."}

http DELETE /healthz
  => 405

server stop
