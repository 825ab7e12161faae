# Wrong use is exit code 2, with a pointer to what was probably meant.
cli
  $ maru modle list
  [2]
  $ maru model lst
  [2]
  $ maru predict
  [2]
  $ maru data import
  [2]
  $ maru up --no-such-flag
  [2]
