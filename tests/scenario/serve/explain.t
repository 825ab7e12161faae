# What each column added to a prediction, over every protocol that can ask for it; the numbers are worked out by hand.
# One tree over 40 rows: visits < 3 (30 rows, half of them with age < 40) ...
file tree.json
  {"version":[3,2,0],"learner":{"feature_names":["age","visits"],"gradient_booster":{"name":"gbtree","model":{"tree_info":[0],"trees":[{"left_children":[1,3,-1,-1,-1],"right_children":[2,4,-1,-1,-1],"split_indices":[1,0,0,0,0],"split_conditions":[3.0,40.0,1.0,-2.0,0.0],"sum_hessian":[40,30,10,15,15],"default_left":[1,0,0,0,0],"split_type":[0,0,0,0,0],"tree_param":{"size_leaf_vector":"1"}}]}},"learner_model_param":{"base_score":"5E-1","num_class":"0","num_feature":"2","num_target":"1"},"objective":{"name":"binary:logistic"}}}
file dark.json
  {"version":[3,2,0],"learner":{"feature_names":["age","visits"],"gradient_booster":{"name":"gbtree","model":{"tree_info":[0],"trees":[{"left_children":[1,-1,-1],"right_children":[2,-1,-1],"split_indices":[1,0,0],"split_conditions":[3.0,-1.0,1.0],"default_left":[1,0,0],"split_type":[0,0,0],"tree_param":{"size_leaf_vector":"1"}}]}},"learner_model_param":{"base_score":"5E-1","num_class":"0","num_feature":"2","num_target":"1"},"objective":{"name":"binary:logistic"}}}

server
  $ maru serve tree.json dark.json --listen 127.0.0.1:0

# On average (15 * -2 + 15 * 0 + 10 * 1) / 40 = -0.5. For visits 1, age 30 the score is -2; with visits alone it is -1, with age alone
# (30 * -2 + 10 * 1) / 40 = -1.25: visits adds (-0.5 - 0.75) / 2 = -0.625, age (-0.75 - 1) / 2 = -0.875.
http POST /api/v1/endpoints/tree/predict
  {"instances": [{"age": 30, "visits": 1}, {"age": 30, "visits": 3}], "explain": true}
  => 200
  {"version": 1, "predictions": [{"prediction": "0"}, {"prediction": "1"}], "explanations": [{"scale": "log_odds", "base": "~ -0.5 1e-9", "raw_score": "~ -2 1e-9", "contributions": {"age": "~ -0.875 1e-9", "visits": "~ -0.625 1e-9"}}, {"raw_score": "~ 1 1e-9", "contributions": {"age": "~ -0.375 1e-9", "visits": "~ 1.875 1e-9"}}]}

http POST /api/v1/endpoints/tree/explain
  {"instances": [{"age": 30, "visits": 1}]}
  => 200
  {"explanations": [{"contributions": {"age": "~ -0.875 1e-9"}}]}

http POST /api/v1/endpoints/tree/predict
  {"instances": [{"age": 30, "visits": 1}], "explain": false}
  => 200
  {"version": 1}

http POST /api/v1/endpoints/tree/predict
  {"instances": [{"age": 30, "visits": 1}], "explain": "yes"}
  => 400

# KServe's protocol v1.
http POST /v1/models/tree:explain
  {"instances": [{"age": 30, "visits": 1}]}
  => 200
  {"predictions": ["..."], "explanations": [{"base": "~ -0.5 1e-9", "contributions": {"age": "~ -0.875 1e-9", "visits": "~ -0.625 1e-9"}}]}

# The Open Inference Protocol: tensors behind the answer's.
http POST /v2/models/tree/infer
  {"parameters": {"explain": true}, "inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP64", "data": [30, 1]}], "outputs": [{"name": "scores"}]}
  => 200
  {"outputs": [{"name": "scores"}, {"name": "explain.contributions", "datatype": "FP64", "shape": [1, 2], "data": ["~ -0.875 1e-9", "~ -0.625 1e-9"]}, {"name": "explain.base", "shape": [1], "data": ["~ -0.5 1e-9"]}, {"name": "explain.columns", "datatype": "BYTES", "shape": [2], "data": ["age", "visits"]}]}

# A file that does not tell how many rows reached each leaf still predicts.
http POST /api/v1/endpoints/dark/predict
  {"instances": [{"age": 30, "visits": 1}]}
  => 200
  {"version": 1}

http POST /api/v1/endpoints/dark/predict
  {"instances": [{"age": 30, "visits": 1}], "explain": true}
  => 501
  {"message": "(re) this model cannot be explained: .*training rows.*"}

http POST /v1/models/dark:explain
  {"instances": [{"age": 30, "visits": 1}]}
  => 501

http POST /v2/models/dark/infer
  {"parameters": {"explain": true}, "inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP64", "data": [30, 1]}]}
  => 501
