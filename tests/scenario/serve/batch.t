# Whole files through a model: a row in, a row out, the numbers of an online call; bad rows are told; what cannot work is refused.
copy tests/scenario/data/visitors.csv

cli timeout=180
  $ maru init visitors.csv --label bought --json >/dev/null && maru run --budget 1s --json
  =json {"version": 1, "promoted": true}

# Without a server. Some bad rows among good ones: a word for a number, a row that is too short.
file bad.py
  import csv
  rows = list(csv.reader(open("visitors.csv", encoding="utf-8")))
  head = rows[0]
  numeric = head.index("age")
  rows[3][numeric] = "young"
  rows[5] = rows[5][:2]
  csv.writer(open("bad.csv", "w", encoding="utf-8", newline="")).writerows(rows[:101])

cli
  $ maru batch visitors --input visitors.csv --output scored.csv --shard-rows 100 --json
  =json {"state": "succeeded", "model": "visitors", "version": 1, "failed": 0, "resumed_rows": 0, "rows": "> 500", "cost_per_million": "> 0"}
  $ test $(wc -l < scored.csv) = $(wc -l < visitors.csv) && head -1 scored.csv
  visitor,age,city,plan,visits,signup,bought,prediction,probability
  $ python3 bad.py && maru batch visitors --input bad.csv --output bad.parquet --errors why.csv --json
  =json {"rows": 100, "failed": 2, "errors": "$DIR/why.csv"}
  $ cat why.csv
  row,reason
  3,"column `age`: expected a number, got ""young"""
  5,"the row has 2 cells, the first row has 7"

# Every row again, online: the same text for the same number.
file online.py
  import csv, json, sys, urllib.request
  url = sys.argv[1]
  def ask(path, body, kind):
      request = urllib.request.Request(url + path, data=body, headers={"Content-Type": kind})
      return json.load(urllib.request.urlopen(request, timeout=60), parse_float=str, parse_int=str)["predictions"]
  asked = list(csv.DictReader(open("visitors.csv", encoding="utf-8")))
  given = list(csv.DictReader(open("scored.csv", encoding="utf-8")))
  label = "bought"
  differ = 0
  for at in range(0, len(asked), 7):  # alone
      row = {k: v for k, v in asked[at].items() if k != label}
      answer = ask("/api/v1/endpoints/visitors/predict", json.dumps({"instances": [row]}).encode(), "application/json")[0]
      differ += answer["probability"] != given[at]["probability"] or answer["prediction"] != given[at]["prediction"]
  lines = open("visitors.csv", "rb").read()
  scores = ask("/invocations?endpoint=visitors", lines, "text/csv")  # all at once
  differ += sum(a != b["probability"] for a, b in zip(scores, given)) + (len(scores) != len(given))
  print("rows", len(given) > 500, "differ", differ)

server

cli
  $ python3 online.py $URL
  rows True differ 0

# Parquet, a pattern and a dataset give the same answers.
cli timeout=60
  $ maru data import visitors.csv --name visitors >/dev/null && maru batch visitors@champion --input visitors --output set.csv --columns none --json
  =json {"failed": 0}
  $ maru batch visitors/1 --input visitors --output set.parquet --json >/dev/null && maru batch visitors --input 'set.par*' --output again.csv --columns none --json
  =json {"failed": 0}
  $ cmp set.csv again.csv && tail -n +2 scored.csv | sed 's/^.*,\(.*,.*\)$/\1/' > a && tail -n +2 set.csv | cmp a -

# Refused, each with its exit code, before anything is written.
cli
  $ maru batch visitors --input visitors.csv --output scored.csv
  ! maru: the output exists: .*scored.csv; choose another one, or replace it with --overwrite (re)
  [1]
  $ maru batch visitors --input visitors.csv --output no/such/out.csv
  ! maru: the folder of the output is not there: .* (re)
  [4]
  $ maru batch visitors --input visitors.csv --output out.xlsx
  ! maru: unknown kind of output file: .* (re)
  [1]
  $ maru batch nobody --input visitors.csv --output out.csv
  ! maru: .*nobody.* (re)
  [4]
  $ maru batch visitors --input absent.csv --output out.csv
  ! maru: .*(absent).* (re)
  [4]
  $ printf 'plan,visits\nfree,1\n' > lacks.csv; maru batch visitors --input lacks.csv --output out.csv
  ! maru: batch: the input lacks the column `.*`.* (re)
  [1]
  $ : > empty.csv; maru batch visitors --input empty.csv --output out.csv
  ! maru: batch: the file is empty: .* (re)
  [1]
  $ head -c 2000 set.parquet > cut.parquet; maru batch visitors --input cut.parquet --output out.csv
  ! maru: batch: .*Parquet.* (re)
  [1]
  $ ls out.csv* 2>/dev/null | wc -l
  0
  $ head -1 visitors.csv > none.csv; maru batch visitors --input none.csv --output none.out.csv --json
  =json {"rows": 0, "failed": 0}

# By schedule: kept by the server, also through a restart.
cli
  $ maru batch schedule nightly visitors --every day --input visitors.csv --output scored.csv
  ! maru: each run would write the same file: .* (re)
  [1]
  $ maru batch schedule nightly visitors --every day --input visitors.csv --output 'daily-{date}.csv' --json
  =json {"name": "nightly", "cron": "0 0 * * *", "model": "visitors"}
  $ maru batch schedule often visitors --every 30m --input visitors.csv --output scored.csv --overwrite --json
  =json {"cron": "*/30 * * * *"}
  $ maru batch schedule odd visitors --every sometimes --input visitors.csv --output 'a-{time}.csv'
  ! maru: `every` is no rhythm: sometimes.* (re)
  [1]
  $ maru batch remove often
  removed often
  $ maru batch remove often
  ! maru: no schedule has this name: .* (re)
  [4]

server stop

server

http GET /api/v1/batch
  => 200
  {"jobs": [{"state": "succeeded"}, "..."], "schedules": [{"name": "nightly", "next_tick_us": "> 0"}]}

server stop

# A schedule that came due while no server ran, runs once one does.
cli
  $ python3 -c "import os, sqlite3; db = sqlite3.connect(os.environ['MARU_HOME'] + '/maru.db'); db.execute('UPDATE pipeline_schedules SET next_tick_us = 1'); db.commit()"

server

http GET /api/v1/batch within=20
  => 200
  {"jobs": [{"state": "succeeded", "trigger": "schedule", "output": "(re) .*/daily-\\d{4}-\\d\\d-\\d\\d.csv"}, "..."]}

server stop

cli
  $ cmp daily-*.csv scored.csv
