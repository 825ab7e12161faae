# What an endpoint tells its callers: its own OpenAPI document, and calls in four languages, each of which is really run.
copy tests/scenario/data/visitors.csv
file odd.csv
  size,it's "odd",text,label
  1,2,a,x
  2,3,b,y
  3,4,c,x
  4,5,d,y
file check.py
  import json, re, subprocess, sys, urllib.request
  url, endpoint = sys.argv[1], sys.argv[2]
  get = lambda path: json.load(urllib.request.urlopen(url + "/api/v1/endpoints/" + endpoint + path))
  document = get("/openapi.json")
  text = json.dumps(document)
  # Every reference leads somewhere, and the example fits its own schema.
  for name in re.findall(r'"#/components/schemas/(\w+)"', text):
      assert name in document["components"]["schemas"], name
  schemas = document["components"]["schemas"]
  assert document["openapi"] == "3.1.0" and document["info"]["title"] == endpoint
  path = "/api/v1/endpoints/" + endpoint + "/predict"
  example = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["example"]
  kinds = {"number": (int, float), "integer": int, "string": str, "boolean": bool, "null": type(None)}
  row = example["instances"][0]
  if "properties" in schemas["Row"]:
      assert set(schemas["Row"]["required"]) <= set(row) <= set(schemas["Row"]["properties"])
      for name, value in row.items():
          types = schemas["Row"]["properties"][name].get("type")
          types = types if isinstance(types, list) else [types]
          assert any(isinstance(value, kinds[t]) for t in types if t in kinds) or isinstance(value, list), (name, value)
  request = urllib.request.Request(url + path, json.dumps(example).encode(), {"Content-Type": "application/json"})
  answer = json.load(urllib.request.urlopen(request))["predictions"][0]
  if "properties" in schemas["Prediction"]:
      assert set(answer) <= set(schemas["Prediction"]["properties"]), answer
      assert answer["prediction"] in schemas["Prediction"]["properties"]["prediction"]["enum"]
  # Each call as it is shown.
  examples = get("/examples")["examples"]
  assert [e["language"] for e in examples] == ["curl", "python", "javascript", "cpp"]
  for e in examples:
      name = {"curl": "call.sh", "python": "call.py", "javascript": "call.mjs", "cpp": "call.cpp"}[e["language"]]
      if e["language"] == "cpp" and "--cpp" not in sys.argv: continue
      open(name, "w").write(e["code"])
      done = subprocess.run(e["run"], shell=True, capture_output=True, text=True)
      told = done.stdout.replace("'", '"') if e["language"] == "python" else done.stdout
      assert done.returncode == 0 and '"predictions"' in told, (e["language"], done.stdout, done.stderr)
      print(e["language"], "answers")

cli timeout=180
  $ maru init visitors.csv --label bought --json >/dev/null && maru run --budget 2s --json >/dev/null

server

http PUT /api/v1/endpoints/shop
  {"model": "visitors"}
  => 200

cli timeout=120
  $ python3 check.py $URL shop --cpp
  curl answers
  python answers
  javascript answers
  cpp answers

# With features looked up by key the calls bring a key that the dataset has, and leave out what is looked up.
cli
  $ printf 'visitor,age\n12,44\n' >people.csv && maru data import people.csv --name people --server $URL >/dev/null
http PUT /api/v1/endpoints/shop
  {"model": "visitors", "features": {"dataset": "people", "key": "visitor", "columns": ["age"]}}
  => 200
cli timeout=120
  $ python3 check.py $URL shop
  curl answers
  python answers
  javascript answers
  $ curl -s $URL/api/v1/endpoints/shop/examples | python3 -c 'import json, sys; row = json.load(sys.stdin)["row"]; print(row["visitor"], "age" in row)'
  12 False

http GET /api/v1/endpoints/nowhere/openapi.json
  => 404
http GET /api/v1/endpoints/nowhere/examples
  => 404

server stop
