# The same data, seed and number of trials give the same predictions, from two homes.
copy tests/scenario/data/visitors.csv

cli timeout=240
  $ maru init visitors.csv --label bought --json >/dev/null
  $ sed -i 's/metric: roc_auc/metric: roc_auc, max_trials: 3/' maru.yaml
  $ for home in one two; do maru run --home $home --json >/dev/null && maru predict visitors visitors.csv --home $home --output $home.csv --json >/dev/null; done
  $ cmp one.csv two.csv && echo same
  same
