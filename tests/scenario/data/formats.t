# JSON lines and lists of objects: numbers keep every digit, objects inside become columns, a late key is a column of all rows.
cli
  $ printf '{"id": 18446744073709551615, "in": {"city": "서울", "tags": [1, 2]}}\n{"id": 7, "late": 2.5}\n' >r.jsonl; maru data import r.jsonl --name r --json
  =json {"rows": 2, "columns": 4}
  $ maru data profile r --json
  =json {"columns": [{"name": "id", "type": "text"}, {"name": "in.city"}, {"name": "in.tags"}, {"name": "late", "max": 2.5}]}
  $ printf '[{"a": 1}, {"a": "x"}]' >l.json; maru data import l.json --name l --json
  =json {"rows": 2, "columns": 1}
  $ printf '{"a": 1}\n{"a": oops}\n' >bad.jsonl; maru data import bad.jsonl --name bad
  ! maru: cannot read JSON: `oops` is no value: $DIR/bad.jsonl line 2; one JSON object a line, or a list of objects
  [1]

# A TFRecord file of tf.Example, written by hand; one flipped bit is found.
cli
  $ python3 -c '
  > import struct
  > def crc(b):
  >   c = 0xffffffff
  >   for x in b:
  >     c ^= x
  >     for _ in range(8): c = c >> 1 ^ (0x82f63b78 if c & 1 else 0)
  >   c ^= 0xffffffff
  >   return struct.pack("<I", ((c >> 15 | c << 17) + 0xa282ead8) & 0xffffffff)
  > f = lambda n, b: bytes([n << 3 | 2, len(b)]) + b
  > row = lambda i: f(1, f(1, f(1, b"id") + f(2, f(3, f(1, bytes([i]))))) + f(1, f(1, b"name") + f(2, f(1, f(1, b"n%d" % i)))))
  > out = b""
  > for i in range(100):
  >   body = row(i); n = struct.pack("<Q", len(body)); out += n + crc(n) + body + crc(body)
  > open("e.tfrecord", "wb").write(out); bad = bytearray(out); bad[500] ^= 1; open("bad.tfrecord", "wb").write(bad)'; maru data import e.tfrecord --name e --json
  =json {"rows": 100, "columns": 2}
  $ maru data profile e.tfrecord --json
  =json {"rows": 100, "columns": [{"name": "id", "min": 0, "max": 99}, {"name": "name", "distinct": 100}]}
  $ maru data import bad.tfrecord --name bad
  ! maru: cannot read TFRecord: .*bad.tfrecord byte .* (re)
  [1]

# What only looks like Arrow is refused.
cli
  $ printf 'ARROW1\0\0 and nothing more ARROW1' >no.arrow; maru data import no.arrow --name no
  ! maru: cannot read Arrow: .*no.arrow.* (re)
  [1]
