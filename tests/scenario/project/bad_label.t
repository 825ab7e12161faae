# A label that cannot be learnt is refused before any work, with the reason.
file flat.csv
  a,same,none
  1,7,
  2,7,
  3,7,
  4,7,

cli
  $ maru init flat.csv --label nowhere
  ! maru: label is no column of the data: nowhere; columns: a, same, none
  [4]
  $ maru init flat.csv --label same
  ! maru: the label is constant: same is always 7; there is nothing to learn; choose another label or more rows
  [3]
  $ maru init flat.csv --label none
  ! maru: label is missing in every row: none; choose another label
  [3]
  $ ls maru.yaml 2>/dev/null
  [2]
