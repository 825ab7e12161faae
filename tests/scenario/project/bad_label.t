# A label that cannot be learnt is refused before any work, with the reason.
file flat.csv
  a,same,none
  1,7,
  2,7,
  3,7,
  4,7,

cli
  $ maru init flat.csv --label nowhere
  [4]
  $ maru init flat.csv --label same
  [3]
  $ maru init flat.csv --label none
  [3]
  $ ls maru.yaml 2>/dev/null
  [2]
