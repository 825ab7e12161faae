# `maru serve FILE`: a model file answers without a home, an account or a second command, and leaves nothing behind.
file tiny.json
  {"version":[3,2,0],"learner":{"feature_names":["age","visits"],"gradient_booster":{"name":"gbtree","model":{"tree_info":[0],"trees":[{"left_children":[1,-1,-1],"right_children":[2,-1,-1],"split_indices":[1,0,0],"split_conditions":[3.0,-1.0,1.0],"default_left":[1,0,0],"split_type":[0,0,0],"tree_param":{"size_leaf_vector":"1"}}]}},"learner_model_param":{"base_score":"5E-1","num_class":"0","num_feature":"2","num_target":"1"},"objective":{"name":"binary:logistic"}}}

cli
  $ mkdir temporary

server
  $ env TMPDIR=temporary maru serve tiny.json --name buys --listen 127.0.0.1:0

http POST /api/v1/endpoints/buys/predict
  {"instances": [{"age": 30, "visits": 3}, {"age": 30, "visits": 2.9}, {"age": null, "visits": null}]}
  => 200
  {"version": 1, "predictions": [{"prediction": "1", "probability": "~ 0.7310586 0.000001"}, {"prediction": "0", "probability": "~ 0.2689414 0.000001"}, {"probability": "~ 0.2689414 0.000001"}]}

http POST /v2/models/buys/infer
  {"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [30, 3]}]}
  => 200
  {"model_name": "buys", "outputs": [{"name": "scores", "data": ["~ 0.7310586 0.000001"]}, "..."]}

http POST /api/v1/endpoints/buys/predict
  {"instances": [{"agee": 30}]}
  => 400

server stop

cli
  $ ls temporary
  $ mkdir -p t/maru-serve-killed t/maru-serve-begun && touch t/maru-serve-killed/lock
  $ TMPDIR=t maru serve nothing.onnx --listen 127.0.0.1:0
  ! maru: no model at: .*nothing.onnx.* (re)
  [4]
  $ ls t
  maru-serve-begun
  $ maru serve nothing.onnx --listen 127.0.0.1:0
  ! maru: no model at: .*nothing.onnx.* (re)
  [4]
  $ echo hello > text.onnx; maru serve text.onnx --listen 127.0.0.1:0
  ! maru: .*no ONNX model.* (re)
  [1]
  $ maru serve tiny.json tiny.json --name two --listen 127.0.0.1:0
  ! maru: one name for several files.* (re)
  [1]
