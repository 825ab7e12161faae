# Expectations are suggested, kept, broken with their slice and rows named, and then accepted or the rows set apart.
file good.py
  print("id,carrier,fare,city")
  for i in range(200):
      print(f"{i},{'AA' if i % 2 else 'BB'},{1 + i % 9}.5,c{i % 4}")
file bad.py
  print("id,carrier,fare,city")
  for i in range(200):
      print(f"{i},{'AA' if i % 10 else 'ZZ'},{-1 if i % 10 == 0 else 2.5},c{i % 4}")

cli
  $ python3 good.py >good.csv && python3 bad.py >bad.csv && maru data import good.csv --name trips --json
  =json {"rows": 200}
  $ maru schema suggest trips --accept --json
  =json {"dataset": "trips", "number": 1}
  $ maru data validate trips --json
  =json {"ok": true, "anomalies": []}
  $ maru data import bad.csv --name trips --json
  =json {"rows": 200, "number": 2}
  $ maru data validate trips --json | python3 -c "import json, sys; r = json.load(sys.stdin); print(r['ok'], [(a['column'], a['rows'], a['slice'], a['examples'], a['trace'].split('/')[0].strip()) for a in r['anomalies'] if a['kind'] == 'between'])"
  False [('fare', 20, 'carrier: ZZ', [0, 10, 20, 30, 40], 'trips@2 -> fare -> carrier: ZZ -> 20 rows (the first: 1, 11, 21, 31, 41) ->')]
  $ maru data quarantine trips --json
  =json {"rows": 20, "kept": 180, "number": 3, "quarantine": "trips_quarantine"}
  $ maru data profile trips_quarantine --json | python3 -c "import json, sys; print([(c['name'], c['mode']) for c in json.load(sys.stdin)['columns'] if c['name'] == 'quarantine_reason'])"
  [('quarantine_reason', 'carrier: in_set')]
  $ maru schema export trips contract.yaml --format odcs && grep -c "logicalType: " contract.yaml && maru schema import trips contract.yaml --format odcs
  schema of trips in contract.yaml
  5
  schema of trips: 4 columns, [0-9]+ expectations, version [0-9]+ (re)
