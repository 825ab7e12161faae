# init reads a table and writes every inferred choice down.
copy tests/scenario/data/visitors.csv

cli
  $ maru init visitors.csv --label bought --json
  =json {"project": "visitors", "task": "binary", "label": "bought", "columns": ["..."]}
  $ grep -c 'label: *bought' maru.yaml
  1
  $ maru init visitors.csv --label age --out other.yaml --json
  =json {"task": "regression"}
  $ maru init visitors.csv --label city --out city.yaml --json
  =json {"task": "multiclass"}
  $ maru init visitors.csv --label 'visits > 5' --out expr.yaml --json
  =json {"task": "binary"}
