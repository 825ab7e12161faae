# A declared answer for when there is no model yet: over every protocol it says that it is one, and the model takes over.
file tree.json
  {"version":[3,2,0],"learner":{"feature_names":["age","visits"],"gradient_booster":{"name":"gbtree","model":{"tree_info":[0],"trees":[{"left_children":[1,-1,-1],"right_children":[2,-1,-1],"split_indices":[1,0,0],"split_conditions":[3.0,-1.0,1.0],"default_left":[1,0,0],"split_type":[0,0,0],"tree_param":{"size_leaf_vector":"1"}}]}},"learner_model_param":{"base_score":"5E-1","num_class":"0","num_feature":"2","num_target":"1"},"objective":{"name":"binary:logistic"}}}

server

http PUT /api/v1/endpoints/buys
  {"model": "buys", "fallback": {"prediction": "maybe", "classes": ["0", "1"]}}
  => 400

http PUT /api/v1/endpoints/buys
  {"model": "buys", "fallback": {"prediction": "0", "classes": ["0", "1"], "probability": 0.25}}
  => 200
  {"name": "buys", "state": "empty"}

http POST /api/v1/endpoints/buys/predict
  {"instances": [{"age": 30, "visits": 3}, {"anything": "else"}]}
  => 200
  < X-Maru-Fallback: true
  {"version": 0, "fallback": true, "predictions": [{"prediction": "0", "probability": 0.25}, {"prediction": "0", "probability": 0.25}]}

http POST /v2/models/buys/infer
  {"inputs": [{"name": "age", "shape": [2, 1], "datatype": "FP64", "data": [30, 31]}]}
  => 200
  < X-Maru-Fallback: true
  {"model_version": "0", "outputs": [{"name": "scores", "data": [0.25, 0.25]}, {"name": "prediction", "data": ["0", "0"]}]}

http POST /v1/models/buys:predict
  {"instances": [{"age": 30, "visits": 3}]}
  => 200
  < X-Maru-Fallback: true
  {"predictions": [{"scores": [0.25], "prediction": ["0"]}]}

http POST /invocations?endpoint=buys
  > Content-Type: application/json
  {"dataframe_records": [{"age": 30, "visits": 3}]}
  => 200
  < X-Maru-Fallback: true
  {"predictions": [0.25]}

# It is no model: nobody is told that one is ready.
http GET /v2/models/buys/ready
  => 503

http GET /api/v1/endpoints/buys
  => 200
  {"fallback_answers": 4, "config": {"fallback": {"prediction": "0"}}}

http GET /api/v1/endpoints/buys/log within=20s
  => 200
  {"rows": [{"version": 0, "prediction": "0"}, "..."]}

cli
  $ curl -s $URL/metrics | grep '^maru_fallback_answers_total' | sed 's/.*} //'
  4
  $ maru model import tree.json --name buys --alias champion --server $URL > /dev/null

http POST /api/v1/endpoints/buys/predict within=20s
  {"instances": [{"age": 30, "visits": 3}]}
  => 200
  {"version": 1, "predictions": [{"prediction": "1", "probability": "~ 0.7310586 0.000001"}]}

# Another answer than the model's kind is refused once there is one; the route that serves stays.
http PUT /api/v1/endpoints/buys
  {"model": "buys", "fallback": {"prediction": 3}}
  => 412

http POST /api/v1/endpoints/buys/predict
  {"instances": [{"age": 30, "visits": 3}]}
  => 200
  {"version": 1}
