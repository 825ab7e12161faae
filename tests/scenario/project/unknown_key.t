# A key that does not exist is named with its line and the nearest one; a broken file with the place.
file maru.yaml
  project: p
  data: {d: {source: d.csv}}
  predict: {lable: y}

file broken.yaml
  project: [p
  data

cli
  $ maru run
  ! maru: project file, line 3, column 11: unknown key `lable` under `predict`; did you mean `label`?
  [2]
  $ maru run broken.yaml
  ! maru: project file, line 3, column 1: .* (re)
  [2]
  $ maru run absent.yaml
  ! maru: project file cannot be read: absent.yaml: .*; write one with `maru init DATA --label COLUMN` (re)
  [4]

# YAML that is nested without end.
cli
  $ python3 -c 'print("project: " + "[" * 100000)' >deep.yaml; maru run deep.yaml
  ! maru: project file.* (re)
  [2]
