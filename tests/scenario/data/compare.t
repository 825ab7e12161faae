# What changed between two files and two snapshots, why, and that nothing is said where nothing changed.
file make.py
  import random, sys
  random.seed(int(sys.argv[1])); kind = sys.argv[2]
  print("city,amount,state")
  for i in range(2000):
      city = random.choice(["Seoul", "Seoul", "Busan", "Daegu"])
      amount = random.lognormvariate(3, 0.5)
      if kind == "cents" and city == "Daegu":
          amount *= 100
      state = random.choice(["paid", "paid", "open"])
      if kind == "renamed" and state == "open":
          state = "OPEN_NOW"
      print(f"{city},{amount:.2f},{state}")

cli
  $ python3 make.py 1 same > old.csv && python3 make.py 2 same > same.csv && python3 make.py 3 cents > cents.csv && python3 make.py 4 renamed > renamed.csv

# Nothing changed: no column, no culprit, exit code 0 with the gate.
cli
  $ maru data compare old.csv same.csv --gate --json
  =json {"drift": false, "rule": "maru", "old": "old.csv", "new": "same.csv", "rows_old": 2000, "rows_new": 2000, "culprits": [], "together": {"drift": false}}

# A unit error in one city is named, with its factor; the gate stops.
cli
  $ maru data compare old.csv cents.csv --json
  =json {"drift": true, "culprits": [{"column": "amount", "kind": "scale", "slice": "city: Daegu", "factor": "~ 100 5%", "share": "> 0.9"}]}
  $ maru data compare old.csv cents.csv --gate
  drift  old.csv (2,000 rows) → cents.csv (2,000 rows): 1 of 3 columns
  culprit: amount is .* times what it was where city: Daegu.* (re)
  ...
  [3]

# A renamed value comes with its mapping; the report is one file that asks for nothing else.
cli
  $ maru data compare old.csv renamed.csv --html report.html --language ko --json
  =json {"drift": true, "html": "report.html", "culprits": [{"column": "state", "kind": "renamed", "mapping": [{"old": "open", "new": "OPEN_NOW"}]}]}
  $ grep -c 'lang="ko"' report.html; grep -cE 'src=|<link|@import|https?:' report.html
  1
  0
  [1]

# Other tools' verdicts, and an unknown rule.
cli
  $ maru data compare old.csv cents.csv --rule evidently --json
  =json {"rule": "evidently", "columns": [{"name": "amount", "drift": true, "measures": {"method": "Wasserstein distance (normed)", "threshold": 0.1}}, "..."]}
  $ maru data compare old.csv cents.csv --rule tfdv --json
  =json {"rule": "tfdv"}
  $ maru data compare old.csv cents.csv --rule mine
  ! maru: unknown rule: mine.* (re)
  [1]
  $ maru data compare old.csv nowhere@1
  ! maru: one side is a file, the other is none: nowhere@1.* (re)
  [1]

# Snapshots: by their rows, and by what their profiles keep.
cli
  $ maru data import old.csv --name sales --json && maru data import cents.csv --name sales --json
  ...
  $ maru data compare sales@1 sales@2 --json
  =json {"drift": true, "old": "sales@1", "new": "sales@2", "culprits": [{"slice": "city: Daegu"}]}
  $ maru data profile sales@1 --json > p1 && maru data profile sales@2 --json > p2
  $ maru data compare sales@1 sales@2 --profiles --json
  =json {"drift": true, "columns": [{"name": "amount", "drift": true}, "..."]}

server

http GET /api/v1/compare?old=sales@1&new=sales@2
  => 200
  {"drift": true, "culprits": [{"column": "amount", "kind": "scale"}]}

http GET /api/v1/compare?old=sales@1
  => 400

http GET /api/v1/compare?old=sales@1&new=sales@9
  => 404
