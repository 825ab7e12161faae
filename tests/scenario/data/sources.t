# A table of a SQLite file by its address, seen from the folder of the caller; secrets by name; errors that help.
file make.py
  import sqlite3
  db = sqlite3.connect("shop.db")
  db.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, price REAL, code TEXT, at DATETIME)")
  db.executemany("INSERT INTO orders VALUES (?, ?, ?, ?)", [(1, 9.5, "007", "2026-01-01 10:00:00"), (9223372036854775807, None, "8", None)])
  db.commit()

cli
  $ python3 make.py
  $ maru data import "sqlite:///shop.db?table=orders"
  orders@1  2 rows, 4 columns, * (glob)
  ...
  $ maru data import "sqlite:///shop.db?table=orders" --json
  =json {"dataset": "orders", "rows": 2, "unchanged": true, "read": {"rows": 2, "objects": [{"rows": 2}], "retries": 0}}
  $ maru data import "sqlite:///shop.db?query=SELECT code, price * 2 AS twice FROM orders WHERE price > 0" --name twice --json
  =json {"rows": 1, "columns": 2}
  $ maru data import "sqlite:///shop.db?table=orderz" --name x
  ! maru: cannot be read: sqlite:///$DIR/shop.db orderz: SQLite refused: no such table: orderz; did you mean `orders`?
  [4]
  $ maru data import "sqlite:///shop.db" --name x
  ! maru: the address names no table; add ?table=NAME, or ?query=SELECT ...
  [1]
  $ maru data import "https://127.0.0.1:1/x.csv"
  ! maru: the host is at a private address: 127.0.0.1; list it under the hosts that may be reached (glob)
  ...
  [1]
  $ echo hunter2 | maru secret set shop-db --host db.example.com
  kept shop-db for db.example.com
  $ maru secret list
  secret   host            set
  shop-db  db.example.com  * (glob)
  $ maru secret remove shop-db
  removed shop-db

sql
  SELECT source FROM data_snapshot WHERE dataset = 'orders'
  =>
  sqlite:///*/shop.db?table=orders (glob)

cli
  $ python3 -c "print(open('home/maru.db','rb').read().count(b'hunter2'))"
  0
