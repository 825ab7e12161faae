# A file is profiled where it lies: ragged rows, markers, a report in one file; what cannot be read is named.
file t.csv
  a,b,c
  1,yes,00123
  2,no,00124
  NA,yes,00123
  3
  ?,no,00124

cli
  $ maru data profile t.csv --json
  =json {"rows": 5, "ragged_rows": 1, "ragged_examples": [3], "columns": [{"name": "a", "meaning": "numeric_with_missing_markers", "missing": 0}, {"name": "b", "meaning": "boolean", "missing": 1}, {"name": "c", "meaning": "categorical_code"}]}
  $ maru data profile t.csv --html t.html | head -2
  t.csv  5 rows, 3 columns, 0 duplicates
  column  .* (re)
  $ grep -c "<h1>t.csv</h1>" t.html
  1
  $ maru data profile t.csv --by d
  [1]
