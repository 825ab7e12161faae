# What is declared to be done to the score becomes part of the version: online, in files and in batch the numbers are the same.
needs python3
file rows.py
  import random
  random.seed(4)
  with open("trips.csv", "w") as out:
      out.write("km,city,minutes\n")
      for _ in range(1500):
          km, city = random.uniform(0.2, 20), random.choice(["Seoul", "Busan", "Jeju"])
          out.write(f"{km:.2f},{city},{4 + 2.1 * km + (6 if city == 'Seoul' else 0) + random.gauss(0, 2):.1f}\n")
  with open("buys.csv", "w") as out:
      out.write("age,visits,bought\n")
      for _ in range(1500):
          age, visits = random.randint(18, 80), random.randint(0, 12)
          out.write(f"{age},{visits},{int(random.random() < (0.05 + 0.06 * visits))}\n")
file trips.yaml
  project: trips
  data: {trips: {source: trips.csv}}
  predict:
    label: minutes
    postprocess: {unit: {name: seconds, multiply: 60}, clamp: {min: 600, max: 2400}, round: 0}
  train: {automl: {budget: 4s, max_trials: 3}}
  serve: {endpoint: trips}
file buys.yaml
  project: buys
  data: {buys: {source: buys.csv}}
  predict:
    label: bought
    postprocess: {calibration: platt, round: 3, threshold: 0.3, names: {"0": stays, "1": buys}}
  train: {automl: {budget: 4s, max_trials: 3}}
  evaluate: {gates: {roc_auc: {min: 0.55}}}
  serve: {endpoint: buys}

cli timeout=120
  $ python3 rows.py
  $ maru run trips.yaml --json > trips.json && python3 -c "import json; d = json.load(open('trips.json')); print(d['promoted'], 1.5 < d['test']['rmse']['value'] < 3.5)"
  True True
  $ maru run buys.yaml --json > buys.json && python3 -c "import json; d = json.load(open('buys.json')); print(d['promoted'], d['test']['roc_auc']['value'] > 0.55)"
  True True
  $ printf 'km,city\n0.5,Jeju\n8,Busan\n19.5,Seoul\n' > some.csv
  $ maru predict trips some.csv
  600.0
  12\d\d\.0 (re)
  2400.0
  $ maru batch trips --input some.csv --output out.csv --json > batch.json; maru predict trips some.csv > file.txt
  $ python3 -c "print([float(l.split(',')[2]) for l in open('out.csv').readlines()[1:]] == [float(l) for l in open('file.txt')])"
  True

server

http POST /api/v1/endpoints/trips/predict
  {"instances": [{"km": 0.5, "city": "Jeju"}, {"km": 19.5, "city": "Seoul"}], "explain": true}
  => 200
  {"predictions": [600.0, 2400.0], "unit": "seconds", "explanations": [{"scale": "value", "raw_score": "< 10"}, {"raw_score": "> 40"}]}

http POST /v2/models/trips/infer
  {"inputs": [{"name": "km", "shape": [1, 1], "datatype": "FP64", "data": [0.5]}, {"name": "city", "shape": [1, 1], "datatype": "BYTES", "data": ["Jeju"]}]}
  => 200
  {"outputs": [{"name": "scores", "data": [600.0]}]}

http POST /v1/models/trips:predict
  {"instances": [{"km": 0.5, "city": "Jeju"}]}
  => 200
  {"predictions": [[600.0]]}

http POST /invocations?endpoint=trips
  > Content-Type: application/json
  {"dataframe_records": [{"km": 19.5, "city": "Seoul"}]}
  => 200
  {"predictions": [2400.0]}

http POST /api/v1/endpoints/buys/predict
  {"instances": [{"age": 40, "visits": 12}, {"age": 40, "visits": 0}]}
  => 200
  {"predictions": [{"prediction": "buys", "probability": "> 0.3"}, {"prediction": "stays", "probability": "< 0.3"}]}

http POST /v1/models/buys:classify
  {"examples": [{"age": 40, "visits": 0}]}
  => 200
  {"results": [[["stays", "> 0.7"], ["buys", "< 0.3"]]]}

http GET /api/v1/models/trips/signature
  => 200
  {"postprocess": {"unit": {"name": "seconds", "multiply": 60}, "clamp": {"min": 600, "max": 2400}, "round": 0}}

http GET /api/v1/models/buys/signature
  => 200
  {"threshold": 0.3, "classes": ["stays", "buys"], "label_values": ["0", "1"], "postprocess": {"calibration": {"kind": "platt", "slope": "> 0"}}}

# A wrong declaration is told before anything is learned.
file wrong.yaml
  project: trips
  data: {trips: {source: trips.csv}}
  predict:
    label: minutes
    postprocess: {clamp: {min: 9, max: 3}}
file wrong2.yaml
  project: trips
  data: {trips: {source: trips.csv}}
  predict:
    label: minutes
    postprocess: {threshold: 0.5}
  train: {automl: {budget: 60s}}

cli timeout=60
  $ maru run wrong.yaml
  ! maru: project file, line 5, .*`clamp.min` must be below `clamp.max`.* (re)
  [2]
  $ maru run wrong2.yaml
  ! .*`threshold` is for binary tasks; this model's task is regression.* (re)
  ...
  [1]
