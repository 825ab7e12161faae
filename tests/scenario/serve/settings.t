# What is said beside a route: kept when the route is put again, refused by name, and above its bounds a version does not serve.
file tree.json
  {"version":[3,2,0],"learner":{"feature_names":["age","visits"],"gradient_booster":{"name":"gbtree","model":{"tree_info":[0],"trees":[{"left_children":[1,-1,-1],"right_children":[2,-1,-1],"split_indices":[1,0,0],"split_conditions":[3.0,-1.0,1.0],"default_left":[1,0,0],"split_type":[0,0,0],"tree_param":{"size_leaf_vector":"1"}}]}},"learner_model_param":{"base_score":"5E-1","num_class":"0","num_feature":"2","num_target":"1"},"objective":{"name":"binary:logistic"}}}

server

cli
  $ maru model import tree.json --name buys --alias champion --server $URL > /dev/null
  $ maru endpoint route buys champion --model buys --server $URL > /dev/null
  $ maru endpoint set buys queue_calls=20 batch_rows=8 p99_us=60000000 lane=experimental --server $URL > /dev/null
  $ maru endpoint set buys batch_rows= --server $URL > /dev/null
  $ maru endpoint route buys champion --server $URL > /dev/null

http GET /api/v1/endpoints/buys
  => 200
  {"lane": "experimental", "queue": null, "config": {"execution": {"queue_calls": 20}, "bounds": {"p99_us": 60000000}, "lane": "experimental"}}

cli
  $ maru endpoint set buys memory_bytes=1 --server $URL
  ! maru: version 1 of buys is not safe to serve: it holds \d+ bytes of memory, above the declared 1; .* (re)
  [3]
  $ maru endpoint set buys queue_call=1 --server $URL
  ! maru: execution has no setting: queue_call; .*queue_calls.* (re)
  [1]
  $ maru endpoint set buys lane=fast --server $URL
  ! maru: lane is none: fast; production or experimental
  [1]

http POST /api/v1/endpoints/buys/predict
  {"instances": [{"age": 30, "visits": 3}]}
  => 200

# The experimental lane is the editors' too, the production lane the operators'.
cli
  $ curl -s -X POST $URL/api/v1/tokens -d '{"name": "ed", "role": "editor"}' | grep -oE 'maru_[A-Za-z0-9]+' > token
  $ put() { curl -s -o answer -w '%{http_code}\n' -X $1 $URL/api/v1/endpoints/$2 -H "Authorization: Bearer $(cat token)" -d "$3"; }; declare -f put > put.sh
  $ . ./put.sh; put PUT buys '{"model": "buys"}'
  200
  $ . ./put.sh; put PUT buys '{"model": "buys", "lane": "production"}'; grep -o 'endpoint is in production' answer
  403
  endpoint is in production
  $ maru endpoint set buys lane=production --server $URL > /dev/null
  $ . ./put.sh; put PUT buys '{"model": "buys", "lane": "experimental"}'; put DELETE buys ''
  403
  403
  $ . ./put.sh; put PUT trial '{"model": "buys", "lane": "experimental"}'; put DELETE trial ''
  200
  204

# A model of tensors has no sample rows: its time is measured on zeros, or, once calls are logged, on those.
cli
  $ maru model import $MARU_SHARED/models/simple.onnx --name simple --alias champion --server $URL > /dev/null
  $ maru endpoint route simple champion --model simple --server $URL > /dev/null
  $ maru endpoint set simple p99_us=1 --server $URL
  ! maru: version 1 of simple is not safe to serve: its p99 is \d+ us a call, above the declared 1; .* (re)
  [3]
  $ maru endpoint set simple p99_us=60000000 --server $URL > /dev/null
