# The numbers of a profile, against numbers worked out by hand.
file t.csv
  x,g
  1,a
  2,a
  3,b
  4,
  ,b

cli
  $ maru data import t.csv --name t --json
  =json {"rows": 5, "columns": 2}
  $ maru data profile t --json
  =json {"rows": 5, "columns": [{"name": "x", "count": 5, "missing": 1, "distinct": 4, "min": 1, "max": 4, "mean": 2.5, "std": "~ 1.2909944 1e-6"}, {"name": "g", "missing": 1, "distinct": 2}]}
