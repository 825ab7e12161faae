# Without one usable column there is nothing to learn from: said with the columns and why, and no model comes of it.
cli
  $ (echo y; for i in $(seq 60); do echo $((i % 2)); done) >only.csv; maru init only.csv --label y
  ! maru: no column is left to learn from besides the label
  [1]
  $ (echo k,y; for i in $(seq 60); do echo 5,$((i % 2)); done) >constant.csv; maru init constant.csv --label y >/dev/null && maru run --budget 2s >/dev/null
  ! maru: .*no usable feature is left: `k`: constant (re)
  [1]
  $ maru model list --json
  =json {"models": []}
