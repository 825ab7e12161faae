# A call gives the key; the columns that the model wants come out of a dataset in memory, over every protocol.
file tree.json
  {"version":[3,2,0],"learner":{"feature_names":["age","visits"],"gradient_booster":{"name":"gbtree","model":{"tree_info":[0],"trees":[{"left_children":[1,3,-1,-1,-1],"right_children":[2,4,-1,-1,-1],"split_indices":[1,0,0,0,0],"split_conditions":[3.0,40.0,1.0,-2.0,0.0],"sum_hessian":[40,30,10,15,15],"default_left":[1,0,0,0,0],"split_type":[0,0,0,0,0],"tree_param":{"size_leaf_vector":"1"}}]}},"learner_model_param":{"base_score":"5E-1","num_class":"0","num_feature":"2","num_target":"1"},"objective":{"name":"reg:squarederror"}}}
file people.csv
  customer,age,name
  7,30,Ann
  8,50,Bob
file people2.csv
  customer,age,name
  7,60,Ann
  8,50,Bob
  9,30,Eve

server

cli
  $ maru model import tree.json --name buys --alias champion --server $URL > /dev/null
  $ maru data import people.csv --name people --server $URL > /dev/null

http PUT /api/v1/endpoints/buys
  {"model": "buys", "features": {"dataset": "people", "key": "customer", "columns": ["age"], "defaults": {"age": 30}, "max_age": "1d"}}
  => 200
  {"features": {"dataset": "people", "rows": 2, "found": 0, "missing": 0, "is_stale": false}}

# Below three visits the tree asks for the age: under 40 it is -2 + 0.5, else 0 + 0.5.
http POST /api/v1/endpoints/buys/predict
  {"instances": [{"customer": 7, "visits": 1}, {"customer": 8, "visits": 1}, {"customer": 99, "visits": 1}, {"customer": 7, "visits": 1, "age": 70}]}
  => 200
  {"predictions": [-1.5, 0.5, -1.5, 0.5]}

http POST /v2/models/buys/infer
  {"inputs": [{"name": "customer", "shape": [2, 1], "datatype": "INT64", "data": [7, 8]}, {"name": "visits", "shape": [2, 1], "datatype": "FP64", "data": [1, 1]}]}
  => 200
  {"outputs": [{"name": "scores", "data": [-1.5, 0.5]}]}

http POST /v1/models/buys:predict
  {"instances": [{"customer": 8, "visits": 1}]}
  => 200
  {"predictions": [[0.5]]}

http POST /invocations?endpoint=buys
  > Content-Type: text/csv
  customer,visits
  8,1
  7,1
  => 200
  {"predictions": [0.5, -1.5]}

# What is explained is what was looked up.
http POST /api/v1/endpoints/buys/explain
  {"instances": [{"customer": 8, "visits": 1}]}
  => 200
  {"explanations": [{"raw_score": "~ 0.5 1e-9", "contributions": {"age": "> 0"}}]}

http GET /api/v1/endpoints/buys
  => 200
  {"features": {"found": 9, "missing": 1, "stale": 0}}

# A new snapshot takes over by itself.
cli
  $ maru data import people2.csv --name people --server $URL > /dev/null

http POST /api/v1/endpoints/buys/predict within=30s
  {"instances": [{"customer": 7, "visits": 1}, {"customer": 9, "visits": 1}]}
  => 200
  {"predictions": [0.5, -1.5]}

http PUT /api/v1/endpoints/buys
  {"model": "buys", "features": {"dataset": "people", "key": "customer", "columns": ["age"], "missing": "refuse"}}
  => 200

http POST /api/v1/endpoints/buys/predict
  {"instances": [{"customer": 99, "visits": 1}]}
  => 412
  {"hint": "its key is not in people"}

# The same from the command line; an empty value takes it away.
cli
  $ maru endpoint set buys features= --server $URL > /dev/null; curl -s $URL/api/v1/endpoints/buys | grep -o '"features":null'
  "features":null
  $ maru endpoint set buys 'features={"dataset": "people", "key": "customer"' --server $URL
  ! maru: no JSON after features=.* (re)
  [1]
  $ maru endpoint set buys 'features={"dataset": "people", "key": "customer", "columns": ["age"]}' 'fallback={"prediction": 0.25}' --server $URL > /dev/null
  $ curl -s $URL/api/v1/endpoints/buys | grep -oE '"fallback":\{"prediction":0.25\}|"dataset":"people","found"'
  "dataset":"people","found"
  "fallback":{"prediction":0.25}

# A declaration that cannot be is refused, and what serves stays.
http PUT /api/v1/endpoints/buys
  {"model": "buys", "features": {"dataset": "people", "key": "customer", "columns": ["height"]}}
  => 412

http PUT /api/v1/endpoints/buys
  {"model": "buys", "features": {"dataset": "people", "key": "customer", "columns": ["name"]}}
  => 412

http POST /api/v1/endpoints/buys/predict
  {"instances": [{"customer": 8, "visits": 1}]}
  => 200
  {"predictions": [0.5]}
