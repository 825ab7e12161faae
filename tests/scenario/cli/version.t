# The program says what it is, at once and without a home.
cli
  $ maru version --json
  =json {"version": "(re) [0-9]+\\.[0-9]+\\.[0-9]+", "commit": "...", "build": "...", "libraries": {"duckdb": "(re) v?1\\.5\\..*", "onnxruntime": "1.28.0"}}
  $ maru version
  maru [0-9.]+ \(.*\) (re)
  ...
  $ ls -A
  bin
