# A line of 10 MB is read or refused in one line; nothing hangs.
cli
  $ (echo a,b; printf 1,; head -c 10000000 /dev/zero | tr '\0' x; echo) >long.csv; maru data import long.csv --name long --json >out 2>err; code=$?; [ $code = 0 ] && grep -q '"rows":1' out || { [ $code = 1 ] && [ $(wc -l <err) -le 3 ]; } && echo fine
  fine
