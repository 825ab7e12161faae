# Logged predictions are asked again of any version: the one that answered gives the same bits, another one tells what differs.
needs $SHARED/models/simple.onnx
copy tests/scenario/data/visitors.csv

cli timeout=180
  $ maru init visitors.csv --label bought --json >/dev/null && maru run --budget 2s --json >/dev/null && head -200 visitors.csv >fewer.csv && sed 's/visitors.csv/fewer.csv/' maru.yaml >other.yaml && maru run other.yaml --budget 1s --json >/dev/null; maru model list --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["models"][0]["versions"])'
  2

server

http PUT /api/v1/endpoints/shop
  {"model": "visitors", "route": {"kind": "weighted", "arms": [{"version": 1}]}}
  => 200

http POST /api/v1/endpoints/shop/predict
  {"instances": [{"visitor": 1, "age": 30, "city": "서울", "plan": "pro", "visits": 3, "signup": "2024-05-01 10:00:00"}, {"visitor": 2, "age": null, "city": null, "plan": "none such", "visits": 0, "signup": null}]}
  => 200
  {"id": "(re) (?P<id>[0-9a-f]{32})"}

http POST /api/v1/endpoints/shop/replay
  {}
  => 200
  {"endpoint": "shop", "version": 1, "rows": 2, "same_bits": 2, "different": 0, "failed": 0, "largest_difference": 0, "inputs": {"missing": [], "unused": [], "retyped": []}, "differences": []}

# By id: every row of the request, asked of the other version.
http POST /api/v1/endpoints/shop/replay
  {"id": "${id}", "version": 2}
  => 200
  {"version": 2, "rows": 2, "failed": 0, "differences": [{"id": "(re) ${id}(-1)?", "version": 1, "logged": {"score": "> 0"}, "now": {"score": "> 0"}, "difference": "> 0"}, "..."]}

# Nothing of this was traffic.
cli
  $ curl -s "$URL/api/v1/endpoints/shop" | python3 -c 'import json, sys; d = json.load(sys.stdin); print([a["requests"] for a in d["arms"]], d["log"]["accepted"])'
  [1] 2
  $ maru endpoint replay shop --id ${id} --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["rows"])'
  2
  $ maru endpoint replay shop
  v1 was asked 2 logged rows of shop: none differs, 2 are the same to the last bit
  largest difference 0.0, mean 0.0; 0 another class, 0 failed
  $ maru endpoint replay shop --version 2 >told
  [1]
  $ head -1 told
  v2 was asked 2 logged rows of shop: \d differ, \d are the same to the last bit (re)

# Mistakes.
http POST /api/v1/endpoints/shop/replay
  {"id": "0123456789abcdef0123456789abcdef"}
  => 404
http POST /api/v1/endpoints/shop/replay
  {"version": 99}
  => 404
http POST /api/v1/endpoints/shop/replay
  {"lst": 5}
  => 400
http POST /api/v1/endpoints/shop/replay
  {"last": 0}
  => 400
http POST /api/v1/endpoints/nowhere/replay
  {}
  => 404

# Calls of a model of tensors are logged and replayed too, in every type, to the last bit; one that is too large is shed with its reason.
cli
  $ maru model import $SHARED/models/simple.onnx --name simple >/dev/null
http PUT /api/v1/endpoints/simple
  {"model": "simple"}
  => 200
http POST /v2/models/simple/infer
  {"inputs": [{"name": "INPUT0", "datatype": "INT32", "shape": [1, 16], "data": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 2147483647]}, {"name": "INPUT1", "datatype": "INT32", "shape": [1, 16], "data": [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -5]}], "outputs": [{"name": "OUTPUT1"}]}
  => 200
http GET /api/v1/endpoints/simple/log
  => 200
  {"rows": [{"version": 1, "score": null, "prediction": "(re) \\{\"OUTPUT1\":\\{\"datatype\":\"INT32\",\"shape\":\\[1,16\\],\"data\":\\[-1,0,1.*", "inputs": {"INPUT0": "(re) .*2147483647.*", "INPUT1": "(re) .*-5.*"}}]}
http POST /api/v1/endpoints/simple/replay
  {}
  => 200
  {"rows": 1, "same_bits": 1, "different": 0, "failed": 0}
# The calls that the page shows for it run as they are, too.
cli
  $ curl -s "$URL/api/v1/endpoints/simple/examples" >calls.json; for i in 0 1 2; do python3 -c 'import json, sys; e = json.load(open("calls.json"))["examples"][int(sys.argv[1])]; open(e["run"].split()[1], "w").write(e["code"]); print(e["run"])' $i | sh | grep -c OUTPUT0; done
  1
  1
  1
cli
  $ python3 -c 'import json; print(json.dumps({"inputs": [{"name": n, "datatype": "INT32", "shape": [600, 16], "data": list(range(9600))} for n in ("INPUT0", "INPUT1")]}))' >large.json; curl -s -o /dev/null -w '%{http_code}\n' --data-binary @large.json "$URL/v2/models/simple/infer"
  200
  $ curl -s "$URL/api/v1/endpoints/simple" | python3 -c 'import json, sys; print(json.load(sys.stdin)["log"])'
  {'accepted': 4, 'written': \d, 'shed': 1, 'shed_by': {'queue_rows': 0, 'queue_bytes': 0, 'row_bytes': 1}, 'not_sampled': 0} (re)

server stop
