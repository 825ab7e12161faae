# A line of 10 MB is refused by name, place and limit; nothing hangs, nothing is kept.
cli
  $ (echo a,b; printf 1,; head -c 10000000 /dev/zero | tr '\0' x; echo) >cell.csv; maru data import cell.csv --name cell
  ! maru: a field over 1.0 MB: $DIR/cell.csv line 2; is a closing quote missing?
  [1]
  $ python3 -c 'print("a,b\n" + "1," * 5000000)' >cells.csv; maru data import cells.csv --name cells
  ! maru: .*cells.csv.* (re)
  [1]
  $ python3 -c 'print("x" * 10000000 + ",b\n1,2")' >head.csv; maru data import head.csv --name head
  ! maru: .*head.csv.* (re)
  [1]
  $ maru data list --json
  =json {"datasets": []}
