# A key that does not exist is named with its line and the nearest one.
file maru.yaml
  project: p
  data: {d: {source: d.csv}}
  predict: {lable: y}

file broken.yaml
  project: [p
  data

cli
  $ maru run
  [2]
  $ maru run broken.yaml
  [2]
  $ maru run absent.yaml
  [4]
